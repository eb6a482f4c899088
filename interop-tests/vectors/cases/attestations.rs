//! Attestations of both networks that have keys which sign, by the same host key.

use crosscast_wire::{Domain, Network};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};

use super::Set;
use super::support::{NOW, key, public, sign};
use crate::values::{Pairs, bytes, hex, map, text, uint, with};

const KIND: &str = "attestation";
/// The seeds of the host node's key and of the node's.
const HOST: u8 = 0x31;
const NODE: u8 = 5;
const DAY_MS: u64 = 86_400_000;
const END: u64 = NOW + 365 * DAY_MS;

fn pairs(network: Network) -> Pairs {
    vec![
        (0, uint(1)),
        (1, uint(network.number().into())),
        (2, bytes(public(HOST))),
        (3, bytes(public(NODE))),
        (4, uint(NOW)),
        (5, uint(END)),
    ]
}

/// What a host node's key signs of a body.
fn host_bytes(network: Network, body: &[u8]) -> Vec<u8> {
    let bytes = Domain::Attestation.signed_bytes(body);
    if network == Network::Cjdns { hex(blake3::hash(&bytes).as_bytes()).into_bytes() } else { bytes }
}

/// The signature of key `seed` over bytes that no domain stands before.
fn plain(seed: u8, over: &[u8]) -> [u8; 64] {
    SigningKey::from_bytes(key(seed).expose()).sign(over).to_bytes()
}

/// A body with the signatures of `host` and `node`.
fn signed(network: Network, host: u8, node: u8, body: &[u8]) -> Vec<u8> {
    let by_host = plain(host, &host_bytes(network, body));
    sign(node, Domain::Attestation, &[body, &by_host].concat())
}

fn by_both(network: Network, pairs: &Pairs) -> Vec<u8> {
    signed(network, HOST, NODE, &map(pairs))
}

/// Whom it is said to speak for, and when it is read.
fn at(node: u8, now: u64) -> Value {
    json!({ "node": hex(public(node)), "now": now })
}

pub(super) fn all(set: &mut Set) {
    for network in [Network::Yggdrasil, Network::Cjdns] {
        let pairs = pairs(network);
        set.valid(KIND, &format!("of {network}"), at(NODE, NOW), by_both(network, &pairs));
        signatures(set, network, &map(&pairs));
    }
    times(set);
    shapes(set);
}

/// Each signature is one key's, over one thing, in one place.
fn signatures(set: &mut Set, network: Network, body: &[u8]) {
    let mut forged = |name: &str, bytes: Vec<u8>| {
        set.refused(KIND, &format!("of {network}: {name}"), at(NODE, NOW), bytes, "attestation-forged");
    };
    let other = if network == Network::Cjdns { Network::Yggdrasil } else { Network::Cjdns };
    let by_host = plain(HOST, &host_bytes(network, body));
    let good = signed(network, HOST, NODE, body);
    let flipped = |at: usize| good.iter().enumerate().map(|(i, b)| if i == at { b ^ 1 } else { *b }).collect();
    forged("another host key signed", signed(network, 99, NODE, body));
    forged("another node countersigned", signed(network, HOST, 99, body));
    forged("the host signed as on the other network", signed(other, HOST, NODE, body));
    forged("the host signed without a domain", {
        sign(NODE, Domain::Attestation, &[body, &plain(HOST, body)].concat())
    });
    forged("the host's signature twice", [body, &by_host, &by_host].concat());
    forged("the node signed the body alone", {
        let signature = sign(NODE, Domain::Attestation, body).split_off(body.len());
        [body, &by_host, &signature].concat()
    });
    forged("countersigned as another kind of object", sign(NODE, Domain::Hello, &[body, &by_host].concat()));
    forged("a bit of the host's signature changed", flipped(body.len()));
    forged("a bit of the node's signature changed", flipped(body.len().saturating_add(64)));
    let bytes = signed(network, HOST, NODE, body);
    set.refused(KIND, &format!("of {network}: of another node"), at(6, NOW), bytes, "attestation-foreign");
}

fn times(set: &mut Set) {
    let network = Network::Yggdrasil;
    let good = by_both(network, &pairs(network));
    for (name, now) in [
        ("two minutes before its life", NOW - 120_000),
        ("in the last millisecond of its life", END),
        ("two minutes behind its life", END + 120_000),
    ] {
        set.valid(KIND, name, at(NODE, now), &good);
    }
    for (name, now) in [
        ("longer than two minutes before its life", NOW - 120_001),
        ("longer than two minutes behind its life", END + 120_001),
    ] {
        set.refused(KIND, name, at(NODE, now), &good, "attestation-expired");
    }
    let until = |end: u64| by_both(network, &with(&pairs(network), 5, uint(end)));
    set.valid(KIND, "a life of a millisecond", at(NODE, NOW), until(NOW + 1));
    set.valid(KIND, "a life of 400 days", at(NODE, NOW), until(NOW + 400 * DAY_MS));
    set.refused(KIND, "a life of nothing", at(NODE, NOW), until(NOW), "times");
    set.refused(KIND, "a life of more than 400 days", at(NODE, NOW), until(NOW + 400 * DAY_MS + 1), "times");
    let always = with(&with(&pairs(network), 4, uint(0)), 5, uint(u64::MAX));
    set.refused(KIND, "a life from the first moment to the last", at(NODE, NOW), by_both(network, &always), "times");
}

fn shapes(set: &mut Set) {
    let network = Network::Yggdrasil;
    let pairs = pairs(network);
    let neutral: [u8; 32] = core::array::from_fn(|at| u8::from(at == 0));
    let mut changed = |name: &str, key: u64, value: Option<Vec<u8>>, reason: &str| {
        set.refused(KIND, name, at(NODE, NOW), by_both(network, &with(&pairs, key, value)), reason);
    };
    changed("version 2", 0, Some(uint(2)), "unsupported-version");
    changed("no network", 1, None, "missing-key");
    changed("of TLS/IP, which has no keys of its own", 1, Some(uint(0)), "network");
    changed("of libp2p, whose keys are not attested", 1, Some(uint(1)), "network");
    changed("of an unknown network", 1, Some(uint(6)), "network");
    changed("a host key of 31 bytes", 2, Some(bytes([1; 31])), "too-short");
    changed("a host key of small order", 2, Some(bytes(neutral)), "key");
    changed("a host key whose coordinate is not reduced", 2, Some(bytes([0xff; 32])), "key");
    changed("no node", 3, None, "missing-key");
    changed("a node as text", 3, Some(text("node")), "wrong-type");
    changed("no end", 5, None, "missing-key");
    changed("unknown critical key 6", 6, Some(uint(0)), "unknown-critical-key");
    changed("an ignorable value that is not canonical", 128, Some(vec![0x18, 1]), "long-integer");
    changed("longer than 256 bytes", 128, Some(bytes([0; 30])), "length");
    for key in [128, u64::MAX] {
        let name = format!("unknown ignorable key {key} is kept and signed");
        set.valid(KIND, &name, at(NODE, NOW), by_both(network, &with(&pairs, key, text("later"))));
    }
    let longest = by_both(network, &with(&pairs, 128, bytes([0; 29])));
    set.valid(KIND, "of 256 bytes", at(NODE, NOW), longest);
    let mut refused = |name: &str, bytes: Vec<u8>, reason: &str| {
        set.refused(KIND, name, at(NODE, NOW), bytes, reason);
    };
    let good = by_both(network, &pairs);
    refused("two signatures and nothing else", vec![0; 128], "truncated");
    refused("shorter than two signatures", vec![0; 127], "length");
    refused("the last byte missing", good.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default(), "truncated");
    refused("a byte too many", [good, vec![0]].concat(), "trailing");
    let descending: Pairs = pairs.iter().rev().cloned().collect();
    refused("keys in another order", by_both(network, &descending), "missing-key");
    let twice: Pairs = pairs.iter().flat_map(|pair| [pair.clone(), pair.clone()]).collect();
    refused("every key twice", by_both(network, &twice), "length");
}
