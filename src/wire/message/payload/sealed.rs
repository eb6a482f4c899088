//! Codec 4: another codec's payload under an AEAD, with the content key wrapped per recipient where there are some.
//!
//! `[suite, key id, nonce, ciphertext]` or `[.., wraps]`. The plaintext is inner codec (1 byte), inner length (4 bytes,
//! big endian), inner payload, zero padding to the next Padmé length (Nikitin et al., PURBs, section 4); class bulk is
//! not padded. Opening and sealing are the sealing room's.

use bytes::Bytes;

use super::PayloadError;
use crate::cbor::{Reader, Writer};
use crate::limits::{NONCE_LEN, PAYLOAD_MAX, RECIPIENTS_MAX, SEALED_PREFIX_LEN, TAG_LEN, WRAP_MAX};
use crate::message::Headroom;
use crate::{Codec, ContentKeyId, Crypto};

/// How a payload is sealed; every receiver opens both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Suite {
    /// AES-256-GCM under a key derived from the whole nonce (the construction of XAES-256-GCM).
    XAes256Gcm = 1,
    /// XChaCha20-Poly1305.
    XChaCha20Poly1305 = 2,
}

impl Suite {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The suite with this wire number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::XAes256Gcm),
            2 => Some(Self::XChaCha20Poly1305),
            _ => None,
        }
    }

    /// The suite that this machine seals with.
    #[must_use]
    pub fn preferred(crypto: &dyn Crypto) -> Self {
        if crypto.has_fast_aes() { Self::XAes256Gcm } else { Self::XChaCha20Poly1305 }
    }
}

/// A sealed payload, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// How it is sealed.
    pub suite: Suite,
    /// Which content key opens it.
    pub key_id: ContentKeyId,
    /// Random, new for each message.
    pub nonce: [u8; NONCE_LEN],
    /// Ciphertext and tag, sharing the payload's buffer.
    pub ciphertext: Bytes,
    /// The content key wrapped for each recipient in the header's order, or for the `to` of a unicast.
    pub wraps: Vec<Bytes>,
}

impl Sealed {
    /// Takes a payload of codec 4 apart; `wraps` wrapped keys are expected ([`crate::Header::wrap_count`]).
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn parse(payload: &Bytes, wraps: usize) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(payload);
        let len = reader.array_within(4, 5)?;
        let suite = reader.uint()?;
        let suite = Suite::from_number(suite).ok_or(PayloadError::UnknownSuite(suite))?;
        let key_id = ContentKeyId::new(reader.fixed()?);
        let nonce = reader.fixed()?;
        let ciphertext = payload.slice_ref(reader.bytes_within(TAG_LEN, PAYLOAD_MAX)?);
        if (len == 5) != (wraps > 0) {
            return Err(PayloadError::WrapCount);
        }
        let mut list = Vec::new();
        if len == 5 {
            let found = reader.array_within(1, RECIPIENTS_MAX)?;
            if found != wraps {
                return Err(PayloadError::WrapCount);
            }
            list.reserve_exact(found);
            for _ in 0..found {
                list.push(payload.slice_ref(reader.bytes_within(1, WRAP_MAX)?));
            }
        }
        reader.finish()?;
        Ok(Self { suite, key_id, nonce, ciphertext, wraps: list })
    }
}

/// 47: what stands before the inner payload at most: head, suite, key id, nonce, head of the ciphertext, prefix.
pub(in crate::message) const SEAL_HEAD_MAX: usize = 2 + 9 + (2 + NONCE_LEN) + 5 + SEALED_PREFIX_LEN;

/// The most bytes that an inner payload of at most `len` bytes takes under a seal, without what stands before it.
pub(in crate::message) fn sealed_len_max(len: usize, padded: bool, wraps: usize) -> usize {
    let wraps = wraps.saturating_mul(WRAP_MAX.saturating_add(2)).saturating_add(2);
    plaintext_len(len, padded).saturating_add(TAG_LEN).saturating_add(wraps)
}

/// A sealed payload in the making: one buffer that holds the frame, and the plaintext to be encrypted in place.
#[derive(Clone, Debug)]
pub struct SealedDraft {
    /// The payload so far; what lies from [`SealedDraft::from`] on is to be encrypted in place and the tag appended.
    pub buffer: Vec<u8>,
    /// Where the plaintext starts.
    pub from: usize,
    /// Where the payload starts.
    start: usize,
}

impl SealedDraft {
    /// Puts everything that stands before the ciphertext before an inner payload, and padding behind it; `wrapped`
    /// announces wraps.
    ///
    /// # Errors
    /// [`PayloadError::InnerCodec`] for a seal within a seal; [`PayloadError::TooLong`] when it cannot fit a payload.
    pub fn new(
        suite: Suite,
        key_id: &ContentKeyId,
        nonce: &[u8; NONCE_LEN],
        wrapped: bool,
        inner: (Codec, impl Into<Headroom>),
        padded: bool,
    ) -> Result<Self, PayloadError> {
        let (codec, mut payload) = (inner.0, inner.1.into());
        if codec == Codec::Sealed {
            return Err(PayloadError::InnerCodec(codec.number()));
        }
        let inner_len = u32::try_from(payload.len()).map_err(|_| PayloadError::TooLong)?;
        let plaintext = plaintext_len(payload.len(), padded);
        if plaintext > PAYLOAD_MAX {
            return Err(PayloadError::TooLong);
        }
        let sealed = plaintext.saturating_add(TAG_LEN);
        let mut head = Writer::with_capacity(SEAL_HEAD_MAX);
        head.array(if wrapped { 5 } else { 4 }).uint(suite.number().into());
        head.bytes(key_id.as_bytes()).bytes(nonce).bytes_head(sealed);
        let frame = head.len();
        head.raw(&[codec.number()]).raw(&inner_len.to_be_bytes());
        payload.prepend(&head.into_bytes());
        let (mut buffer, start) = payload.into_parts();
        let from = start.saturating_add(frame);
        buffer.resize(from.saturating_add(plaintext), 0);
        Ok(Self { buffer, from, start })
    }

    /// Appends the wraps behind the ciphertext and returns the payload of codec 4.
    ///
    /// # Errors
    /// [`PayloadError::WrapCount`] for more than 32 wraps or one that is empty or longer than 160 bytes;
    /// [`PayloadError::TooLong`] when the payload is.
    pub fn finish(self, wraps: &[impl AsRef<[u8]>]) -> Result<Headroom, PayloadError> {
        let legal = |wrap: &[u8]| !wrap.is_empty() && wrap.len() <= WRAP_MAX;
        if wraps.len() > RECIPIENTS_MAX || !wraps.iter().all(|wrap| legal(wrap.as_ref())) {
            return Err(PayloadError::WrapCount);
        }
        let mut writer = Writer::append_to(self.buffer);
        if !wraps.is_empty() {
            writer.array(wraps.len());
            for wrap in wraps {
                writer.bytes(wrap.as_ref());
            }
        }
        let payload = Headroom::within(writer.into_bytes(), self.start);
        if payload.len() > PAYLOAD_MAX { Err(PayloadError::TooLong) } else { Ok(payload) }
    }
}

/// What lies under a seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plaintext {
    /// How the inner payload is laid out; never sealed again.
    pub codec: Codec,
    /// The inner payload, sharing the plaintext's buffer.
    pub payload: Bytes,
}

impl Plaintext {
    /// Takes a decrypted plaintext apart; `padded` is whether this class is padded.
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn parse(plaintext: Bytes, padded: bool) -> Result<Self, PayloadError> {
        let ([number, len @ ..], rest) =
            plaintext.split_first_chunk::<SEALED_PREFIX_LEN>().ok_or(PayloadError::InnerLength)?;
        let codec = match Codec::from_number(u64::from(*number)) {
            Some(codec @ (Codec::Entries | Codec::Nested | Codec::Manifest)) => codec,
            Some(Codec::Sealed) | None => return Err(PayloadError::InnerCodec(*number)),
        };
        let len = u32::from_be_bytes(*len) as usize;
        let (payload, padding) = rest.split_at_checked(len).ok_or(PayloadError::InnerLength)?;
        if plaintext.len() != plaintext_len(len, padded) {
            return Err(PayloadError::InnerLength);
        }
        if padding.iter().any(|byte| *byte != 0) {
            return Err(PayloadError::Padding);
        }
        Ok(Self { codec, payload: plaintext.slice_ref(payload) })
    }
}

/// The Padmé length that `len` bytes are padded to: at most 12 % more, and only O(log log) bits of the length show.
#[must_use]
pub const fn padded_len(len: usize) -> usize {
    if len < 2 {
        return len;
    }
    let exponent = len.ilog2();
    let shown = exponent.ilog2().saturating_add(1);
    let hidden = exponent.saturating_sub(shown);
    let mask = (1usize << hidden).saturating_sub(1);
    len.saturating_add(mask) & !mask
}

const fn plaintext_len(payload: usize, padded: bool) -> usize {
    let len = payload.saturating_add(SEALED_PREFIX_LEN);
    if padded { padded_len(len) } else { len }
}
