//! Making a message: a draft becomes associated data, header bytes and id, and with a signature and payload a message.
//!
//! A sealing sender needs the associated data before the payload exists, so the payload's length and hash come last
//! ([`HeaderDraft::finish`]) and are not part of it.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::header::{Destination, MESSAGE_VERSION, MessageError, check_times, wrap_count};
use super::payload::{SEAL_HEAD_MAX, encode_entries_into, entries_len_max, sealed_len_max};
use super::{Entry, Headroom, Message, PayloadError};
use crate::cbor::Writer;
use crate::limits::{DEPS_MAX, ENTRIES_MAX, HEADER_MAX, PAYLOAD_MAX, RECIPIENTS_MAX, SIGNATURE_LEN};
use crate::{
    ChainHash, Class, Codec, Crypto, Domain, Instance, MessageId, NodeId, Order, PayloadHash, SecretKey, Seq,
    Signature, WallMillis,
};

/// Keys that every header has: 0 to 9 and 13 to 16.
const FIXED_KEYS: usize = 14;

/// Bytes that the keys of every header take at most: three 32-byte strings, six long numbers, the rest short.
const FIXED_LEN: usize = 192;

/// Bytes of a header that are not its associated data, at most: the head of the map, payload length and hash.
const NOT_AAD: usize = 1 + 6 + 35;

/// What the sender decides about a message before its payload is laid out; the fields are those of [`super::Header`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderDraft {
    /// Kind and `to`.
    pub to: Destination,
    /// The device that will sign.
    pub from: NodeId,
    /// The run of this process.
    pub instance: Instance,
    /// The number of this message among those of (from, to, instance); at least 1.
    pub seq: Seq,
    /// Now.
    pub time: WallMillis,
    /// Until when it is worth keeping; not before `time`, at most 30 days after.
    pub expires: WallMillis,
    /// How urgent it is.
    pub class: Class,
    /// In which order receivers see it.
    pub order: Order,
    /// Messages to be delivered before it; at most 16, strictly ascending.
    pub deps: Vec<MessageId>,
    /// The capability chain that allows it.
    pub chain: Option<ChainHash>,
    /// Explicit recipients; at most 32, strictly ascending.
    pub recipients: Vec<NodeId>,
    /// How the payload is laid out as it travels.
    pub codec: Codec,
    /// Entries in the payload, those under a seal included; 1 to 256.
    pub count: u16,
}

/// A finished header that waits for its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsignedHeader {
    /// What is signed, as an object of [`Domain::Message`].
    pub bytes: Vec<u8>,
    /// The id of the message.
    pub id: MessageId,
}

impl HeaderDraft {
    /// The associated data of a sealed payload: the content of the header without payload length and hash.
    #[must_use]
    pub fn aad(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.len_max());
        self.write_content(&mut writer);
        writer.into_bytes()
    }

    /// Lays entries out as the payload, or as what its seal is to hold, with room before and behind them for all else of
    /// the message whose associated data is `aad`: see [`assemble_in_place`].
    ///
    /// # Errors
    /// As [`super::encode_entries`].
    pub fn lay_out(&self, aad: &[u8], entries: &[Entry]) -> Result<Headroom, PayloadError> {
        let header = aad.len().saturating_add(NOT_AAD).saturating_add(SIGNATURE_LEN);
        let len = entries_len_max(entries);
        let (before, len) = if self.codec == Codec::Sealed {
            let sealed = sealed_len_max(len, self.class != Class::Bulk, wrap_count(&self.to, &self.recipients));
            (header.saturating_add(SEAL_HEAD_MAX), sealed)
        } else {
            (header, len)
        };
        encode_entries_into(entries, Headroom::with_capacity(before, len))
    }

    /// Completes the header with the length and the hash of the payload.
    ///
    /// # Errors
    /// [`MessageError`] names what makes the draft illegal: a reader would refuse it for the same reason.
    pub fn finish(&self, payload_len: usize, payload_hash: &PayloadHash) -> Result<UnsignedHeader, MessageError> {
        self.check()?;
        if payload_len > PAYLOAD_MAX {
            return Err(MessageError::PayloadTooLong);
        }
        let optional = [!self.deps.is_empty(), self.chain.is_some(), !self.recipients.is_empty()];
        let keys = optional.iter().filter(|present| **present).count().saturating_add(FIXED_KEYS);
        let mut writer = Writer::with_capacity(self.len_max());
        writer.map(keys);
        self.write_content(&mut writer);
        writer.uint(15).uint(payload_len as u64).uint(16).bytes(payload_hash.as_bytes());
        let bytes = writer.into_bytes();
        if bytes.len() > HEADER_MAX {
            return Err(MessageError::HeaderTooLong);
        }
        Ok(UnsignedHeader { id: MessageId::of_header(&bytes), bytes })
    }

    /// Finishes, signs and assembles a message in one go.
    ///
    /// # Errors
    /// As [`HeaderDraft::finish`].
    pub fn sign(&self, crypto: &dyn Crypto, key: &SecretKey, payload: &[u8]) -> Result<Message, MessageError> {
        let header = self.finish(payload.len(), &PayloadHash::of_payload(payload))?;
        let signature = crypto.sign(key, Domain::Message, &header.bytes);
        Message::parse(assemble(&header.bytes, &signature, &[payload]))
    }

    fn check(&self) -> Result<(), MessageError> {
        check_times(self.time, self.expires)?;
        if self.seq.0 == 0 {
            return Err(MessageError::SeqZero);
        }
        if self.deps.len() > DEPS_MAX || !self.deps.is_sorted_by(|a, b| a < b) {
            return Err(MessageError::Deps);
        }
        if self.recipients.len() > RECIPIENTS_MAX || !self.recipients.is_sorted_by(|a, b| a < b) {
            return Err(MessageError::Recipients);
        }
        if self.count == 0 || usize::from(self.count) > ENTRIES_MAX {
            return Err(MessageError::EntryCount);
        }
        Ok(())
    }

    fn len_max(&self) -> usize {
        // 34 bytes for each 32-byte string with its head, and two heads of arrays and keys.
        let ids = self.deps.len().saturating_add(self.recipients.len()).saturating_add(2);
        FIXED_LEN.saturating_add(ids.saturating_mul(34))
    }

    fn write_content(&self, writer: &mut Writer) {
        writer.uint(0).uint(MESSAGE_VERSION);
        writer.uint(1).uint(self.to.kind().number().into());
        writer.uint(2).bytes(self.to.as_bytes());
        writer.uint(3).bytes(self.from.as_bytes());
        writer.uint(4).uint(self.instance.0);
        writer.uint(5).uint(self.seq.0);
        writer.uint(6).uint(self.time.0);
        writer.uint(7).uint(self.expires.0);
        writer.uint(8).uint(self.class.number().into());
        writer.uint(9).uint(self.order.number().into());
        write_ids(writer, 10, &self.deps);
        if let Some(chain) = &self.chain {
            writer.uint(11).bytes(chain.as_bytes());
        }
        write_ids(writer, 12, &self.recipients);
        writer.uint(13).uint(self.codec.number().into());
        writer.uint(14).uint(self.count.into());
    }
}

/// Puts header, signature and the pieces of the payload into one buffer.
#[must_use]
pub fn assemble(header: &[u8], signature: &Signature, payload: &[&[u8]]) -> Bytes {
    let payload_len = payload.iter().fold(0usize, |sum, piece| sum.saturating_add(piece.len()));
    let len = header.len().saturating_add(SIGNATURE_LEN).saturating_add(payload_len);
    let mut bytes = BytesMut::with_capacity(len);
    bytes.put_slice(header);
    bytes.put_slice(signature);
    for piece in payload {
        bytes.put_slice(piece);
    }
    bytes.freeze()
}

/// Puts signature and header before a payload, into the room that [`HeaderDraft::lay_out`] left.
#[must_use]
pub fn assemble_in_place(header: &[u8], signature: &Signature, mut payload: Headroom) -> Bytes {
    payload.prepend(signature);
    payload.prepend(header);
    payload.into()
}

fn write_ids<T: AsRef<[u8]>>(writer: &mut Writer, key: u64, ids: &[T]) {
    if ids.is_empty() {
        return;
    }
    writer.uint(key).array(ids.len());
    for id in ids {
        writer.bytes(id.as_ref());
    }
}
