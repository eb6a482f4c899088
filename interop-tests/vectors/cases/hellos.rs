//! Hellos and proofs.

use crosscast_wire::hello::{proof_bytes, transcript};
use crosscast_wire::{Crypto as _, Domain, NodeId, RustCrypto, Scheme};
use serde_json::{Value, json};

use super::Set;
use super::support::{hello, key, public};
use crate::values::{Pairs, bytes, hex, list, map, text, uint, with};

pub(super) fn all(set: &mut Set) {
    let full = hello(1);
    set.valid("hello", "with everything", Value::Null, map(&full));
    let few: Pairs = full.iter().filter(|(key, _)| ![11, 12, 13, 15].contains(key)).cloned().collect();
    set.valid("hello", "with nothing optional", Value::Null, map(&few));
    changes(set, &full);
    for key in (0..=10).chain([14]) {
        let name = format!("key {key} missing");
        set.refused("hello", &name, Value::Null, map(&with(&full, key, None)), "missing-key");
    }
    set.refused("hello", "trailing bytes", Value::Null, [map(&full), vec![0]].concat(), "trailing");
    let long = map(&with(&full, 128, bytes([0; 4096])));
    set.refused("hello", "longer than 4,096 bytes", Value::Null, long, "too-long");
    proofs(set);
}

fn changes(set: &mut Set, full: &Pairs) {
    let cases: Vec<(&str, u64, Vec<u8>, &str)> = vec![
        ("versions 1 to the largest", 2, uint(u64::MAX), ""),
        ("versions from 0", 1, uint(0), "versions"),
        ("versions that end before they begin", 1, uint(2), "versions"),
        ("unknown features are dropped", 4, uint(u64::MAX), ""),
        ("a small message limit is raised to 65,536", 5, uint(1), ""),
        ("credit for two lanes", 6, list(&[uint(1), uint(1)]), "too-short"),
        ("credit for four lanes", 6, list(&vec![uint(1); 4]), "too-long"),
        ("unknown roles are dropped", 7, uint(255), ""),
        ("an empty agent", 10, text(""), "too-short"),
        ("an agent of 64 bytes", 10, text(&"a".repeat(64)), ""),
        ("an agent of 65 bytes", 10, text(&"a".repeat(65)), "too-long"),
        ("an agent that is not ASCII", 10, text("é"), "agent"),
        ("an agent with a control character", 10, text("a\u{1b}[2J"), "agent"),
        ("peer record 0", 11, uint(0), "peer-record-number"),
        ("an empty list of overlay addresses", 12, list(&[]), "too-short"),
        ("nine overlay addresses", 12, list(&vec![text("a"); 9]), "too-long"),
        ("an overlay address with white space", 12, list(&[text("a b")]), "overlay"),
        ("an overlay address of 65 bytes", 12, list(&[text(&"a".repeat(65))]), "too-long"),
        ("an empty list of attestations", 13, list(&[]), "too-short"),
        ("an attestation of 257 bytes", 13, list(&[bytes([0; 257])]), "too-long"),
        ("five attestations", 13, list(&vec![bytes([0]); 5]), "too-long"),
        ("an empty name", 15, text(""), "too-short"),
        ("a name with a line end", 15, text("a\nb"), "name"),
        ("a name with a C1 control character", 15, text("a\u{85}b"), "name"),
        ("unknown critical key 16", 16, uint(0), "unknown-critical-key"),
        ("unknown critical key 127", 127, uint(0), "unknown-critical-key"),
        ("unknown ignorable key 128", 128, uint(0), ""),
    ];
    for (name, key, value, reason) in cases {
        let body = map(&with(full, key, value));
        if reason.is_empty() {
            set.valid("hello", name, Value::Null, body);
        } else {
            set.refused("hello", name, Value::Null, body, reason);
        }
    }
}

fn proofs(set: &mut Set) {
    let (dialler, listener) = (map(&hello(1)), map(&hello(2)));
    let hash = transcript(&dialler, &listener);
    let (a, b) = (NodeId::new(public(1)), NodeId::new(public(2)));
    let binding = [0xbb; 32];
    let over = |dialler: &[u8], listener: &[u8], scheme: &str, by_listener: bool, binding: &[u8]| {
        json!({
            "dialler": hex(dialler), "listener": hex(listener), "scheme": scheme, "by_listener": by_listener,
            "binding": hex(binding),
        })
    };
    let context =
        |scheme: &str, by_listener: bool, binding: &[u8]| over(&dialler, &listener, scheme, by_listener, binding);
    let prove = |seed: u8, signed: &[u8]| RustCrypto.sign(&key(seed), Domain::Hello, signed);
    let by_dialler = prove(1, &proof_bytes(Scheme::Tls, false, &binding, &a, &b, &hash));
    let by_listener = prove(2, &proof_bytes(Scheme::Ygg, true, &binding, &b, &a, &hash));
    let unbound = prove(1, &proof_bytes(Scheme::Relay, false, &[], &a, &b, &hash));
    set.valid("proof", "by the dialler", context("tls", false, &binding), by_dialler);
    set.valid("proof", "by the listener", context("ygg", true, &binding), by_listener);
    set.valid("proof", "without a binding", context("relay", false, &[]), unbound);
    let mut refused = |name: &str, context: Value, signature: &[u8]| {
        set.refused("proof", name, context, signature, "bad-signature");
    };
    refused("of another scheme", context("quic", false, &binding), &by_dialler);
    refused("of another channel", context("tls", false, &[0xbc; 32]), &by_dialler);
    refused("of a channel whose binding is cut", context("tls", false, &[0xbb; 31]), &by_dialler);
    refused("reflected by the listener", context("tls", true, &binding), &by_dialler);
    let other = map(&with(&hello(2), 3, bytes([9; 32])));
    refused("over a changed hello of the listener", over(&dialler, &other, "tls", false, &binding), &by_dialler);
    let other = map(&with(&hello(1), 9, uint(1)));
    refused("over a changed hello of the dialler", over(&other, &listener, "tls", false, &binding), &by_dialler);
    let signed = proof_bytes(Scheme::Tls, false, &binding, &a, &b, &hash);
    let as_message = RustCrypto.sign(&key(1), Domain::Message, &signed);
    refused("signed as a message", context("tls", false, &binding), &as_message);
}
