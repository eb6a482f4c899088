//! Introductions: who a node says it is on a key-addressed network, before it proves it.
//!
//! They are read here and not judged: whether key, address and attestation belong together depends on where they came
//! from, and an attestation has vectors of its own.

use serde_json::Value;

use super::Set;
use super::support::public;
use crate::values::{Pairs, bytes, list, map, text, uint, with};

const KIND: &str = "introduction";
/// The seeds of the host node's key and of the node's.
const HOST: u8 = 0x31;
const NODE: u8 = 5;

/// With everything in it; the attestation is as long as a plain one.
fn pairs() -> Pairs {
    vec![(0, bytes(public(NODE))), (1, bytes(public(HOST))), (2, bytes([9; 223]))]
}

pub(super) fn all(set: &mut Set) {
    legal(set);
    fields(set);
    shapes(set);
}

fn legal(set: &mut Set) {
    let pairs = pairs();
    let mut valid = |name: &str, pairs: &Pairs| set.valid(KIND, name, Value::Null, map(pairs));
    valid("with everything", &pairs);
    valid("of a node that knows no host key", &vec![(0, bytes(public(NODE)))]);
    valid("with a host key alone", &with(&pairs, 2, None));
    valid("with the shortest attestation, which is none", &with(&pairs, 2, bytes([0])));
    valid("with the longest attestation", &with(&pairs, 2, bytes([9; 256])));
    // NodeIds are proven later, so what is no point of the curve is a name like any other.
    valid("of a NodeId that nobody can have", &with(&pairs, 0, bytes([0xff; 32])));
    for key in [128, u64::MAX] {
        valid(&format!("unknown ignorable key {key}"), &with(&pairs, key, text("later")));
    }
    valid("of 512 bytes", &with(&pairs, 128, bytes([0; 211])));
}

fn fields(set: &mut Set) {
    let pairs = pairs();
    let mut changed = |name: &str, key: u64, value: Option<Vec<u8>>, reason: &str| {
        set.refused(KIND, name, Value::Null, map(&with(&pairs, key, value)), reason);
    };
    changed("no node", 0, None, "missing-key");
    changed("a node of 31 bytes", 0, Some(bytes([1; 31])), "too-short");
    changed("a node of 33 bytes", 0, Some(bytes([1; 33])), "too-long");
    changed("a node as text", 0, Some(text("node")), "wrong-type");
    changed("an attestation without a host key", 1, None, "keyless");
    changed("a host key of 31 bytes", 1, Some(bytes([1; 31])), "too-short");
    changed("a host key of 33 bytes", 1, Some(bytes([1; 33])), "too-long");
    changed("a host key that is null", 1, Some(vec![0xf6]), "simple");
    changed("an empty attestation", 2, Some(bytes([])), "too-short");
    changed("an attestation of 257 bytes", 2, Some(bytes([9; 257])), "too-long");
    changed("a list of attestations", 2, Some(list(&[bytes([9; 223])])), "wrong-type");
    changed("unknown critical key 3", 3, Some(uint(0)), "unknown-critical-key");
    changed("unknown critical key 127", 127, Some(uint(0)), "unknown-critical-key");
    changed("an ignorable value that is not canonical", 128, Some(vec![0x18, 1]), "long-integer");
    changed("an ignorable value that is a float", 128, Some(vec![0xf9, 0, 0]), "float");
    changed("longer than 512 bytes", 128, Some(bytes([0; 212])), "too-long");
}

fn shapes(set: &mut Set) {
    let pairs = pairs();
    let good = map(&pairs);
    let mut refused = |name: &str, bytes: &[u8], reason: &str| set.refused(KIND, name, Value::Null, bytes, reason);
    refused("nothing", &[], "truncated");
    refused("an empty map", &map(&[]), "missing-key");
    refused("an array", &list(&[bytes(public(NODE))]), "wrong-type");
    refused("another protocol's words", b"GET / HTTP/1.1\r\n\r\n", "wrong-type");
    refused("the last byte missing", good.split_last().map(|(_, rest)| rest).unwrap_or_default(), "truncated");
    refused("a byte too many", &[good.as_slice(), &[0]].concat(), "trailing");
    refused("two introductions", &[map(&with(&pairs, 2, None)), map(&with(&pairs, 2, None))].concat(), "trailing");
    let descending: Pairs = pairs.iter().rev().cloned().collect();
    refused("keys in another order", &map(&descending), "unsorted-keys");
    let twice: Pairs = pairs.iter().take(1).chain(pairs.iter().take(1)).cloned().collect();
    refused("the node twice", &map(&twice), "duplicate-key");
    let body = good.get(1..).unwrap_or_default();
    refused("a map of open length", &[&[0xbf], body, &[0xff]].concat(), "indefinite-length");
    refused("a map whose count is written too long", &[&[0xb8, 3], body].concat(), "long-integer");
    refused("a map of more pairs than it has", &[&[0xa4], body].concat(), "truncated");
    refused("a key written too long", &[&[0xa1, 0x18, 0], bytes(public(NODE)).as_slice()].concat(), "long-integer");
    refused("a key as text", &[[0xa1].as_slice(), &text("node"), &bytes(public(NODE))].concat(), "key-type");
    refused("a tag before the map", &[[0xd9, 0xd9, 0xf7].as_slice(), &good].concat(), "tag");
}
