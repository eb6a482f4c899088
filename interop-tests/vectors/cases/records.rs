//! Capabilities, chains, floor records, peer records.

use crosscast_wire::Domain;
use serde_json::Value;

use super::Set;
use super::support::{INVITE, NOW, capability, chain, chain_links, floor, public, sign, signed};
use crate::values::{Pairs, bytes, list, map, text, uint, with};

pub(super) type Change = (&'static str, u64, Option<Vec<u8>>, &'static str);

/// Adds each change of one pair: valid when its reason is empty.
pub(super) fn change_each(set: &mut Set, kind: &str, seed: u8, domain: Domain, pairs: &Pairs, changes: Vec<Change>) {
    for (name, key, value, reason) in changes {
        let bytes = signed(seed, domain, &with(pairs, key, value));
        if reason.is_empty() {
            set.valid(kind, name, Value::Null, bytes);
        } else {
            set.refused(kind, name, Value::Null, bytes, reason);
        }
    }
}

/// Adds the ways in which a signed object can be wrong whatever it says.
pub(super) fn damage(set: &mut Set, kind: &str, seed: u8, domain: Domain, pairs: &Pairs, signature_reason: &str) {
    let body = map(pairs);
    let none = Value::Null;
    let good = sign(seed, domain, &body);
    let other = if domain == Domain::Floor { Domain::Capability } else { Domain::Floor };
    set.refused(kind, "signed as another kind of object", none.clone(), sign(seed, other, &body), signature_reason);
    set.refused(kind, "signed by another key", none.clone(), sign(99, domain, &body), signature_reason);
    let flipped: Vec<u8> = good.iter().enumerate().map(|(i, b)| if i + 1 == good.len() { b ^ 1 } else { *b }).collect();
    set.refused(kind, "a bit of the signature changed", none.clone(), flipped, signature_reason);
    let cut = good.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default();
    set.refused(kind, "the last byte missing", none.clone(), cut, "truncated");
    set.refused(kind, "a byte too many", none.clone(), [good, vec![0]].concat(), "trailing");
    set.refused(kind, "a signature and nothing else", none.clone(), [0; 64], "truncated");
    set.refused(kind, "shorter than a signature", none.clone(), [0; 63], "length");
    let descending: Pairs = pairs.iter().rev().cloned().collect();
    set.refused(kind, "keys in another order", none.clone(), signed(seed, domain, &descending), "missing-key");
    let twice: Pairs = pairs.iter().flat_map(|pair| [pair.clone(), pair.clone()]).collect();
    set.refused(kind, "every key twice", none.clone(), signed(seed, domain, &twice), "duplicate-key");
    for key in [100, 127] {
        let bytes = signed(seed, domain, &with(pairs, key, uint(0)));
        set.refused(kind, &format!("unknown critical key {key}"), none.clone(), bytes, "unknown-critical-key");
    }
    for key in [128, u64::MAX] {
        let bytes = signed(seed, domain, &with(pairs, key, text("later")));
        set.valid(kind, &format!("unknown ignorable key {key} is kept and signed"), none.clone(), bytes);
    }
    let bytes = signed(seed, domain, &with(pairs, 128, vec![0x18, 1]));
    set.refused(kind, "an ignorable value that is not canonical", none, bytes, "long-integer");
}

pub(super) fn capabilities(set: &mut Set) {
    let pairs = capability(1, 2, 2);
    let domain = Domain::Capability;
    set.valid("capability", "from the group key", Value::Null, signed(1, domain, &pairs));
    set.valid("capability", "from a member", Value::Null, signed(2, domain, &capability(2, 3, 1)));
    let invited = with(&pairs, 10, bytes(public(INVITE)));
    set.valid("capability", "of a subject that an invite let in", Value::Null, signed(1, domain, &invited));
    damage(set, "capability", 1, domain, &pairs, "bad-signature");
    let long = Some(bytes([0; 400]));
    let changes: Vec<Change> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("no version", 0, None, "missing-key"),
        ("no group", 1, None, "missing-key"),
        ("a group of 31 bytes", 1, Some(bytes([1; 31])), "too-short"),
        ("a group of 33 bytes", 1, Some(bytes([1; 33])), "too-long"),
        ("a group as text", 1, Some(text("group")), "wrong-type"),
        ("one right", 3, Some(uint(2)), ""),
        ("no right", 3, Some(uint(0)), "no-rights"),
        ("an unknown right", 3, Some(uint(128)), "unknown-rights"),
        ("a life of nothing", 5, Some(uint(NOW)), "times"),
        ("a life of a millisecond", 5, Some(uint(NOW + 1)), ""),
        ("rate class 7", 7, Some(uint(7)), ""),
        ("rate class 8", 7, Some(uint(8)), "rate-class"),
        ("depth 0", 8, Some(uint(0)), ""),
        ("depth 3", 8, Some(uint(3)), "depth-left"),
        ("an invite of 31 bytes", 10, Some(bytes([1; 31])), "too-short"),
        ("an invite as text", 10, Some(text("invite")), "wrong-type"),
        ("unknown critical key 11", 11, Some(uint(0)), "unknown-critical-key"),
        ("longer than 512 bytes", 128, long, "length"),
    ];
    change_each(set, "capability", 1, domain, &pairs, changes);
}

pub(super) fn chains(set: &mut Set) {
    let none = Value::Null;
    for (links, name) in [(1, "one link"), (2, "two links"), (3, "three links")] {
        set.valid("chain", name, none.clone(), chain(&chain_links(links)));
    }
    set.refused("chain", "no link", none.clone(), chain(&[]), "too-short");
    set.refused("chain", "four links", none.clone(), chain(&vec![vec![0]; 4]), "too-long");
    set.refused("chain", "a link that is no capability", none.clone(), chain(&[vec![0; 10]]), "length");
    let root = chain_links(1);
    let below = |pairs: &Pairs, seed: u8| chain(&[root.concat(), signed(seed, Domain::Capability, pairs)]);
    let second = capability(2, 3, 1);
    let mut step = |name: &str, key: u64, value: Vec<u8>, reason: &str| {
        let bytes = below(&with(&second, key, value), 2);
        if reason.is_empty() {
            set.valid("chain", name, Value::Null, bytes);
        } else {
            set.refused("chain", name, Value::Null, bytes, reason);
        }
    };
    step("a link of another group", 1, bytes(public(9)), "group");
    step("a link issued by a stranger", 9, bytes(public(9)), "issuer");
    step("a link that begins too early", 4, uint(NOW - 1), "times");
    step("a link that ends too late", 5, uint(NOW + 30 * 86_400_000 + 1), "times");
    step("a link as deep as the one above", 8, uint(2), "depth");
    step("a link of an earlier epoch", 6, uint(2), "epoch");
    step("a link of a later epoch", 6, uint(4), "");
    step("a link of a higher rate class", 7, uint(5), "rate-class");
    step("a link with fewer rights", 3, uint(1), "");
    let of_weak_root = |root_rights: u64, rights: u64| {
        let root = signed(1, Domain::Capability, &with(&capability(1, 2, 2), 3, uint(root_rights)));
        chain(&[root, signed(2, Domain::Capability, &with(&second, 3, uint(rights)))])
    };
    set.valid("chain", "issued with the right to renew", none.clone(), of_weak_root(1 | 16, 1));
    set.refused("chain", "issued without the right to admit", none.clone(), of_weak_root(1 | 2, 1), "may-not-issue");
    let device = |root_rights: u64, rights: u64, depth: u64| {
        let root = signed(1, Domain::Capability, &with(&capability(1, 2, 2), 3, uint(root_rights)));
        let link = with(&with(&second, 3, uint(rights)), 8, uint(depth));
        chain(&[root, signed(2, Domain::Capability, &link)])
    };
    set.valid("chain", "a device's link, issued without the right to admit", none.clone(), device(71, 71, 0));
    let name = "a device's link that could be passed on";
    set.refused("chain", name, none.clone(), device(71, 71, 1), "may-not-issue");
    let name = "a device's link that may revoke";
    set.refused("chain", name, none.clone(), device(71 | 32, 1 | 32, 0), "may-not-issue");
    set.valid("chain", "a link that may revoke, issued with the right to admit", none.clone(), device(41, 33, 0));
    set.refused("chain", "a device's link with more rights", none.clone(), device(1, 2, 0), "rights");
    set.refused("chain", "a link with more rights", none.clone(), of_weak_root(1 | 8, 1 | 2), "rights");
    let not_root = chain(&[signed(2, Domain::Capability, &second)]);
    set.refused("chain", "a first link that is not the group key's", none.clone(), not_root, "root");
    set.refused("chain", "a second link signed by another key", none.clone(), below(&second, 99), "bad-signature");
    let forged = chain(&[signed(99, Domain::Capability, &capability(1, 2, 2)), signed(2, Domain::Capability, &second)]);
    set.refused("chain", "a first link signed by another key", none.clone(), forged, "bad-signature");
    let swapped: Vec<Vec<u8>> = chain_links(2).into_iter().rev().collect();
    set.refused("chain", "links in another order", none, chain(&swapped), "root");
}

pub(super) fn floors(set: &mut Set) {
    let pairs = floor();
    let domain = Domain::Floor;
    set.valid("floor", "signed by the group key", Value::Null, signed(1, domain, &pairs));
    set.valid(
        "floor",
        "signed by a holder of revoke",
        Value::Null,
        signed(2, domain, &with(&pairs, 9, bytes(public(2)))),
    );
    damage(set, "floor", 1, domain, &pairs, "bad-signature");
    let serials = |range: core::ops::Range<u8>| Some(list(&range.map(|i| bytes([i; 32])).collect::<Vec<_>>()));
    let changes: Vec<Change> = vec![
        ("version 0", 0, Some(uint(0)), "unsupported-version"),
        ("number 0", 2, Some(uint(0)), "number"),
        ("the largest number", 2, Some(uint(u64::MAX)), ""),
        ("a life of nothing", 4, Some(uint(NOW)), "times"),
        ("policy keyholder", 5, Some(uint(0)), ""),
        ("policy open", 5, Some(uint(1)), ""),
        ("an unknown policy", 5, Some(uint(3)), "unknown-policy"),
        ("nothing revoked", 7, None, ""),
        ("an empty list of revocations", 7, Some(list(&[])), "too-short"),
        ("32 revocations", 7, serials(0..32), ""),
        ("33 revocations", 7, serials(0..33), "too-long"),
        ("a revocation twice", 7, Some(list(&[bytes([1; 32]), bytes([1; 32])])), "revoked"),
        ("revocations that descend", 7, Some(list(&[bytes([2; 32]), bytes([1; 32])])), "revoked"),
        ("a public group", 8, None, ""),
        ("a content key id of 7 bytes", 8, Some(bytes([1; 7])), "too-short"),
        ("the group key named as signer", 9, Some(bytes(public(1))), "signer-is-group"),
        ("another signer than the one who signed", 9, Some(bytes(public(2))), "bad-signature"),
        ("longer than 2,048 bytes", 128, Some(bytes([0; 2048])), "length"),
    ];
    change_each(set, "floor", 1, domain, &pairs, changes);
}

pub(super) fn peer_records(set: &mut Set) {
    let pairs: Pairs = vec![
        (0, uint(1)),
        (1, bytes(public(5))),
        (2, uint(2)),
        (3, uint(NOW)),
        (4, uint(NOW + 7_200_000)),
        (5, list(&[text("tls://host.example:443"), text("ygg://[200::1]:7700")])),
        (6, uint(5)),
        (7, bytes([8; 32])),
        (8, list(&[bytes([1, 2, 3])])),
    ];
    let domain = Domain::PeerRecord;
    set.valid("peer-record", "with everything", Value::Null, signed(5, domain, &pairs));
    let few: Pairs = pairs.iter().filter(|(key, _)| ![5, 7, 8].contains(key)).cloned().collect();
    set.valid("peer-record", "with nothing optional", Value::Null, signed(5, domain, &few));
    damage(set, "peer-record", 5, domain, &pairs, "bad-signature");
    let changes: Vec<Change> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("number 0", 2, Some(uint(0)), "number"),
        ("a life of nothing", 4, Some(uint(NOW)), "times"),
        ("an empty list of locators", 5, Some(list(&[])), "too-short"),
        ("16 locators", 5, Some(list(&vec![text("tls://a:1"); 16])), ""),
        ("17 locators", 5, Some(list(&vec![text("tls://a:1"); 17])), "too-long"),
        ("a locator of a scheme to come", 5, Some(list(&[text("later://x")])), ""),
        ("an empty locator", 5, Some(list(&[text("")])), "too-short"),
        ("a locator of 257 bytes", 5, Some(list(&[text(&"a".repeat(257))])), "too-long"),
        ("a locator with white space", 5, Some(list(&[text("tls://a b:1")])), "locator"),
        ("a locator with an ideographic space", 5, Some(list(&[text("tls://a\u{3000}b:1")])), "locator"),
        ("a locator with a control character", 5, Some(list(&[text("tls://a\u{7f}:1")])), "locator"),
        ("an unknown role is dropped", 6, Some(uint(1 << 40 | 2)), ""),
        ("a prekey of 31 bytes", 7, Some(bytes([0; 31])), "too-short"),
        ("an empty attestation", 8, Some(list(&[bytes([])])), "too-short"),
        ("an attestation of 257 bytes", 8, Some(list(&[bytes([0; 257])])), "too-long"),
        ("five attestations", 8, Some(list(&vec![bytes([0]); 5])), "too-long"),
        ("longer than 1,024 bytes", 128, Some(bytes([0; 1024])), "length"),
    ];
    change_each(set, "peer-record", 5, domain, &pairs, changes);
}
