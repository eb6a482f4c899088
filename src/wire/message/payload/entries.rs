//! Codec 1: 1 to 256 entries as columns, `[lengths, blob]` or `[lengths, metas, blob]`.
//!
//! The column of metadata is there only when an entry has some. Decoding checks everything once; iterating then walks
//! the checked bytes and cuts payloads out of the shared buffer.

use bytes::Bytes;

use super::PayloadError;
use crate::NodeId;
use crate::cbor::{CborError, Reader, Writer, head_len};
use crate::limits::{CONTENT_TYPE_MAX, CORRELATION_MAX, ENTRIES_MAX, ENTRY_KEY_LEN, ENTRY_MAX, PAYLOAD_MAX, TOPIC_MAX};
use crate::message::Headroom;

/// One application payload and what is known about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// What travels beside the payload.
    pub meta: EntryMeta,
    /// The application's bytes, at most 64 KiB.
    pub payload: Bytes,
}

/// What may travel beside an entry's payload; every part is optional.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryMeta {
    /// Media type of the payload, 1 to 128 bytes.
    pub content_type: Option<String>,
    /// Topic within the group, 1 to 128 bytes.
    pub topic: Option<String>,
    /// Ties an answer to its question, 1 to 64 bytes.
    pub correlation: Option<Bytes>,
    /// Where an answer should go.
    pub reply_to: Option<NodeId>,
    /// A retried publish with the same key is delivered once.
    pub key: Option<[u8; ENTRY_KEY_LEN]>,
}

impl Entry {
    /// An entry without metadata.
    #[must_use]
    pub fn new(payload: Bytes) -> Self {
        Self { meta: EntryMeta::default(), payload }
    }

    /// The most bytes this entry adds to a payload; with 16 more for the whole, sums never fall short.
    #[must_use]
    pub fn encoded_len_max(&self) -> usize {
        let payload = self.payload.len();
        // The row of metadata is at least an empty map as soon as another entry has some.
        let len = payload.saturating_add(head_len(payload as u64)).saturating_add(1);
        len.saturating_add(self.meta.encoded_len())
    }
}

impl EntryMeta {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs() == 0
    }

    fn pairs(&self) -> usize {
        let parts = [
            self.content_type.is_some(),
            self.topic.is_some(),
            self.correlation.is_some(),
            self.reply_to.is_some(),
            self.key.is_some(),
        ];
        parts.iter().filter(|present| **present).count()
    }

    fn encoded_len(&self) -> usize {
        let string = |len: usize| len.saturating_add(head_len(len as u64)).saturating_add(1);
        let parts = [
            self.content_type.as_ref().map(|text| string(text.len())),
            self.topic.as_ref().map(|text| string(text.len())),
            self.correlation.as_ref().map(|bytes| string(bytes.len())),
            self.reply_to.map(|_| string(NodeId::LEN)),
            self.key.map(|key| string(key.len())),
        ];
        parts.into_iter().flatten().fold(0, usize::saturating_add)
    }

    fn check(&self) -> Result<(), CborError> {
        check_len(self.content_type.as_ref().map(String::len), CONTENT_TYPE_MAX)?;
        check_len(self.topic.as_ref().map(String::len), TOPIC_MAX)?;
        check_len(self.correlation.as_ref().map(Bytes::len), CORRELATION_MAX)
    }

    fn write(&self, writer: &mut Writer) {
        writer.map(self.pairs());
        if let Some(text) = &self.content_type {
            writer.uint(0).text(text);
        }
        if let Some(text) = &self.topic {
            writer.uint(1).text(text);
        }
        if let Some(bytes) = &self.correlation {
            writer.uint(2).bytes(bytes);
        }
        if let Some(node) = &self.reply_to {
            writer.uint(3).bytes(node.as_bytes());
        }
        if let Some(key) = &self.key {
            writer.uint(4).bytes(key);
        }
    }

    /// Reads one row; `true` when it has any pair, an ignorable one included.
    fn read(reader: &mut Reader<'_>) -> Result<(Self, bool), CborError> {
        let mut meta = Self::default();
        let mut map = reader.map()?;
        let any = map.left() > 0;
        while let Some(key) = map.next_key(reader)? {
            match key {
                0 => meta.content_type = Some(reader.text_within(1, CONTENT_TYPE_MAX)?.to_owned()),
                1 => meta.topic = Some(reader.text_within(1, TOPIC_MAX)?.to_owned()),
                2 => meta.correlation = Some(Bytes::copy_from_slice(reader.bytes_within(1, CORRELATION_MAX)?)),
                3 => meta.reply_to = Some(NodeId::new(reader.fixed()?)),
                4 => meta.key = Some(reader.fixed()?),
                other => reader.unknown_key(other)?,
            }
        }
        Ok((meta, any))
    }
}

/// Lays entries out as the payload of codec 1.
///
/// # Errors
/// [`PayloadError`] when the entries are none or too many, one is too long, or all together are.
pub fn encode_entries(entries: &[Entry]) -> Result<Vec<u8>, PayloadError> {
    let (bytes, _) = encode_entries_into(entries, Headroom::with_capacity(0, entries_len_max(entries)))?.into_parts();
    Ok(bytes)
}

/// The most bytes that entries take as a payload.
pub(in crate::message) fn entries_len_max(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::encoded_len_max).fold(16, usize::saturating_add)
}

/// As [`encode_entries`], behind what is there already.
pub(in crate::message) fn encode_entries_into(entries: &[Entry], into: Headroom) -> Result<Headroom, PayloadError> {
    if entries.is_empty() || entries.len() > ENTRIES_MAX {
        return Err(PayloadError::EntryCount);
    }
    let mut blob = 0usize;
    for entry in entries {
        if entry.payload.len() > ENTRY_MAX {
            return Err(PayloadError::EntryTooLong);
        }
        entry.meta.check()?;
        blob = blob.saturating_add(entry.payload.len());
    }
    if blob > PAYLOAD_MAX {
        return Err(PayloadError::TooLong);
    }
    let metas = entries.iter().any(|entry| !entry.meta.is_empty());
    let (buffer, start) = into.into_parts();
    let mut writer = Writer::append_to(buffer);
    writer.array(if metas { 3 } else { 2 }).array(entries.len());
    for entry in entries {
        writer.uint(entry.payload.len() as u64);
    }
    if metas {
        writer.array(entries.len());
        for entry in entries {
            entry.meta.write(&mut writer);
        }
    }
    writer.bytes_head(blob);
    for entry in entries {
        writer.raw(&entry.payload);
    }
    let payload = Headroom::within(writer.into_bytes(), start);
    if payload.len() > PAYLOAD_MAX { Err(PayloadError::TooLong) } else { Ok(payload) }
}

/// Checked entries in their buffer.
#[derive(Clone, PartialEq, Eq)]
pub struct Entries {
    payload: Bytes,
    count: u16,
    /// Where the first length starts.
    lengths: usize,
    /// Where the first row of metadata starts, when there is a column.
    metas: Option<usize>,
    /// Where the first payload starts.
    blob: usize,
}

impl Entries {
    /// Checks a payload of codec 1 that must have `expected` entries.
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn decode(payload: Bytes, expected: u16) -> Result<Self, PayloadError> {
        let mut reader = Reader::new(&payload);
        let columns = reader.array_within(2, 3)?;
        if usize::from(expected) > ENTRIES_MAX || expected == 0 || reader.array()? != u64::from(expected) {
            return Err(PayloadError::EntryCount);
        }
        let lengths = reader.position();
        let mut sum = 0usize;
        for _ in 0..expected {
            let len = usize::try_from(reader.uint()?).ok().filter(|len| *len <= ENTRY_MAX);
            sum = sum.saturating_add(len.ok_or(PayloadError::EntryTooLong)?);
        }
        let metas = if columns == 3 { Some(check_metas(&mut reader, expected)?) } else { None };
        if reader.bytes()?.len() != sum {
            return Err(PayloadError::BlobLength);
        }
        let blob = reader.position().saturating_sub(sum);
        reader.finish()?;
        Ok(Self { payload, count: expected, lengths, metas, blob })
    }

    /// How many entries there are; never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is always at least one entry")]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether any entry has metadata.
    #[must_use]
    pub const fn has_meta(&self) -> bool {
        self.metas.is_some()
    }

    /// Length of the payload they came in, in bytes; never 0.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.payload.len()
    }

    /// The entries in order; payloads share the message's buffer.
    #[must_use]
    pub fn iter(&self) -> EntriesIter<'_> {
        let from = |at: usize| Reader::new(self.payload.get(at..).unwrap_or_default());
        EntriesIter {
            left: self.count,
            lengths: from(self.lengths),
            metas: self.metas.map(from),
            blob: self.payload.slice(self.blob..),
        }
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = Entry;
    type IntoIter = EntriesIter<'a>;

    fn into_iter(self) -> EntriesIter<'a> {
        self.iter()
    }
}

impl core::fmt::Debug for Entries {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Entries({} in {} bytes)", self.count, self.payload.len())
    }
}

/// Walks [`Entries`].
#[derive(Clone, Debug)]
pub struct EntriesIter<'a> {
    left: u16,
    lengths: Reader<'a>,
    metas: Option<Reader<'a>>,
    blob: Bytes,
}

impl Iterator for EntriesIter<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.left = self.left.checked_sub(1)?;
        let len = usize::try_from(self.lengths.uint().ok()?).ok()?;
        let meta = match &mut self.metas {
            Some(reader) => EntryMeta::read(reader).ok()?.0,
            None => EntryMeta::default(),
        };
        // The lengths add up to the blob, so the bound never bites.
        let payload = self.blob.split_to(len.min(self.blob.len()));
        Some(Entry { meta, payload })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::from(self.left);
        (left, Some(left))
    }
}

impl ExactSizeIterator for EntriesIter<'_> {}

fn check_metas(reader: &mut Reader<'_>, expected: u16) -> Result<usize, PayloadError> {
    if reader.array()? != u64::from(expected) {
        return Err(PayloadError::MetaColumn);
    }
    let start = reader.position();
    let mut any = false;
    for _ in 0..expected {
        any |= EntryMeta::read(reader)?.1;
    }
    if any { Ok(start) } else { Err(PayloadError::MetaColumn) }
}

const fn check_len(len: Option<usize>, max: usize) -> Result<(), CborError> {
    match len {
        Some(0) => Err(CborError::TooShort),
        Some(len) if len > max => Err(CborError::TooLong),
        Some(_) | None => Ok(()),
    }
}
