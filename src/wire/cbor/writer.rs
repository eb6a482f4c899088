//! Writes the profile: shortest heads, definite lengths.
//!
//! The writer puts down what it is told; that map keys ascend and lengths match is the caller's part, and the round-trip
//! tests of every format hold it to that.

use super::{ARRAY, BYTES, FALSE, MAP, SIMPLE, TEXT, TRUE, UINT};

/// Appends canonical CBOR to a byte vector; methods chain.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Starts with an empty vector.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// Starts with room for `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Appends to bytes that are already there.
    #[must_use]
    pub const fn append_to(out: Vec<u8>) -> Self {
        Self { out }
    }

    /// Writes an unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(UINT, value)
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.head(SIMPLE, if value { TRUE } else { FALSE })
    }

    /// Writes a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes_head(bytes.len()).raw(bytes)
    }

    /// Writes the head of a byte string of `len` bytes, which the caller appends with [`Writer::raw`].
    pub fn bytes_head(&mut self, len: usize) -> &mut Self {
        self.head(BYTES, len as u64)
    }

    /// Writes a text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(TEXT, text.len() as u64).raw(text.as_bytes())
    }

    /// Writes the head of an array; `len` values follow.
    pub fn array(&mut self, len: usize) -> &mut Self {
        self.head(ARRAY, len as u64)
    }

    /// Writes the head of a map; `len` pairs of key and value follow, keys ascending.
    pub fn map(&mut self, len: usize) -> &mut Self {
        self.head(MAP, len as u64)
    }

    /// Appends bytes as they are: an encoded value, or the content of a byte string.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// Bytes written so far, those that were there before included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether nothing is written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// The finished bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let top = major << 5;
        let [_, _, _, _, a, b, c, d] = value.to_be_bytes();
        match head_len(value) {
            1 => self.out.push(top | d),
            2 => self.out.extend_from_slice(&[top | 24, d]),
            3 => self.out.extend_from_slice(&[top | 25, c, d]),
            5 => self.out.extend_from_slice(&[top | 26, a, b, c, d]),
            _ => {
                self.out.push(top | 27);
                self.out.extend_from_slice(&value.to_be_bytes());
            }
        }
        self
    }
}

/// Bytes that the head of a number, a string or a container with this value or length takes.
#[must_use]
pub const fn head_len(value: u64) -> usize {
    match value {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => 9,
    }
}
