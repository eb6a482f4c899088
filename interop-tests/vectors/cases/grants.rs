//! Grants.

use crosscast_wire::Domain;
use serde_json::Value;

use super::Set;
use super::support::{capability, chain, chain_links, floor, public, signed};
use crate::values::{Pairs, bytes, list, map, text, uint, with};

pub(super) fn all(set: &mut Set) {
    let by_revoker = signed(2, Domain::Floor, &with(&floor(), 9, bytes(public(2))));
    let pairs: Pairs = vec![
        (0, uint(1)),
        (1, bytes(public(1))),
        (2, bytes([0xaa; 32])),
        (3, chain(&chain_links(2))),
        (4, list(&[bytes([9; 32]), bytes([8; 32])])),
        (5, bytes(by_revoker)),
        (6, chain(&chain_links(1))),
        (8, text("garden")),
    ];
    set.valid("grant", "of a chain and two keys", Value::Null, map(&pairs));
    let least: Pairs = pairs.iter().filter(|(key, _)| [0, 1, 5].contains(key)).cloned().collect();
    set.valid("grant", "of a floor alone", Value::Null, map(&least));
    let foreign = with(&capability(3, 2, 2), 1, bytes(public(3)));
    let foreign = chain(&[signed(3, Domain::Capability, &foreign)]);
    let other_floor = signed(3, Domain::Floor, &with(&floor(), 1, bytes(public(3))));
    let forged_chain = chain(&[signed(9, Domain::Capability, &capability(1, 2, 2))]);
    let keys = |count: usize| Some(list(&vec![bytes([9; 32]); count]));
    let cases: Vec<(&str, u64, Option<Vec<u8>>, &str)> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("no group", 1, None, "missing-key"),
        ("another group", 1, Some(bytes(public(3))), "group"),
        ("that nobody asked for", 2, None, ""),
        ("a request of 31 bytes", 2, Some(bytes([1; 31])), "too-short"),
        ("a chain of another group", 3, Some(foreign.clone()), "group"),
        ("a chain that its issuer did not sign", 3, Some(forged_chain), "bad-signature"),
        ("without keys", 4, None, ""),
        ("an empty list of keys", 4, keys(0), "too-short"),
        ("four keys", 4, keys(4), ""),
        ("five keys", 4, keys(5), "too-long"),
        ("a key of 31 bytes", 4, Some(list(&[bytes([9; 31])])), "too-short"),
        ("no floor record", 5, None, "missing-key"),
        ("the floor record of another group", 5, Some(bytes(other_floor)), "group"),
        (
            "a floor record that its signer did not sign",
            5,
            Some(bytes(signed(9, Domain::Floor, &floor()))),
            "bad-signature",
        ),
        ("a floor chain of another group", 6, Some(foreign), "group"),
        ("refusal 0", 7, Some(uint(0)), "unknown-refusal"),
        ("refusal 6", 7, Some(uint(6)), "unknown-refusal"),
        ("an empty name", 8, Some(text("")), "too-short"),
        ("a name with a control character", 8, Some(text("a\u{7f}")), "name"),
        ("unknown critical key 9", 9, Some(uint(0)), "unknown-critical-key"),
        ("unknown ignorable key 128", 128, Some(text("later")), ""),
        ("longer than 8,192 bytes", 128, Some(bytes(vec![0; 8_192])), "length"),
    ];
    for (name, key, value, reason) in cases {
        let grant = map(&with(&pairs, key, value));
        if reason.is_empty() {
            set.valid("grant", name, Value::Null, grant);
        } else {
            set.refused("grant", name, Value::Null, grant, reason);
        }
    }
    for refusal in 1..=5 {
        let name = format!("refusal {refusal}");
        set.valid("grant", &name, Value::Null, map(&with(&least, 7, uint(refusal))));
    }
    set.refused("grant", "trailing bytes", Value::Null, [map(&pairs), vec![0]].concat(), "trailing");
}
