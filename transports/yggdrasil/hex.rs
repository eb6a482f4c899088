//! Keys and signatures as the daemon and NodeInfo have them: hexadecimal digits.

/// Reads exactly `2 * N` hexadecimal digits of either case.
pub(crate) fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// Writes bytes as lower-case digits.
pub(crate) fn write(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn digit(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn digits_of_the_right_number_are_read_and_others_are_not() {
        assert_eq!(read("00fFa1"), Some([0, 0xff, 0xa1]));
        assert_eq!(write(&[0, 0xff, 0xa1]), "00ffa1");
        for bad in ["", "0", "00ff", "00ffa10", "00ffa1aa", "00ffg1", "+0ffa1", "00ff\u{e9}"] {
            assert_eq!(read::<3>(bad), None, "{bad}");
        }
    }
}
