//! Join requests and locates.

use crosscast_wire::{Crypto as _, Domain, RustCrypto};
use serde_json::Value;

use super::Set;
use super::records::{Change, change_each, damage};
use super::support::{INVITE, NOW, chain, chain_links, join_request, key, locate, public, signed, successor};
use crate::values::{Pairs, bytes, text, uint, with};

pub(super) fn join_requests(set: &mut Set) {
    let pairs = join_request();
    let domain = Domain::JoinRequest;
    let kind = "join-request";
    set.valid(kind, "with everything", Value::Null, signed(2, domain, &pairs));
    let bare: Pairs = with(&pairs, 6, uint(0)).into_iter().filter(|(key, _)| *key < 7).collect();
    set.valid(kind, "with nothing optional", Value::Null, signed(2, domain, &bare));
    damage(set, kind, 2, domain, &pairs, "bad-signature");
    let changes: Vec<Change> = vec![
        ("version 2", 0, Some(uint(2)), "unsupported-version"),
        ("a nonce of 15 bytes", 5, Some(bytes([4; 15])), "too-short"),
        ("purpose join, with a chain", 6, Some(uint(0)), ""),
        ("purpose key", 6, Some(uint(2)), ""),
        ("an unknown purpose", 6, Some(uint(3)), "unknown-purpose"),
        ("without a name", 7, None, ""),
        ("an empty name", 7, Some(text("")), "too-short"),
        ("a name of 65 bytes", 7, Some(text(&"a".repeat(65))), "too-long"),
        ("a name with a control character", 7, Some(text("a\u{1b}")), "name"),
        ("a proof without its invite", 8, None, "invite-proof"),
        ("an invite without its proof", 9, None, "invite-proof"),
        ("another invite than the one that proves", 8, Some(bytes(public(3))), "bad-signature"),
        ("a proof of zero bytes", 9, Some(bytes([0; 64])), "bad-signature"),
        ("renewal without a chain", 10, None, "chain-missing"),
        ("a chain without links", 10, Some(chain(&[])), "too-short"),
        ("a chain of three links", 10, Some(chain(&chain_links(3))), ""),
        ("a chain in a byte string", 10, Some(bytes(chain(&chain_links(1)))), "wrong-type"),
        ("without a successor", 11, None, ""),
        ("an empty successor", 11, Some(bytes([])), "length"),
        ("unknown critical key 12", 12, Some(uint(0)), "unknown-critical-key"),
        ("longer than 3,072 bytes", 128, Some(bytes(vec![0; 3_072])), "length"),
    ];
    change_each(set, kind, 2, domain, &pairs, changes);
    let mut refused = |name: &str, seed: u8, pairs: &Pairs, reason: &str| {
        set.refused(kind, name, Value::Null, signed(seed, domain, pairs), reason);
    };
    refused("the key without a chain", 2, &with(&bare, 6, uint(2)), "chain-missing");
    // Without an invite, so that nothing else is wrong.
    let uninvited = with(&with(&pairs, 8, None), 9, None);
    refused("a chain of another group", 2, &with(&uninvited, 1, bytes(public(3))), "chain-group");
    refused("somebody else's successor", 3, &with(&uninvited, 2, bytes(public(3))), "successor-node");
    let forged = with(&pairs, 11, bytes(signed(9, Domain::Successor, &successor())));
    refused("a successor that the old key did not sign", 2, &forged, "bad-signature");
    let unsigned = chain(&[signed(9, Domain::Capability, &super::support::capability(1, 2, 2))]);
    refused("a chain that its issuer did not sign", 2, &with(&pairs, 10, unsigned), "bad-signature");
    // Everything that the proof is over, changed behind the back of the invite's key.
    let invited: Pairs = pairs.iter().filter(|(key, _)| *key < 10).cloned().collect();
    let invited = with(&invited, 6, uint(0));
    set.valid(kind, "with an invite alone", Value::Null, signed(2, domain, &invited));
    for (name, seed, key, value) in [
        ("an invite's proof for another group", 2, 1, bytes(public(3))),
        ("an invite's proof for another asker", 3, 2, bytes(public(3))),
        ("an invite's proof for another prekey", 2, 3, bytes([7; 32])),
        ("an invite's proof for another time", 2, 4, uint(NOW + 1)),
        ("an invite's proof for another nonce", 2, 5, bytes([5; 16])),
    ] {
        let bytes = signed(seed, domain, &with(&invited, key, value));
        set.refused(kind, name, Value::Null, bytes, "bad-signature");
    }
    proofs_of_other_domains(set, &invited);
}

/// The invite's proof holds in the domain of invites only.
fn proofs_of_other_domains(set: &mut Set, invited: &Pairs) {
    let body = [public(1).as_slice(), &public(2), &[6; 32], &NOW.to_be_bytes(), &[4; 16]].concat();
    for domain in Domain::ALL.iter().filter(|domain| **domain != Domain::Invite) {
        let proof = RustCrypto.sign(&key(INVITE), *domain, &body);
        let request = signed(2, Domain::JoinRequest, &with(invited, 9, bytes(proof)));
        let name = format!("an invite's proof signed as {}", domain.name());
        set.refused("join-request", &name, Value::Null, request, "bad-signature");
    }
}

pub(super) fn locates(set: &mut Set) {
    let pairs = locate();
    let domain = Domain::Locate;
    set.valid("locate", "a locate", Value::Null, signed(2, domain, &pairs));
    damage(set, "locate", 2, domain, &pairs, "bad-signature");
    let changes: Vec<Change> = vec![
        ("version 0", 0, Some(uint(0)), "unsupported-version"),
        ("no target", 1, None, "missing-key"),
        ("a target of 31 bytes", 1, Some(bytes([1; 31])), "too-short"),
        ("no sender", 2, None, "missing-key"),
        ("no prekey", 3, None, "missing-key"),
        ("a time before the epoch", 4, Some(vec![0x20]), "wrong-type"),
        ("the last time", 4, Some(uint(u64::MAX)), ""),
        ("a nonce of 17 bytes", 5, Some(bytes([4; 17])), "too-long"),
        ("unknown critical key 6", 6, Some(uint(0)), "unknown-critical-key"),
        ("longer than 512 bytes", 128, Some(bytes([0; 400])), "length"),
    ];
    change_each(set, "locate", 2, domain, &pairs, changes);
}
