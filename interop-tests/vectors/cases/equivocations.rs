//! Equivocations: two headers of one sender that claim one number.

use crosscast_wire::{Crypto as _, Domain, MessageId, RustCrypto};
use serde_json::Value;

use super::Set;
use super::support::{equivocation, header, key, public, two_claims};
use crate::values::{Pairs, bytes, map, text, uint, with};

type Claim = (Vec<u8>, Vec<u8>);

/// A header of these pairs, signed by `seed`.
fn claim(seed: u8, pairs: &Pairs) -> Claim {
    let head = map(pairs);
    let signature = RustCrypto.sign(&key(seed), Domain::Message, &head).to_vec();
    (head, signature)
}

/// The claims, the lower id first.
fn sorted(mut claims: [Claim; 2]) -> [Claim; 2] {
    claims.sort_by_key(|(head, _)| MessageId::of_header(head));
    claims
}

pub(super) fn all(set: &mut Set) {
    let kind = "equivocation";
    let claims = two_claims();
    let pairs = equivocation(&claims);
    set.valid(kind, "two payloads under one number", Value::Null, map(&pairs));
    let plain = header(b"yes");
    let with_plain = |seed: u8, other: &Pairs| map(&equivocation(&sorted([claim(2, &plain), claim(seed, other)])));
    let cases: Vec<(&str, u8, Pairs, &str)> = vec![
        ("two times of expiry", 2, with(&plain, 7, uint(1_767_225_700_000)), ""),
        ("an ignorable key more", 2, with(&plain, 128, text("later")), ""),
        ("two numbers", 2, with(&plain, 5, uint(2)), "apart"),
        ("two instances", 2, with(&plain, 4, uint(7)), "apart"),
        ("two groups", 2, with(&plain, 2, bytes(public(9))), "apart"),
        ("a group and a node of the same key", 2, with(&plain, 1, uint(0)), "apart"),
        ("two senders", 3, with(&plain, 3, bytes(public(3))), "apart"),
        ("a header that its sender did not sign", 9, with(&plain, 7, uint(1_767_225_700_000)), "bad-signature"),
    ];
    for (name, seed, other, reason) in cases {
        let shown = with_plain(seed, &other);
        if reason.is_empty() {
            set.valid(kind, name, Value::Null, shown);
        } else {
            set.refused(kind, name, Value::Null, shown, reason);
        }
    }
    let [a, b] = &claims;
    let mut refused = |name: &str, shown: Vec<u8>, reason: &str| set.refused(kind, name, Value::Null, shown, reason);
    refused("one header twice", map(&equivocation(&[a.clone(), a.clone()])), "same");
    refused("one header under two signatures", map(&equivocation(&[a.clone(), (a.0.clone(), vec![0; 64])])), "same");
    refused("the higher id first", map(&equivocation(&[b.clone(), a.clone()])), "order");
    let exchanged = [(a.0.clone(), b.1.clone()), (b.0.clone(), a.1.clone())];
    refused("signatures exchanged", map(&equivocation(&exchanged)), "bad-signature");
    let mut changed = |name: &str, key: u64, value: Option<Vec<u8>>, reason: &str| {
        refused(name, map(&with(&pairs, key, value)), reason);
    };
    changed("version 2", 0, Some(uint(2)), "unsupported-version");
    for key in 0..=4 {
        changed(&format!("without key {key}"), key, None, "missing-key");
    }
    changed("a header and a byte behind it", 1, Some(bytes([a.0.as_slice(), &[0]].concat())), "trailing");
    changed("an empty header", 1, Some(bytes([])), "truncated");
    changed("a header of a version to come", 3, Some(bytes(map(&[(0, uint(2))]))), "unsupported-version");
    changed("a header of 8,129 bytes", 3, Some(bytes(vec![0; 8_129])), "header-too-long");
    changed("a signature of 63 bytes", 2, Some(bytes([0; 63])), "too-short");
    changed("unknown critical key 5", 5, Some(uint(0)), "unknown-critical-key");
    changed("longer than 17,280 bytes", 128, Some(bytes(vec![0; 17_280])), "length");
    refused("trailing bytes", [map(&pairs), vec![0]].concat(), "trailing");
    set.valid(kind, "unknown ignorable key 128", Value::Null, map(&with(&pairs, 128, text("later"))));
}
