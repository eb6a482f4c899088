//! Grants: there and back, refusals by name, keys never shown.

use crosscast_wire::{
    CborError, Chain, ChainError, FloorError, FloorFields, FloorRecord, Grant, GrantError, GrantFields, GrantRefusal,
    RequestId, SecretKey, limits,
};
use proptest::prelude::*;

use crate::make::cases;
use crate::support::*;

type Pairs = Vec<(u64, Vec<u8>)>;

/// A floor that a holder of `revoke` signed, so that a floor chain has its place.
fn chained_floor() -> FloorRecord {
    FloorRecord::issue(FloorFields { signer: Some(node(2)), ..floor_fields() }, &CRYPTO, &key(2)).unwrap()
}

fn fields() -> GrantFields {
    GrantFields {
        group: group(1),
        request: Some(join_request().id()),
        chain: Some(chain(2)),
        content_keys: vec![SecretKey::new([9; 32]), SecretKey::new([0xab; 32])],
        floor: chained_floor(),
        floor_chain: Some(chain(1)),
        refusal: Some(GrantRefusal::Expired),
        name: Some("garden".into()),
    }
}

/// A floor and nothing else.
fn bare() -> GrantFields {
    GrantFields {
        request: None,
        chain: None,
        content_keys: vec![],
        floor: floor(),
        floor_chain: None,
        refusal: None,
        name: None,
        ..fields()
    }
}

fn pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(group(1).as_bytes())),
        (2, bytes(join_request().id().as_bytes())),
        (3, chain(2).encode()),
        (4, list(&[bytes(&[9; 32]), bytes(&[0xab; 32])])),
        (5, bytes(chained_floor().bytes())),
        (6, chain(1).encode()),
        (7, uint(3)),
        (8, text("garden")),
    ]
}

fn foreign_chain() -> Chain {
    let fields = crosscast_wire::CapabilityFields { group: group(3), issuer: node(3), ..grant(1, 2, 2) };
    Chain::new(vec![issue(fields, 3)]).unwrap()
}

#[test]
fn a_grant_survives_its_bytes() {
    let grant = Grant::new(fields()).unwrap();
    assert_eq!(*grant.encode(), map(&pairs()));
    let read = Grant::parse(&grant.encode()).unwrap();
    assert_eq!(read.encode(), grant.encode());
    assert_eq!(
        (read.fields().request, read.fields().refusal),
        (Some(join_request().id()), Some(GrantRefusal::Expired))
    );
    assert_eq!((&read.fields().chain, &read.fields().floor_chain), (&Some(chain(2)), &Some(chain(1))));
    assert_eq!((&read.fields().floor, read.fields().name.as_deref()), (&chained_floor(), Some("garden")));
    let keys: Vec<_> = read.into_fields().content_keys.iter().map(|key| *key.expose()).collect();
    assert_eq!(keys, [[9; 32], [0xab; 32]], "newest first");
    let least = map(&[(0, uint(1)), (1, bytes(group(1).as_bytes())), (5, bytes(floor().bytes()))]);
    assert_eq!(*Grant::new(bare()).unwrap().encode(), least);
    assert!(Grant::parse(&least).is_ok());
}

#[test]
fn a_key_is_never_shown() {
    let shown = format!("{:?} {:?}", Grant::new(fields()).unwrap(), fields()).to_lowercase();
    assert!(!shown.contains("abab") && !shown.contains("171"), "{shown}");
    assert!(shown.contains("content_keys: 2"), "{shown}");
}

#[test]
fn an_illegal_grant_is_refused_by_name() {
    use GrantError as E;
    let refusal = |key: u64, value: Option<Vec<u8>>| Grant::parse(&map(&with(&pairs(), key, value))).unwrap_err();
    for key in [0, 1, 5] {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    for key in [2, 3, 4, 6, 7, 8] {
        assert!(Grant::parse(&map(&with(&pairs(), key, None))).is_ok());
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    assert_eq!(refusal(1, Some(bytes(group(3).as_bytes()))), E::Group);
    assert_eq!(refusal(2, Some(bytes(&[0; 31]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(3, Some(list(&[]))), E::Chain(ChainError::Cbor(CborError::TooShort)));
    assert_eq!(refusal(3, Some(foreign_chain().encode())), E::Group);
    assert_eq!(refusal(4, Some(list(&[]))), E::Cbor(CborError::TooShort), "no keys are written by leaving the key out");
    assert_eq!(refusal(4, Some(list(&vec![bytes(&[9; 32]); 5]))), E::Cbor(CborError::TooLong));
    assert_eq!(refusal(4, Some(list(&[bytes(&[9; 31])]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(bytes(&[]))), E::Floor(FloorError::Length));
    assert_eq!(refusal(6, Some(foreign_chain().encode())), E::Group);
    for number in [0, 6, u64::MAX] {
        assert_eq!(refusal(7, Some(uint(number))), E::UnknownRefusal(number));
    }
    assert_eq!(refusal(8, Some(text("a\u{1b}"))), E::Name);
    assert_eq!(refusal(8, Some(text(""))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(9, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(9)));
    assert_eq!(refusal(128, Some(bytes(&[0; 8_192]))), E::Length);
    assert_eq!(Grant::parse(&[map(&pairs()), vec![0]].concat()).unwrap_err(), E::Cbor(CborError::Trailing));
    let made = |fields| Grant::new(fields).unwrap_err();
    assert_eq!(made(GrantFields { content_keys: vec![SecretKey::new([9; 32]); 5], ..fields() }), E::ContentKeys);
    assert_eq!(made(GrantFields { name: Some("a".repeat(65)), ..fields() }), E::Name);
    assert_eq!(made(GrantFields { group: group(3), ..bare() }), E::Group);
    assert_eq!(made(GrantFields { chain: Some(foreign_chain()), ..bare() }), E::Group);
}

#[test]
fn the_longest_grant_fits() {
    let revoked = (0..32).map(|i| crosscast_wire::RevocationId::new([i; 32])).collect();
    let floor = FloorRecord::issue(FloorFields { revoked, ..floor_fields() }, &CRYPTO, &key(1)).unwrap();
    let content_keys = vec![SecretKey::new([9; 32]); 4];
    let (chain, name) = (Some(chain(3)), Some("a".repeat(64)));
    let full = GrantFields { chain: chain.clone(), floor_chain: chain, floor, content_keys, name, ..fields() };
    assert!(Grant::new(full).unwrap().encode().len() <= limits::GRANT_MAX);
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_legal_grant_survives_its_bytes(
        request in proptest::option::of(any::<[u8; 32]>()), links in 0_u8..=3, floor_links in 0_u8..=3,
        keys in proptest::collection::vec(any::<[u8; 32]>(), 0..=4), refusal in 0_u64..=5, name in proptest::option::of(plain_text(1, 64)),
    ) {
        let given = GrantFields {
            request: request.map(RequestId::new), chain: (links > 0).then(|| chain(links)),
            content_keys: keys.iter().copied().map(SecretKey::new).collect(), floor_chain: (floor_links > 0).then(|| chain(floor_links)),
            refusal: GrantRefusal::from_number(refusal), name: name.clone(), ..fields()
        };
        let grant = Grant::new(given).unwrap();
        let read = Grant::parse(&grant.encode()).unwrap();
        prop_assert_eq!(read.encode(), grant.encode());
        let read = read.fields();
        prop_assert_eq!((read.request.map(|id| *id.as_bytes()), &read.name), (request, &name));
        prop_assert_eq!(read.refusal.map_or(0, |refusal| refusal.number().into()), refusal);
        prop_assert_eq!(read.content_keys.iter().map(|key| *key.expose()).collect::<Vec<_>>(), keys);
        prop_assert_eq!(read.chain.as_ref().map_or(0, Chain::depth), links.into());
        prop_assert_eq!(read.floor_chain.as_ref().map_or(0, Chain::depth), floor_links.into());
    }

    #[test]
    fn what_reads_as_a_grant_has_one_encoding(at in 0_usize..10_000, bit in 0_u8..8) {
        let mut bytes = map(&pairs());
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(grant) = Grant::parse(&bytes) {
            prop_assert_eq!(&*grant.encode(), &bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Grant::parse(&noise).map(|grant| grant.encode());
    }
}
