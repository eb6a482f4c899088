//! The numbers that `docs/adr/0020-one-key-for-node-and-yggdrasil.md` rests on: what we sign is none of what Yggdrasil signs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_wire::hello::proof_bytes;
use crosscast_wire::{
    AttestationDraft, AttestationFields, CapabilityFields, Class, Codec, Destination, Domain, FloorFields, FloorRecord,
    GroupId, HeaderDraft, Instance, JoinRequest, JoinRequestFields, Locate, LocateFields, Network, NodeId, Order,
    PeerRecord, PeerRecordFields, Policy, Purpose, Rights, Roles, RustCrypto, Scheme, SecretKey, Seq, Signature,
    Successor, WallMillis,
};

/// What every name of a domain has at least.
const NAME_MIN: usize = 5;

/// A signature or a hash of 64 bytes, and a key of 32, are all that Yggdrasil signs that is shorter than its longer forms.
const LONGEST_OF_FIXED_LENGTH: usize = 64;

fn key() -> SecretKey {
    SecretKey::new([7; 32])
}

fn node() -> NodeId {
    NodeId::new(key().public())
}

/// The least that each kind of object can say, as a node's key signs it.
fn least() -> Vec<(Domain, Vec<u8>)> {
    let (node, group) = (node(), GroupId::new(key().public()));
    let (zero, one) = (WallMillis(0), WallMillis(1));
    let floor = FloorFields {
        group,
        number: 1,
        issued: zero,
        valid_until: one,
        policy: Policy::Open,
        lowest_epoch: 0,
        revoked: Vec::new(),
        content_key: None,
        signer: None,
    };
    let record = PeerRecordFields {
        node,
        number: 1,
        issued: zero,
        valid_until: one,
        locators: Vec::new(),
        roles: Roles::NONE,
        prekey: None,
        attestations: Vec::new(),
    };
    let capability = CapabilityFields {
        group,
        subject: node,
        rights: Rights::PUBLISH,
        not_before: zero,
        not_after: one,
        epoch: 0,
        rate_class: 0,
        depth_left: 0,
        issuer: node,
        invite: None,
    };
    let request = JoinRequestFields {
        group,
        node,
        prekey: [0; 32],
        time: zero,
        nonce: [0; 16],
        purpose: Purpose::Join,
        name: None,
        invite: None,
        chain: None,
        successor: None,
    };
    let locate = LocateFields { target: node, from: node, prekey: [0; 32], time: zero, nonce: [0; 16] };
    let attestation =
        AttestationFields { network: Network::Yggdrasil, key: key().public(), node, not_before: zero, not_after: one };
    let header = HeaderDraft {
        to: Destination::Unicast(node),
        from: node,
        instance: Instance(0),
        seq: Seq(1),
        time: zero,
        expires: zero,
        class: Class::Control,
        order: Order::None,
        deps: Vec::new(),
        chain: None,
        recipients: Vec::new(),
        codec: Codec::Entries,
        count: 1,
    };
    let message = header.sign(&RustCrypto, &key(), b"").unwrap();
    let header = message.bytes()[..message.bytes().len() - core::mem::size_of::<Signature>()].to_vec();
    let attested = AttestationDraft::new(attestation).unwrap().host_bytes();
    let attested = attested[Domain::Attestation.signed_bytes(b"").len()..].to_vec();
    vec![
        (Domain::Message, header),
        (Domain::Capability, crosscast_wire::Capability::draft(&capability).unwrap()),
        (Domain::Floor, FloorRecord::draft(&floor).unwrap()),
        (Domain::PeerRecord, PeerRecord::draft(&record).unwrap()),
        (Domain::Successor, Successor::consent_body(&node, &node, zero)),
        (Domain::JoinRequest, JoinRequest::draft(&request).unwrap()),
        (Domain::Locate, Locate::draft(&locate)),
        (Domain::Hello, proof_bytes(Scheme::Ygg, false, b"", &node, &node, &[0; 32])),
        (Domain::Attestation, attested),
    ]
}

#[test]
fn what_a_node_signs_is_longer_than_what_yggdrasil_signs_of_fixed_length() {
    let lengths: Vec<usize> = least().iter().map(|(domain, body)| domain.signed_bytes(body).len()).collect();
    assert_eq!(lengths.iter().min(), Some(&66), "{lengths:?}");
    assert!(lengths.iter().all(|length| *length > LONGEST_OF_FIXED_LENGTH));
}

#[test]
fn what_a_node_signs_begins_as_nothing_does_that_yggdrasil_signs() {
    for domain in Domain::ALL {
        let prefix = domain.signed_bytes(b"");
        assert!(domain.name().len() >= NAME_MIN && prefix.len() >= 18 && prefix.len() <= 27, "{}", domain.name());
        assert_eq!(prefix.iter().position(|byte| *byte == 0), Some(prefix.len() - 1), "{}", domain.name());
        // No certificate (0x30), no handshake of TLS (0x01, 0x20), no varint of a time (above 0x7f).
        assert_eq!(prefix[0], 0x63);
    }
}

#[test]
fn what_a_node_signs_goes_on_behind_its_first_zero_byte_where_a_way_of_yggdrasil_ends() {
    for (domain, body) in least() {
        let signed = domain.signed_bytes(&body);
        let first = signed.iter().position(|byte| *byte == 0).unwrap();
        assert!(signed.len() > first + 40, "{}", domain.name());
    }
}

#[test]
fn every_object_holds_the_key_that_signs_it() {
    let public = key().public();
    for (domain, body) in least() {
        assert!(body.windows(32).any(|window| window == public), "{}", domain.name());
    }
}
