//! Service records and successors.

use crosscast_wire::{
    CborError, Crypto as _, Domain, NodeId, ServiceId, ServiceRecord, ServiceRecordError, ServiceRecordFields,
    Successor, SuccessorError, SuccessorFields, WallMillis,
};
use proptest::prelude::*;

use crate::make::cases;
use crate::support::*;

type Pairs = Vec<(u64, Vec<u8>)>;

/// The nodes of these seeds in the order a record wants.
fn nodes(seeds: impl IntoIterator<Item = u8>) -> Vec<NodeId> {
    let mut nodes: Vec<_> = seeds.into_iter().map(node).collect();
    nodes.sort();
    nodes
}

fn service_fields() -> ServiceRecordFields {
    ServiceRecordFields {
        service: ServiceId::new(key(8).public()),
        number: 3,
        issued: WallMillis(10),
        valid_until: WallMillis(20),
        nodes: nodes([2, 3]),
        prekey: [6; 32],
        name: Some("printer".into()),
    }
}

fn service_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(&key(8).public())),
        (2, uint(3)),
        (3, uint(10)),
        (4, uint(20)),
        (5, list(&nodes([2, 3]).iter().map(|node| bytes(node.as_bytes())).collect::<Vec<_>>())),
        (6, bytes(&[6; 32])),
        (7, text("printer")),
    ]
}

fn service() -> ServiceRecord {
    ServiceRecord::issue(service_fields(), &CRYPTO, &key(8)).unwrap()
}

fn successor_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(node(7).as_bytes())),
        (2, bytes(node(2).as_bytes())),
        (3, uint(1_400)),
        (4, bytes(&successor().fields().consent)),
    ]
}

#[test]
fn the_writers_write_what_the_format_says() {
    assert_eq!(service().bytes(), &sign(8, Domain::ServiceRecord, map(&service_pairs())));
    let nameless = ServiceRecordFields { name: None, ..service_fields() };
    assert_eq!(ServiceRecord::draft(&nameless), Ok(map(&service_pairs()[..7])));
    assert!(service().is_served_by(&node(2)) && !service().is_served_by(&node(4)));
    assert_eq!(successor().bytes(), &sign(7, Domain::Successor, map(&successor_pairs())));
    assert_eq!(Successor::draft(successor().fields()), Ok(map(&successor_pairs())));
    let over = [key(7).public().as_slice(), &key(2).public(), &1_400_u64.to_be_bytes()].concat();
    assert_eq!(successor().fields().consent, CRYPTO.sign(&key(2), Domain::Successor, &over));
}

#[test]
fn an_illegal_service_record_is_refused_by_name() {
    use ServiceRecordError as E;
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        ServiceRecord::parse(&sign(8, Domain::ServiceRecord, map(&with(&service_pairs(), key, value)))).unwrap_err()
    };
    let list_of = |nodes: &[NodeId]| Some(list(&nodes.iter().map(|node| bytes(node.as_bytes())).collect::<Vec<_>>()));
    for key in 0..=6 {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    assert_eq!(refusal(2, Some(uint(0))), E::Number);
    assert_eq!(refusal(4, Some(uint(10))), E::Times);
    assert_eq!(refusal(5, list_of(&[])), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, list_of(&nodes(10..19))), E::Cbor(CborError::TooLong));
    assert_eq!(refusal(5, list_of(&[node(2), node(2)])), E::Nodes);
    let descending: Vec<_> = nodes([2, 3]).into_iter().rev().collect();
    assert_eq!(refusal(5, list_of(&descending)), E::Nodes);
    assert_eq!(refusal(6, Some(bytes(&[0; 31]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(7, Some(text("a\n"))), E::Name);
    assert_eq!(refusal(8, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(8)));
    assert_eq!(refusal(128, Some(bytes(&[0; 1_024]))), E::Length);
    assert_eq!(ServiceRecord::issue(service_fields(), &CRYPTO, &key(2)), Err(E::WrongKey));
    for count in [0, 9] {
        let fields = ServiceRecordFields { nodes: nodes(10..10 + count), ..service_fields() };
        assert_eq!(ServiceRecord::draft(&fields), Err(E::Nodes));
    }
    let nameless = ServiceRecordFields { name: Some(String::new()), ..service_fields() };
    assert_eq!(ServiceRecord::draft(&nameless), Err(E::Name));
}

#[test]
fn an_illegal_successor_is_refused_by_name() {
    use SuccessorError as E;
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        Successor::parse(&sign(7, Domain::Successor, map(&with(&successor_pairs(), key, value)))).unwrap_err()
    };
    for key in 0..=4 {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    assert_eq!(refusal(2, Some(bytes(node(7).as_bytes()))), E::SameKey);
    assert_eq!(refusal(4, Some(bytes(&[0; 63]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(5)));
    assert_eq!(refusal(128, Some(bytes(&[0; 400]))), E::Length);
    assert_eq!(Successor::issue(successor().fields().clone(), &CRYPTO, &key(2)), Err(E::WrongKey));
}

#[test]
fn nobody_becomes_a_successor_unasked() {
    let verifies = |change: &dyn Fn(&mut SuccessorFields)| {
        let mut fields = successor().fields().clone();
        change(&mut fields);
        Successor::issue(fields, &CRYPTO, &key(7)).unwrap().verify(&CRYPTO)
    };
    assert!(verifies(&|_| ()));
    assert!(!verifies(&|fields| fields.new = node(3)), "the consent of another");
    assert!(!verifies(&|fields| fields.issued = WallMillis(1_401)), "the consent to another moment");
    assert!(!verifies(&|fields| fields.consent = Successor::consent(&CRYPTO, &key(2), &node(9), fields.issued)));
    assert!(!verifies(&|fields| fields.consent = [0; 64]));
    // The new key alone cannot take a key over either.
    let taken = Successor::parse(&sign(2, Domain::Successor, successor().body().to_vec())).unwrap();
    assert!(!taken.verify(&CRYPTO));
    for domain in Domain::ALL {
        let body = Successor::consent_body(&node(7), &node(2), WallMillis(1_400));
        let consent = CRYPTO.sign(&key(2), *domain, &body);
        assert_eq!(verifies(&|fields| fields.consent = consent), *domain == Domain::Successor, "{}", domain.name());
    }
}

#[test]
fn a_signature_holds_in_its_own_domain_only() {
    for domain in Domain::ALL {
        let service = ServiceRecord::parse(&sign(8, *domain, map(&service_pairs()))).unwrap();
        assert_eq!(service.verify(&CRYPTO), *domain == Domain::ServiceRecord, "{}", domain.name());
        let successor = Successor::parse(&sign(7, *domain, map(&successor_pairs()))).unwrap();
        assert_eq!(successor.verify(&CRYPTO), *domain == Domain::Successor, "{}", domain.name());
    }
}

#[test]
fn the_longest_service_record_fits() {
    let fields = ServiceRecordFields {
        number: u64::MAX,
        issued: WallMillis(u64::MAX - 1),
        valid_until: WallMillis(u64::MAX),
        nodes: nodes(10..18),
        name: Some("a".repeat(64)),
        ..service_fields()
    };
    let record = ServiceRecord::issue(fields, &CRYPTO, &key(8)).unwrap();
    assert_eq!(ServiceRecord::parse(record.bytes()).as_ref(), Ok(&record));
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_legal_service_record_survives_its_bytes(
        number in 1_u64.., issued in 0..u64::MAX, nodes in proptest::collection::btree_set(any::<[u8; 32]>(), 1..=8),
        prekey in any::<[u8; 32]>(), name in proptest::option::of(plain_text(1, 64)),
    ) {
        let fields = ServiceRecordFields {
            number, issued: WallMillis(issued), valid_until: WallMillis(u64::MAX), prekey, name,
            nodes: nodes.into_iter().map(NodeId::new).collect(), ..service_fields()
        };
        let record = ServiceRecord::issue(fields.clone(), &CRYPTO, &key(8)).unwrap();
        prop_assert_eq!(&ServiceRecord::parse(record.bytes()).unwrap(), &record);
        prop_assert_eq!(record.fields(), &fields);
        prop_assert!(record.verify(&CRYPTO));
    }

    #[test]
    fn every_legal_successor_survives_its_bytes(old in 1_u8..100, new in 101_u8..200, issued in any::<u64>()) {
        let issued = WallMillis(issued);
        let consent = Successor::consent(&CRYPTO, &key(new), &node(old), issued);
        let fields = SuccessorFields { old: node(old), new: node(new), issued, consent };
        let successor = Successor::issue(fields.clone(), &CRYPTO, &key(old)).unwrap();
        prop_assert_eq!(&Successor::parse(successor.bytes()).unwrap(), &successor);
        prop_assert_eq!(successor.fields(), &fields);
        prop_assert!(successor.verify(&CRYPTO));
    }

    #[test]
    fn no_changed_bit_leaves_a_record_valid(at in 0_usize..10_000, bit in 0_u8..8) {
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes
        };
        prop_assert!(!ServiceRecord::parse(&flip(service().bytes())).is_ok_and(|r| r.verify(&CRYPTO)));
        prop_assert!(!Successor::parse(&flip(successor().bytes())).is_ok_and(|s| s.verify(&CRYPTO)));
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = ServiceRecord::parse(&noise).map(|r| r.verify(&CRYPTO));
        let _ = Successor::parse(&noise).map(|s| s.verify(&CRYPTO));
    }
}
