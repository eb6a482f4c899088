//! Keys from seeds, typical fields, strategies, and a way to build maps that no writer of ours would write.

use crosscast_wire::cbor::Writer;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, ContentKeyId, Domain, FloorFields, FloorRecord, GroupId, Instance,
    JoinRequest, JoinRequestFields, NodeId, PeerRecordFields, Policy, Purpose, RevocationId, Rights, Roles, RustCrypto,
    SecretKey, Successor, SuccessorFields, WallMillis,
};
use crosscast_wire::{Crypto as _, Features, HelloFields, InviteProof, VersionRange};
use proptest::prelude::*;

pub(crate) const CRYPTO: RustCrypto = RustCrypto;

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::new([seed; 32])
}

pub(crate) fn node(seed: u8) -> NodeId {
    NodeId::new(key(seed).public())
}

pub(crate) fn group(seed: u8) -> GroupId {
    GroupId::new(key(seed).public())
}

/// A capability of group 1 from `issuer` to `subject`, with everything a chain needs to go on.
pub(crate) fn grant(issuer: u8, subject: u8, depth_left: u8) -> CapabilityFields {
    CapabilityFields {
        group: group(1),
        subject: node(subject),
        rights: Rights::ALL,
        not_before: WallMillis(1_000),
        not_after: WallMillis(2_000),
        epoch: 3,
        rate_class: 4,
        depth_left,
        issuer: node(issuer),
        invite: None,
    }
}

pub(crate) fn issue(fields: CapabilityFields, issuer: u8) -> Capability {
    Capability::issue(fields, &CRYPTO, &key(issuer)).unwrap()
}

/// Group 1 admits 2, who admits 3, who admits 4: as many links as asked for.
pub(crate) fn chain(links: u8) -> Chain {
    Chain::new((1..=links).map(|i| issue(grant(i, i + 1, 3 - i), i)).collect()).unwrap()
}

pub(crate) fn floor_fields() -> FloorFields {
    FloorFields {
        group: group(1),
        number: 7,
        issued: WallMillis(1_500),
        valid_until: WallMillis(9_000),
        policy: Policy::Capability,
        lowest_epoch: 3,
        revoked: vec![RevocationId::new([1; 32]), RevocationId::new([2; 32])],
        content_key: Some(ContentKeyId::of_key(&[9; 32])),
        signer: None,
    }
}

pub(crate) fn floor() -> FloorRecord {
    FloorRecord::issue(floor_fields(), &CRYPTO, &key(1)).unwrap()
}

/// The invite's key.
pub(crate) const INVITE: u8 = 0x5a;

/// Key 7 gives way to key 2.
pub(crate) fn successor() -> Successor {
    let issued = WallMillis(1_400);
    let consent = Successor::consent(&CRYPTO, &key(2), &node(7), issued);
    Successor::issue(SuccessorFields { old: node(7), new: node(2), issued, consent }, &CRYPTO, &key(7)).unwrap()
}

/// Node 2 asks group 1 for everything at once.
pub(crate) fn join_request_fields() -> JoinRequestFields {
    let fields = JoinRequestFields {
        group: group(1),
        node: node(2),
        prekey: [6; 32],
        time: WallMillis(1_500),
        nonce: [4; 16],
        purpose: Purpose::Renew,
        name: Some("küche".into()),
        invite: None,
        chain: Some(chain(1)),
        successor: Some(successor()),
    };
    let body = JoinRequest::invite_body(&fields.group, &fields.node, &fields.prekey, fields.time, &fields.nonce);
    let proof = CRYPTO.sign(&key(INVITE), Domain::Invite, &body);
    JoinRequestFields { invite: Some(InviteProof { key: key(INVITE).public(), proof }), ..fields }
}

pub(crate) fn join_request() -> JoinRequest {
    JoinRequest::issue(join_request_fields(), &CRYPTO, &key(2)).unwrap()
}

pub(crate) fn peer_record_fields() -> PeerRecordFields {
    PeerRecordFields {
        node: node(5),
        number: 2,
        issued: WallMillis(10),
        valid_until: WallMillis(20),
        locators: vec!["tls://host.example:443".into(), "ygg://[200::1]:7700".into()],
        roles: Roles::CORE | Roles::RELAY,
        prekey: Some([8; 32]),
        attestations: vec![vec![1, 2, 3].into()],
    }
}

pub(crate) fn hello_fields(seed: u8) -> HelloFields {
    HelloFields {
        node: node(seed),
        versions: VersionRange::OURS,
        nonce: [seed; 32],
        features: Features::NONE,
        max_message_bytes: 270_336,
        credit: [1 << 20, 1 << 21, 1 << 22],
        roles: Roles::EDGE,
        instance: Instance::new(1_700_000_000, 77),
        wall: WallMillis(1_700_000_000_000),
        agent: "crosscast/0.1.0".into(),
        peer_record: Some(2),
        overlay: vec!["200:1234::1".into()],
        attestations: vec![vec![7; 100].into()],
        prekey: [6; 32],
        name: Some("küche".into()),
    }
}

/// A map with these pairs, values already encoded, in the order given.
pub(crate) fn map(pairs: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut w = Writer::new();
    w.map(pairs.len());
    for (key, value) in pairs {
        w.uint(*key).raw(value);
    }
    w.into_bytes()
}

pub(crate) fn uint(value: u64) -> Vec<u8> {
    let mut w = Writer::new();
    w.uint(value);
    w.into_bytes()
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    w.bytes(value);
    w.into_bytes()
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    let mut w = Writer::new();
    w.text(value);
    w.into_bytes()
}

pub(crate) fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let mut w = Writer::new();
    w.array(items.len());
    for item in items {
        w.raw(item);
    }
    w.into_bytes()
}

/// The pairs with `key` set to another value, or added in order, or, with `None`, left out.
pub(crate) fn with(pairs: &[(u64, Vec<u8>)], key: u64, value: Option<Vec<u8>>) -> Vec<(u64, Vec<u8>)> {
    let mut changed: Vec<_> = pairs.iter().filter(|(k, _)| *k != key).cloned().collect();
    changed.extend(value.map(|value| (key, value)));
    changed.sort_by_key(|(k, _)| *k);
    changed
}

pub(crate) fn sign(seed: u8, domain: Domain, mut body: Vec<u8>) -> Vec<u8> {
    let signature = CRYPTO.sign(&key(seed), domain, &body);
    body.extend_from_slice(&signature);
    body
}

/// Text without control characters of `min` to `max` bytes, several scripts.
pub(crate) fn plain_text(min: usize, max: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![Just('a'), Just('Z'), Just(' '), Just('é'), Just('界'), Just('🦊')],
        min..=max,
    )
    .prop_map(move |chars| {
        let mut text = String::new();
        for c in chars {
            if text.len() + c.len_utf8() <= max {
                text.push(c);
            }
        }
        text
    })
    .prop_filter("at least the least", move |text| text.len() >= min)
}

pub(crate) fn address(max: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[!-~]{{1,{max}}}")).unwrap()
}

pub(crate) fn attestations() -> impl Strategy<Value = Vec<bytes::Bytes>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=256).prop_map(bytes::Bytes::from), 0..=4)
}
