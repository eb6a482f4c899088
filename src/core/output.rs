//! What comes out of the core: requests, effects and events. Every effect is answered under its own id.

use bytes::Bytes;
use crosscast_port::{OpId, Request, StoreOp};
use crosscast_wire::{Crypto, Domain, PayloadHash, SecretKey, Signature};

use crate::{Event, Verdict};

/// One thing to be done.
#[derive(Clone, Debug)]
pub enum Output {
    /// For the transport of the locator's scheme (listen, dial) or the one that has the link (the rest).
    Link(Request),
    /// For the store; answered by `Input::Stored`.
    Store(OpId, StoreOp),
    /// For the signer; answered by `Input::Signed`.
    Sign(OpId, SignJob),
    /// For the verifier; answered by `Input::Verified`, in order of asking for jobs of one sender.
    Verify(OpId, VerifyJob),
    /// For the application.
    Event(Event),
}

/// Whose key signs.
#[derive(Clone, Debug)]
pub enum SignKey {
    /// The node's own, which the driver holds.
    Node,
    /// A group's, which the core was given or made.
    Group(Box<SecretKey>),
}

/// A signature to be made.
#[derive(Clone, Debug)]
pub struct SignJob {
    /// With which key.
    pub key: SignKey,
    /// As what kind of object.
    pub domain: Domain,
    /// Over these bytes (the domain prefix is the signer's to add).
    pub body: Bytes,
}

impl SignJob {
    /// Makes the signature; `node` is the node's own key.
    #[must_use]
    pub fn run(&self, crypto: &dyn Crypto, node: &SecretKey) -> Signature {
        match &self.key {
            SignKey::Node => crypto.sign(node, self.domain, &self.body),
            SignKey::Group(key) => crypto.sign(key, self.domain, &self.body),
        }
    }
}

/// One signature to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureCheck {
    /// The key that should have signed.
    pub key: [u8; 32],
    /// As what kind of object.
    pub domain: Domain,
    /// Over these bytes.
    pub body: Bytes,
    /// The signature.
    pub signature: Signature,
}

/// Signatures, and at most one payload, to be checked together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyJob {
    /// Every one must hold.
    pub signatures: Vec<SignatureCheck>,
    /// BLAKE3 of these bytes must be this hash.
    pub payload: Option<(PayloadHash, Bytes)>,
}

impl VerifyJob {
    /// Makes the check: signatures first, so that a false payload blames the link and never the sender.
    #[must_use]
    pub fn run(&self, crypto: &dyn Crypto) -> Verdict {
        let holds = |check: &SignatureCheck| crypto.verify(&check.key, check.domain, &check.body, &check.signature);
        if !self.signatures.iter().all(holds) {
            return Verdict::BadSignature;
        }
        match &self.payload {
            Some((hash, bytes)) if blake3::hash(bytes).as_bytes() != hash.as_bytes() => Verdict::BadPayload,
            Some(_) | None => Verdict::Good,
        }
    }

    /// What jobs must be answered in order by: the first key.
    #[must_use]
    pub fn sender(&self) -> [u8; 32] {
        self.signatures.first().map_or([0; 32], |check| check.key)
    }
}
