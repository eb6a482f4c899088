//! A service record: which nodes serve a service, signed by the service's key.
//!
//! The highest number wins. The prekey is the service's, so what is sealed to the service can be opened by each of its
//! nodes. How the nodes came by its keys is their owner's business.

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::{Fields, is_plain};
use crate::limits::{NAME_MAX, SERVICE_NODES_MAX, SERVICE_RECORD_MAX};
use crate::signed::{Signed, shown_by_fields, signed_object};
use crate::{Crypto, Domain, NodeId, ServiceId, WallMillis};

const VERSION: u64 = 1;

/// What a service record says; [`ServiceRecord::issue`] holds it to the format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRecordFields {
    /// The service, which signs.
    pub service: ServiceId,
    /// Rises with every record of the service, from 1.
    pub number: u64,
    /// When it was made.
    pub issued: WallMillis,
    /// Last millisecond of its life; after `issued`.
    pub valid_until: WallMillis,
    /// Who serves it: 1 to 8, strictly ascending.
    pub nodes: Vec<NodeId>,
    /// The service's X25519 prekey.
    pub prekey: [u8; 32],
    /// What its owner calls it: 1 to 64 bytes without control characters.
    pub name: Option<String>,
}

/// Why a service record was refused; the service's owner is to blame, or, from [`ServiceRecord::issue`], the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceRecordError {
    /// Not canonical, or not a service record's fields.
    #[error("service record: {0}")]
    Cbor(#[from] CborError),
    /// Shorter than a signature or longer than [`SERVICE_RECORD_MAX`].
    #[error("service record has an impossible length")]
    Length,
    /// A version this crate does not know.
    #[error("service record has unsupported version {0}")]
    UnsupportedVersion(u64),
    /// The number is 0.
    #[error("service record has number 0")]
    Number,
    /// `valid_until` is not after `issued`.
    #[error("service record ends before it begins")]
    Times,
    /// The nodes are none, more than 8, or not strictly ascending.
    #[error("service record does not have 1 to 8 nodes in strictly ascending order")]
    Nodes,
    /// The name is too long, empty or has control characters in it.
    #[error("service record has an illegal name")]
    Name,
    /// The key to sign with is not the service's.
    #[error("the key is not the service's")]
    WrongKey,
}

/// A signed service record, legal in itself; its signature is checked by [`ServiceRecord::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    fields: ServiceRecordFields,
    signed: Signed,
}

impl ServiceRecord {
    /// Whether `node` is one of those that serve it.
    #[must_use]
    pub fn is_served_by(&self, node: &NodeId) -> bool {
        self.fields.nodes.binary_search(node).is_ok()
    }

    /// Whether the service's key signed it.
    #[must_use]
    pub fn verify(&self, crypto: &dyn Crypto) -> bool {
        self.signed.verify(crypto, Domain::ServiceRecord, self.fields.service.as_bytes())
    }
}

signed_object!(
    ServiceRecord(ServiceRecordFields) or ServiceRecordError,
    "service record" signed with "the service's key", Domain::ServiceRecord, SERVICE_RECORD_MAX
);
shown_by_fields!(ServiceRecord);

fn signer_of(fields: &ServiceRecordFields) -> &[u8; 32] {
    fields.service.as_bytes()
}

fn check(fields: &ServiceRecordFields) -> Result<(), ServiceRecordError> {
    if fields.number == 0 {
        return Err(ServiceRecordError::Number);
    }
    if fields.valid_until <= fields.issued {
        return Err(ServiceRecordError::Times);
    }
    if !(1..=SERVICE_NODES_MAX).contains(&fields.nodes.len()) || !fields.nodes.is_sorted_by(|a, b| a < b) {
        return Err(ServiceRecordError::Nodes);
    }
    match &fields.name {
        Some(name) if !(1..=NAME_MAX).contains(&name.len()) || !is_plain(name) => Err(ServiceRecordError::Name),
        Some(_) | None => Ok(()),
    }
}

fn write(fields: &ServiceRecordFields) -> Vec<u8> {
    let mut w = Writer::with_capacity(SERVICE_RECORD_MAX);
    w.map(if fields.name.is_some() { 8 } else { 7 }).uint(0).uint(VERSION);
    w.uint(1).bytes(fields.service.as_bytes()).uint(2).uint(fields.number);
    w.uint(3).uint(fields.issued.0).uint(4).uint(fields.valid_until.0);
    w.uint(5).array(fields.nodes.len());
    for node in &fields.nodes {
        w.bytes(node.as_bytes());
    }
    w.uint(6).bytes(&fields.prekey);
    if let Some(name) = &fields.name {
        w.uint(7).text(name);
    }
    w.into_bytes()
}

fn read(body: &[u8]) -> Result<ServiceRecordFields, ServiceRecordError> {
    let mut f = Fields::open(body)?;
    let version = f.required(0)?.uint()?;
    if version != VERSION {
        return Err(ServiceRecordError::UnsupportedVersion(version));
    }
    let service = ServiceId::new(f.required(1)?.fixed()?);
    let number = f.required(2)?.uint()?;
    let issued = WallMillis(f.required(3)?.uint()?);
    let valid_until = WallMillis(f.required(4)?.uint()?);
    let nodes = read_nodes(f.required(5)?)?;
    let prekey = f.required(6)?.fixed()?;
    let name = f.optional(7)?.map(|r| r.text_within(1, NAME_MAX)).transpose()?.map(str::to_owned);
    f.finish()?;
    Ok(ServiceRecordFields { service, number, issued, valid_until, nodes, prekey, name })
}

fn read_nodes(reader: &mut Reader<'_>) -> Result<Vec<NodeId>, CborError> {
    let count = reader.array_within(1, SERVICE_NODES_MAX)?;
    (0..count).map(|_| reader.fixed().map(NodeId::new)).collect()
}
