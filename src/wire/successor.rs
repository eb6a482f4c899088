//! A successor: an old key says which key takes its place, and the new key agrees.
//!
//! The old key signs the record; inside stands the new key's consent, so that nobody can be made the heir of a key
//! against their will. What a successor is good for (a capability re-issued to the new key) is the core's to judge.

use crate::cbor::{CborError, Writer};
use crate::fields::Fields;
use crate::limits::SUCCESSOR_MAX;
use crate::signed::{Signed, shown_by_fields, signed_object};
use crate::{Crypto, Domain, NodeId, SecretKey, Signature, WallMillis};

const VERSION: u64 = 1;

/// What a successor says; [`Successor::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuccessorFields {
    /// The key that is given up, which signs.
    pub old: NodeId,
    /// The key that takes its place; another one.
    pub new: NodeId,
    /// When it was made.
    pub issued: WallMillis,
    /// The new key's signature over [`Successor::consent_body`].
    pub consent: Signature,
}

/// Why a successor was refused; the old key's owner is to blame, or, from [`Successor::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SuccessorError {
    /// Not canonical, or not a successor's fields.
    #[error("successor: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`SUCCESSOR_MAX`].
    #[error("successor has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("successor has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The old key and the new one are the same.
    #[error("a key is named as its own successor")]
    SameKey,
    /// The key to sign with is not the old one.
    #[error("the key is not the old key")]
    WrongKey,
}

/// A signed successor, legal in itself; both signatures are checked by [`Successor::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Successor {
    fields: SuccessorFields,
    signed: Signed,
}

impl Successor {
    /// What the new key's consent is over, without the domain's prefix: old ‖ new ‖ issued (8, big endian).
    #[must_use]
    pub fn consent_body(old: &NodeId, new: &NodeId, issued: WallMillis) -> Vec<u8> {
        [old.as_bytes().as_slice(), new.as_bytes(), &issued.0.to_be_bytes()].concat()
    }

    /// Signs the consent with the new key.
    #[must_use]
    pub fn consent(crypto: &dyn Crypto, new: &SecretKey, old: &NodeId, issued: WallMillis) -> Signature {
        crypto.sign(new, Domain::Successor, &Self::consent_body(old, &NodeId::new(new.public()), issued))
    }

    /// Whether the old key signed it and the new key consented.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        let SuccessorFields { old, new, issued, consent } = &self.fields;
        self.signed.verify(crypto, Domain::Successor, old.as_bytes())
            && crypto.verify(new.as_bytes(), Domain::Successor, &Self::consent_body(old, new, *issued), consent)
    }
}

signed_object!(
    Successor(SuccessorFields) or SuccessorError,
    "successor" signed with "the old key", Domain::Successor, SUCCESSOR_MAX
);
shown_by_fields!(Successor);

fn signer_of(fields: &SuccessorFields) -> &[u8; 32] {
    fields.old.as_bytes()
}

fn check(fields: &SuccessorFields) -> Result<(), SuccessorError> {
    if fields.old == fields.new { Err(SuccessorError::SameKey) } else { Ok(()) }
}

fn write(fields: &SuccessorFields) -> Vec<u8> {
    let mut w = Writer::with_capacity(SUCCESSOR_MAX);
    w.map(5).uint(0).uint(VERSION);
    w.uint(1).bytes(fields.old.as_bytes()).uint(2).bytes(fields.new.as_bytes());
    w.uint(3).uint(fields.issued.0).uint(4).bytes(&fields.consent);
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<SuccessorFields, SuccessorError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(SuccessorError::UnsupportedVersion(version));
    }
    let old = NodeId::new(f.required(1)?.fixed()?);
    let new = NodeId::new(f.required(2)?.fixed()?);
    let issued = WallMillis(f.required(3)?.uint()?);
    let consent = f.required(4)?.fixed()?;
    f.finish()?;
    Ok(SuccessorFields { old, new, issued, consent })
}
