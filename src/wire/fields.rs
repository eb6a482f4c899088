//! Walks the keys of one map in the order its format lists them.
//!
//! Keys ascend on the wire, so a format reads its fields one after the other: whatever stands between two of them is a
//! key this version does not know. Critical ones are refused by number, ignorable ones (from 128 on, after all known
//! keys) are checked for canonical form and skipped. Also here: the rules for text that people will see.

use crate::cbor::{CborError, MapReader, Reader};

/// A map whose fields are taken in ascending order of key.
pub(crate) struct Fields<'a> {
    reader: Reader<'a>,
    map: MapReader,
    /// The key that was read but not yet asked for.
    held: Option<u64>,
}

impl<'a> Fields<'a> {
    /// Enters the map at the start of `bytes`.
    #[inline]
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, CborError> {
        let mut reader = Reader::new(bytes);
        let map = reader.map()?;
        Ok(Self { reader, map, held: None })
    }

    /// The reader before the value of `key`, which has to be there.
    #[inline]
    pub(crate) fn required(&mut self, key: u64) -> Result<&mut Reader<'a>, CborError> {
        // Nearly always the key that is asked for comes next.
        if self.held.is_none() && u8::try_from(key).is_ok_and(|key| self.map.take_short_key(&mut self.reader, key)) {
            return Ok(&mut self.reader);
        }
        self.optional(key)?.ok_or(CborError::MissingKey(key))
    }

    /// The reader before the value of `key`, when it is there.
    pub(crate) fn optional(&mut self, key: u64) -> Result<Option<&mut Reader<'a>>, CborError> {
        if self.held.is_none() {
            self.held = self.map.next_key(&mut self.reader)?;
        }
        match self.held {
            Some(found) if found == key => {
                self.held = None;
                Ok(Some(&mut self.reader))
            }
            // Fields are asked for in ascending order, so nobody will ask for this one.
            Some(found) if found < key => Err(CborError::UnknownCriticalKey(found)),
            Some(_) | None => Ok(None),
        }
    }

    /// Skips the ignorable keys and returns the reader behind the map.
    pub(crate) fn end(mut self) -> Result<Reader<'a>, CborError> {
        if let Some(key) = self.held.take() {
            self.reader.unknown_key(key)?;
        }
        while let Some(key) = self.map.next_key(&mut self.reader)? {
            self.reader.unknown_key(key)?;
        }
        Ok(self.reader)
    }

    /// Skips the ignorable keys and refuses bytes behind the map.
    pub(crate) fn finish(self) -> Result<(), CborError> {
        self.end()?.finish()
    }
}

/// Whether text can be shown and logged: no control characters.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(char::is_control)
}

/// Whether text is one printable ASCII word or line.
pub(crate) fn is_printable_ascii(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// Whether text can be an address: neither control characters nor white space.
pub(crate) fn is_address(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn two_fields(bytes: &[u8]) -> Result<(u64, Option<u64>), CborError> {
        let mut fields = Fields::open(bytes)?;
        let first = fields.required(1)?.uint()?;
        let second = match fields.optional(3)? {
            Some(reader) => Some(reader.uint()?),
            None => None,
        };
        fields.finish()?;
        Ok((first, second))
    }

    #[test]
    fn known_keys_are_read_and_ignorable_ones_skipped() {
        assert_eq!(two_fields(&[0xa2, 1, 7, 3, 8]), Ok((7, Some(8))));
        assert_eq!(two_fields(&[0xa1, 1, 7]), Ok((7, None)));
        assert_eq!(two_fields(&[0xa2, 1, 7, 0x18, 128, 0x41, 0]), Ok((7, None)));
    }

    #[test]
    fn unknown_critical_keys_are_refused_wherever_they_stand() {
        assert_eq!(two_fields(&[0xa2, 0, 7, 1, 8]), Err(CborError::UnknownCriticalKey(0)));
        assert_eq!(two_fields(&[0xa2, 1, 7, 2, 8]), Err(CborError::UnknownCriticalKey(2)));
        assert_eq!(two_fields(&[0xa2, 1, 7, 4, 8]), Err(CborError::UnknownCriticalKey(4)));
        assert_eq!(two_fields(&[0xa2, 1, 7, 0x18, 127, 8]), Err(CborError::UnknownCriticalKey(127)));
    }

    #[test]
    fn a_missing_key_and_trailing_bytes_are_refused() {
        assert_eq!(two_fields(&[0xa1, 3, 8]), Err(CborError::MissingKey(1)));
        assert_eq!(two_fields(&[0xa0]), Err(CborError::MissingKey(1)));
        assert_eq!(two_fields(&[0xa1, 1, 7, 0]), Err(CborError::Trailing));
    }

    #[test]
    fn an_ignorable_value_is_held_to_the_profile_too() {
        assert_eq!(two_fields(&[0xa2, 1, 7, 0x18, 128, 0x18, 1]), Err(CborError::LongInteger));
    }
}
