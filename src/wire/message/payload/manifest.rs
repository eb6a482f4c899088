//! Codec 3: the manifest of a blob that is larger than an entry.
//!
//! Names the parts by their BLAKE3 hashes, in order; all parts have the same length but the last, which has what is
//! left. How parts are asked for and kept is not decided here.

use super::PayloadError;
use crate::cbor::{Reader, Writer};
use crate::fields::Fields;
use crate::limits::{CONTENT_TYPE_MAX, MANIFEST_PARTS_MAX, PAYLOAD_MAX};

/// What a blob is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    total_len: u64,
    part_len: u32,
    parts: Vec<[u8; 32]>,
    content_type: Option<String>,
}

impl Manifest {
    /// Builds a manifest; lengths in bytes.
    ///
    /// # Errors
    /// [`PayloadError::ManifestParts`] when the parts do not make up the total; a CBOR error for a content type that is
    /// empty or longer than 128 bytes.
    pub fn new(
        total_len: u64,
        part_len: u32,
        parts: Vec<[u8; 32]>,
        content_type: Option<String>,
    ) -> Result<Self, PayloadError> {
        let manifest = Self { total_len, part_len, parts, content_type };
        manifest.check()?;
        // Reading its own bytes is the one place where the bounds of the content type are written down.
        Self::parse(&manifest.encode())
    }

    /// Reads a payload of codec 3.
    ///
    /// # Errors
    /// [`PayloadError`] names the first thing that is wrong.
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let mut fields = Fields::open(payload)?;
        let total_len = fields.required(0)?.uint()?;
        let part_len = fields.required(1)?.u32()?;
        let parts = read_parts(fields.required(2)?)?;
        let content_type = match fields.optional(3)? {
            Some(reader) => Some(reader.text_within(1, CONTENT_TYPE_MAX)?.to_owned()),
            None => None,
        };
        fields.finish()?;
        let manifest = Self { total_len, part_len, parts, content_type };
        manifest.check()?;
        Ok(manifest)
    }

    /// The payload of codec 3.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.parts.len().saturating_mul(34).saturating_add(160));
        writer.map(if self.content_type.is_some() { 4 } else { 3 });
        writer.uint(0).uint(self.total_len).uint(1).uint(self.part_len.into()).uint(2).array(self.parts.len());
        for part in &self.parts {
            writer.bytes(part);
        }
        if let Some(text) = &self.content_type {
            writer.uint(3).text(text);
        }
        writer.into_bytes()
    }

    /// Length of the whole blob in bytes.
    #[must_use]
    pub const fn total_len(&self) -> u64 {
        self.total_len
    }

    /// Length of every part but the last in bytes.
    #[must_use]
    pub const fn part_len(&self) -> u32 {
        self.part_len
    }

    /// BLAKE3 of each part, in order.
    #[must_use]
    pub fn parts(&self) -> &[[u8; 32]] {
        &self.parts
    }

    /// Media type of the blob.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    fn check(&self) -> Result<(), PayloadError> {
        let fits = (1..=PAYLOAD_MAX).contains(&(self.part_len as usize))
            && (1..=MANIFEST_PARTS_MAX).contains(&self.parts.len())
            && self.total_len.div_ceil(u64::from(self.part_len)) == self.parts.len() as u64;
        if fits { Ok(()) } else { Err(PayloadError::ManifestParts) }
    }
}

fn read_parts(reader: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, PayloadError> {
    let len = usize::try_from(reader.array()?).ok().filter(|len| (1..=MANIFEST_PARTS_MAX).contains(len));
    let len = len.ok_or(PayloadError::ManifestParts)?;
    // A part takes 34 bytes on the wire, so the reservation never exceeds what the sender has sent.
    let mut parts = Vec::with_capacity(len.min(reader.rest().len() / 34));
    for _ in 0..len {
        parts.push(reader.fixed()?);
    }
    Ok(parts)
}
