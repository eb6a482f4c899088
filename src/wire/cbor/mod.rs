//! The canonical CBOR profile that every signed or framed object is written in (RFC 8949 section 4.2.1, made narrower).
//!
//! Definite lengths, shortest heads, map keys that are unsigned integers in ascending order, no floats, no tags, no
//! simple values but `true` and `false`, valid UTF-8, at most [`DEPTH_MAX`] containers deep, nothing after the end. One
//! value has exactly one encoding, so an object can be hashed and verified over the bytes as received.
//!
//! [`Reader`] makes one pass and borrows; [`Writer`] fills a `Vec`. Bounds that belong to one format are the format's.

mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use reader::{MapReader, Reader};
pub use writer::{Writer, head_len};

/// Containers inside each other, the outermost included: no format needs more, and a reader's stack stays small.
pub const DEPTH_MAX: usize = 4;

/// The last critical map key; an unknown key above it is skipped, one up to it is refused.
pub const CRITICAL_KEY_MAX: u64 = 127;

const UINT: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const FALSE: u64 = 20;
const TRUE: u64 = 21;

/// What makes bytes not canonical, or not the value that was asked for; whoever made the bytes is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CborError {
    /// A head is longer than its number needs.
    #[error("integer or length is not in its shortest form")]
    LongInteger,
    /// A length is left open, or a break stands alone.
    #[error("indefinite length")]
    IndefiniteLength,
    /// A head uses one of the values 28 to 30 that CBOR reserves.
    #[error("reserved additional information")]
    ReservedHead,
    /// A map key is smaller than the one before it.
    #[error("map keys are not ascending")]
    UnsortedKeys,
    /// A map key stands twice.
    #[error("duplicate map key")]
    DuplicateKey,
    /// A map key is not an unsigned integer.
    #[error("map key is not an unsigned integer")]
    KeyType,
    /// A floating-point number.
    #[error("floating-point number")]
    Float,
    /// A tag.
    #[error("tag")]
    Tag,
    /// A simple value that is neither true nor false.
    #[error("simple value other than true and false")]
    Simple,
    /// Containers nested deeper than [`DEPTH_MAX`].
    #[error("containers nested too deep")]
    Depth,
    /// A text string is not valid UTF-8.
    #[error("text is not valid UTF-8")]
    Utf8,
    /// The bytes end before the value does.
    #[error("truncated")]
    Truncated,
    /// Bytes follow the value.
    #[error("trailing bytes")]
    Trailing,
    /// A map key up to [`CRITICAL_KEY_MAX`] that this version does not know.
    #[error("unknown critical key {0}")]
    UnknownCriticalKey(u64),
    /// A key that must be there is not.
    #[error("key {0} is missing")]
    MissingKey(u64),
    /// Another type of value than the format has here.
    #[error("wrong type of value")]
    WrongType,
    /// A string or an array is longer than the format allows.
    #[error("string or array too long")]
    TooLong,
    /// A string or an array is shorter than the format allows.
    #[error("string or array too short")]
    TooShort,
    /// A number is outside the range the format allows.
    #[error("number out of range")]
    OutOfRange,
}
