//! Hexadecimal, JSON objects, and CBOR put together by hand, also the kind that no writer of ours would write.

use crosscast_wire::cbor::Writer;
use serde_json::{Map, Value};

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of lower-case hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let legal = text.len().is_multiple_of(2) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(high)? << 4) | digit(low)?),
        _ => None,
    };
    if legal { text.as_bytes().chunks(2).map(pair).collect() } else { None }
}

/// A JSON object that leaves out what is not there.
#[derive(Default)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    pub(crate) fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn bytes(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.set(name, hex(value))
    }

    pub(crate) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// A list of byte strings, left out when it is empty.
    pub(crate) fn all_bytes<T: AsRef<[u8]>>(self, name: &str, values: &[T]) -> Self {
        let list: Vec<Value> = values.iter().map(|value| hex(value).into()).collect();
        if list.is_empty() { self } else { self.set(name, list) }
    }

    /// A list of texts, left out when it is empty.
    pub(crate) fn all_text(self, name: &str, values: &[String]) -> Self {
        if values.is_empty() { self } else { self.set(name, values.to_vec()) }
    }

    pub(crate) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// Pairs of a map, values already encoded.
pub(crate) type Pairs = Vec<(u64, Vec<u8>)>;

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::new();
    write(&mut w);
    w.into_bytes()
}

pub(crate) fn uint(value: u64) -> Vec<u8> {
    written(|w| {
        w.uint(value);
    })
}

pub(crate) fn bytes(value: impl AsRef<[u8]>) -> Vec<u8> {
    written(|w| {
        w.bytes(value.as_ref());
    })
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    written(|w| {
        w.text(value);
    })
}

pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    written(|w| {
        w.array(items.len()).raw(&items.concat());
    })
}

pub(crate) fn map(pairs: &[(u64, Vec<u8>)]) -> Vec<u8> {
    written(|w| {
        w.map(pairs.len());
        for (key, value) in pairs {
            w.uint(*key).raw(value);
        }
    })
}

/// The pairs with `key` set, or, with `None`, left out.
pub(crate) fn with(pairs: &[(u64, Vec<u8>)], key: u64, value: impl Into<Option<Vec<u8>>>) -> Pairs {
    let mut changed: Pairs = pairs.iter().filter(|(k, _)| *k != key).cloned().collect();
    changed.extend(value.into().map(|value| (key, value)));
    changed.sort_by_key(|(k, _)| *k);
    changed
}
