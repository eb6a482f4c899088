//! The hashes that name things: BLAKE3, plain or derive-key, and the contexts that keep the names apart.
//!
//! A context is used for one purpose only (BLAKE3 paper, section 2.3). Message ids and short ids are made for every
//! message, so their context keys are computed once.

use std::sync::LazyLock;

use blake3::hazmat::{ContextKey, HasherExt as _, hash_derive_key_context};

use crate::{
    CapabilitySerial, ContentKeyId, GroupId, MessageId, NodeId, PayloadHash, Rendezvous, RequestId, RevocationId,
    ShortId,
};

/// Derive-key contexts, one per purpose.
pub mod context {
    /// Checksum of a key in text: two-letter kind ‖ key, first 3 bytes.
    pub const KEY_TEXT: &str = "crosscast key text v1";
    /// Message id: header bytes.
    pub const MESSAGE_ID: &str = "crosscast message id v1";
    /// Short id: link key (32) ‖ message id (32), first 8 bytes.
    pub const SHORT_ID: &str = "crosscast short id v1";
    /// Serial of a capability: its body.
    pub const CAPABILITY_SERIAL: &str = "crosscast capability serial v1";
    /// Name of a chain: the serials, root first.
    pub const CHAIN: &str = "crosscast chain v1";
    /// Revocation of a subject: its public key (32).
    pub const REVOKED_SUBJECT: &str = "crosscast revoked subject v1";
    /// Revocation of everyone an invite let in: the invite's public key (32).
    pub const REVOKED_INVITE: &str = "crosscast revoked invite v1";
    /// Name of a join request or a locate: its body.
    pub const REQUEST: &str = "crosscast request v1";
    /// Name of a content key: the key, first 8 bytes.
    pub const CONTENT_KEY_ID: &str = "crosscast content key id v1";
    /// Key of one sender instance: content key (32) ‖ group or `to` (32) ‖ from (32) ‖ instance (8, big endian).
    pub const MESSAGE_KEY: &str = "crosscast message key v1";
    /// Transcript of a hello: BLAKE3 of the dialler's body (32) ‖ BLAKE3 of the listener's body (32).
    pub const HELLO: &str = "crosscast hello v1";
    /// DHT key: a public key.
    pub const DHT_KEY: &str = "crosscast dht key v1";
    /// Rendezvous of a group on a day: group (32) ‖ day since the Unix epoch (8, big endian).
    pub const RENDEZVOUS: &str = "crosscast rendezvous v1";
    /// Checksum of a ticket: its body, first 4 bytes.
    pub const TICKET: &str = "crosscast ticket v1";
}

static MESSAGE_ID_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(context::MESSAGE_ID));
static SHORT_ID_KEY: LazyLock<ContextKey> = LazyLock::new(|| hash_derive_key_context(context::SHORT_ID));

impl MessageId {
    /// The id of the message with these header bytes; neither signature nor payload take part.
    #[must_use]
    pub fn of_header(header: &[u8]) -> Self {
        Self::new(*blake3::Hasher::new_from_context_key(&MESSAGE_ID_KEY).update(header).finalize().as_bytes())
    }
}

impl Rendezvous {
    /// Of a group on a day, counted from the Unix epoch (UTC).
    #[must_use]
    pub fn of(group: &GroupId, day: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context::RENDEZVOUS);
        Self::new(*hasher.update(group.as_bytes()).update(&day.to_be_bytes()).finalize().as_bytes())
    }
}

impl ShortId {
    /// The short form of `id` under the key of one link.
    #[must_use]
    pub fn of_message(link_key: &[u8; 32], id: &MessageId) -> Self {
        let mut hasher = blake3::Hasher::new_from_context_key(&SHORT_ID_KEY);
        Self::new(prefix(hasher.update(link_key).update(id.as_bytes()).finalize().as_bytes()))
    }
}

impl PayloadHash {
    /// BLAKE3 of a payload as it travels.
    #[must_use]
    pub fn of_payload(payload: &[u8]) -> Self {
        Self::new(*blake3::hash(payload).as_bytes())
    }
}

impl ContentKeyId {
    /// The name of a content key.
    #[must_use]
    pub fn of_key(key: &[u8; 32]) -> Self {
        Self::new(prefix(&blake3::derive_key(context::CONTENT_KEY_ID, key)))
    }
}

impl RevocationId {
    /// Takes back one capability.
    #[must_use]
    pub const fn of_serial(serial: CapabilitySerial) -> Self {
        Self::new(*serial.as_bytes())
    }

    /// Takes back every capability of a subject, also those that others issued or renewed unseen.
    #[must_use]
    pub fn of_subject(subject: &NodeId) -> Self {
        Self::new(blake3::derive_key(context::REVOKED_SUBJECT, subject.as_bytes()))
    }

    /// Takes back every capability whose subject was let in through this invite (a public key).
    #[must_use]
    pub fn of_invite(invite: &[u8; 32]) -> Self {
        Self::new(blake3::derive_key(context::REVOKED_INVITE, invite))
    }
}

impl RequestId {
    /// The id of the join request or locate with this body; its signature does not take part.
    #[must_use]
    pub fn of_body(body: &[u8]) -> Self {
        Self::new(blake3::derive_key(context::REQUEST, body))
    }
}

/// The first `N` (at most 32) bytes of a hash.
pub(crate) fn prefix<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    hash.first_chunk().copied().unwrap_or([0; N])
}
