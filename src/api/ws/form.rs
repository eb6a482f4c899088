//! The two forms of a frame: JSON as text, CBOR as bytes; the same members in both, but for bytes.
//!
//! In JSON a payload is `payload` (text) or `payload_b64`, in CBOR `payload` is always a byte string; an entry key may be
//! a byte string there too. Everything inside the API is JSON's data model.

use axum::extract::ws::Message;
use ciborium::Value as Cbor;
use serde::Serialize;
use serde_json::{Map, Number, Value};

use crate::{ApiError, Code, base64};

/// Deepest nesting of a CBOR frame. 8: the words need 3.
const DEPTH: usize = 8;

/// How a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A text frame with JSON.
    Json,
    /// A binary frame with CBOR (RFC 8949).
    Cbor,
}

impl Form {
    /// Writes one object.
    pub(super) fn write<T: Serialize>(self, object: &T) -> Message {
        match self {
            Self::Json => Message::Text(crate::text::json(object).unwrap_or_default().into()),
            Self::Cbor => {
                let mut bytes = Vec::new();
                let value = to_cbor(serde_json::to_value(object).unwrap_or_default());
                // Writing to a Vec cannot fail.
                let _ = ciborium::into_writer(&value, &mut bytes);
                Message::Binary(bytes.into())
            }
        }
    }
}

fn bad(cause: impl Into<String>) -> ApiError {
    ApiError::new(Code::BadRequest, cause)
}

/// Reads a text frame.
pub(super) fn read_json(text: &str) -> Result<Map<String, Value>, ApiError> {
    serde_json::from_str(text).map_err(|error| bad(format!("a text frame holds one object of JSON: {error}")))
}

/// Reads a binary frame.
pub(super) fn read_cbor(bytes: &[u8]) -> Result<Map<String, Value>, ApiError> {
    let mut rest = bytes;
    let value: Result<Cbor, _> = ciborium::de::from_reader_with_recursion_limit(&mut rest, DEPTH);
    match value.map(|value| (from_cbor(value), rest.is_empty())) {
        Ok((Some(Value::Object(object)), true)) => Ok(object),
        _ => Err(bad("a binary frame holds one map of CBOR, with text for names and no tags")),
    }
}

fn to_cbor(value: Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(value),
        Value::Number(number) => number_to_cbor(&number),
        Value::String(text) => Cbor::Text(text),
        Value::Array(items) => Cbor::Array(items.into_iter().map(to_cbor).collect()),
        Value::Object(members) => Cbor::Map(members.into_iter().map(member_to_cbor).collect()),
    }
}

fn number_to_cbor(number: &Number) -> Cbor {
    match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => value.into(),
        (None, Some(value)) => value.into(),
        (None, None) => number.as_f64().map_or(Cbor::Null, Cbor::Float),
    }
}

fn member_to_cbor((name, value): (String, Value)) -> (Cbor, Cbor) {
    match (name.as_str(), value) {
        ("payload", Value::String(text)) => (Cbor::Text(name), Cbor::Bytes(text.into_bytes())),
        ("payload_b64", Value::String(text)) => {
            (Cbor::Text("payload".to_owned()), Cbor::Bytes(base64::decode(&text).unwrap_or_default()))
        }
        (_, value) => (Cbor::Text(name), to_cbor(value)),
    }
}

fn from_cbor(value: Cbor) -> Option<Value> {
    Some(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => Value::Bool(value),
        Cbor::Integer(value) => Value::Number(match u64::try_from(value) {
            Ok(value) => value.into(),
            Err(_) => i64::try_from(value).ok()?.into(),
        }),
        Cbor::Float(value) => Value::Number(Number::from_f64(value)?),
        Cbor::Text(text) => Value::String(text),
        Cbor::Array(items) => Value::Array(items.into_iter().map(from_cbor).collect::<Option<_>>()?),
        Cbor::Map(members) => Value::Object(members.into_iter().map(member_from_cbor).collect::<Option<_>>()?),
        // Bytes mean something in the members that hold them; tags mean nothing here. The enum is open.
        Cbor::Bytes(_) | Cbor::Tag(..) | _ => return None,
    })
}

fn member_from_cbor((name, value): (Cbor, Cbor)) -> Option<(String, Value)> {
    let name = name.into_text().ok()?;
    match (name.as_str(), value) {
        ("payload", Cbor::Bytes(bytes)) => Some(("payload_b64".to_owned(), Value::String(base64::encode(&bytes)))),
        ("key", Cbor::Bytes(bytes)) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Some((name, Value::String(digits)))
        }
        (_, value) => Some((name, from_cbor(value)?)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use serde_json::json;

    use super::*;

    fn cbor(value: &Value) -> Vec<u8> {
        let Message::Binary(bytes) = Form::Cbor.write(value) else { panic!("no binary frame") };
        bytes.to_vec()
    }

    #[test]
    fn a_payload_is_bytes_in_cbor_and_text_or_base64_in_json() {
        let text = json!({ "op": "entry", "payload": "häl", "hops": 1, "rtt": 0.5, "none": null });
        let mut bytes: Vec<(Cbor, Cbor)> =
            ciborium::from_reader::<Cbor, _>(cbor(&text).as_slice()).unwrap().into_map().unwrap();
        bytes.retain(|(name, _)| name.as_text() == Some("payload"));
        assert_eq!(bytes, [(Cbor::Text("payload".into()), Cbor::Bytes("häl".as_bytes().to_vec()))]);
        let read = read_cbor(&cbor(&text)).unwrap();
        assert_eq!((&read["payload_b64"], &read["hops"], &read["rtt"]), (&json!("aMOkbA=="), &json!(1), &json!(0.5)));
        assert!(read["none"].is_null());
    }

    #[test]
    fn what_is_no_single_object_is_refused() {
        for text in ["", "[]", "1", "{", "{} {}", "null"] {
            assert_eq!(read_json(text).unwrap_err().code, Code::BadRequest, "{text}");
        }
        let nested = (0..20).fold(json!(1), |inner, _| json!({ "a": inner }));
        let tag = [0xc1, 0xa0];
        for bytes in
            [&b""[..], b"\x80", b"\xa1\x01\x02", &[cbor(&json!({})), cbor(&json!({}))].concat(), &tag, &cbor(&nested)]
        {
            assert_eq!(read_cbor(bytes).unwrap_err().code, Code::BadRequest, "{bytes:?}");
        }
        assert!(read_cbor(&[0xa1, 0x61, b'x', 0x41, 0]).is_err(), "bytes where none are expected");
    }

    #[test]
    fn nothing_hostile_stands_raw_in_a_text_frame() {
        let Message::Text(text) = Form::Json.write(&json!({ "name": "a\u{202e}\u{9b}" })) else { panic!() };
        assert_eq!(text.as_str(), "{\"name\":\"a\\u202e\\u009b\"}");
    }
}
