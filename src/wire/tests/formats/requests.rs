//! Join requests and locates: what is asked, by whom, and what a router may believe of it.

use crosscast_wire::{
    CapabilityError, CborError, ChainError, Crypto as _, Domain, InviteProof, JoinRequest, JoinRequestError,
    JoinRequestFields, Locate, LocateError, LocateFields, Purpose, RequestId, SuccessorError, WallMillis, limits,
};
use proptest::prelude::*;

use crate::make::cases;
use crate::support::*;

type Pairs = Vec<(u64, Vec<u8>)>;

fn request_pairs() -> Pairs {
    let invite = join_request_fields().invite.unwrap();
    vec![
        (0, uint(1)),
        (1, bytes(group(1).as_bytes())),
        (2, bytes(node(2).as_bytes())),
        (3, bytes(&[6; 32])),
        (4, uint(1_500)),
        (5, bytes(&[4; 16])),
        (6, uint(1)),
        (7, text("küche")),
        (8, bytes(&key(INVITE).public())),
        (9, bytes(&invite.proof)),
        (10, chain(1).encode()),
        (11, bytes(successor().bytes())),
    ]
}

fn locate_fields() -> LocateFields {
    LocateFields { target: node(3), from: node(2), prekey: [6; 32], time: WallMillis(1_500), nonce: [4; 16] }
}

fn locate_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(node(3).as_bytes())),
        (2, bytes(node(2).as_bytes())),
        (3, bytes(&[6; 32])),
        (4, uint(1_500)),
        (5, bytes(&[4; 16])),
    ]
}

fn locate() -> Locate {
    Locate::issue(locate_fields(), &CRYPTO, &key(2)).unwrap()
}

/// A first request: no chain, no successor, no name, no invite.
fn bare() -> JoinRequestFields {
    let purpose = Purpose::Join;
    JoinRequestFields { purpose, name: None, invite: None, chain: None, successor: None, ..join_request_fields() }
}

#[test]
fn the_writers_write_what_the_format_says() {
    let request = join_request();
    assert_eq!(request.bytes(), &sign(2, Domain::JoinRequest, map(&request_pairs())));
    assert_eq!(JoinRequest::draft(&join_request_fields()).unwrap(), request.body());
    assert_eq!(JoinRequest::draft(&bare()).unwrap(), map(&with(&request_pairs()[..7], 6, Some(uint(0)))));
    assert_eq!(locate().bytes(), &sign(2, Domain::Locate, map(&locate_pairs())));
    assert_eq!(Locate::draft(&locate_fields()), locate().body());
}

#[test]
fn a_request_is_named_by_its_body() {
    let hash = |body: &[u8]| RequestId::new(blake3::derive_key("crosscast request v1", body));
    assert_eq!(join_request().id(), hash(join_request().body()));
    assert_eq!(locate().id(), hash(locate().body()));
    let again = JoinRequestFields { nonce: [5; 16], ..join_request_fields() };
    assert_ne!(JoinRequest::issue(again, &CRYPTO, &key(2)).unwrap().id(), join_request().id());
    // The signature does not take part: whoever forges one cannot make the real request look new.
    let forged = JoinRequest::parse(&sign(9, Domain::JoinRequest, join_request().body().to_vec())).unwrap();
    assert_eq!(forged.id(), join_request().id());
    assert_eq!(RequestId::parse(&join_request().id().to_string()), Ok(join_request().id()));
}

#[test]
fn an_illegal_join_request_is_refused_by_name() {
    use JoinRequestError as E;
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        let body = map(&with(&request_pairs(), key, value));
        JoinRequest::parse(&sign(2, Domain::JoinRequest, body)).unwrap_err()
    };
    for key in 0..=6 {
        assert_eq!(refusal(key, None), E::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), E::UnsupportedVersion(2));
    assert_eq!(refusal(3, Some(bytes(&[0; 33]))), E::Cbor(CborError::TooLong));
    assert_eq!(refusal(5, Some(bytes(&[0; 15]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(6, Some(uint(3))), E::UnknownPurpose(3));
    assert_eq!(refusal(6, Some(uint(u64::MAX))), E::UnknownPurpose(u64::MAX));
    assert_eq!(refusal(7, Some(text(""))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(7, Some(text(&"a".repeat(65)))), E::Cbor(CborError::TooLong));
    assert_eq!(refusal(7, Some(text("a\u{7}"))), E::Name);
    assert_eq!(refusal(8, None), E::InviteProof, "a proof without its invite");
    assert_eq!(refusal(9, None), E::InviteProof, "an invite without its proof");
    assert_eq!(refusal(9, Some(bytes(&[0; 63]))), E::Cbor(CborError::TooShort));
    assert_eq!(refusal(10, None), E::ChainMissing);
    assert_eq!(refusal(10, Some(list(&[]))), E::Chain(ChainError::Cbor(CborError::TooShort)));
    assert_eq!(refusal(10, Some(list(&[bytes(&[])]))), E::Chain(ChainError::Capability(CapabilityError::Length)));
    assert_eq!(refusal(1, Some(bytes(group(3).as_bytes()))), E::ChainGroup);
    assert_eq!(refusal(11, Some(bytes(&[]))), E::Successor(SuccessorError::Length));
    assert_eq!(refusal(2, Some(bytes(node(3).as_bytes()))), E::SuccessorNode, "somebody else's successor");
    assert_eq!(refusal(12, Some(uint(0))), E::Cbor(CborError::UnknownCriticalKey(12)));
    assert_eq!(refusal(128, Some(bytes(&[0; 3_072]))), E::Length);
    assert_eq!(JoinRequest::parse(&[0; 63]), Err(E::Length));
    assert_eq!(JoinRequest::issue(join_request_fields(), &CRYPTO, &key(7)), Err(E::WrongKey));
    for purpose in [Purpose::Renew, Purpose::Key] {
        let fields = JoinRequestFields { purpose, ..bare() };
        assert_eq!(JoinRequest::draft(&fields), Err(E::ChainMissing), "{purpose}");
        assert!(JoinRequest::draft(&JoinRequestFields { chain: Some(chain(3)), ..fields }).is_ok());
    }
    let long = JoinRequestFields { name: Some("a".repeat(65)), ..bare() };
    assert_eq!(JoinRequest::draft(&long), Err(E::Name));
}

#[test]
fn an_illegal_locate_is_refused_by_name() {
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        Locate::parse(&sign(2, Domain::Locate, map(&with(&locate_pairs(), key, value)))).unwrap_err()
    };
    for key in 0..=5 {
        assert_eq!(refusal(key, None), LocateError::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(0))), LocateError::UnsupportedVersion(0));
    assert_eq!(refusal(1, Some(bytes(&[0; 31]))), LocateError::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(bytes(&[0; 17]))), LocateError::Cbor(CborError::TooLong));
    assert_eq!(refusal(6, Some(uint(0))), LocateError::Cbor(CborError::UnknownCriticalKey(6)));
    assert_eq!(refusal(128, Some(bytes(&[0; 400]))), LocateError::Length);
    assert_eq!(Locate::issue(locate_fields(), &CRYPTO, &key(3)), Err(LocateError::WrongKey));
}

#[test]
fn an_invites_proof_is_worth_nothing_for_another_asker_or_moment() {
    let proven = |change: &dyn Fn(&mut JoinRequestFields)| {
        let mut fields = JoinRequestFields { invite: join_request_fields().invite, ..bare() };
        change(&mut fields);
        let signer = if fields.node == node(2) { 2 } else { 3 };
        let request = JoinRequest::issue(fields, &CRYPTO, &key(signer)).unwrap();
        assert!(request.verify(&CRYPTO));
        request.verify_invite(&CRYPTO)
    };
    assert!(proven(&|_| ()));
    assert!(proven(&|fields| fields.invite = None), "no invite, nothing to prove");
    assert!(proven(&|fields| fields.name = Some("bad".into())), "the name is the asker's word alone");
    assert!(!proven(&|fields| fields.group = group(3)));
    assert!(!proven(&|fields| fields.node = node(3)), "a router that claims the invite for itself");
    assert!(!proven(&|fields| fields.prekey = [7; 32]));
    assert!(!proven(&|fields| fields.time = WallMillis(1_501)));
    assert!(!proven(&|fields| fields.nonce = [5; 16]));
    let other = key(3).public();
    assert!(!proven(&|fields| fields.invite = fields.invite.map(|invite| InviteProof { key: other, ..invite })));
}

#[test]
fn a_signature_holds_in_its_own_domain_only() {
    let fields = bare();
    let body = JoinRequest::invite_body(&fields.group, &fields.node, &fields.prekey, fields.time, &fields.nonce);
    assert_eq!(body.len(), 32 + 32 + 32 + 8 + 16);
    for domain in Domain::ALL {
        let request = JoinRequest::parse(&sign(2, *domain, join_request().body().to_vec())).unwrap();
        assert_eq!(request.verify(&CRYPTO), *domain == Domain::JoinRequest, "{}", domain.name());
        let locate = Locate::parse(&sign(2, *domain, map(&locate_pairs()))).unwrap();
        assert_eq!(locate.verify(&CRYPTO), *domain == Domain::Locate, "{}", domain.name());
        let invite = InviteProof { key: key(INVITE).public(), proof: CRYPTO.sign(&key(INVITE), *domain, &body) };
        let asked = JoinRequestFields { invite: Some(invite), ..bare() };
        let asked = JoinRequest::issue(asked, &CRYPTO, &key(2)).unwrap();
        assert_eq!(asked.verify_invite(&CRYPTO), *domain == Domain::Invite, "{}", domain.name());
    }
}

#[test]
fn the_longest_request_fits() {
    let full = JoinRequestFields {
        time: WallMillis(u64::MAX),
        name: Some("a".repeat(64)),
        chain: Some(chain(3)),
        ..join_request_fields()
    };
    let request = JoinRequest::issue(full, &CRYPTO, &key(2)).unwrap();
    assert!(request.bytes().len() <= limits::JOIN_REQUEST_MAX);
    assert_eq!(JoinRequest::parse(request.bytes()).as_ref(), Ok(&request));
}

prop_compose! {
    fn any_request()(
        numbers in any::<(u64, [u8; 16], [u8; 32])>(), purpose in 0_u64..3, links in 0_u8..=3,
        name in proptest::option::of(plain_text(1, 64)), invite in proptest::option::of(any::<[u8; 32]>()), heir in any::<bool>(),
    ) -> JoinRequestFields {
        let purpose = Purpose::from_number(purpose).unwrap();
        let links = if purpose == Purpose::Join { links } else { links.max(1) };
        let proof = [7; 64];
        JoinRequestFields {
            time: WallMillis(numbers.0), nonce: numbers.1, prekey: numbers.2, purpose, name,
            invite: invite.map(|key| InviteProof { key, proof }), chain: (links > 0).then(|| chain(links)),
            successor: heir.then(successor), ..join_request_fields()
        }
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn every_legal_request_survives_its_bytes(fields in any_request()) {
        let request = JoinRequest::issue(fields.clone(), &CRYPTO, &key(2)).unwrap();
        prop_assert_eq!(&JoinRequest::parse(request.bytes()).unwrap(), &request);
        prop_assert_eq!(request.fields(), &fields);
        prop_assert!(request.verify(&CRYPTO));
        prop_assert_eq!(request.verify_invite(&CRYPTO), fields.invite.is_none());
    }

    #[test]
    fn every_legal_locate_survives_its_bytes(target in any::<[u8; 32]>(), prekey in any::<[u8; 32]>(), time in any::<u64>(), nonce in any::<[u8; 16]>()) {
        let fields = LocateFields { target: crosscast_wire::NodeId::new(target), prekey, time: WallMillis(time), nonce, ..locate_fields() };
        let locate = Locate::issue(fields.clone(), &CRYPTO, &key(2)).unwrap();
        prop_assert_eq!(&Locate::parse(locate.bytes()).unwrap(), &locate);
        prop_assert_eq!(locate.fields(), &fields);
        prop_assert!(locate.verify(&CRYPTO));
    }

    #[test]
    fn no_changed_bit_leaves_a_request_valid(at in 0_usize..10_000, bit in 0_u8..8) {
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes
        };
        prop_assert!(!JoinRequest::parse(&flip(join_request().bytes())).is_ok_and(|r| r.verify(&CRYPTO)));
        prop_assert!(!Locate::parse(&flip(locate().bytes())).is_ok_and(|l| l.verify(&CRYPTO)));
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = JoinRequest::parse(&noise).map(|r| (r.verify(&CRYPTO), r.verify_invite(&CRYPTO)));
        let _ = Locate::parse(&noise).map(|l| l.verify(&CRYPTO));
        // Noise behind a head that is right so far gets further.
        let body = [map(&request_pairs()), noise].concat();
        let _ = JoinRequest::parse(&body).map(|r| r.verify(&CRYPTO));
    }
}
