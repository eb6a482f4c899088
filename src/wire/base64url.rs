//! Base64 with the URL alphabet and without padding (RFC 4648 section 5), strict: every byte string has one text.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Characters that `bytes` bytes take.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(8).div_ceil(6)
}

/// Appends the text of `bytes`.
pub(crate) fn encode(bytes: &[u8], text: &mut String) {
    text.reserve(encoded_len(bytes.len()));
    for chunk in bytes.chunks(3) {
        let mut word = [0; 4];
        word.iter_mut().skip(1).zip(chunk).for_each(|(slot, byte)| *slot = *byte);
        let bits = u32::from_be_bytes(word);
        // One digit more than there are bytes.
        for (_, shift) in (0..=chunk.len()).zip([18, 12, 6, 0]) {
            let digit = (bits >> shift) & 63;
            text.push(char::from(ALPHABET.get(digit as usize).copied().unwrap_or(b'A')));
        }
    }
}

/// Reads a text; `None` when it is not the text of any byte string.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for chunk in text.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for digit in chunk {
            bits = (bits << 6) | value(*digit)?;
        }
        // A lone digit cannot hold a byte; bits behind the last byte have to be zero.
        let (len, spare) = match chunk.len() {
            4 => (3, 0),
            3 => (2, 2),
            2 => (1, 4),
            _ => return None,
        };
        if bits & ((1 << spare) - 1) != 0 {
            return None;
        }
        let [_, decoded @ ..] = (bits >> spare).to_be_bytes();
        bytes.extend(decoded.iter().skip(3_usize.saturating_sub(len)));
    }
    Some(bytes)
}

const fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(value as u32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_vectors_of_rfc_4648_hold() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg"),
            ("fooba", "Zm9vYmE"),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(out, text);
            assert_eq!(out.len(), encoded_len(bytes.len()));
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(decode("-_8"), Some(vec![0xfb, 0xff]));
    }

    #[test]
    fn no_second_text_gives_the_same_bytes() {
        for text in ["Zh", "Zm9", "Z", "Zg==", "Zm9vYg=", "Zm+v", "Zm/v", "Zm9v ", "Zm9vé"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
