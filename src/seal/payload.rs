//! The sealed payload: suite, key id, nonce, ciphertext, and the wraps for explicit recipients.
//!
//! Inside the ciphertext stand the inner codec (1 byte), the inner length (4 bytes, big endian), the inner payload and
//! zeros up to the padded length. The associated data is the message's header without payload length and hash, as
//! `crosscast-wire` cuts it. A payload is built in one buffer that never grows.

use bytes::Bytes;
use crosscast_wire::cbor::{Reader, Writer, head_len};
use crosscast_wire::limits::{NONCE_LEN, PAYLOAD_MAX, RECIPIENTS_MAX, SEALED_PREFIX_LEN, TAG_LEN, WRAP_MAX};
use crosscast_wire::{Codec, ContentKeyId, Crypto};

use crate::padding::padded_len;
use crate::{MessageKey, SealError, Suite};

/// What to seal, and how.
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
    /// Layout of `inner`; never [`Codec::Sealed`].
    pub codec: Codec,
    /// The payload in the clear.
    pub inner: &'a [u8],
    /// Whether the length is rounded; not for bulk.
    pub pad: bool,
    /// One wrapped content key for each explicit recipient, in their order; empty for a group.
    pub wraps: &'a [Vec<u8>],
}

/// Length in bytes of the sealed payload of `inner` bytes; `wraps` wraps of [`crate::WRAP_LEN`] bytes are added.
#[must_use]
pub fn sealed_len(inner: usize, pad: bool, wraps: usize) -> usize {
    let ciphertext = ciphertext_len(inner, pad);
    let wrap = bytes_len(crate::WRAP_LEN);
    let column = if wraps == 0 { 0 } else { head_len(wraps as u64).saturating_add(wrap.saturating_mul(wraps)) };
    HEAD_LEN.saturating_add(bytes_len(ciphertext)).saturating_add(column)
}

/// Array head, suite, key id and nonce with their heads.
const HEAD_LEN: usize = 1 + 1 + (1 + ContentKeyId::LEN) + (2 + NONCE_LEN);

fn ciphertext_len(inner: usize, pad: bool) -> usize {
    let plain = inner.saturating_add(SEALED_PREFIX_LEN);
    let padded = if pad { padded_len(plain) } else { plain };
    padded.saturating_add(TAG_LEN)
}

fn bytes_len(content: usize) -> usize {
    head_len(content as u64).saturating_add(content)
}

/// Seals a payload and returns it as it travels.
///
/// # Errors
/// [`SealError::TooLarge`] when the result is not a legal payload, [`SealError::IllegalContent`] for a sealed `codec`.
pub fn seal_payload(crypto: &dyn Crypto, sealing: &Sealing<'_>) -> Result<Vec<u8>, SealError> {
    let Sealing { suite, key, nonce, aad, codec, inner, pad, wraps } = *sealing;
    if codec == Codec::Sealed {
        return Err(SealError::IllegalContent("a sealed payload in a sealed payload"));
    }
    let total = sealed_len(inner.len(), pad, wraps.len());
    let inner_len = u32::try_from(inner.len()).map_err(|_| SealError::TooLarge)?;
    if total > PAYLOAD_MAX || wraps.len() > RECIPIENTS_MAX || wraps.iter().any(|wrap| wrap.len() > WRAP_MAX) {
        return Err(SealError::TooLarge);
    }
    let mut writer = Writer::with_capacity(total);
    writer.array(if wraps.is_empty() { 4 } else { 5 }).uint(suite.number().into());
    writer.bytes(key.id().as_bytes()).bytes(nonce).bytes_head(ciphertext_len(inner.len(), pad));
    let from = writer.len();
    writer.raw(&[codec.number()]).raw(&inner_len.to_be_bytes()).raw(inner);
    let mut buffer = writer.into_bytes();
    buffer.resize(from.saturating_add(ciphertext_len(inner.len(), pad)).saturating_sub(TAG_LEN), 0);

    let message = suite.expand(key.secret(), nonce);
    if !crypto.seal_in_place(message.aead, &message.key, &message.nonce, aad, &mut buffer, from) {
        return Err(SealError::TooLarge);
    }
    let mut writer = Writer::append_to(buffer);
    if !wraps.is_empty() {
        writer.array(wraps.len());
        wraps.iter().for_each(|wrap| {
            writer.bytes(wrap);
        });
    }
    Ok(writer.into_bytes())
}

/// Opens a sealed payload: the inner codec and the inner payload.
///
/// # Errors
/// [`SealError::Malformed`] and [`SealError::UnknownSuite`] for what anyone may have sent, [`SealError::NotAuthentic`]
/// for a wrong key or altered bytes, [`SealError::IllegalContent`] for what a holder of the key sealed wrongly.
pub fn open_payload(
    crypto: &dyn Crypto,
    key: &MessageKey,
    aad: &[u8],
    payload: &[u8],
) -> Result<(Codec, Bytes), SealError> {
    let mut reader = Reader::new(payload);
    let len = reader.array_within(4, 5)?;
    let number = reader.uint()?;
    let suite = Suite::from_number(number).ok_or(SealError::UnknownSuite(number))?;
    let key_id = ContentKeyId::new(reader.fixed()?);
    let nonce = reader.fixed::<NONCE_LEN>()?;
    let ciphertext = reader.bytes_within(SEALED_PREFIX_LEN.saturating_add(TAG_LEN), PAYLOAD_MAX)?;
    if len == 5 {
        for _ in 0..reader.array_within(1, RECIPIENTS_MAX)? {
            reader.bytes_within(1, WRAP_MAX)?;
        }
    }
    reader.finish()?;
    if key_id != key.id() {
        return Err(SealError::NotAuthentic);
    }
    let message = suite.expand(key.secret(), &nonce);
    let plain =
        crypto.open(message.aead, &message.key, &message.nonce, aad, ciphertext).ok_or(SealError::NotAuthentic)?;
    unframe(Bytes::from(plain))
}

/// Takes the inner payload out of the plaintext, without a copy.
fn unframe(plain: Bytes) -> Result<(Codec, Bytes), SealError> {
    let Some(([number, length @ ..], rest)) = plain.split_first_chunk::<SEALED_PREFIX_LEN>() else {
        return Err(SealError::IllegalContent("no inner length"));
    };
    let codec = match Codec::from_number((*number).into()) {
        Some(codec @ (Codec::Entries | Codec::Nested | Codec::Manifest)) => codec,
        Some(Codec::Sealed) | None => return Err(SealError::IllegalContent("inner codec")),
    };
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let Some((inner, padding)) = rest.split_at_checked(length) else {
        return Err(SealError::IllegalContent("inner length"));
    };
    if padding.iter().any(|byte| *byte != 0) {
        return Err(SealError::IllegalContent("padding"));
    }
    Ok((codec, plain.slice_ref(inner)))
}
