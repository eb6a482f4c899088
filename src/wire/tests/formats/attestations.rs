//! Attestations: two signatures over one body, of two networks that sign differently.

use crosscast_wire::limits::{ATTESTATION_LIFE_MAX_MS, ATTESTATION_MAX, ATTESTATION_SLACK_MS};
use crosscast_wire::{
    Attestation, AttestationDraft, AttestationError, AttestationFields, CborError, Crypto as _, Domain, Network,
    NodeId, PeerFault, Signature, WallMillis,
};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::*;

const NETWORKS: [Network; 2] = [Network::Yggdrasil, Network::Cjdns];
const NOW: WallMillis = WallMillis(1_767_225_600_000);
const YEAR_MS: u64 = 365 * 86_400_000;
/// The host node's key.
const HOST: u8 = 0x31;
/// The node that is attached to it.
const NODE: u8 = 5;

fn fields(network: Network) -> AttestationFields {
    AttestationFields {
        network,
        key: key(HOST).public(),
        node: node(NODE),
        not_before: NOW,
        not_after: WallMillis(NOW.0 + YEAR_MS),
    }
}

fn pairs(network: Network) -> Vec<(u64, Vec<u8>)> {
    vec![
        (0, uint(1)),
        (1, uint(network.number().into())),
        (2, bytes(&key(HOST).public())),
        (3, bytes(node(NODE).as_bytes())),
        (4, uint(NOW.0)),
        (5, uint(NOW.0 + YEAR_MS)),
    ]
}

/// What a host node signs of a body, made a second time.
fn host_bytes(network: Network, body: &[u8]) -> Vec<u8> {
    let bytes = [b"crosscast/1 attestation\0", body].concat();
    if network == Network::Cjdns {
        blake3::hash(&bytes).as_bytes().iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect()
    } else {
        bytes
    }
}

/// A host node's plain signature.
fn host_sign(seed: u8, bytes: &[u8]) -> Signature {
    SigningKey::from_bytes(key(seed).expose()).sign(bytes).to_bytes()
}

/// A body with both signatures, whatever it says.
fn signed(network: Network, host: u8, node: u8, body: Vec<u8>) -> Vec<u8> {
    let signature = host_sign(host, &host_bytes(network, &body));
    sign(node, Domain::Attestation, [body.as_slice(), &signature].concat())
}

fn attestation(fields: AttestationFields) -> Attestation {
    let draft = AttestationDraft::new(fields).unwrap();
    let signature = host_sign(HOST, &draft.host_bytes());
    draft.finish(&signature, &key(NODE), &CRYPTO).unwrap()
}

#[test]
fn the_writer_writes_what_the_format_says() {
    for network in NETWORKS {
        let attestation = attestation(fields(network));
        assert_eq!(attestation.bytes(), &signed(network, HOST, NODE, map(&pairs(network))));
        assert_eq!(attestation.bytes().len(), 95 + 128);
        assert_eq!(Attestation::parse(attestation.bytes()), Ok(attestation));
    }
}

#[test]
fn a_cjdns_host_signs_64_ascii_digits() {
    let digits = AttestationDraft::new(fields(Network::Cjdns)).unwrap().host_bytes();
    assert_eq!(digits.len(), 64);
    assert!(digits.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
}

#[test]
fn an_address_is_made_of_the_signing_key_or_of_its_montgomery_form() {
    let public = key(HOST).public();
    assert_eq!(attestation(fields(Network::Yggdrasil)).host_key(), public);
    let montgomery = VerifyingKey::from_bytes(&public).unwrap().to_montgomery().to_bytes();
    assert_eq!(attestation(fields(Network::Cjdns)).host_key(), montgomery);
    assert_ne!(montgomery, public);
}

#[test]
fn it_holds_for_its_node_within_its_life_and_two_minutes_around_it() {
    for network in NETWORKS {
        let attestation = attestation(fields(network));
        let AttestationFields { not_before, not_after, .. } = *attestation.fields();
        let at = |now: u64| attestation.verify(&CRYPTO, &node(NODE), WallMillis(now));
        for now in [
            not_before.0 - ATTESTATION_SLACK_MS,
            not_before.0,
            NOW.0 + 1,
            not_after.0,
            not_after.0 + ATTESTATION_SLACK_MS,
        ] {
            assert_eq!(at(now), Ok(()));
        }
        for now in [0, not_before.0 - ATTESTATION_SLACK_MS - 1, not_after.0 + ATTESTATION_SLACK_MS + 1, u64::MAX] {
            assert_eq!(at(now), Err(PeerFault::AttestationExpired));
        }
        assert_eq!(attestation.verify(&CRYPTO, &node(6), NOW), Err(PeerFault::AttestationForeign));
    }
}

#[test]
fn a_life_at_the_ends_of_time_does_not_wrap() {
    let early = AttestationFields { not_before: WallMillis(0), not_after: WallMillis(1), ..fields(Network::Yggdrasil) };
    assert_eq!(attestation(early).verify(&CRYPTO, &node(NODE), WallMillis(0)), Ok(()));
    let late = AttestationFields {
        not_before: WallMillis(u64::MAX - 1),
        not_after: WallMillis(u64::MAX),
        ..fields(Network::Cjdns)
    };
    assert_eq!(attestation(late).verify(&CRYPTO, &node(NODE), WallMillis(u64::MAX)), Ok(()));
}

#[test]
fn an_attestation_that_another_key_signed_is_forged() {
    let forged = |network: Network, bytes: Vec<u8>| {
        let found = Attestation::parse(&bytes).unwrap().verify(&CRYPTO, &node(NODE), NOW);
        assert_eq!(found, Err(PeerFault::AttestationForged), "{network}");
    };
    for network in NETWORKS {
        let body = map(&pairs(network));
        forged(network, signed(network, 99, NODE, body.clone()));
        forged(network, signed(network, HOST, 99, body.clone()));
        // Each signature belongs to one network's way of signing, and to one place.
        let other = if network == Network::Cjdns { Network::Yggdrasil } else { Network::Cjdns };
        forged(network, signed(other, HOST, NODE, body.clone()));
        let twice = host_sign(HOST, &host_bytes(network, &body));
        forged(network, [body.as_slice(), &twice, &twice].concat());
        let over_body_alone = CRYPTO.sign(&key(NODE), Domain::Attestation, &body);
        forged(network, [body.as_slice(), &twice, &over_body_alone].concat());
        for domain in Domain::ALL.iter().filter(|domain| **domain != Domain::Attestation) {
            forged(network, sign(NODE, *domain, [body.as_slice(), &twice].concat()));
        }
    }
}

#[test]
fn one_key_as_host_and_node_still_signs_twice() {
    // A node whose identity is the Yggdrasil key: the first signature does not pass for the second.
    let shared = AttestationFields { node: node(HOST), ..fields(Network::Yggdrasil) };
    let draft = AttestationDraft::new(shared).unwrap();
    let signature = host_sign(HOST, &draft.host_bytes());
    let attestation = draft.finish(&signature, &key(HOST), &CRYPTO).unwrap();
    assert_eq!(attestation.verify(&CRYPTO, &node(HOST), NOW), Ok(()));
    let (rest, last) = attestation.bytes().split_at(attestation.bytes().len() - 64);
    assert_ne!(last, signature);
    let repeated = Attestation::parse(&[rest, &signature].concat()).unwrap();
    assert_eq!(repeated.verify(&CRYPTO, &node(HOST), NOW), Err(PeerFault::AttestationForged));
}

#[test]
fn finishing_takes_the_keys_that_are_named_only() {
    for network in NETWORKS {
        let draft = AttestationDraft::new(fields(network)).unwrap();
        let good = host_sign(HOST, &draft.host_bytes());
        assert_eq!(draft.clone().finish(&good, &key(6), &CRYPTO), Err(AttestationError::WrongKey));
        let bad = host_sign(99, &draft.host_bytes());
        assert_eq!(draft.clone().finish(&bad, &key(NODE), &CRYPTO), Err(AttestationError::HostSignature));
        assert!(draft.finish(&good, &key(NODE), &CRYPTO).is_ok());
    }
}

#[test]
fn an_illegal_attestation_is_refused_by_name() {
    use AttestationError as E;
    let network = Network::Yggdrasil;
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        Attestation::parse(&signed(network, HOST, NODE, map(&with(&pairs(network), key, value)))).unwrap_err()
    };
    for key in 0..=5 {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    for network in [0, 1, 4, 5, 6, u64::MAX] {
        assert_eq!(refusal(1, Some(uint(network))), E::Network);
    }
    assert_eq!(refusal(2, Some(bytes(&[0x31; 31]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(3, Some(bytes(&[0x31; 33]))), E::Cbor(CborError::TooLong));
    assert_eq!(refusal(5, Some(uint(NOW.0))), E::Times);
    assert_eq!(refusal(5, Some(uint(NOW.0 - 1))), E::Times);
    assert_eq!(refusal(5, Some(uint(NOW.0 + ATTESTATION_LIFE_MAX_MS + 1))), E::Times);
    assert_eq!(refusal(6, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(6)));
    assert_eq!(refusal(128, Some(bytes(&[0; 40]))), E::Length);
    let longest = map(&with(&pairs(network), 128, Some(bytes(&[0; 29]))));
    let longest = signed(network, HOST, NODE, longest);
    assert_eq!(longest.len(), ATTESTATION_MAX);
    assert_eq!(Attestation::parse(&longest).unwrap().verify(&CRYPTO, &node(NODE), NOW), Ok(()));
    for len in [0, 63, 64, 127] {
        assert_eq!(Attestation::parse(&vec![0xa0; len]), Err(E::Length), "{len} bytes");
    }
    for change in [
        AttestationFields { network: Network::Tls, ..fields(network) },
        AttestationFields { network: Network::Memory, ..fields(network) },
    ] {
        assert_eq!(AttestationDraft::new(change), Err(E::Network));
    }
    let backwards = AttestationFields { not_after: WallMillis(NOW.0), ..fields(network) };
    assert_eq!(AttestationDraft::new(backwards), Err(E::Times));
}

#[test]
fn a_key_that_nothing_can_be_signed_with_is_refused() {
    // Of small order, not on the curve, and a coordinate that is not reduced.
    let neutral = core::array::from_fn(|at| u8::from(at == 0));
    let off_curve = core::array::from_fn(|at| if at == 0 { 2 } else { 0 });
    for key in [neutral, [0; 32], off_curve, [0xff; 32]] {
        for network in NETWORKS {
            let fields = AttestationFields { key, ..fields(network) };
            assert_eq!(AttestationDraft::new(fields), Err(AttestationError::Key));
            let body = map(&with(&pairs(network), 2, Some(bytes(&key))));
            let read = Attestation::parse(&signed(network, HOST, NODE, body));
            assert_eq!(read, Err(AttestationError::Key));
        }
    }
}

#[test]
fn a_full_peer_record_takes_the_attestations_of_two_networks() {
    use crosscast_wire::{PeerRecord, PeerRecordFields};
    let attestations = NETWORKS.map(|network| attestation(fields(network)).bytes().clone()).to_vec();
    let record =
        PeerRecord::issue(PeerRecordFields { attestations, ..peer_record_fields() }, &CRYPTO, &key(5)).unwrap();
    for bytes in &PeerRecord::parse(record.bytes()).unwrap().fields().attestations {
        assert_eq!(Attestation::parse(bytes).unwrap().verify(&CRYPTO, &record.fields().node, NOW), Ok(()));
    }
}

prop_compose! {
    fn any_fields()(
        network in select(&NETWORKS), host in any::<[u8; 32]>(), node in 0_u8..4, not_before in any::<u64>(),
        life in 1..=ATTESTATION_LIFE_MAX_MS,
    ) -> (AttestationFields, SigningKey, u8) {
        let host = SigningKey::from_bytes(&host);
        let not_before = not_before.min(u64::MAX - ATTESTATION_LIFE_MAX_MS);
        let fields = AttestationFields {
            network,
            key: host.verifying_key().to_bytes(),
            node: NodeId::new(key(node).public()),
            not_before: WallMillis(not_before),
            not_after: WallMillis(not_before + life),
        };
        (fields, host, node)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_legal_attestation_survives_its_bytes((fields, host, seed) in any_fields()) {
        let draft = AttestationDraft::new(fields).unwrap();
        let signature = host.sign(&draft.host_bytes()).to_bytes();
        let attestation = draft.finish(&signature, &key(seed), &CRYPTO).unwrap();
        let read = Attestation::parse(attestation.bytes()).unwrap();
        prop_assert_eq!(&read, &attestation);
        prop_assert_eq!(read.fields(), &fields);
        prop_assert_eq!(read.verify(&CRYPTO, &fields.node, fields.not_after), Ok(()));
    }

    #[test]
    fn no_changed_bit_leaves_an_attestation_valid(
        network in select(&NETWORKS), at in 0_usize..10_000, bit in 0_u8..8,
    ) {
        let mut bytes = attestation(fields(network)).bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        prop_assert!(!Attestation::parse(&bytes).is_ok_and(|a| a.verify(&CRYPTO, &node(NODE), NOW).is_ok()));
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Attestation::parse(&noise).map(|a| (a.host_key(), a.verify(&CRYPTO, &node(NODE), NOW)));
    }
}
