//! Each refusal of the reader reached by name, by the smallest bytes that earn it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use super::{CborError, Reader, Writer, head_len};

fn skip(bytes: &[u8]) -> Result<(), CborError> {
    let mut reader = Reader::new(bytes);
    reader.skip_value()?;
    reader.finish()
}

#[test]
fn every_refusal_is_reached_by_its_name() {
    let cases: &[(&[u8], CborError)] = &[
        (&[0x18, 23], CborError::LongInteger),
        (&[0x19, 0, 255], CborError::LongInteger),
        (&[0x1a, 0, 0, 255, 255], CborError::LongInteger),
        (&[0x1b, 0, 0, 0, 0, 255, 255, 255, 255], CborError::LongInteger),
        (&[0x58, 1, 0], CborError::LongInteger),
        (&[0xb8, 1, 0, 0], CborError::LongInteger),
        (&[0x5f, 0xff], CborError::IndefiniteLength),
        (&[0x7f, 0xff], CborError::IndefiniteLength),
        (&[0x9f, 0xff], CborError::IndefiniteLength),
        (&[0xbf, 0xff], CborError::IndefiniteLength),
        (&[0xff], CborError::IndefiniteLength),
        (&[0x1c], CborError::ReservedHead),
        (&[0x1f], CborError::ReservedHead),
        (&[0xfc], CborError::ReservedHead),
        (&[0xa2, 2, 0, 1, 0], CborError::UnsortedKeys),
        (&[0xa2, 1, 0, 1, 0], CborError::DuplicateKey),
        (&[0xa1, 0x61, b'a', 0], CborError::KeyType),
        (&[0xa1, 0x20, 0], CborError::KeyType),
        (&[0xf9, 0, 0], CborError::Float),
        (&[0xfa, 0, 0, 0, 0], CborError::Float),
        (&[0xfb, 0, 0, 0, 0, 0, 0, 0, 0], CborError::Float),
        (&[0xc0, 0], CborError::Tag),
        (&[0xf6], CborError::Simple),
        (&[0xf7], CborError::Simple),
        (&[0xe0], CborError::Simple),
        (&[0xf8, 32], CborError::Simple),
        (&[0x81, 0x81, 0x81, 0x81, 0x80], CborError::Depth),
        (&[0xa1, 0, 0xa1, 0, 0xa1, 0, 0xa1, 0, 0x80], CborError::Depth),
        (&[0x62, 0xc3, 0x28], CborError::Utf8),
        (&[], CborError::Truncated),
        (&[0x19, 1], CborError::Truncated),
        (&[0x42, 0], CborError::Truncated),
        (&[0x82, 0], CborError::Truncated),
        (&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255], CborError::Truncated),
        (&[0xa1, 0], CborError::Truncated),
        (&[0, 0], CborError::Trailing),
    ];
    for (bytes, error) in cases {
        assert_eq!(skip(bytes), Err(*error), "{bytes:02x?}");
    }
}

#[test]
fn asking_for_the_wrong_thing_is_refused_by_name() {
    assert_eq!(Reader::new(&[0x41, 0]).uint(), Err(CborError::WrongType));
    assert_eq!(Reader::new(&[0x20]).uint(), Err(CborError::WrongType));
    assert_eq!(Reader::new(&[0x19, 1, 0]).u8(), Err(CborError::OutOfRange));
    assert_eq!(Reader::new(&[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]).u32(), Err(CborError::OutOfRange));
    assert_eq!(Reader::new(&[0x00]).bool(), Err(CborError::WrongType));
    assert_eq!(Reader::new(&[0x43, 1, 2, 3]).fixed::<2>(), Err(CborError::TooLong));
    assert_eq!(Reader::new(&[0x43, 1, 2, 3]).fixed::<4>(), Err(CborError::TooShort));
    assert_eq!(Reader::new(&[0x63, b'a', b'b', b'c']).text_within(1, 2), Err(CborError::TooLong));
    assert_eq!(Reader::new(&[0x60]).text_within(1, 2), Err(CborError::TooShort));
    assert_eq!(Reader::new(&[0x82, 0, 0]).array_within(0, 1), Err(CborError::TooLong));
    assert_eq!(Reader::new(&[0x80]).array_within(1, 1), Err(CborError::TooShort));
    assert_eq!(Reader::new(&[0]).unknown_key(127), Err(CborError::UnknownCriticalKey(127)));
    assert_eq!(Reader::new(&[0]).unknown_key(128), Ok(()));
    assert_eq!(Reader::new(&[0xf9]).unknown_key(128), Err(CborError::Float));
}

#[test]
fn depth_counts_only_open_containers() {
    // [[], [[[0]]], {1: [[]]}, true]: many containers, never more than four open.
    let bytes = [0x84, 0x80, 0x81, 0x81, 0x81, 0, 0xa1, 1, 0x81, 0x80, 0xf5];
    assert_eq!(skip(&bytes), Ok(()));
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.array(), Ok(4));
    assert_eq!(reader.array(), Ok(0));
    for len in [1, 1, 1] {
        assert_eq!(reader.array(), Ok(len));
    }
    assert_eq!(reader.uint(), Ok(0));
    let mut map = reader.map().unwrap();
    assert_eq!(map.next_key(&mut reader), Ok(Some(1)));
    reader.skip_value().unwrap();
    assert_eq!(map.next_key(&mut reader), Ok(None));
    assert_eq!(reader.bool(), Ok(true));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn a_prefix_is_read_and_the_rest_is_left() {
    let mut writer = Writer::new();
    writer.array(2).uint(1000).text("a");
    let len = writer.len();
    writer.raw(b"rest");
    let bytes = writer.into_bytes();
    let mut reader = Reader::new(&bytes);
    reader.skip_value().unwrap();
    assert_eq!((reader.position(), reader.rest()), (len, &b"rest"[..]));
}

#[test]
fn heads_are_as_long_as_announced() {
    for value in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
        let mut writer = Writer::new();
        writer.uint(value);
        assert_eq!(writer.len(), head_len(value));
        assert_eq!(Reader::new(&writer.into_bytes()).uint(), Ok(value));
    }
}
