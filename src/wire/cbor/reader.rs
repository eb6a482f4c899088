//! Reads the profile in one pass over borrowed bytes.
//!
//! A caller asks for what its format has at this place; anything else is an error. Open containers are counted, so the
//! depth limit holds whatever the caller skips, and a claimed length never exceeds the bytes that are there. Refusals
//! are those of RFC 8949 section 4.2.1 and of the profile in the parent module.

use super::{
    ARRAY, BYTES, CRITICAL_KEY_MAX, CborError, DEPTH_MAX, FALSE, MAP, NEGATIVE, SIMPLE, TAG, TEXT, TRUE, UINT,
};

/// A strict reader over a byte slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    total: usize,
    /// Values still to come in each open container (pairs, for a map); containers are closed when the next value starts.
    left: [u64; DEPTH_MAX],
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte of `bytes`; other bytes may follow the value unless [`Reader::finish`] is called.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len(), left: [0; DEPTH_MAX], depth: 0 }
    }

    /// Bytes consumed so far.
    #[must_use]
    #[inline]
    pub const fn position(&self) -> usize {
        self.total.saturating_sub(self.rest.len())
    }

    /// The bytes not yet consumed.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CborError::Trailing`] when bytes are left.
    pub const fn finish(self) -> Result<(), CborError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    /// Reads an unsigned integer.
    ///
    /// # Errors
    /// Whatever makes the bytes not a canonical unsigned integer.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, CborError> {
        self.start(UINT)
    }

    /// Reads an unsigned integer that fits 8 bits.
    ///
    /// # Errors
    /// As [`Reader::uint`]; [`CborError::OutOfRange`] when it does not fit.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, CborError> {
        u8::try_from(self.uint()?).map_err(|_| CborError::OutOfRange)
    }

    /// Reads an unsigned integer that fits 32 bits.
    ///
    /// # Errors
    /// As [`Reader::uint`]; [`CborError::OutOfRange`] when it does not fit.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, CborError> {
        u32::try_from(self.uint()?).map_err(|_| CborError::OutOfRange)
    }

    /// Reads `true` or `false`.
    ///
    /// # Errors
    /// Whatever makes the bytes not a canonical boolean.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, CborError> {
        Ok(self.start(SIMPLE)? == TRUE)
    }

    /// Reads a byte string.
    ///
    /// # Errors
    /// Whatever makes the bytes not a canonical byte string.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let len = self.start(BYTES)?;
        self.take(len)
    }

    /// Reads a byte string of `min` to `max` bytes.
    ///
    /// # Errors
    /// As [`Reader::bytes`]; [`CborError::TooShort`] or [`CborError::TooLong`] outside the bounds.
    pub fn bytes_within(&mut self, min: usize, max: usize) -> Result<&'a [u8], CborError> {
        let bytes = self.bytes()?;
        within(bytes.len(), min, max)?;
        Ok(bytes)
    }

    /// Reads a byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// As [`Reader::bytes`]; [`CborError::TooShort`] or [`CborError::TooLong`] when its length is not `N`.
    #[inline]
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        self.fixed_ref().copied()
    }

    /// As [`Reader::fixed`], borrowed.
    ///
    /// # Errors
    /// As [`Reader::fixed`].
    #[inline]
    pub fn fixed_ref<const N: usize>(&mut self) -> Result<&'a [u8; N], CborError> {
        // A key or a hash with its head of two bytes, as nearly every string here is.
        if let Some(([0x58, len], rest)) = self.rest.split_first_chunk()
            && (24..256).contains(&N)
            && usize::from(*len) == N
            && let Some((chunk, rest)) = rest.split_first_chunk()
        {
            self.begin();
            self.rest = rest;
            return Ok(chunk);
        }
        let bytes = self.bytes()?;
        within(bytes.len(), N, N)?;
        bytes.first_chunk().ok_or(CborError::TooShort)
    }

    /// Reads a text string.
    ///
    /// # Errors
    /// Whatever makes the bytes not a canonical text string; [`CborError::Utf8`] when it is not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let len = self.start(TEXT)?;
        core::str::from_utf8(self.take(len)?).map_err(|_| CborError::Utf8)
    }

    /// Reads a text string of `min` to `max` bytes.
    ///
    /// # Errors
    /// As [`Reader::text`]; [`CborError::TooShort`] or [`CborError::TooLong`] outside the bounds.
    pub fn text_within(&mut self, min: usize, max: usize) -> Result<&'a str, CborError> {
        let text = self.text()?;
        within(text.len(), min, max)?;
        Ok(text)
    }

    /// Enters an array and returns how many values it has; that many bytes at least are still there.
    ///
    /// # Errors
    /// Whatever makes the bytes not the head of a canonical array; [`CborError::Depth`] when it lies too deep.
    pub fn array(&mut self) -> Result<u64, CborError> {
        let len = self.start(ARRAY)?;
        self.enter(len)?;
        Ok(len)
    }

    /// Enters an array of `min` to `max` values and returns how many it has.
    ///
    /// # Errors
    /// As [`Reader::array`]; [`CborError::TooShort`] or [`CborError::TooLong`] outside the bounds.
    pub fn array_within(&mut self, min: usize, max: usize) -> Result<usize, CborError> {
        let len = usize::try_from(self.array()?).map_err(|_| CborError::TooLong)?;
        within(len, min, max)?;
        Ok(len)
    }

    /// Enters a map; its keys come from [`MapReader::next_key`], and one value must be read after each.
    ///
    /// # Errors
    /// Whatever makes the bytes not the head of a canonical map; [`CborError::Depth`] when it lies too deep.
    #[inline]
    pub fn map(&mut self) -> Result<MapReader, CborError> {
        let pairs = self.start(MAP)?;
        self.enter(pairs)?;
        Ok(MapReader { left: pairs, last: None })
    }

    /// Skips one value of any type, as strictly as if it were read.
    ///
    /// # Errors
    /// Whatever makes the value not canonical.
    pub fn skip_value(&mut self) -> Result<(), CborError> {
        self.begin();
        let (major, value) = self.head()?;
        match major {
            BYTES => self.take(value).map(drop),
            TEXT => core::str::from_utf8(self.take(value)?).map(drop).map_err(|_| CborError::Utf8),
            ARRAY => {
                self.enter(value)?;
                for _ in 0..value {
                    self.skip_value()?;
                }
                Ok(())
            }
            MAP => {
                self.enter(value)?;
                let mut map = MapReader { left: value, last: None };
                while map.next_key(self)?.is_some() {
                    self.skip_value()?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Deals with a key the format does not know: refuses a critical one, skips the value of an ignorable one.
    ///
    /// # Errors
    /// [`CborError::UnknownCriticalKey`], or what [`Reader::skip_value`] finds.
    pub fn unknown_key(&mut self, key: u64) -> Result<(), CborError> {
        if key <= CRITICAL_KEY_MAX { Err(CborError::UnknownCriticalKey(key)) } else { self.skip_value() }
    }

    /// Counts the value that starts here, closing the containers that are complete.
    #[inline]
    fn begin(&mut self) {
        while let Some(top) = self.depth.checked_sub(1) {
            match self.left.get_mut(top) {
                Some(left) if *left > 0 => {
                    *left = left.saturating_sub(1);
                    return;
                }
                _ => self.depth = top,
            }
        }
    }

    #[inline]
    fn enter(&mut self, values: u64) -> Result<(), CborError> {
        // Every value has at least one byte, so a larger claim can never be met.
        if values > self.rest.len() as u64 {
            return Err(CborError::Truncated);
        }
        let slot = self.left.get_mut(self.depth).ok_or(CborError::Depth)?;
        *slot = values;
        self.depth = self.depth.saturating_add(1);
        Ok(())
    }

    #[inline(always)]
    fn start(&mut self, major: u8) -> Result<u64, CborError> {
        self.begin();
        // Most heads are a single byte: those need no table of cases.
        match self.rest.split_first() {
            Some((&first, rest)) if major < TAG && first >> 5 == major && first & 0x1f < 24 => {
                self.rest = rest;
                Ok(u64::from(first & 0x1f))
            }
            Some(_) | None => self.start_long(major),
        }
    }

    fn start_long(&mut self, major: u8) -> Result<u64, CborError> {
        let (found, value) = self.head()?;
        if found == major { Ok(value) } else { Err(CborError::WrongType) }
    }

    #[inline]
    fn take(&mut self, len: u64) -> Result<&'a [u8], CborError> {
        let len = usize::try_from(len).map_err(|_| CborError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let (&first, rest) = self.rest.split_first().ok_or(CborError::Truncated)?;
        let (major, info) = (first >> 5, first & 0x1f);
        if major >= TAG {
            return match (major, info) {
                (SIMPLE, 20 | 21) => {
                    self.rest = rest;
                    Ok((SIMPLE, if info == 20 { FALSE } else { TRUE }))
                }
                (SIMPLE, 25..=27) => Err(CborError::Float),
                (SIMPLE, 31) => Err(CborError::IndefiniteLength),
                (SIMPLE, 28..=30) => Err(CborError::ReservedHead),
                (SIMPLE, _) => Err(CborError::Simple),
                (_, _) => Err(CborError::Tag),
            };
        }
        if info < 24 {
            self.rest = rest;
            return Ok((major, u64::from(info)));
        }
        self.long_head(rest, major, info)
    }

    fn long_head(&mut self, rest: &'a [u8], major: u8, info: u8) -> Result<(u8, u64), CborError> {
        let (value, least, rest) = match info {
            24 => rest.split_first_chunk().map(|(b, rest)| (u64::from(u8::from_be_bytes(*b)), 24, rest)),
            25 => rest.split_first_chunk().map(|(b, rest)| (u64::from(u16::from_be_bytes(*b)), 1 << 8, rest)),
            26 => rest.split_first_chunk().map(|(b, rest)| (u64::from(u32::from_be_bytes(*b)), 1 << 16, rest)),
            27 => rest.split_first_chunk().map(|(b, rest)| (u64::from_be_bytes(*b), 1 << 32, rest)),
            31 if major > NEGATIVE => return Err(CborError::IndefiniteLength),
            _ => return Err(CborError::ReservedHead),
        }
        .ok_or(CborError::Truncated)?;
        if value < least {
            return Err(CborError::LongInteger);
        }
        self.rest = rest;
        Ok((major, value))
    }
}

/// Walks the keys of a map that a [`Reader`] has entered.
#[derive(Clone, Copy, Debug)]
pub struct MapReader {
    left: u64,
    last: Option<u64>,
}

impl MapReader {
    /// Pairs not yet started.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.left
    }

    /// Consumes the next key if it is `key`, which must be a single byte (at most 23); else leaves it unread.
    #[inline]
    pub(crate) fn take_short_key(&mut self, reader: &mut Reader<'_>, key: u8) -> bool {
        match (self.left.checked_sub(1), reader.rest.split_first()) {
            (Some(left), Some((&first, rest)))
                if first == key && key < 24 && self.last.is_none_or(|last| last < u64::from(key)) =>
            {
                self.left = left;
                self.last = Some(u64::from(key));
                reader.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Reads the next key, or `None` after the last pair; the caller reads the value before asking again.
    ///
    /// # Errors
    /// [`CborError::UnsortedKeys`], [`CborError::DuplicateKey`], [`CborError::KeyType`], or a head that is not canonical.
    #[inline]
    pub fn next_key(&mut self, reader: &mut Reader<'_>) -> Result<Option<u64>, CborError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let (major, key) = reader.head()?;
        if major != UINT {
            return Err(CborError::KeyType);
        }
        match self.last {
            Some(last) if key == last => Err(CborError::DuplicateKey),
            Some(last) if key < last => Err(CborError::UnsortedKeys),
            Some(_) | None => {
                self.last = Some(key);
                Ok(Some(key))
            }
        }
    }
}

const fn within(len: usize, min: usize, max: usize) -> Result<(), CborError> {
    match len {
        len if len < min => Err(CborError::TooShort),
        len if len > max => Err(CborError::TooLong),
        _ => Ok(()),
    }
}
