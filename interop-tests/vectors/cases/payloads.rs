//! Payloads of every codec, and what lies under a seal.

use crosscast_wire::Message;
use serde_json::{Value, json};

use super::Set;
use super::support::{content_key_id, header, message, one_entry, public};
use crate::values::{Pairs, bytes, list, map, text, uint, with};

/// A message whose payload are these bytes, under codec 2.
pub(crate) fn wrap_nested(payload: &[u8]) -> Result<Message, String> {
    let pairs = with(&header(payload), 13, uint(2));
    Message::parse(message(&pairs, payload).into()).map_err(|error| format!("context: {error}"))
}

pub(super) fn all(set: &mut Set) {
    entries(set);
    nested(set);
    manifests(set);
    sealed(set);
    plaintexts(set);
}

fn entries(set: &mut Set) {
    let count = |count: u64| json!({ "count": count });
    let lengths = |lens: &[u64]| list(&lens.iter().map(|len| uint(*len)).collect::<Vec<_>>());
    set.valid("entries", "one entry", count(1), one_entry());
    set.valid("entries", "an empty entry", count(1), list(&[lengths(&[0]), bytes([])]));
    set.valid("entries", "three entries", count(3), list(&[lengths(&[1, 0, 2]), bytes(b"abc")]));
    let meta = map(&[
        (0, text("text/plain")),
        (1, text("garden/gate")),
        (2, bytes(b"question 1")),
        (3, bytes(public(3))),
        (4, bytes([4; 16])),
    ]);
    let rows = |rows: &[Vec<u8>]| list(&[lengths(&vec![1; rows.len()]), list(rows), bytes(vec![b'x'; rows.len()])]);
    set.valid("entries", "full metadata", count(1), rows(core::slice::from_ref(&meta)));
    set.valid("entries", "metadata of one of two entries", count(2), rows(&[map(&[]), meta.clone()]));
    set.valid("entries", "an unknown ignorable key of metadata", count(1), rows(&[map(&[(128, uint(0))])]));
    let mut refused = |name: &str, expected: u64, bytes: Vec<u8>, reason: &str| {
        set.refused("entries", name, count(expected), bytes, reason);
    };
    refused("more entries than the header says", 1, list(&[lengths(&[1, 1]), bytes(b"ab")]), "entry-count");
    refused("fewer entries than the header says", 2, one_entry(), "entry-count");
    refused("lengths that add up to less", 1, list(&[lengths(&[1]), bytes(b"ab")]), "blob-length");
    refused("lengths that add up to more", 1, list(&[lengths(&[3]), bytes(b"ab")]), "blob-length");
    refused("an entry of 65,537 bytes", 1, list(&[lengths(&[65_537]), bytes([])]), "entry-too-long");
    refused("a length of 2^64 - 1", 2, list(&[lengths(&[u64::MAX, 1]), bytes([])]), "entry-too-long");
    refused("a column of metadata with nothing in it", 1, rows(&[map(&[])]), "meta-column");
    let short = list(&[lengths(&[1, 1]), list(core::slice::from_ref(&meta)), bytes(b"ab")]);
    refused("a column of metadata that is too short", 2, short, "meta-column");
    refused("one column", 1, list(&[lengths(&[1])]), "too-short");
    refused("four columns", 1, list(&[lengths(&[1]), list(&[meta]), bytes(b"a"), uint(0)]), "too-long");
    refused("trailing bytes", 1, [one_entry(), vec![0]].concat(), "trailing");
    let mut bad_meta = |name: &str, key: u64, value: Vec<u8>, reason: &str| {
        set.refused("entries", name, count(1), rows(&[map(&[(key, value)])]), reason);
    };
    bad_meta("an empty content type", 0, text(""), "too-short");
    bad_meta("a content type of 129 bytes", 0, text(&"a".repeat(129)), "too-long");
    bad_meta("an empty topic", 1, text(""), "too-short");
    bad_meta("a topic of 129 bytes", 1, text(&"a".repeat(129)), "too-long");
    bad_meta("an empty correlation", 2, bytes([]), "too-short");
    bad_meta("a correlation of 65 bytes", 2, bytes([0; 65]), "too-long");
    bad_meta("a reply-to of 31 bytes", 3, bytes([0; 31]), "too-short");
    bad_meta("an entry key of 15 bytes", 4, bytes([0; 15]), "too-short");
    bad_meta("an unknown critical key of metadata", 5, uint(0), "unknown-critical-key");
}

fn nested(set: &mut Set) {
    let inner = message(&header(&one_entry()), &one_entry());
    set.valid("nested", "a message", Value::Null, &inner);
    let twice = message(&with(&header(&inner), 13, uint(2)), &inner);
    set.refused("nested", "a message that nests another", Value::Null, twice, "nested-too-deep");
    set.refused("nested", "no message", Value::Null, [0xa0], "missing-key");
    set.refused("nested", "bytes behind the message", Value::Null, [inner, vec![0]].concat(), "trailing");
}

fn manifests(set: &mut Set) {
    let pairs: Pairs = vec![
        (0, uint(500_000)),
        (1, uint(262_144)),
        (2, list(&[bytes([1; 32]), bytes([2; 32])])),
        (3, text("image/png")),
    ];
    set.valid("manifest", "two parts", Value::Null, map(&pairs));
    let cases: Vec<(&str, u64, Option<Vec<u8>>, &str)> = vec![
        ("without a content type", 3, None, ""),
        ("two full parts", 0, Some(uint(524_288)), ""),
        ("a byte more than two parts hold", 0, Some(uint(524_289)), "manifest-parts"),
        ("as much as one part holds", 0, Some(uint(262_144)), "manifest-parts"),
        ("parts of 0 bytes", 1, Some(uint(0)), "manifest-parts"),
        ("parts of 262,145 bytes", 1, Some(uint(262_145)), "manifest-parts"),
        ("no parts", 2, Some(list(&[])), "manifest-parts"),
        ("a hash of 31 bytes", 2, Some(list(&[bytes([0; 31])])), "too-short"),
        ("an empty content type", 3, Some(text("")), "too-short"),
        ("unknown critical key 4", 4, Some(uint(0)), "unknown-critical-key"),
    ];
    for (name, key, value, reason) in cases {
        let bytes = map(&with(&pairs, key, value));
        if reason.is_empty() {
            set.valid("manifest", name, Value::Null, bytes);
        } else {
            set.refused("manifest", name, Value::Null, bytes, reason);
        }
    }
}

fn sealed(set: &mut Set) {
    let wraps = |count: u64| json!({ "wraps": count });
    let parts = |suite: u64, ciphertext: usize| {
        vec![uint(suite), bytes(content_key_id()), bytes([5; 24]), bytes(vec![6; ciphertext])]
    };
    let wrapped = |keys: &[Vec<u8>]| {
        let keys: Vec<_> = keys.iter().map(bytes).collect();
        list(&[parts(1, 40), vec![list(&keys)]].concat())
    };
    set.valid("sealed", "suite 1", wraps(0), list(&parts(1, 40)));
    set.valid("sealed", "suite 2", wraps(0), list(&parts(2, 16)));
    set.valid("sealed", "with a wrapped key for the only receiver", wraps(1), wrapped(&[vec![7; 96]]));
    set.valid("sealed", "with wrapped keys for two recipients", wraps(2), wrapped(&[vec![7; 96], vec![8; 160]]));
    let mut refused = |name: &str, expected: u64, bytes: Vec<u8>, reason: &str| {
        set.refused("sealed", name, wraps(expected), bytes, reason);
    };
    refused("suite 0", 0, list(&parts(0, 40)), "unknown-suite");
    refused("suite 3", 0, list(&parts(3, 40)), "unknown-suite");
    refused("a ciphertext shorter than a tag", 0, list(&parts(1, 15)), "too-short");
    refused("no wrapped keys where one is due", 1, list(&parts(1, 40)), "wrap-count");
    refused("wrapped keys where none are due", 0, wrapped(&[vec![7; 96]]), "wrap-count");
    refused("a wrapped key too few", 2, wrapped(&[vec![7; 96]]), "wrap-count");
    refused("a wrapped key of 161 bytes", 1, wrapped(&[vec![7; 161]]), "too-long");
    refused("an empty wrapped key", 1, wrapped(&[vec![]]), "too-short");
    let with_part = |at: usize, value: Vec<u8>| {
        list(
            &parts(1, 40)
                .into_iter()
                .enumerate()
                .map(|(i, v)| if i == at { value.clone() } else { v })
                .collect::<Vec<_>>(),
        )
    };
    refused("a key id of 9 bytes", 0, with_part(1, bytes([0; 9])), "too-long");
    refused("a nonce of 12 bytes", 0, with_part(2, bytes([0; 12])), "too-short");
    refused("three parts", 0, list(&[uint(1), bytes(content_key_id()), bytes([5; 24])]), "too-short");
}

fn plaintexts(set: &mut Set) {
    let padded = |padded: bool| json!({ "padded": padded });
    let plain = |codec: u8, len: u32, rest: Vec<u8>| [vec![codec], len.to_be_bytes().to_vec(), rest].concat();
    // 5 + 6 = 11 pads to 12; 5 + 100 = 105 pads to 112.
    let six = [one_entry(), vec![0]].concat();
    set.valid("plaintext", "six bytes, padded by one", padded(true), plain(1, 6, six.clone()));
    set.valid("plaintext", "six bytes, not padded", padded(false), plain(1, 6, one_entry()));
    set.valid(
        "plaintext",
        "a hundred bytes, padded by seven",
        padded(true),
        plain(3, 100, [&[1_u8; 100][..], &[0; 7]].concat()),
    );
    let mut refused = |name: &str, pad: bool, bytes: Vec<u8>, reason: &str| {
        set.refused("plaintext", name, padded(pad), bytes, reason);
    };
    refused("padding where none is due", false, plain(1, 6, six), "inner-length");
    refused("no padding where some is due", true, plain(1, 6, one_entry()), "inner-length");
    refused("too much padding", true, plain(1, 6, [one_entry(), vec![0, 0]].concat()), "inner-length");
    refused("padding that is not zero", true, plain(1, 6, [one_entry(), vec![1]].concat()), "padding");
    refused("a length beyond the end", true, plain(1, 8, one_entry()), "inner-length");
    refused("the largest length", true, plain(1, u32::MAX, one_entry()), "inner-length");
    refused("a seal within a seal", true, plain(4, 0, vec![]), "inner-codec");
    refused("codec 0", true, plain(0, 0, vec![]), "inner-codec");
    refused("shorter than its prefix", true, vec![1, 0, 0, 0], "inner-length");
}
