//! Keys and hashes as text.
//!
//! A key is two letters for its kind, then lower-case unpadded base32 (RFC 4648) of the key and 3 checksum bytes: 58
//! characters, so that a mistyped or misplaced key is refused. A hash is lower-case hexadecimal. Parsing is strict:
//! every value has exactly one text.

use core::fmt::{self, Write as _};
use core::str::FromStr;

use crate::hash::{context, prefix};
use crate::{
    CapabilitySerial, ChainHash, ContentKeyId, GroupId, MessageId, NodeId, PayloadHash, RequestId, RevocationId,
    ServiceId, ShortId,
};

/// Characters of a key in text: kind (2), and 35 bytes in base32 (56).
pub const KEY_TEXT_LEN: usize = 58;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const CHECKSUM_LEN: usize = 3;

/// Why a text is not a key; whoever wrote it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It does not have 58 characters.
    #[error("a key has 58 characters")]
    Length,
    /// It names another kind of key, or none.
    #[error("expected a key that starts with `{expected}`")]
    Kind {
        /// The two letters that were expected.
        expected: &'static str,
    },
    /// A character is not one of a to z and 2 to 7.
    #[error("a key is written in a to z and 2 to 7")]
    Alphabet,
    /// The checksum does not hold: a typing error.
    #[error("the key's checksum does not hold: is a character wrong?")]
    Checksum,
}

/// Why a text is not a hash; whoever wrote it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HexTextError {
    /// It has another number of characters than the hash has.
    #[error("expected {expected} hexadecimal digits")]
    Length {
        /// The number of characters that were expected.
        expected: usize,
    },
    /// A character is not one of 0 to 9 and a to f.
    #[error("a hash is written in 0 to 9 and a to f")]
    Alphabet,
}

macro_rules! key_text {
    ($name:ident, $kind:literal) => {
        impl $name {
            /// The two letters that the text form starts with.
            pub const KIND: &'static str = $kind;

            /// Reads the text form.
            ///
            /// # Errors
            /// [`KeyTextError`] names what is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, KeyTextError> {
                parse_key($kind, text).map(Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_key($kind, self.as_bytes(), f)
            }
        }

        impl FromStr for $name {
            type Err = KeyTextError;

            fn from_str(text: &str) -> Result<Self, KeyTextError> {
                Self::parse(text)
            }
        }
    };
}

key_text!(NodeId, "cn");
key_text!(GroupId, "cg");
key_text!(ServiceId, "cs");

macro_rules! hex_text {
    ($name:ident) => {
        impl $name {
            /// Reads the text form: lower-case hexadecimal.
            ///
            /// # Errors
            /// [`HexTextError`] names what is wrong with the text.
            pub fn parse(text: &str) -> Result<Self, HexTextError> {
                parse_hex(text).map(Self::new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl FromStr for $name {
            type Err = HexTextError;

            fn from_str(text: &str) -> Result<Self, HexTextError> {
                Self::parse(text)
            }
        }
    };
}

hex_text!(MessageId);
hex_text!(CapabilitySerial);
hex_text!(RevocationId);
hex_text!(RequestId);
hex_text!(ChainHash);
hex_text!(PayloadHash);
hex_text!(ShortId);
hex_text!(ContentKeyId);

fn checksum(kind: &str, key: &[u8; 32]) -> [u8; CHECKSUM_LEN] {
    prefix(blake3::Hasher::new_derive_key(context::KEY_TEXT).update(kind.as_bytes()).update(key).finalize().as_bytes())
}

fn write_key(kind: &str, key: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(kind)?;
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in key.iter().chain(&checksum(kind, key)) {
        bits = (bits << 8) | u32::from(*byte);
        held = held.saturating_add(8);
        while let Some(left) = held.checked_sub(5) {
            held = left;
            let letter = ALPHABET.get(((bits >> held) & 31) as usize).copied().unwrap_or(b'a');
            f.write_char(char::from(letter))?;
        }
    }
    Ok(())
}

fn parse_key(kind: &'static str, text: &str) -> Result<[u8; 32], KeyTextError> {
    if text.len() != KEY_TEXT_LEN {
        return Err(KeyTextError::Length);
    }
    let digits = text.strip_prefix(kind).ok_or(KeyTextError::Kind { expected: kind })?;
    let mut bytes = [0; 32 + CHECKSUM_LEN];
    let (mut bits, mut held) = (0u32, 0u32);
    let mut slots = bytes.iter_mut();
    for digit in digits.bytes() {
        let value = match digit {
            b'a'..=b'z' => digit.saturating_sub(b'a'),
            b'2'..=b'7' => digit.saturating_sub(b'2').saturating_add(26),
            _ => return Err(KeyTextError::Alphabet),
        };
        bits = (bits << 5) | u32::from(value);
        held = held.saturating_add(5);
        if let Some(left) = held.checked_sub(8) {
            held = left;
            if let Some(slot) = slots.next() {
                *slot = (bits >> held).to_be_bytes()[3];
            }
        }
    }
    let (key, sum) = bytes.split_first_chunk::<32>().ok_or(KeyTextError::Length)?;
    if sum == checksum(kind, key) { Ok(*key) } else { Err(KeyTextError::Checksum) }
}

fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], HexTextError> {
    let expected = N.saturating_mul(2);
    if text.len() != expected {
        return Err(HexTextError::Length { expected });
    }
    let mut bytes = [0; N];
    for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit.saturating_sub(b'0'),
                b'a'..=b'f' => digit.saturating_sub(b'a').saturating_add(10),
                _ => return Err(HexTextError::Alphabet),
            };
            *slot = (*slot << 4) | value;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_no_other_text_gives_it() {
        for seed in 0..64u8 {
            let key = blake3::hash(&[seed]);
            let node = NodeId::new(*key.as_bytes());
            let text = node.to_string();
            assert_eq!((text.len(), text.starts_with("cn")), (KEY_TEXT_LEN, true));
            assert_eq!(NodeId::parse(&text), Ok(node));
            assert_eq!(GroupId::parse(&text), Err(KeyTextError::Kind { expected: "cg" }));
            assert_eq!(NodeId::parse(&text.to_uppercase()), Err(KeyTextError::Kind { expected: "cn" }));
        }
    }

    #[test]
    fn every_single_typing_error_is_caught() {
        let text = ServiceId::new([7; 32]).to_string();
        for at in 2..KEY_TEXT_LEN {
            for letter in ALPHABET {
                let mut wrong = text.clone().into_bytes();
                wrong[at] = *letter;
                let wrong = String::from_utf8(wrong).unwrap();
                if wrong != text {
                    assert_eq!(ServiceId::parse(&wrong), Err(KeyTextError::Checksum), "{wrong}");
                }
            }
        }
    }

    #[test]
    fn a_bad_text_is_refused_by_name() {
        let text = NodeId::new([1; 32]).to_string();
        assert_eq!(NodeId::parse(&text[..57]), Err(KeyTextError::Length));
        assert_eq!(NodeId::parse(&format!("{text}a")), Err(KeyTextError::Length));
        assert_eq!(NodeId::parse(&text.replacen(&text[10..11], "1", 1)), Err(KeyTextError::Alphabet));
        // Two bytes that make one letter: the length is right, the alphabet is not.
        assert_eq!(NodeId::parse(&format!("{}é", &text[..56])), Err(KeyTextError::Alphabet));
        // The checksum covers the kind, so the letters cannot be exchanged.
        assert_eq!(GroupId::parse(&text.replacen("cn", "cg", 1)), Err(KeyTextError::Checksum));
    }

    #[test]
    fn a_hash_is_lower_case_hexadecimal_and_nothing_else() {
        let id = ShortId::new([0, 1, 0x7f, 0x80, 0xab, 0xcd, 0xef, 0xff]);
        assert_eq!(id.to_string(), "00017f80abcdefff");
        assert_eq!("00017f80abcdefff".parse(), Ok(id));
        assert_eq!(ShortId::parse("00017F80abcdefff"), Err(HexTextError::Alphabet));
        assert_eq!(ShortId::parse("00017f80abcdeff"), Err(HexTextError::Length { expected: 16 }));
    }
}
