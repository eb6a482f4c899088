//! Where a JSON object ends, found while it comes in.
//!
//! Only braces, brackets and strings are looked at; whether the object is one is decided when it is parsed whole.

use super::AdminError;

/// Looks for the end of the first object of a stream, one piece after the other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ObjectEnd {
    depth: usize,
    place: Place,
    /// Bytes of the string that goes on.
    text: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Between tokens.
    #[default]
    Outside,
    /// In a string.
    Text,
    /// In a string, behind a backslash.
    Escape,
}

impl ObjectEnd {
    /// Looks at the next piece; the length of what of it still belongs to the object, once its end is there.
    ///
    /// # Errors
    /// [`AdminError::Garbled`] when no object begins.
    pub(crate) fn look(&mut self, piece: &[u8]) -> Result<Option<usize>, AdminError> {
        for (at, byte) in piece.iter().enumerate() {
            if self.step(*byte)? {
                return Ok(at.checked_add(1));
            }
        }
        Ok(None)
    }

    /// How long the string is already that what was looked at ends in; 0 between strings.
    pub(crate) const fn text(&self) -> usize {
        self.text
    }

    /// Whether the object ends with this byte.
    fn step(&mut self, byte: u8) -> Result<bool, AdminError> {
        self.place = match (self.place, byte) {
            (Place::Text, b'\\') => Place::Escape,
            (Place::Escape, _) => Place::Text,
            (Place::Text, b'"') => Place::Outside,
            (Place::Text, _) => Place::Text,
            (Place::Outside, b'{') => {
                self.depth = self.depth.saturating_add(1);
                Place::Outside
            }
            (Place::Outside, b' ' | b'\t' | b'\r' | b'\n') => Place::Outside,
            (Place::Outside, _) if self.depth == 0 => return Err(AdminError::Garbled("its answer is no JSON object")),
            (Place::Outside, b'"') => Place::Text,
            (Place::Outside, b'}') => {
                self.depth = self.depth.saturating_sub(1);
                return Ok(self.depth == 0);
            }
            (Place::Outside, _) => Place::Outside,
        };
        self.text = if self.place == Place::Outside { 0 } else { self.text.saturating_add(1) };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    /// The end, looked for in pieces of every length.
    fn end(text: &str) -> Result<Option<usize>, AdminError> {
        let whole = ObjectEnd::default().look(text.as_bytes());
        for piece in 1..=text.len() {
            let mut end = ObjectEnd::default();
            let mut at = 0;
            let mut found = Ok(None);
            for bytes in text.as_bytes().chunks(piece) {
                found = end.look(bytes).map(|len| len.map(|len| at + len));
                at += bytes.len();
                if found != Ok(None) {
                    break;
                }
            }
            assert_eq!(found, whole, "{text} in pieces of {piece}");
        }
        whole
    }

    #[test]
    fn an_object_ends_at_its_brace() {
        for text in [
            "{}",
            " \r\n\t{}",
            r#"{"a":{"b":[{},{}]},"c":"}"}"#,
            r#"{"a":"\"}","b":"\\"}"#,
            r#"{"a":"\\\"}\\"}"#,
            "{\"a\":\"\u{7d}\u{e9}\"}",
        ] {
            assert_eq!(end(text), Ok(Some(text.len())), "{text}");
            assert_eq!(end(&format!("{text}\n{{")), Ok(Some(text.len())), "{text}");
        }
    }

    #[test]
    fn what_has_not_ended_is_waited_for() {
        for text in ["", "  ", "{", r#"{"a":"}"#, r#"{"a":"\"#, r#"{"a":{}"#] {
            assert_eq!(end(text), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_begins_no_object_is_refused_at_once() {
        for text in ["[{}]", "SSH-2.0", "}", "\"{}\"", "\0"] {
            assert!(matches!(end(text), Err(AdminError::Garbled(_))), "{text}");
        }
    }
}
