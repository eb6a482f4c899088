//! Keys from seeds and typical objects as pairs of a map, for the cases to change one thing at a time.

use crosscast_wire::{Crypto as _, Domain, RustCrypto, SecretKey};

use crate::values::{Pairs, bytes, list, map, text, uint};

/// A fixed moment: 2026-01-01T00:00:00Z in milliseconds.
pub(super) const NOW: u64 = 1_767_225_600_000;
/// An instance of a process that started a minute earlier.
pub(super) const INSTANCE: u64 = (1_767_225_540 << 32) | 0x0102_0304;

pub(super) fn key(seed: u8) -> SecretKey {
    SecretKey::new([seed; 32])
}

pub(super) fn public(seed: u8) -> [u8; 32] {
    key(seed).public()
}

/// `body` and the signature of key `seed` in `domain`.
pub(super) fn sign(seed: u8, domain: Domain, body: &[u8]) -> Vec<u8> {
    let signature = RustCrypto.sign(&key(seed), domain, body);
    [body, &signature].concat()
}

/// The pairs as a map, signed.
pub(super) fn signed(seed: u8, domain: Domain, pairs: &[(u64, Vec<u8>)]) -> Vec<u8> {
    sign(seed, domain, &map(pairs))
}

/// A capability of group 1 for `subject`.
pub(super) fn capability(issuer: u8, subject: u8, depth_left: u64) -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(public(1))),
        (2, bytes(public(subject))),
        (3, uint(127)),
        (4, uint(NOW)),
        (5, uint(NOW + 30 * 86_400_000)),
        (6, uint(3)),
        (7, uint(4)),
        (8, uint(depth_left)),
        (9, bytes(public(issuer))),
    ]
}

/// The links of a chain from group 1 over 2 and 3 to 4: the first `links` of them.
pub(super) fn chain_links(links: u8) -> Vec<Vec<u8>> {
    (1..=links).map(|i| signed(i, Domain::Capability, &capability(i, i + 1, u64::from(3 - i)))).collect()
}

/// Signed links as a chain.
pub(super) fn chain(links: &[Vec<u8>]) -> Vec<u8> {
    list(&links.iter().map(bytes).collect::<Vec<_>>())
}

/// A floor record of group 1 with everything but a signer.
pub(super) fn floor() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(public(1))),
        (2, uint(7)),
        (3, uint(NOW)),
        (4, uint(NOW + 7 * 86_400_000)),
        (5, uint(2)),
        (6, uint(3)),
        (7, list(&[bytes([1; 32]), bytes([2; 32])])),
        (8, bytes(content_key_id())),
    ]
}

/// The name of the content key 09 09 ...
pub(super) fn content_key_id() -> [u8; 8] {
    *crosscast_wire::ContentKeyId::of_key(&[9; 32]).as_bytes()
}

/// The seed of the invite's key.
pub(super) const INVITE: u8 = 0x5a;

/// Key 7 gives way to key 2.
pub(super) fn successor() -> Pairs {
    let consent = RustCrypto.sign(&key(2), Domain::Successor, &consent_body(7, 2, NOW));
    vec![(0, uint(1)), (1, bytes(public(7))), (2, bytes(public(2))), (3, uint(NOW)), (4, bytes(consent))]
}

/// What the new key consents to.
pub(super) fn consent_body(old: u8, new: u8, issued: u64) -> Vec<u8> {
    [public(old).as_slice(), &public(new), &issued.to_be_bytes()].concat()
}

/// Node 2 asks group 1 for everything at once.
pub(super) fn join_request() -> Pairs {
    let body = [public(1).as_slice(), &public(2), &[6; 32], &NOW.to_be_bytes(), &[4; 16]].concat();
    vec![
        (0, uint(1)),
        (1, bytes(public(1))),
        (2, bytes(public(2))),
        (3, bytes([6; 32])),
        (4, uint(NOW)),
        (5, bytes([4; 16])),
        (6, uint(1)),
        (7, text("küche")),
        (8, bytes(public(INVITE))),
        (9, bytes(RustCrypto.sign(&key(INVITE), Domain::Invite, &body))),
        (10, chain(&chain_links(1))),
        (11, bytes(signed(7, Domain::Successor, &successor()))),
    ]
}

/// Node 2 looks for 3.
pub(super) fn locate() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(public(3))),
        (2, bytes(public(2))),
        (3, bytes([6; 32])),
        (4, uint(NOW)),
        (5, bytes([4; 16])),
    ]
}

/// Two headers of sender 2 with one number, the lower id first, each as header bytes and signature.
pub(super) fn two_claims() -> [(Vec<u8>, Vec<u8>); 2] {
    let claim = |payload: &[u8]| {
        let head = map(&header(payload));
        let signature = RustCrypto.sign(&key(2), Domain::Message, &head).to_vec();
        (head, signature)
    };
    let mut claims = [claim(b"yes"), claim(b"no")];
    claims.sort_by_key(|(head, _)| crosscast_wire::MessageId::of_header(head));
    claims
}

/// What convicts a sender of these two claims.
pub(super) fn equivocation([a, b]: &[(Vec<u8>, Vec<u8>); 2]) -> Pairs {
    vec![(0, uint(1)), (1, bytes(&a.0)), (2, bytes(&a.1)), (3, bytes(&b.0)), (4, bytes(&b.1))]
}

/// A hello of node `seed` with everything in it.
pub(super) fn hello(seed: u8) -> Pairs {
    vec![
        (0, bytes(public(seed))),
        (1, uint(1)),
        (2, uint(1)),
        (3, bytes([seed; 32])),
        (4, uint(0)),
        (5, uint(270_336)),
        (6, list(&[uint(1 << 20), uint(4 << 20), uint(8 << 20)])),
        (7, uint(1)),
        (8, uint(INSTANCE)),
        (9, uint(NOW)),
        (10, text("crosscast/0.1.0")),
        (11, uint(2)),
        (12, list(&[text("200:1234::1"), text("fc00::1")])),
        (13, list(&[bytes([7; 100])])),
        (14, bytes([6; 32])),
        (15, text("küche")),
    ]
}

/// The payload of one entry "hi".
pub(super) fn one_entry() -> Vec<u8> {
    list(&[list(&[uint(2)]), bytes(b"hi")])
}

/// The header of a multicast from 2 to group 1 over `payload`.
pub(super) fn header(payload: &[u8]) -> Pairs {
    vec![
        (0, uint(1)),
        (1, uint(1)),
        (2, bytes(public(1))),
        (3, bytes(public(2))),
        (4, uint(INSTANCE)),
        (5, uint(1)),
        (6, uint(NOW)),
        (7, uint(NOW + 60_000)),
        (8, uint(2)),
        (9, uint(1)),
        (13, uint(1)),
        (14, uint(1)),
        (15, uint(payload.len() as u64)),
        (16, bytes(blake3::hash(payload).as_bytes())),
    ]
}

/// A message of these header pairs, signed by 2.
pub(super) fn message(header: &[(u64, Vec<u8>)], payload: &[u8]) -> Vec<u8> {
    [signed(2, Domain::Message, header), payload.to_vec()].concat()
}
