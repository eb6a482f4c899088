//! Base64 as in RFC 4648 section 4, padded: how payloads that are not text travel in JSON.
//!
//! Strict: one text per value, no white space, no missing padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes bytes as padded base64.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3).saturating_mul(4));
    for group in bytes.chunks(3) {
        let mut bits = 0u32;
        for at in 0..3 {
            bits = (bits << 8) | u32::from(group.get(at).copied().unwrap_or_default());
        }
        for at in 0..4usize {
            let digit = (bits >> (18 - 6 * at)) & 63;
            let letter = ALPHABET.get(digit as usize).copied().unwrap_or(b'=');
            text.push(if at <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Reads padded base64; `None` when the text is not exactly what [`encode`] writes.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let groups = text.as_bytes().chunks_exact(4);
    if !groups.remainder().is_empty() {
        return None;
    }
    let count = groups.len();
    let mut bytes = Vec::with_capacity(count.saturating_mul(3));
    for (at, group) in groups.enumerate() {
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count();
        if padding > 2 || (padding > 0 && at.saturating_add(1) != count) {
            return None;
        }
        let mut bits = 0u32;
        for byte in group.iter().take(4usize.saturating_sub(padding)) {
            bits = (bits << 6) | digit(*byte)?;
        }
        bits <<= 6 * padding;
        let kept = 3usize.saturating_sub(padding);
        let [_, whole @ ..] = bits.to_be_bytes();
        // Bits behind the last byte must be zero, else two texts would have one value.
        if whole.iter().skip(kept).any(|byte| *byte != 0) {
            return None;
        }
        bytes.extend(whole.iter().take(kept));
    }
    Some(bytes)
}

fn digit(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|letter| *letter == byte).and_then(|at| u32::try_from(at).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_vectors_of_the_rfc_hold() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (plain, text) in vectors {
            assert_eq!(encode(plain.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(plain.as_bytes()));
        }
    }

    #[test]
    fn every_length_survives_and_other_spellings_are_refused() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..bytes.len() {
            assert_eq!(decode(&encode(&bytes[..len])).as_deref(), Some(&bytes[..len]));
        }
        for wrong in ["Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Zm 9", "Zm9-", "Z===", "é=="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
