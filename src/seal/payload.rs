//! Sealing and opening a payload whose layout `crosscast-wire` knows.
//!
//! The associated data is the message's header without payload length and hash, as `crosscast-wire` cuts it. A payload
//! is encrypted in the buffer that it travels in, where it lies already when it comes with headroom. What lies under a seal is read by `Payload::of_plaintext`.

use bytes::Bytes;
use crosscast_wire::limits::NONCE_LEN;
use crosscast_wire::{Codec, Crypto, Headroom, PayloadError, Sealed, SealedDraft, Suite};

use crate::suite::expand;
use crate::{MessageKey, SealError};

/// How to seal.
#[derive(Clone, Copy, Debug)]
pub struct Sealing<'a> {
    /// The sender's choice of suite.
    pub suite: Suite,
    /// The key of this sender instance and destination.
    pub key: &'a MessageKey,
    /// Random, drawn for this message alone.
    pub nonce: &'a [u8; NONCE_LEN],
    /// The header without payload length and hash.
    pub aad: &'a [u8],
    /// Layout of the payload in the clear; never [`Codec::Sealed`].
    pub codec: Codec,
    /// Whether the length is rounded; for every class but bulk.
    pub pad: bool,
    /// One wrapped content key for each explicit recipient, in their order; empty for a group.
    pub wraps: &'a [Vec<u8>],
}

/// Seals a payload and returns it as it travels, its headroom still before it.
///
/// # Errors
/// [`SealError::Payload`] when the result is not a legal payload.
pub fn seal_payload(
    crypto: &dyn Crypto,
    sealing: &Sealing<'_>,
    inner: impl Into<Headroom>,
) -> Result<Headroom, SealError> {
    let Sealing { suite, key, nonce, aad, codec, pad, wraps } = *sealing;
    let mut draft = SealedDraft::new(suite, &key.id(), nonce, !wraps.is_empty(), (codec, inner), pad)?;
    let with = expand(suite, key.secret(), nonce);
    if !crypto.seal_in_place(with.aead, &with.key, &with.nonce, aad, &mut draft.buffer, draft.from) {
        return Err(PayloadError::TooLong.into());
    }
    Ok(draft.finish(wraps)?)
}

/// Opens a sealed payload and returns what lies under the seal, for `Payload::of_plaintext`.
///
/// # Errors
/// [`SealError::NotAuthentic`] for a wrong key, another header or altered bytes.
pub fn open_payload(crypto: &dyn Crypto, key: &MessageKey, aad: &[u8], sealed: &Sealed) -> Result<Bytes, SealError> {
    if sealed.key_id != key.id() {
        return Err(SealError::NotAuthentic);
    }
    let with = expand(sealed.suite, key.secret(), &sealed.nonce);
    let plain = crypto.open(with.aead, &with.key, &with.nonce, aad, &sealed.ciphertext);
    plain.map(Bytes::from).ok_or(SealError::NotAuthentic)
}
