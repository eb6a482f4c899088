//! What is read and what is refused; what is written is read again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn bytes(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes())
}

#[test]
fn every_kind_of_value_is_read_and_written_back() {
    for text in ["i0e", "i-42e", "i9223372036854775807e", "0:", "4:spam", "le", "de", "l4:spami7ee", "d1:ai1e1:bl1:xee"]
    {
        let value = read(text.as_bytes()).unwrap();
        let mut written = Vec::new();
        value.write(&mut written);
        assert_eq!(written.escape_ascii().to_string(), text);
    }
}

#[test]
fn lengths_may_begin_with_zeros() {
    let dict = Dict::read(b"d0001:q4:pong4:txid2:t1e").unwrap();
    assert_eq!(dict.bytes("q"), Some(b"pong".as_slice()));
    assert_eq!(Dict::read(b"d00000006:cookie1:14:txid2:t1e").unwrap().bytes("cookie"), Some(b"1".as_slice()));
    assert_eq!(Dict::read(b"d05:errorlee").unwrap().list("error"), Some([].as_slice()));
}

#[test]
fn every_recorded_datagram_is_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-tests/fixtures/cjdns-22.1");
    let mut read_count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read(&path).unwrap();
        if !(name.ends_with(".req") || name.ends_with(".res")) || text.is_empty() {
            continue;
        }
        match Dict::read(&text) {
            // What cjdns pads and orders in its own way is, written again, what we write.
            Ok(dict) => {
                let written = dict.to_text();
                assert!(written == text || name.ends_with(".res") || name == "unsorted-keys.req", "{name}");
                assert_eq!(Dict::read(&written).unwrap().to_text(), written, "{name}");
            }
            Err(error) => assert_eq!((name.as_str(), error), ("garbage.req", BencodeError::Syntax)),
        }
        read_count += 1;
    }
    assert!(read_count > 100, "{read_count}");
}

#[test]
fn keys_are_read_in_any_order_and_written_in_one() {
    let dict = Dict::read(b"d4:txid1:t1:q4:pinge").unwrap();
    assert_eq!(dict.to_text(), b"d1:q4:ping4:txid1:te");
    assert_eq!(Dict::default().with("b", Value::Int(1)).with("a", bytes("")).to_text(), b"d1:a0:1:bi1ee");
}

#[test]
fn of_two_entries_of_one_key_the_first_counts() {
    assert_eq!(Dict::read(b"d1:ai1e1:ai2ee").unwrap().int("a"), Some(1));
}

#[test]
fn strings_need_not_be_text() {
    assert_eq!(read(b"3:\xff\x00\xfe").unwrap(), Value::Bytes(b"\xff\x00\xfe"));
}

#[test]
fn a_value_of_another_kind_is_as_good_as_none() {
    let dict = Dict::read(b"d1:ai1e1:b1:xe").unwrap();
    assert_eq!((dict.bytes("a"), dict.int("b"), dict.list("a"), dict.dict("b")), (None, None, None, None));
    assert_eq!(Dict::read(b"le"), Err(BencodeError::Syntax));
}

#[test]
fn what_no_reply_looks_like_is_refused_by_name() {
    use BencodeError::{Number, Syntax, TooLarge, Trailing, Truncated};
    let long = |text: &str| text.repeat(40);
    let cases: &[(String, BencodeError)] = &[
        (String::new(), Truncated),
        ("i".into(), Truncated),
        ("i1".into(), Truncated),
        ("5:spam".into(), Truncated),
        ("d1:a".into(), Truncated),
        ("l".into(), Truncated),
        ("1".into(), Truncated),
        ("ie".into(), Syntax),
        ("i-e".into(), Syntax),
        ("i1:".into(), Syntax),
        ("1e".into(), Syntax),
        (":".into(), Syntax),
        ("x".into(), Syntax),
        ("-1:a".into(), Syntax),
        ("di1ei2ee".into(), Syntax),
        ("i9223372036854775808e".into(), Number),
        ("i-9223372036854775809e".into(), Number),
        ("99999999999999999999:".into(), Number),
        (format!("i{}e", long("1")), Number),
        (format!("{}1:a", long("0")), Number),
        ("9223372036854775807:a".into(), Truncated),
        (long("l"), TooLarge),
        (long("d1:a"), TooLarge),
        (format!("l{}e", "0:".repeat(VALUES_MAX)), TooLarge),
        (format!("{}:{}", TEXT_MAX, "x".repeat(TEXT_MAX)), TooLarge),
        ("4:spamx".into(), Trailing),
        ("dede".into(), Trailing),
    ];
    for (text, error) in cases {
        assert_eq!(read(text.as_bytes()).as_ref(), Err(error), "{}", text.get(..text.len().min(40)).unwrap());
    }
}

/// A value that owns its strings.
#[derive(Clone, Debug)]
enum Owned {
    Int(i64),
    Bytes(Vec<u8>),
    List(Vec<Owned>),
    Dict(std::collections::BTreeMap<Vec<u8>, Owned>),
}

impl Owned {
    fn lend(&self) -> Value<'_> {
        match self {
            Self::Int(number) => Value::Int(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::List(list) => Value::List(list.iter().map(Self::lend).collect()),
            Self::Dict(dict) => Value::Dict(Dict(dict.iter().map(|(key, value)| (&**key, value.lend())).collect())),
        }
    }
}

fn any_value() -> impl Strategy<Value = Owned> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let leaf = prop_oneof![any::<i64>().prop_map(Owned::Int), bytes().prop_map(Owned::Bytes)];
    leaf.prop_recursive(7, 200, 10, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..10).prop_map(Owned::List),
            prop::collection::btree_map(bytes(), inner, 0..10).prop_map(Owned::Dict),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(owned in any_value()) {
        let value = owned.lend();
        let mut text = Vec::new();
        value.write(&mut text);
        prop_assert_eq!(read(&text), Ok(value));
        prop_assert!(read(&text[..text.len() - 1]).is_err());
        text.push(b'e');
        prop_assert_eq!(read(&text), Err(BencodeError::Trailing));
    }

    #[test]
    fn no_bytes_whatever_do_harm(text in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&text);
    }

    #[test]
    fn nor_do_those_that_look_like_it(text in "[ilde0-9:-]{0,300}") {
        if let Ok(value) = read(text.as_bytes()) {
            let mut written = Vec::new();
            value.write(&mut written);
            prop_assert!(read(&written).is_ok());
        }
    }
}
