//! Service records and successors.

use crosscast_wire::{Crypto as _, Domain, RustCrypto};
use serde_json::Value;

use super::Set;
use super::records::{Change, change_each, damage};
use super::support::{NOW, consent_body, key, public, signed, successor};
use crate::values::{Pairs, bytes, list, text, uint, with};

/// The keys of these seeds in the order a record wants, as a list.
fn nodes(seeds: core::ops::Range<u8>) -> Vec<u8> {
    let mut keys: Vec<_> = seeds.map(public).collect();
    keys.sort_unstable();
    list(&keys.iter().map(bytes).collect::<Vec<_>>())
}

pub(super) fn service_records(set: &mut Set) {
    let pairs: Pairs = vec![
        (0, uint(1)),
        (1, bytes(public(8))),
        (2, uint(3)),
        (3, uint(NOW)),
        (4, uint(NOW + 7 * 86_400_000)),
        (5, nodes(2..4)),
        (6, bytes([6; 32])),
        (7, text("drucker")),
    ];
    let domain = Domain::ServiceRecord;
    let kind = "service-record";
    set.valid(kind, "with everything", Value::Null, signed(8, domain, &pairs));
    damage(set, kind, 8, domain, &pairs, "bad-signature");
    let mut descending = [public(2), public(3)];
    descending.sort_unstable_by(|a, b| b.cmp(a));
    let descending = list(&descending.map(bytes));
    let changes: Vec<Change> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("number 0", 2, Some(uint(0)), "number"),
        ("a life of nothing", 4, Some(uint(NOW)), "times"),
        ("a life of a millisecond", 4, Some(uint(NOW + 1)), ""),
        ("no list of nodes", 5, None, "missing-key"),
        ("no node", 5, Some(list(&[])), "too-short"),
        ("one node", 5, Some(nodes(2..3)), ""),
        ("eight nodes", 5, Some(nodes(10..18)), ""),
        ("nine nodes", 5, Some(nodes(10..19)), "too-long"),
        ("a node twice", 5, Some(list(&[bytes(public(2)), bytes(public(2))])), "nodes"),
        ("nodes that descend", 5, Some(descending), "nodes"),
        ("a node of 33 bytes", 5, Some(list(&[bytes([1; 33])])), "too-long"),
        ("no prekey", 6, None, "missing-key"),
        ("without a name", 7, None, ""),
        ("an empty name", 7, Some(text("")), "too-short"),
        ("a name with a control character", 7, Some(text("a\n")), "name"),
        ("unknown critical key 8", 8, Some(uint(0)), "unknown-critical-key"),
        ("longer than 1,024 bytes", 128, Some(bytes([0; 1024])), "length"),
    ];
    change_each(set, kind, 8, domain, &pairs, changes);
}

pub(super) fn successors(set: &mut Set) {
    let pairs = successor();
    let domain = Domain::Successor;
    let kind = "successor";
    set.valid(kind, "a successor", Value::Null, signed(7, domain, &pairs));
    damage(set, kind, 7, domain, &pairs, "bad-signature");
    let consent = |seed: u8, domain: Domain, body: &[u8]| Some(bytes(RustCrypto.sign(&key(seed), domain, body)));
    let other = consent(2, domain, &consent_body(9, 2, NOW));
    let strange = consent(3, domain, &consent_body(7, 2, NOW));
    let changes: Vec<Change> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("no new key", 2, None, "missing-key"),
        ("another new key than the one that consented", 2, Some(bytes(public(3))), "bad-signature"),
        ("another moment than the one consented to", 3, Some(uint(NOW + 1)), "bad-signature"),
        ("no consent", 4, None, "missing-key"),
        ("a consent of 63 bytes", 4, Some(bytes([0; 63])), "too-short"),
        ("a consent to follow another key", 4, other, "bad-signature"),
        ("a consent of a stranger", 4, strange, "bad-signature"),
        ("unknown critical key 5", 5, Some(uint(0)), "unknown-critical-key"),
        ("longer than 512 bytes", 128, Some(bytes([0; 400])), "length"),
    ];
    change_each(set, kind, 7, domain, &pairs, changes);
    let own = with(&with(&pairs, 2, bytes(public(7))), 4, consent(7, domain, &consent_body(7, 7, NOW)));
    set.refused(kind, "a key as its own successor", Value::Null, signed(7, domain, &own), "same-key");
    for other in Domain::ALL.iter().filter(|other| **other != domain) {
        let given = with(&pairs, 4, consent(2, *other, &consent_body(7, 2, NOW)));
        let name = format!("a consent signed as {}", other.name());
        set.refused(kind, &name, Value::Null, signed(7, domain, &given), "bad-signature");
    }
}
