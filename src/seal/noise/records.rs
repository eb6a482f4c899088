//! Records: the transport messages of a finished handshake, as a stream of bytes.
//!
//! A record is the length of what follows (u16, big endian) and one Noise transport message: content and tag, sealed with
//! AES-256-GCM, nonces counted from zero, no associated data. A record without content ends the channel, so that an end
//! in order can be told from a cut. After [`RECORDS_PER_KEY`] records the key is replaced as Noise's `REKEY` does; the
//! count goes on. Sealing appends to a buffer and copies content once; opening happens where the ciphertext lies.

use crosscast_wire::{Aead, Crypto};
use zeroize::{Zeroize, Zeroizing};

use super::{NOISE_MAX, NoiseError};

/// Length of the tag behind a record's content, in bytes.
pub const TAG_LEN: usize = 16;

/// Length of the length before a record, in bytes.
pub const HEAD_LEN: usize = 2;

/// Most content of a record, in bytes.
pub const CONTENT_MAX: usize = NOISE_MAX - TAG_LEN;

/// Records under one key: 2^20, at most 64 GiB. That is a sixth of what TLS 1.3 allows one AES-GCM key (RFC 8446,
/// section 5.5), and a new key costs less than a microsecond.
pub const RECORDS_PER_KEY: u64 = 1 << 20;

/// A direction's key; erased when dropped, never shown.
#[derive(Clone)]
pub struct RecordKey(Zeroizing<[u8; 32]>);

impl RecordKey {
    pub(super) fn new(mut bytes: [u8; 32]) -> Self {
        let key = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        key
    }

    /// The key that follows: the first 32 bytes of zeros sealed under the last nonce (Noise, section 4.2).
    fn next(&self, crypto: &dyn Crypto) -> Option<Self> {
        let mut zeros = Zeroizing::new(vec![0; 32]);
        let sealed = crypto.seal_in_place(Aead::Aes256Gcm, &self.0, &nonce(u64::MAX), &[], &mut zeros, 0);
        sealed.then_some(())?;
        zeros.first_chunk().map(|key| Self::new(*key))
    }
}

impl core::fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RecordKey(..)")
    }
}

/// AES-256-GCM as records need it, with a key set once for many records.
pub trait RecordCipher: Send + Sized {
    /// Prepares a key; `None` when the provider refuses it.
    fn new(key: &[u8; 32]) -> Option<Self>;

    /// Encrypts in place and gives the tag; `None` when nothing was sealed.
    fn seal(&self, nonce: [u8; 12], content: &mut [u8]) -> Option<[u8; TAG_LEN]>;

    /// Decrypts content that its tag follows, in place; `None` when it is not authentic, and then the bytes mean nothing.
    fn open<'a>(&self, nonce: [u8; 12], sealed: &'a mut [u8]) -> Option<&'a [u8]>;
}

/// A key with its count.
#[derive(Debug)]
struct Direction<C> {
    cipher: C,
    key: RecordKey,
    number: u64,
}

impl<C: RecordCipher> Direction<C> {
    fn new(key: RecordKey) -> Option<Self> {
        Some(Self { cipher: C::new(&key.0)?, key, number: 0 })
    }

    /// The nonce of the next record, under the key that is then set.
    fn step(&mut self, crypto: &dyn Crypto) -> Option<[u8; 12]> {
        let number = self.number;
        // The last number is REKEY's own; after 2^64 - 1 records a channel is used up.
        self.number = number.checked_add(1)?;
        if number > 0 && number.is_multiple_of(RECORDS_PER_KEY) {
            self.key = self.key.next(crypto)?;
            self.cipher = C::new(&self.key.0)?;
        }
        Some(nonce(number))
    }
}

/// The nonce of a number: four zero bytes and the number, big endian (Noise, section 12.4).
fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    if let Some(tail) = nonce.last_chunk_mut() {
        *tail = number.to_be_bytes();
    }
    nonce
}

/// Seals what one side sends.
#[derive(Debug)]
pub struct Sealer<C>(Direction<C>);

impl<C: RecordCipher> Sealer<C> {
    /// Starts at the first record of a key.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] when the provider refuses the key.
    pub fn new(key: RecordKey) -> Result<Self, NoiseError> {
        Direction::new(key).map(Self).ok_or(NoiseError::Misuse)
    }

    #[cfg(test)]
    pub(super) const fn skip_to(&mut self, number: u64) {
        self.0.number = number;
    }

    /// Appends records whose contents are these pieces joined, each record as full as can be. Empty pieces alone make
    /// none.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] when the channel is used up; then the buffer is cut to where it was.
    pub fn seal<P: AsRef<[u8]>>(
        &mut self,
        crypto: &dyn Crypto,
        pieces: &[P],
        into: &mut Vec<u8>,
    ) -> Result<(), NoiseError> {
        let start = into.len();
        let done = self.seal_all(crypto, pieces, into);
        if done.is_none() {
            into.truncate(start);
        }
        done.ok_or(NoiseError::Misuse)
    }

    fn seal_all<P: AsRef<[u8]>>(&mut self, crypto: &dyn Crypto, pieces: &[P], into: &mut Vec<u8>) -> Option<()> {
        let total = pieces.iter().map(|piece| piece.as_ref().len()).fold(0, usize::saturating_add);
        let records = total.div_ceil(CONTENT_MAX);
        into.reserve(total.saturating_add(records.saturating_mul(HEAD_LEN + TAG_LEN)));
        let mut record = Record::begin(into);
        for piece in pieces {
            let mut rest = piece.as_ref();
            while !rest.is_empty() {
                let room = CONTENT_MAX.saturating_sub(record.len(into));
                let (part, left) = rest.split_at_checked(room).unwrap_or((rest, &[]));
                into.extend_from_slice(part);
                rest = left;
                if record.len(into) == CONTENT_MAX {
                    record.seal(&mut self.0, crypto, into)?;
                    record = Record::begin(into);
                }
            }
        }
        if record.len(into) > 0 {
            return record.seal(&mut self.0, crypto, into);
        }
        into.truncate(record.start);
        Some(())
    }

    /// Appends the record that ends the channel.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn end(&mut self, crypto: &dyn Crypto, into: &mut Vec<u8>) -> Result<(), NoiseError> {
        let start = into.len();
        let done = Record::begin(into).seal(&mut self.0, crypto, into);
        if done.is_none() {
            into.truncate(start);
        }
        done.ok_or(NoiseError::Misuse)
    }
}

/// A record that is being put together at the end of a buffer.
struct Record {
    start: usize,
}

impl Record {
    fn begin(into: &mut Vec<u8>) -> Self {
        let start = into.len();
        into.extend_from_slice(&[0; HEAD_LEN]);
        Self { start }
    }

    /// Bytes of content so far.
    const fn len(&self, into: &[u8]) -> usize {
        into.len().saturating_sub(self.start).saturating_sub(HEAD_LEN)
    }

    fn seal<C: RecordCipher>(
        &self,
        direction: &mut Direction<C>,
        crypto: &dyn Crypto,
        into: &mut Vec<u8>,
    ) -> Option<()> {
        let nonce = direction.step(crypto)?;
        let (head, content) = into.get_mut(self.start..)?.split_first_chunk_mut::<HEAD_LEN>()?;
        *head = u16::try_from(content.len().saturating_add(TAG_LEN)).ok()?.to_be_bytes();
        let tag = direction.cipher.seal(nonce, content)?;
        into.extend_from_slice(&tag);
        Some(())
    }
}

/// Bytes that the record at the front has with its head, as far as what there is of it tells: at first the head alone.
#[must_use]
pub fn record_len(front: &[u8]) -> usize {
    let len = front.first_chunk::<HEAD_LEN>().map_or(0, |head| usize::from(u16::from_be_bytes(*head)));
    HEAD_LEN.saturating_add(len)
}

/// What stands at the front of what was received.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened<'a> {
    /// A record's content, and what follows the record.
    Content(&'a [u8], &'a mut [u8]),
    /// No whole record yet: what there is of it.
    Part(&'a mut [u8]),
    /// The record that ends the channel; nothing may follow.
    End,
}

/// Opens what the peer sends.
#[derive(Debug)]
pub struct Opener<C> {
    direction: Direction<C>,
    ended: bool,
}

impl<C: RecordCipher> Opener<C> {
    /// Starts at the first record of a key.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] when the provider refuses the key.
    pub fn new(key: RecordKey) -> Result<Self, NoiseError> {
        let direction = Direction::new(key).ok_or(NoiseError::Misuse)?;
        Ok(Self { direction, ended: false })
    }

    #[cfg(test)]
    pub(super) const fn skip_to(&mut self, number: u64) {
        self.direction.number = number;
    }

    /// Opens the record at the front of a buffer, in place.
    ///
    /// # Errors
    /// [`NoiseError::BadRecord`] when it is not authentic or too short, [`NoiseError::BehindEnd`] when anything stands
    /// behind the channel's end. After an error the channel is over.
    pub fn open<'a>(&mut self, crypto: &dyn Crypto, buffer: &'a mut [u8]) -> Result<Opened<'a>, NoiseError> {
        if self.ended && !buffer.is_empty() {
            return Err(NoiseError::BehindEnd);
        }
        let len = record_len(buffer);
        if buffer.len() >= HEAD_LEN && len < HEAD_LEN + TAG_LEN {
            return Err(NoiseError::BadRecord);
        }
        if buffer.len() < len {
            return Ok(Opened::Part(buffer));
        }
        let (record, rest) = buffer.split_at_mut_checked(len).ok_or(NoiseError::BadRecord)?;
        let sealed = record.get_mut(HEAD_LEN..).ok_or(NoiseError::BadRecord)?;
        let nonce = self.direction.step(crypto).ok_or(NoiseError::Misuse)?;
        match self.direction.cipher.open(nonce, sealed) {
            None => Err(NoiseError::BadRecord),
            Some([]) if !rest.is_empty() => Err(NoiseError::BehindEnd),
            Some([]) => {
                self.ended = true;
                Ok(Opened::End)
            }
            Some(content) => Ok(Opened::Content(content, rest)),
        }
    }
}
