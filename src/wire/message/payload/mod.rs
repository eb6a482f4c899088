//! Payloads: entries in the clear, one nested message, the manifest of a large blob, or any of them under a seal.
//!
//! Every layout is canonical CBOR and is checked whole before anything of it is handed out; what is handed out shares
//! the payload's buffer. Keys and AEADs are the sealing room's: here a seal is only taken apart and put together.

mod entries;
mod manifest;
mod sealed;

use bytes::Bytes;

pub use entries::{Entries, EntriesIter, Entry, EntryMeta, encode_entries};
pub(super) use entries::{encode_entries_into, entries_len_max};
pub use manifest::Manifest;
pub use sealed::{Plaintext, Sealed, SealedDraft, Suite, padded_len};
pub(super) use sealed::{SEAL_HEAD_MAX, sealed_len_max};

use super::{Message, MessageError};
use crate::cbor::CborError;
use crate::limits::{ENTRIES_MAX, ENTRY_MAX, MANIFEST_PARTS_MAX, PAYLOAD_MAX};
use crate::{Class, Codec};

/// Why bytes are not the payload that a header announces, or entries do not fit one; whoever made them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The layout is not canonical, or a value has the wrong type or length.
    #[error("payload: {0}")]
    Cbor(#[from] CborError),
    /// The payload does not have as many entries as the header says, or not 1 to [`ENTRIES_MAX`].
    #[error("entry count is not the header's, or not 1 to {ENTRIES_MAX}")]
    EntryCount,
    /// An entry is longer than [`ENTRY_MAX`].
    #[error("entry longer than {ENTRY_MAX} bytes")]
    EntryTooLong,
    /// The lengths of the entries do not add up to the length of the blob.
    #[error("entry lengths do not add up to the blob")]
    BlobLength,
    /// The column of metadata has another number of rows than there are entries, or nothing in any row.
    #[error("metadata column does not match the entries, or is empty throughout")]
    MetaColumn,
    /// The payload would be longer than [`PAYLOAD_MAX`].
    #[error("payload longer than {PAYLOAD_MAX} bytes")]
    TooLong,
    /// The nested message is not a message.
    #[error("nested message: {0}")]
    Nested(#[source] MessageError),
    /// A nested message nests another.
    #[error("messages nested deeper than once")]
    NestedTooDeep,
    /// The parts of a manifest do not make up its total length.
    #[error("a manifest's parts are 1 to {MANIFEST_PARTS_MAX} and make up its total length")]
    ManifestParts,
    /// An unknown suite of the seal.
    #[error("unknown sealing suite {0}")]
    UnknownSuite(u64),
    /// There are not as many wrapped keys as the header asks for.
    #[error("wrapped keys do not match the recipients")]
    WrapCount,
    /// A seal lies within a seal, or the inner codec is unknown.
    #[error("inner codec {0} of a sealed payload")]
    InnerCodec(u8),
    /// The inner length does not fit the plaintext, or its padding is not the one this length asks for.
    #[error("inner length or padding of a sealed payload")]
    InnerLength,
    /// The padding is not all zero.
    #[error("padding of a sealed payload is not zero")]
    Padding,
}

/// A payload, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Entries in the clear.
    Entries(Entries),
    /// One message, whose own signature and payload hash are not checked yet.
    Nested(Box<Message>),
    /// The manifest of a large blob.
    Manifest(Manifest),
    /// Another payload under an AEAD.
    Sealed(Sealed),
}

impl Payload {
    /// Takes apart the payload of a message as it travels.
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn of_message(message: &Message) -> Result<Self, PayloadError> {
        let header = message.header();
        match header.codec {
            Codec::Sealed => Sealed::parse(&message.payload(), header.wrap_count()).map(Self::Sealed),
            Codec::Entries | Codec::Nested | Codec::Manifest => {
                Self::clear(header.codec, message.payload(), header.count)
            }
        }
    }

    /// Takes apart what was under the seal of a message.
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn of_plaintext(message: &Message, plaintext: Bytes) -> Result<Self, PayloadError> {
        let header = message.header();
        let inner = Plaintext::parse(plaintext, header.class != Class::Bulk)?;
        Self::clear(inner.codec, inner.payload, header.count)
    }

    fn clear(codec: Codec, payload: Bytes, count: u16) -> Result<Self, PayloadError> {
        match codec {
            Codec::Entries => Entries::decode(payload, count).map(Self::Entries),
            Codec::Nested => nested(payload).map(|message| Self::Nested(Box::new(message))),
            Codec::Manifest => Manifest::parse(&payload).map(Self::Manifest),
            Codec::Sealed => Err(PayloadError::InnerCodec(codec.number())),
        }
    }
}

/// Takes a nested message; one that nests another is refused.
fn nested(payload: Bytes) -> Result<Message, PayloadError> {
    let message = Message::parse(payload).map_err(PayloadError::Nested)?;
    match message.header().codec {
        Codec::Nested => Err(PayloadError::NestedTooDeep),
        Codec::Entries | Codec::Manifest | Codec::Sealed => Ok(message),
    }
}
