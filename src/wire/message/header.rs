//! The header of a message: what is signed, and what the id is made of.
//!
//! A canonical CBOR map with integer keys; reading makes one pass and yields legal values only. Bytes are never written
//! anew from a [`Header`]: keys from 128 on that this version does not know are part of what was signed. Whether time,
//! rights and sequence are acceptable here and now is the router's to judge.

use crate::cbor::{CborError, Reader};
use crate::fields::Fields;
use crate::limits::{DEPS_MAX, ENTRIES_MAX, LIFE_MAX_MS, PAYLOAD_MAX, RECIPIENTS_MAX};
use crate::{ChainHash, Class, Codec, GroupId, Instance, Kind, MessageId, NodeId, Order, PayloadHash, Seq, WallMillis};

/// The version this crate reads and writes: Ed25519, BLAKE3, this CBOR profile.
pub const MESSAGE_VERSION: u64 = 1;

/// Why bytes are not a message; whoever made the bytes is to blame, and a peer that passed them on too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The header is not canonical, or a key is missing, unknown or of the wrong type.
    #[error("header: {0}")]
    Cbor(#[from] CborError),
    /// A version this crate does not read.
    #[error("message version {0} is not supported")]
    UnsupportedVersion(u64),
    /// An unknown kind.
    #[error("unknown kind {0}")]
    UnknownKind(u64),
    /// An unknown class.
    #[error("unknown class {0}")]
    UnknownClass(u64),
    /// An unknown order.
    #[error("unknown order {0}")]
    UnknownOrder(u64),
    /// An unknown codec.
    #[error("unknown codec {0}")]
    UnknownCodec(u64),
    /// The sequence number is 0.
    #[error("sequence numbers start at 1")]
    SeqZero,
    /// The message expires before it was made.
    #[error("expires before its time")]
    ExpiresBeforeTime,
    /// The message asks to live longer than [`LIFE_MAX_MS`].
    #[error("lives longer than {LIFE_MAX_MS} ms")]
    LifeTooLong,
    /// Dependencies that are none, more than [`DEPS_MAX`], or not strictly ascending.
    #[error("dependencies are not 1 to {DEPS_MAX} in strictly ascending order")]
    Deps,
    /// Recipients that are none, more than [`RECIPIENTS_MAX`], or not strictly ascending.
    #[error("recipients are not 1 to {RECIPIENTS_MAX} in strictly ascending order")]
    Recipients,
    /// The entry count is not 1 to [`ENTRIES_MAX`].
    #[error("entry count is not 1 to {ENTRIES_MAX}")]
    EntryCount,
    /// The payload is longer than [`PAYLOAD_MAX`].
    #[error("payload longer than {PAYLOAD_MAX} bytes")]
    PayloadTooLong,
    /// The header is longer than [`crate::limits::HEADER_MAX`].
    #[error("header too long")]
    HeaderTooLong,
    /// The whole is longer than [`crate::limits::MESSAGE_MAX`].
    #[error("message too long")]
    TooLong,
    /// The bytes end before the payload does.
    #[error("message is cut short")]
    Truncated,
    /// Bytes follow the payload.
    #[error("bytes follow the payload")]
    Trailing,
}

/// What a message is addressed to: its kind and its `to` in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Destination {
    /// A node or service.
    Unicast(NodeId),
    /// A group.
    Multicast(GroupId),
}

impl Destination {
    /// The kind of message this destination makes.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Unicast(_) => Kind::Unicast,
            Self::Multicast(_) => Kind::Multicast,
        }
    }

    /// The key in `to`.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        match self {
            Self::Unicast(node) => node.as_bytes(),
            Self::Multicast(group) => group.as_bytes(),
        }
    }

    /// The group, for a multicast.
    #[must_use]
    pub const fn group(&self) -> Option<GroupId> {
        match self {
            Self::Unicast(_) => None,
            Self::Multicast(group) => Some(*group),
        }
    }

    /// The node or service, for a unicast.
    #[must_use]
    pub const fn node(&self) -> Option<NodeId> {
        match self {
            Self::Unicast(node) => Some(*node),
            Self::Multicast(_) => None,
        }
    }
}

/// A legal header, as read from a message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// Kind and `to`.
    pub to: Destination,
    /// The device that signed.
    pub from: NodeId,
    /// The run of the sender's process.
    pub instance: Instance,
    /// The number of this message among those of (from, to, instance); at least 1.
    pub seq: Seq,
    /// When it was made.
    pub time: WallMillis,
    /// Until when it is worth keeping; not before `time`, at most 30 days after.
    pub expires: WallMillis,
    /// How urgent it is.
    pub class: Class,
    /// In which order receivers see it.
    pub order: Order,
    /// Messages that a causal receiver delivers first; at most 16, ascending.
    pub deps: Vec<MessageId>,
    /// The capability chain that allows it, where the group's policy asks for one.
    pub chain: Option<ChainHash>,
    /// Explicit recipients; at most 32, ascending; empty when there are none.
    pub recipients: Vec<NodeId>,
    /// How the payload is laid out.
    pub codec: Codec,
    /// Entries in the payload, those under a seal included; 1 to 256.
    pub count: u16,
    /// Length of the payload in bytes.
    pub payload_len: u32,
    /// Hash of the payload as it travels.
    pub payload_hash: PayloadHash,
}

/// Where the parts of a header lie in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// After the head of the map.
    pub(super) content: usize,
    /// Before the key of the payload length.
    pub(super) cut: usize,
    /// After the value of the payload hash.
    pub(super) resume: usize,
    /// After the map.
    pub(super) end: usize,
}

impl Header {
    /// Reads the header that `bytes` start with, and returns it with its length.
    ///
    /// # Errors
    /// [`MessageError`] names the first thing that is wrong.
    pub fn parse_prefix(bytes: &[u8]) -> Result<(Self, usize), MessageError> {
        Self::read(bytes).map(|(header, layout)| (header, layout.end))
    }

    /// How many wrapped keys a sealed payload under this header carries.
    #[must_use]
    pub fn wrap_count(&self) -> usize {
        wrap_count(&self.to, &self.recipients)
    }

    pub(super) fn read(bytes: &[u8]) -> Result<(Self, Layout), MessageError> {
        let mut fields = Fields::open(bytes)?;
        let version = fields.required(0)?;
        // Keys up to 23 are one byte, so the byte before a value is its key.
        let content = version.position().saturating_sub(1);
        let version = version.uint()?;
        if version != MESSAGE_VERSION {
            return Err(MessageError::UnsupportedVersion(version));
        }
        let kind = fields.required(1)?.uint()?;
        let kind = Kind::from_number(kind).ok_or(MessageError::UnknownKind(kind))?;
        let to = fields.required(2)?.fixed_ref()?;
        let from = fields.required(3)?.fixed_ref()?;
        let instance = Instance(fields.required(4)?.uint()?);
        let seq = Seq(fields.required(5)?.uint()?);
        let time = WallMillis(fields.required(6)?.uint()?);
        let expires = WallMillis(fields.required(7)?.uint()?);
        let class = fields.required(8)?.uint()?;
        let class = Class::from_number(class).ok_or(MessageError::UnknownClass(class))?;
        let order = fields.required(9)?.uint()?;
        let order = Order::from_number(order).ok_or(MessageError::UnknownOrder(order))?;
        let deps = match fields.optional(10)? {
            Some(reader) => ascending(reader, DEPS_MAX, MessageId::new, MessageError::Deps)?,
            None => Vec::new(),
        };
        let chain = match fields.optional(11)? {
            Some(reader) => Some(reader.fixed_ref()?),
            None => None,
        };
        let recipients = match fields.optional(12)? {
            Some(reader) => ascending(reader, RECIPIENTS_MAX, NodeId::new, MessageError::Recipients)?,
            None => Vec::new(),
        };
        let codec = fields.required(13)?.uint()?;
        let codec = Codec::from_number(codec).ok_or(MessageError::UnknownCodec(codec))?;
        let count = fields.required(14)?.uint()?;
        let length = fields.required(15)?;
        let cut = length.position().saturating_sub(1);
        let payload_len = length.uint()?;
        let hash = fields.required(16)?;
        let payload_hash = hash.fixed_ref()?;
        let resume = hash.position();
        let end = fields.end()?.position();

        check_times(time, expires)?;
        if seq.0 == 0 {
            return Err(MessageError::SeqZero);
        }
        let count = u16::try_from(count).ok().filter(|count| (1..=ENTRIES_MAX).contains(&usize::from(*count)));
        let payload_len = u32::try_from(payload_len).ok().filter(|len| *len as usize <= PAYLOAD_MAX);
        let header = Self {
            to: match kind {
                Kind::Unicast => Destination::Unicast(NodeId::new(*to)),
                Kind::Multicast => Destination::Multicast(GroupId::new(*to)),
            },
            from: NodeId::new(*from),
            instance,
            seq,
            time,
            expires,
            class,
            order,
            deps,
            chain: chain.map(|hash| ChainHash::new(*hash)),
            recipients,
            codec,
            count: count.ok_or(MessageError::EntryCount)?,
            payload_len: payload_len.ok_or(MessageError::PayloadTooLong)?,
            payload_hash: PayloadHash::new(*payload_hash),
        };
        Ok((header, Layout { content, cut, resume, end }))
    }
}

/// How many wrapped keys a sealed payload to these carries.
pub(super) const fn wrap_count(to: &Destination, recipients: &[NodeId]) -> usize {
    match to {
        Destination::Unicast(_) if recipients.is_empty() => 1,
        Destination::Unicast(_) | Destination::Multicast(_) => recipients.len(),
    }
}

/// Holds the life of a message to its bounds.
pub(super) fn check_times(time: WallMillis, expires: WallMillis) -> Result<(), MessageError> {
    match expires.0.checked_sub(time.0) {
        None => Err(MessageError::ExpiresBeforeTime),
        Some(life) if life > LIFE_MAX_MS => Err(MessageError::LifeTooLong),
        Some(_) => Ok(()),
    }
}

fn ascending<T: Ord>(
    reader: &mut Reader<'_>,
    max: usize,
    new: impl Fn([u8; 32]) -> T,
    error: MessageError,
) -> Result<Vec<T>, MessageError> {
    // An empty list is written by leaving the key out.
    let len = usize::try_from(reader.array()?).ok().filter(|len| (1..=max).contains(len)).ok_or(error)?;
    let mut list = Vec::with_capacity(len);
    for _ in 0..len {
        let item = new(reader.fixed()?);
        if list.last().is_some_and(|last| *last >= item) {
            return Err(error);
        }
        list.push(item);
    }
    Ok(list)
}
