//! Bencode (BEP 3), as much of it as cjdns's admin interface speaks.
//!
//! The reader borrows from the reply. It is tolerant where cjdns is loose (the length of a string may begin with zeros,
//! which bring a reply to a multiple of eight bytes; keys come in any order) and strict where bytes could hide something:
//! one value, nothing behind it, and no number that does not fit. Strings are bytes: cjdns hands out uninitialised memory
//! in some of its errors. The writer sorts the keys of dictionaries, since admin hashes are made over the written form.

/// Longest text that is read, in bytes: the longest datagram.
pub(crate) const TEXT_MAX: usize = 65_535;

/// Deepest nesting. 8; the deepest reply, of `NodeStore_nodeForAddr`, is 4 deep.
const DEPTH_MAX: usize = 8;

/// Most values in one text. 1,024, some 100 KiB when read; the fullest page has 64 entries.
const VALUES_MAX: usize = 1024;

/// Most digits of a number or a length: those of the greatest i64, and of padding.
const DIGITS_MAX: usize = 19;

/// Why a text is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BencodeError {
    /// It ends before its value does.
    #[error("bencode ends too early")]
    Truncated,
    /// A byte is not one that can stand there.
    #[error("bencode has a byte out of place")]
    Syntax,
    /// A number or a length does not fit.
    #[error("bencode has a number that does not fit")]
    Number,
    /// It is longer, deeper or fuller than any reply.
    #[error("bencode is larger than any reply")]
    TooLarge,
    /// Something stands behind the value.
    #[error("bencode has bytes behind its end")]
    Trailing,
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number.
    Int(i64),
    /// A string, of any bytes.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary.
    Dict(Dict<'a>),
}

/// A dictionary. Where a key stands twice, the first counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dict<'a>(Vec<(&'a [u8], Value<'a>)>);

impl<'a> Dict<'a> {
    /// Reads a text that is one dictionary.
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, BencodeError> {
        match read(text)? {
            Value::Dict(dict) => Ok(dict),
            Value::Int(_) | Value::Bytes(_) | Value::List(_) => Err(BencodeError::Syntax),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
    }

    /// The number of a key.
    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        self.get(key).and_then(Value::as_int)
    }

    /// The string of a key.
    pub(crate) fn bytes(&self, key: &str) -> Option<&'a [u8]> {
        self.get(key).and_then(Value::as_bytes)
    }

    /// The list of a key.
    pub(crate) fn list(&self, key: &str) -> Option<&[Value<'a>]> {
        self.get(key).and_then(Value::as_list)
    }

    /// The dictionary of a key.
    pub(crate) fn dict(&self, key: &str) -> Option<&Self> {
        self.get(key).and_then(Value::as_dict)
    }

    /// The same with one more entry.
    pub(crate) fn with(mut self, key: &'a str, value: Value<'a>) -> Self {
        self.0.push((key.as_bytes(), value));
        self
    }

    /// The text, keys in order.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut Vec<u8>) {
        let mut entries: Vec<&(&[u8], Value<'_>)> = self.0.iter().collect();
        entries.sort_by_key(|(key, _)| *key);
        text.push(b'd');
        for (key, value) in entries {
            write_bytes(key, text);
            value.write(text);
        }
        text.push(b'e');
    }
}

impl<'a> Value<'a> {
    pub(crate) const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Bytes(_) | Self::List(_) | Self::Dict(_) => None,
        }
    }

    pub(crate) const fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Int(_) | Self::List(_) | Self::Dict(_) => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Self]> {
        match self {
            Self::List(list) => Some(list),
            Self::Int(_) | Self::Bytes(_) | Self::Dict(_) => None,
        }
    }

    pub(crate) const fn as_dict(&self) -> Option<&Dict<'a>> {
        match self {
            Self::Dict(dict) => Some(dict),
            Self::Int(_) | Self::Bytes(_) | Self::List(_) => None,
        }
    }

    fn write(&self, text: &mut Vec<u8>) {
        match self {
            Self::Int(number) => text.extend_from_slice(format!("i{number}e").as_bytes()),
            Self::Bytes(bytes) => write_bytes(bytes, text),
            Self::List(list) => {
                text.push(b'l');
                list.iter().for_each(|value| value.write(text));
                text.push(b'e');
            }
            Self::Dict(dict) => dict.write(text),
        }
    }
}

/// Reads a text that is one value.
fn read(text: &[u8]) -> Result<Value<'_>, BencodeError> {
    if text.len() > TEXT_MAX {
        return Err(BencodeError::TooLarge);
    }
    let mut reader = Reader { rest: text, values: 0 };
    let value = reader.value(DEPTH_MAX)?;
    if reader.rest.is_empty() { Ok(value) } else { Err(BencodeError::Trailing) }
}

fn write_bytes(bytes: &[u8], text: &mut Vec<u8>) {
    text.extend_from_slice(format!("{}:", bytes.len()).as_bytes());
    text.extend_from_slice(bytes);
}

struct Reader<'a> {
    rest: &'a [u8],
    values: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<Value<'a>, BencodeError> {
        self.values = self.values.saturating_add(1);
        if self.values > VALUES_MAX {
            return Err(BencodeError::TooLarge);
        }
        match self.peek()? {
            b'i' => self.int().map(Value::Int),
            b'l' => self.list(depth).map(Value::List),
            b'd' => self.dict(depth).map(Value::Dict),
            _ => self.bytes().map(Value::Bytes),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>, BencodeError> {
        let depth = depth.checked_sub(1).ok_or(BencodeError::TooLarge)?;
        self.skip()?;
        let mut list = Vec::new();
        while !self.ends()? {
            list.push(self.value(depth)?);
        }
        Ok(list)
    }

    fn dict(&mut self, depth: usize) -> Result<Dict<'a>, BencodeError> {
        let depth = depth.checked_sub(1).ok_or(BencodeError::TooLarge)?;
        self.skip()?;
        let mut entries = Vec::new();
        while !self.ends()? {
            entries.push((self.bytes()?, self.value(depth)?));
        }
        Ok(Dict(entries))
    }

    fn int(&mut self) -> Result<i64, BencodeError> {
        self.skip()?;
        let minus = self.peek()? == b'-';
        if minus {
            self.skip()?;
        }
        let digits = self.digits(b'e')?;
        let start = if minus { "-" } else { "" };
        // Digits are ASCII, so only their value can be wrong.
        format!("{start}{}", digits.escape_ascii()).parse().map_err(|_| BencodeError::Number)
    }

    fn bytes(&mut self) -> Result<&'a [u8], BencodeError> {
        let digits = self.digits(b':')?;
        let len = digits.escape_ascii().to_string().parse().map_err(|_| BencodeError::Number)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(BencodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Takes digits and the byte that ends them.
    fn digits(&mut self, end: u8) -> Result<&'a [u8], BencodeError> {
        let len = self.rest.iter().take(DIGITS_MAX).take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at_checked(len).ok_or(BencodeError::Truncated)?;
        self.rest = rest;
        match self.peek()? {
            byte if byte == end && len > 0 => self.skip().map(|()| digits),
            byte if byte.is_ascii_digit() => Err(BencodeError::Number),
            _ => Err(BencodeError::Syntax),
        }
    }

    /// Takes the `e` of a list or dictionary, when it stands there.
    fn ends(&mut self) -> Result<bool, BencodeError> {
        let ends = self.peek()? == b'e';
        if ends {
            self.skip()?;
        }
        Ok(ends)
    }

    fn peek(&self) -> Result<u8, BencodeError> {
        self.rest.first().copied().ok_or(BencodeError::Truncated)
    }

    fn skip(&mut self) -> Result<(), BencodeError> {
        let (_, rest) = self.rest.split_first().ok_or(BencodeError::Truncated)?;
        self.rest = rest;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
