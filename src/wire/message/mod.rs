//! The message: the unit of signing and of dissemination.
//!
//! Header (a CBOR map), signature (64 bytes), payload, in one buffer that every neighbour shares. Parsing makes one pass
//! over the header and checks all bounds; signature and payload hash are checked by whoever decides to pay for them.
//! Payload layouts are in `payload`.

mod draft;
mod header;
mod headroom;
mod payload;

use bytes::Bytes;

pub use draft::{HeaderDraft, UnsignedHeader, assemble, assemble_in_place};
pub use header::{Destination, Header, MESSAGE_VERSION, MessageError};
pub use headroom::Headroom;
pub use payload::{
    Entries, EntriesIter, Entry, EntryMeta, Manifest, Payload, PayloadError, Plaintext, Sealed, SealedDraft, Suite,
    encode_entries, padded_len,
};

use crate::limits::{HEADER_MAX, MESSAGE_MAX, SIGNATURE_LEN};
use crate::{Crypto, Domain, MessageId, PayloadHash, Signature};
use header::Layout;

/// A message whose header is legal; signature and payload hash are not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    bytes: Bytes,
    header: Header,
    id: MessageId,
    layout: Layout,
}

impl Message {
    /// Takes a buffer that holds exactly one message.
    ///
    /// # Errors
    /// [`MessageError`] names the first thing that is wrong.
    pub fn parse(bytes: Bytes) -> Result<Self, MessageError> {
        if bytes.len() > MESSAGE_MAX {
            return Err(MessageError::TooLong);
        }
        let (header, layout) = Header::read(&bytes)?;
        if layout.end > HEADER_MAX {
            return Err(MessageError::HeaderTooLong);
        }
        let signed = layout.end.saturating_add(SIGNATURE_LEN);
        match bytes.len().checked_sub(signed) {
            Some(len) if len > header.payload_len as usize => return Err(MessageError::Trailing),
            Some(len) if len == header.payload_len as usize => {}
            Some(_) | None => return Err(MessageError::Truncated),
        }
        let id = MessageId::of_header(bytes.get(..layout.end).unwrap_or_default());
        Ok(Self { bytes, header, id, layout })
    }

    /// The legal header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The message's name.
    #[must_use]
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// The whole message as it travels.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// What was signed.
    #[must_use]
    pub fn header_bytes(&self) -> &[u8] {
        self.bytes.get(..self.layout.end).unwrap_or_default()
    }

    /// The sender's signature, not checked.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        self.bytes.get(self.layout.end..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; SIGNATURE_LEN])
    }

    /// The payload as it travels, sharing the message's buffer.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(self.payload_start()..)
    }

    /// The payload as it travels, borrowed.
    #[must_use]
    pub fn payload_bytes(&self) -> &[u8] {
        self.bytes.get(self.payload_start()..).unwrap_or_default()
    }

    /// The associated data of a sealed payload in its two parts: the content of the header before the payload length,
    /// and after the payload hash.
    #[must_use]
    pub fn aad_parts(&self) -> (&[u8], &[u8]) {
        let Layout { content, cut, resume, end } = self.layout;
        (self.bytes.get(content..cut).unwrap_or_default(), self.bytes.get(resume..end).unwrap_or_default())
    }

    /// The associated data of a sealed payload.
    #[must_use]
    pub fn aad(&self) -> Vec<u8> {
        let (before, after) = self.aad_parts();
        [before, after].concat()
    }

    /// Whether the payload is the one that the header names.
    #[must_use]
    pub fn check_payload_hash(&self) -> bool {
        PayloadHash::of_payload(self.payload_bytes()) == self.header.payload_hash
    }

    /// Whether `from` signed the header.
    #[must_use]
    pub fn verify_signature(&self, crypto: &dyn Crypto) -> bool {
        crypto.verify(self.header.from.as_bytes(), Domain::Message, self.header_bytes(), self.signature())
    }

    fn payload_start(&self) -> usize {
        // Never past the end: parsing found exactly one payload behind the signature.
        self.layout.end.saturating_add(SIGNATURE_LEN).min(self.bytes.len())
    }
}

impl core::fmt::Debug for Message {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("from", &self.header.from)
            .field("to", &self.header.to)
            .field("seq", &self.header.seq.0)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}
