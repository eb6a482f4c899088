//! Headers and whole messages.

use crosscast_wire::{Crypto as _, Domain, RustCrypto};
use serde_json::Value;

use super::Set;
use super::support::{NOW, header, key, message, one_entry, public, sign, signed};
use crate::values::{Pairs, bytes, list, map, text, uint, with};

type Change = (&'static str, u64, Option<Vec<u8>>, &'static str);

pub(super) fn all(set: &mut Set) {
    let payload = one_entry();
    let pairs = header(&payload);
    set.valid("header", "a multicast", Value::Null, map(&pairs));
    for (name, key, value, reason) in changes() {
        let bytes = map(&with(&pairs, key, value));
        if reason.is_empty() {
            set.valid("header", name, Value::Null, bytes);
        } else {
            set.refused("header", name, Value::Null, bytes, reason);
        }
    }
    for key in (0..=9).chain(13..=16) {
        let name = format!("key {key} missing");
        set.refused("header", &name, Value::Null, map(&with(&pairs, key, None)), "missing-key");
    }
    let swapped: Pairs = pairs.iter().rev().cloned().collect();
    set.refused("header", "keys that descend", Value::Null, map(&swapped), "missing-key");
    whole(set, &pairs, &payload);
    ids(set, &pairs, &payload);
}

fn ascending(range: core::ops::Range<u8>) -> Vec<u8> {
    list(&range.map(|i| bytes([i; 32])).collect::<Vec<_>>())
}

fn changes() -> Vec<Change> {
    let pair = |a: u8, b: u8| Some(list(&[bytes([a; 32]), bytes([b; 32])]));
    vec![
        ("version 0", 0, Some(uint(0)), "unsupported-version"),
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("a unicast", 1, Some(uint(0)), ""),
        ("an unknown kind", 1, Some(uint(2)), "unknown-kind"),
        ("a destination of 31 bytes", 2, Some(bytes([0; 31])), "too-short"),
        ("a sender as text", 3, Some(text("me")), "wrong-type"),
        ("the largest instance", 4, Some(uint(u64::MAX)), ""),
        ("sequence number 0", 5, Some(uint(0)), "seq-zero"),
        ("the largest sequence number", 5, Some(uint(u64::MAX)), ""),
        ("expires as it is made", 7, Some(uint(NOW)), ""),
        ("expires before it is made", 7, Some(uint(NOW - 1)), "expires-before-time"),
        ("lives 30 days", 7, Some(uint(NOW + 2_592_000_000)), ""),
        ("lives 30 days and a millisecond", 7, Some(uint(NOW + 2_592_000_001)), "life-too-long"),
        ("class control", 8, Some(uint(0)), ""),
        ("class realtime", 8, Some(uint(4)), ""),
        ("an unknown class", 8, Some(uint(5)), "unknown-class"),
        ("causal order", 9, Some(uint(2)), ""),
        ("an unknown order", 9, Some(uint(3)), "unknown-order"),
        ("an empty list of dependencies", 10, Some(list(&[])), "deps"),
        ("16 dependencies", 10, Some(ascending(0..16)), ""),
        ("17 dependencies", 10, Some(ascending(0..17)), "deps"),
        ("a dependency twice", 10, pair(1, 1), "deps"),
        ("dependencies that descend", 10, pair(2, 1), "deps"),
        ("a capability chain", 11, Some(bytes([7; 32])), ""),
        ("a chain hash of 33 bytes", 11, Some(bytes([7; 33])), "too-long"),
        ("an empty list of recipients", 12, Some(list(&[])), "recipients"),
        ("32 recipients", 12, Some(ascending(0..32)), ""),
        ("33 recipients", 12, Some(ascending(0..33)), "recipients"),
        ("a recipient twice", 12, pair(1, 1), "recipients"),
        ("a sealed payload", 13, Some(uint(4)), ""),
        ("codec 0", 13, Some(uint(0)), "unknown-codec"),
        ("an unknown codec", 13, Some(uint(5)), "unknown-codec"),
        ("no entries", 14, Some(uint(0)), "entry-count"),
        ("256 entries", 14, Some(uint(256)), ""),
        ("257 entries", 14, Some(uint(257)), "entry-count"),
        ("a payload of 262,144 bytes", 15, Some(uint(262_144)), ""),
        ("a payload of 262,145 bytes", 15, Some(uint(262_145)), "payload-too-long"),
        ("a payload hash of 16 bytes", 16, Some(bytes([0; 16])), "too-short"),
        ("unknown critical key 17", 17, Some(uint(0)), "unknown-critical-key"),
        ("unknown critical key 127", 127, Some(uint(0)), "unknown-critical-key"),
        ("unknown ignorable key 128 is kept", 128, Some(text("later")), ""),
        ("an ignorable value that is not canonical", 128, Some(vec![0x18, 0]), "long-integer"),
        ("an ignorable value nested to the limit", 128, Some(vec![0x81, 0x81, 0x81, 0]), ""),
        ("an ignorable value nested too deep", 128, Some(vec![0x81, 0x81, 0x81, 0x81, 0]), "depth"),
    ]
}

fn whole(set: &mut Set, pairs: &Pairs, payload: &[u8]) {
    let none = Value::Null;
    let good = message(pairs, payload);
    set.valid("message", "a multicast of one entry", none.clone(), &good);
    set.valid(
        "message",
        "an unknown ignorable key is signed too",
        none.clone(),
        message(&with(pairs, 128, text("later")), payload),
    );
    let full = with(pairs, 10, list(&[bytes([1; 32]), bytes([2; 32])]));
    let full = with(&with(&full, 11, bytes([3; 32])), 12, keys(&[3, 4]));
    set.valid("message", "with everything optional", none.clone(), message(&full, payload));
    let body = map(pairs);
    let mut refused =
        |name: &str, bytes: Vec<u8>, reason: &str| set.refused("message", name, none.clone(), bytes, reason);
    let with_signature = |signed: Vec<u8>| [signed, payload.to_vec()].concat();
    refused("signed as another kind of object", with_signature(sign(2, Domain::Capability, &body)), "bad-signature");
    refused("signed by another key", with_signature(sign(3, Domain::Message, &body)), "bad-signature");
    let changed = with(pairs, 5, uint(2));
    let signature = RustCrypto.sign(&key(2), Domain::Message, &body);
    refused(
        "a header changed after signing",
        [map(&changed), signature.to_vec(), payload.to_vec()].concat(),
        "bad-signature",
    );
    let other: Vec<u8> = list(&[list(&[uint(2)]), bytes(b"ho")]);
    refused(
        "another payload of the same length",
        [signed(2, Domain::Message, pairs), other].concat(),
        "bad-payload-hash",
    );
    refused("a payload that is cut short", good.iter().take(good.len() - 1).copied().collect(), "truncated");
    refused("bytes behind the payload", [good.clone(), vec![0]].concat(), "trailing");
    refused("a header and nothing else", body.clone(), "truncated");
    refused("nothing", Vec::new(), "truncated");
    refused("half a header", body.iter().take(40).copied().collect(), "truncated");
    let long = message(&with(pairs, 128, bytes([0; 8192])), payload);
    refused("a header of more than 8,128 bytes", long, "header-too-long");
}

/// The public keys of these seeds, ascending.
fn keys(seeds: &[u8]) -> Vec<u8> {
    let mut keys: Vec<[u8; 32]> = seeds.iter().map(|seed| public(*seed)).collect();
    keys.sort_unstable();
    list(&keys.iter().map(bytes).collect::<Vec<_>>())
}

/// The id is a hash of the header: another signature leaves it alone, another header does not.
fn ids(set: &mut Set, pairs: &Pairs, payload: &[u8]) {
    let body = map(pairs);
    let of = |signature: &[u8]| [&body, signature, payload].concat();
    let good = RustCrypto.sign(&key(2), Domain::Message, &body);
    set.valid("message-id", "the id of a message", Value::Null, of(&good));
    set.valid("message-id", "the same id under a signature that does not hold", Value::Null, of(&[0; 64]));
    set.valid("message-id", "another id under another header", Value::Null, message(&with(pairs, 5, uint(2)), payload));
}
