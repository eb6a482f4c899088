//! An attestation: the key of another network's node and a NodeId say that they belong together.
//!
//! The host node's key signs first, the node countersigns what it then has. Both keys are Ed25519 here: Yggdrasil's node
//! key is one, and cjdns signs with the Edwards form of its X25519 key. Who reads one learns which address a node has on
//! that network without believing an address that somebody names; that the other end of a link has that address is the
//! transport's to check.

use bytes::Bytes;

use crate::cbor::{CborError, Writer};
use crate::crypto::{usable, verify_plain};
use crate::fields::Fields;
use crate::limits::{ATTESTATION_LIFE_MAX_MS, ATTESTATION_MAX, ATTESTATION_SLACK_MS, SIGNATURE_LEN};
use crate::signed::{Signed, shown_by_fields};
use crate::{Crypto, Domain, Network, NodeId, PeerFault, SecretKey, Signature, WallMillis};

const VERSION: u64 = 1;

/// What an attestation says; [`AttestationDraft::new`] holds it to the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttestationFields {
    /// The host node's network: Yggdrasil or cjdns.
    pub network: Network,
    /// The Ed25519 key that the host node signs with.
    pub key: [u8; 32],
    /// Our node, which countersigns.
    pub node: NodeId,
    /// First millisecond of its life.
    pub not_before: WallMillis,
    /// Last millisecond of its life; after `not_before`, by at most [`ATTESTATION_LIFE_MAX_MS`].
    pub not_after: WallMillis,
}

/// Why an attestation was refused; whoever made it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// Not canonical, or not an attestation's fields.
    #[error("attestation: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than two signatures or longer than [`ATTESTATION_MAX`].
    #[error("attestation has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("attestation has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The network has no keys that sign, or is unknown.
    #[error("attestation is of no network that has keys which sign")]
    Network,
    /// The host node's key is not a canonical point, or of small order.
    #[error("attestation has an unusable key")]
    Key,
    /// `not_after` is not after `not_before`, or too long after it.
    #[error("attestation has an impossible life")]
    Times,
    /// The key to countersign with is not the node's.
    #[error("the key is not the node's")]
    WrongKey,
    /// The host node's signature does not hold.
    #[error("the signature is not the host node's")]
    HostSignature,
}

/// An attestation that the host node has yet to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationDraft {
    fields: AttestationFields,
    body: Vec<u8>,
}

impl AttestationDraft {
    /// Writes the body.
    ///
    /// # Errors
    /// The first field outside its bounds.
    pub fn new(fields: AttestationFields) -> Result<Self, AttestationError> {
        check(&fields)?;
        Ok(Self { fields, body: write(&fields) })
    }

    /// What the host node's key signs, as it is: nothing is to be put before it.
    #[must_use]
    pub fn host_bytes(&self) -> Vec<u8> {
        host_bytes(self.fields.network, &self.body)
    }

    /// Puts the host node's signature behind the body and countersigns both.
    ///
    /// # Errors
    /// [`AttestationError::WrongKey`] when `node` is another key than the one named,
    /// [`AttestationError::HostSignature`] when the host node's signature does not hold.
    pub fn finish(
        self,
        host_signature: &Signature,
        node: &SecretKey,
        crypto: &dyn Crypto,
    ) -> Result<Attestation, AttestationError> {
        if node.public() != *self.fields.node.as_bytes() {
            return Err(AttestationError::WrongKey);
        }
        if !verify_plain(&self.fields.key, &self.host_bytes(), host_signature) {
            return Err(AttestationError::HostSignature);
        }
        let mut signed = self.body;
        signed.extend_from_slice(host_signature);
        let signed = Signed::seal(signed, ATTESTATION_MAX, Domain::Attestation, crypto, node);
        Ok(Attestation { fields: self.fields, signed: signed.ok_or(AttestationError::Length)? })
    }
}

/// A countersigned attestation, legal in itself; both signatures are checked by [`Attestation::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Attestation {
    fields: AttestationFields,
    /// The body and the host node's signature, with the node's signature.
    signed: Signed,
}

impl Attestation {
    /// Reads an attestation; no signature is checked yet.
    ///
    /// # Errors
    /// The first thing that is not as the format has it.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestationError> {
        let signed = Signed::split(bytes, ATTESTATION_MAX).ok_or(AttestationError::Length)?;
        let (body, _) = signed.body().split_last_chunk::<SIGNATURE_LEN>().ok_or(AttestationError::Length)?;
        let fields = read(body)?;
        check(&fields)?;
        Ok(Self { fields, signed })
    }

    /// What it says.
    #[must_use]
    pub const fn fields(&self) -> &AttestationFields {
        &self.fields
    }

    /// Body and both signatures as they travel.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        self.signed.bytes()
    }

    /// The key that the host node's address is made of: on Yggdrasil the one that signs, on cjdns its Montgomery form.
    #[must_use]
    pub fn host_key(&self) -> [u8; 32] {
        match self.fields.network {
            // Every attestation has a usable key; `unwrap_or` only says so without a panic.
            Network::Cjdns => usable(&self.fields.key).map_or(self.fields.key, |key| key.to_montgomery().to_bytes()),
            Network::Yggdrasil | Network::Tls | Network::Libp2p | Network::Relay | Network::Memory => self.fields.key,
        }
    }

    /// Whether it binds its host node to `node` now, with [`ATTESTATION_SLACK_MS`] for clocks that differ.
    ///
    /// # Errors
    /// [`PeerFault::AttestationForeign`] when it names another node, [`PeerFault::AttestationExpired`] outside its life,
    /// [`PeerFault::AttestationForged`] when one of its signatures does not hold.
    pub fn verify(&self, crypto: &dyn Crypto, node: &NodeId, now: WallMillis) -> Result<(), PeerFault> {
        let AttestationFields { node: named, not_before, not_after, .. } = &self.fields;
        if named != node {
            return Err(PeerFault::AttestationForeign);
        }
        let (earliest, latest) =
            (not_before.0.saturating_sub(ATTESTATION_SLACK_MS), not_after.0.saturating_add(ATTESTATION_SLACK_MS));
        if !(earliest..=latest).contains(&now.0) {
            return Err(PeerFault::AttestationExpired);
        }
        let holds = self.host_signed() && self.signed.verify(crypto, Domain::Attestation, node.as_bytes());
        if holds { Ok(()) } else { Err(PeerFault::AttestationForged) }
    }

    fn host_signed(&self) -> bool {
        self.signed.body().split_last_chunk::<SIGNATURE_LEN>().is_some_and(|(body, signature)| {
            verify_plain(&self.fields.key, &host_bytes(self.fields.network, body), signature)
        })
    }
}

shown_by_fields!(Attestation);

/// What the host node's key signs of a body.
fn host_bytes(network: Network, body: &[u8]) -> Vec<u8> {
    let bytes = Domain::Attestation.signed_bytes(body);
    match network {
        // cjdns signs at most 64 bytes, and of those only ASCII survives its admin interface.
        Network::Cjdns => blake3::hash(&bytes).to_hex().as_bytes().to_vec(),
        Network::Yggdrasil | Network::Tls | Network::Libp2p | Network::Relay | Network::Memory => bytes,
    }
}

fn check(fields: &AttestationFields) -> Result<(), AttestationError> {
    match fields.network {
        Network::Yggdrasil | Network::Cjdns => {}
        Network::Tls | Network::Libp2p | Network::Relay | Network::Memory => return Err(AttestationError::Network),
    }
    if usable(&fields.key).is_none() {
        return Err(AttestationError::Key);
    }
    match fields.not_after.0.checked_sub(fields.not_before.0) {
        Some(1..=ATTESTATION_LIFE_MAX_MS) => Ok(()),
        Some(_) | None => Err(AttestationError::Times),
    }
}

fn write(fields: &AttestationFields) -> Vec<u8> {
    let mut w = Writer::with_capacity(ATTESTATION_MAX);
    w.map(6).uint(0).uint(VERSION).uint(1).uint(fields.network.number().into());
    w.uint(2).bytes(&fields.key).uint(3).bytes(fields.node.as_bytes());
    w.uint(4).uint(fields.not_before.0).uint(5).uint(fields.not_after.0);
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<AttestationFields, AttestationError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(AttestationError::UnsupportedVersion(version));
    }
    let network = Network::from_number(f.required(1)?.uint()?).ok_or(AttestationError::Network)?;
    let key = f.required(2)?.fixed()?;
    let node = NodeId::new(f.required(3)?.fixed()?);
    let not_before = WallMillis(f.required(4)?.uint()?);
    let not_after = WallMillis(f.required(5)?.uint()?);
    f.finish()?;
    Ok(AttestationFields { network, key, node, not_before, not_after })
}
