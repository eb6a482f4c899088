//! A peer record: where a node can be dialled and what it is, signed by the node.
//!
//! The highest number wins. A locator that this version cannot read (a scheme of a later one) stays in the record and is
//! left out of [`PeerRecord::locators`].

use bytes::Bytes;

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::{Fields, is_address};
use crate::hello::{read_attestations, write_attestations};
use crate::limits::{ATTESTATION_MAX, ATTESTATIONS_MAX, LOCATOR_MAX, LOCATORS_MAX, PEER_RECORD_MAX};
use crate::signed::{Signed, shown_by_fields, signed_object};
use crate::{Crypto, Domain, Locator, NodeId, Roles, WallMillis};

const VERSION: u64 = 1;

/// What a peer record says; [`PeerRecord::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecordFields {
    /// The node, which signs.
    pub node: NodeId,
    /// Rises with every record of the node, from 1.
    pub number: u64,
    /// When it was made.
    pub issued: WallMillis,
    /// Last millisecond of its life; after `issued`.
    pub valid_until: WallMillis,
    /// Where it can be dialled, as text: at most 16, each 1 to 256 bytes without white space.
    pub locators: Vec<String>,
    /// What it does for others.
    pub roles: Roles,
    /// Its X25519 prekey.
    pub prekey: Option<[u8; 32]>,
    /// Bindings of other networks' keys to the node: at most 4, each 1 to 256 bytes.
    pub attestations: Vec<Bytes>,
}

/// Why a peer record was refused; its node is to blame, or, from [`PeerRecord::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerRecordError {
    /// Not canonical, or not a peer record's fields.
    #[error("peer record: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`PEER_RECORD_MAX`].
    #[error("peer record has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("peer record has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The number is 0.
    #[error("peer record has number 0")]
    Number,
    /// `valid_until` is not after `issued`.
    #[error("peer record ends before it begins")]
    Times,
    /// A locator is too long, empty or has white space or control characters in it, or there are too many.
    #[error("peer record has an illegal locator")]
    Locator,
    /// An attestation is too long or empty, or there are too many.
    #[error("peer record has an illegal attestation")]
    Attestation,
    /// The key to sign with is not the node's.
    #[error("the key is not the node's")]
    WrongKey,
}

/// A signed peer record, legal in itself; its signature is checked by [`PeerRecord::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct PeerRecord {
    fields: PeerRecordFields,
    signed: Signed,
}

impl PeerRecord {
    /// The locators that this version can read.
    pub fn locators(&self) -> impl Iterator<Item = Locator> {
        self.fields.locators.iter().filter_map(|text| text.parse().ok())
    }

    /// Whether the node signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::PeerRecord, self.fields.node.as_bytes())
    }
}

signed_object!(
    PeerRecord(PeerRecordFields) or PeerRecordError,
    "peer record" signed with "the node's key", Domain::PeerRecord, PEER_RECORD_MAX
);
shown_by_fields!(PeerRecord);

fn signer_of(fields: &PeerRecordFields) -> &[u8; 32] {
    fields.node.as_bytes()
}

fn check(fields: &PeerRecordFields) -> Result<(), PeerRecordError> {
    if fields.number == 0 {
        return Err(PeerRecordError::Number);
    }
    if fields.valid_until <= fields.issued {
        return Err(PeerRecordError::Times);
    }
    if fields.locators.len() > LOCATORS_MAX || !fields.locators.iter().all(|text| is_locator_text(text)) {
        return Err(PeerRecordError::Locator);
    }
    let legal = |bytes: &Bytes| (1..=ATTESTATION_MAX).contains(&bytes.len());
    if fields.attestations.len() > ATTESTATIONS_MAX || !fields.attestations.iter().all(legal) {
        return Err(PeerRecordError::Attestation);
    }
    Ok(())
}

/// Whether text can stand in a list of locators; a ticket has them too.
pub(crate) fn is_locator_text(text: &str) -> bool {
    (1..=LOCATOR_MAX).contains(&text.len()) && is_address(text)
}

/// Reads 1 to `max` locators as text.
pub(crate) fn read_locators(reader: &mut Reader<'_>, max: usize) -> Result<Vec<String>, CborError> {
    let count = reader.array_within(1, max)?;
    (0..count).map(|_| reader.text_within(1, LOCATOR_MAX).map(str::to_owned)).collect()
}

/// Writes locators under `key`, or nothing when there are none.
pub(crate) fn write_locators(w: &mut Writer, key: u64, locators: &[String]) {
    if !locators.is_empty() {
        w.uint(key).array(locators.len());
        for locator in locators {
            w.text(locator);
        }
    }
}

fn write(fields: &PeerRecordFields) -> Vec<u8> {
    let optional = [!fields.locators.is_empty(), fields.prekey.is_some(), !fields.attestations.is_empty()];
    let mut w = Writer::with_capacity(PEER_RECORD_MAX);
    w.map(optional.iter().filter(|present| **present).count().saturating_add(6));
    w.uint(0).uint(VERSION).uint(1).bytes(fields.node.as_bytes()).uint(2).uint(fields.number);
    w.uint(3).uint(fields.issued.0).uint(4).uint(fields.valid_until.0);
    write_locators(&mut w, 5, &fields.locators);
    w.uint(6).uint(fields.roles.bits());
    if let Some(prekey) = &fields.prekey {
        w.uint(7).bytes(prekey);
    }
    write_attestations(&mut w, 8, &fields.attestations);
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<PeerRecordFields, PeerRecordError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(PeerRecordError::UnsupportedVersion(version));
    }
    let node = NodeId::new(f.required(1)?.fixed()?);
    let number = f.required(2)?.uint()?;
    let issued = WallMillis(f.required(3)?.uint()?);
    let valid_until = WallMillis(f.required(4)?.uint()?);
    let locators = f.optional(5)?.map(|r| read_locators(r, LOCATORS_MAX)).transpose()?.unwrap_or_default();
    let roles = Roles::from_known_bits(f.required(6)?.uint()?);
    let prekey = f.optional(7)?.map(Reader::fixed).transpose()?;
    let attestations = f.optional(8)?.map(read_attestations).transpose()?.unwrap_or_default();
    f.finish()?;
    Ok(PeerRecordFields { node, number, issued, valid_until, locators, roles, prekey, attestations })
}
