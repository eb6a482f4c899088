//! Text from elsewhere, made safe to show: a terminal must never obey a name or payload that came over the network.
//!
//! Control characters (C0, C1, DEL), and the marks that reorder or hide text, become visible escapes. JSON needs no more
//! than its own escaping, but on a terminal C1 and DEL would still reach it, so [`json`] escapes those too.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter};

/// Whether a terminal or a reader could be misled by this character.
#[must_use]
pub fn is_hostile(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The text with every hostile character as `\u{..}`; ordinary text is unchanged.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if is_hostile(letter) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(letter));
        } else {
            safe.push(letter);
        }
    }
    safe
}

/// The bytes as text, with what is not UTF-8 replaced and hostile characters escaped.
#[must_use]
pub fn shown_bytes(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

/// One line of compact JSON in which no hostile character stands raw.
///
/// # Errors
/// The value's own error; the shapes of this crate have none.
pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::with_capacity(256);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Quiet))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Compact JSON that escapes what [`is_hostile`] names beyond JSON's own rules.
struct Quiet;

impl Formatter for Quiet {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, letter)) = rest.char_indices().find(|(_, letter)| is_hostile(*letter)) {
            let (clean, tail) = rest.split_at_checked(at).unwrap_or((rest, ""));
            CompactFormatter.write_string_fragment(writer, clean)?;
            // Every hostile character is in the basic plane, so one escape is enough.
            write!(writer, "\\u{:04x}", u32::from(letter))?;
            rest = tail.get(letter.len_utf8()..).unwrap_or_default();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn no_control_character_survives_and_ordinary_text_does() {
        assert_eq!(shown("Zoë 漢字 🙂 a/b"), "Zoë 漢字 🙂 a/b");
        assert_eq!(shown("a\u{1b}[31mb\u{9b}2J\u{7f}\r\n"), "a\\u{1b}[31mb\\u{9b}2J\\u{7f}\\u{d}\\u{a}");
        assert_eq!(shown("user\u{202e}gpj.exe\u{200b}"), "user\\u{202e}gpj.exe\\u{200b}");
        assert_eq!(shown_bytes(b"ok\xff\x1b"), "ok\u{fffd}\\u{1b}");
    }

    #[test]
    fn json_shows_nothing_raw_and_reads_back_the_same() {
        for text in ["plain", "\u{9b}31m", "a\u{202e}b\u{7f}", "\"\\\n\u{1b}", "é🙂", "\u{feff}"] {
            let line = json(text).unwrap();
            assert!(!line.chars().any(is_hostile), "{line:?}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
