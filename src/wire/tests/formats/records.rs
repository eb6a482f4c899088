//! Capabilities, chains, floor records, peer records.

use crosscast_wire::{
    Capability, CapabilityError, CapabilityFields, CborError, Chain, ChainError, ContentKeyId, Crypto as _, Domain,
    FloorError, FloorFields, FloorRecord, PeerRecord, PeerRecordError, PeerRecordFields, Policy, RevocationId, Rights,
    Roles, WallMillis,
};
use proptest::prelude::*;

use crate::support::*;

type Pairs = Vec<(u64, Vec<u8>)>;

fn capability_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(group(1).as_bytes())),
        (2, bytes(node(2).as_bytes())),
        (3, uint(127)),
        (4, uint(1_000)),
        (5, uint(2_000)),
        (6, uint(3)),
        (7, uint(4)),
        (8, uint(2)),
        (9, bytes(node(1).as_bytes())),
    ]
}

fn floor_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(group(1).as_bytes())),
        (2, uint(7)),
        (3, uint(1_500)),
        (4, uint(9_000)),
        (5, uint(2)),
        (6, uint(3)),
        (7, list(&[bytes(&[1; 32]), bytes(&[2; 32])])),
        (8, bytes(ContentKeyId::of_key(&[9; 32]).as_bytes())),
    ]
}

fn peer_record_pairs() -> Pairs {
    vec![
        (0, uint(1)),
        (1, bytes(node(5).as_bytes())),
        (2, uint(2)),
        (3, uint(10)),
        (4, uint(20)),
        (5, list(&[text("tls://host.example:443"), text("ygg://[200::1]:7700")])),
        (6, uint(5)),
        (7, bytes(&[8; 32])),
        (8, list(&[bytes(&[1, 2, 3])])),
    ]
}

#[test]
fn the_writers_write_what_the_format_says() {
    assert_eq!(issue(grant(1, 2, 2), 1).bytes(), &sign(1, Domain::Capability, map(&capability_pairs())));
    let invited = CapabilityFields { invite: Some([0x5a; 32]), ..grant(1, 2, 2) };
    let pairs = with(&capability_pairs(), 10, Some(bytes(&[0x5a; 32])));
    assert_eq!(Capability::draft(&invited), Ok(map(&pairs)));
    assert_eq!(issue(invited, 1).bytes(), &sign(1, Domain::Capability, map(&pairs)));
    assert_eq!(floor().bytes(), &sign(1, Domain::Floor, map(&floor_pairs())));
    let record = PeerRecord::issue(peer_record_fields(), &CRYPTO, &key(5)).unwrap();
    assert_eq!(record.bytes(), &sign(5, Domain::PeerRecord, map(&peer_record_pairs())));
    assert_eq!(record.locators().map(|l| l.to_string()).collect::<Vec<_>>(), peer_record_fields().locators);
}

#[test]
fn an_illegal_capability_is_refused_by_name() {
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        Capability::parse(&sign(1, Domain::Capability, map(&with(&capability_pairs(), key, value)))).unwrap_err()
    };
    for key in 0..=9 {
        assert_eq!(refusal(key, None), CapabilityError::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(2))), CapabilityError::UnsupportedVersion(2));
    assert_eq!(refusal(1, Some(bytes(&[0; 31]))), CapabilityError::Cbor(CborError::TooShort));
    assert_eq!(refusal(1, Some(bytes(&[0; 33]))), CapabilityError::Cbor(CborError::TooLong));
    assert_eq!(refusal(3, Some(uint(128))), CapabilityError::UnknownRights(128));
    assert_eq!(refusal(3, Some(uint(u64::MAX))), CapabilityError::UnknownRights(u64::MAX));
    assert_eq!(refusal(3, Some(uint(0))), CapabilityError::NoRights);
    assert_eq!(refusal(5, Some(uint(1_000))), CapabilityError::Times);
    assert_eq!(refusal(7, Some(uint(8))), CapabilityError::RateClass);
    assert_eq!(refusal(7, Some(uint(256))), CapabilityError::RateClass);
    assert_eq!(refusal(8, Some(uint(3))), CapabilityError::DepthLeft);
    assert_eq!(refusal(8, Some(uint(u64::MAX))), CapabilityError::DepthLeft);
    assert_eq!(refusal(10, Some(uint(0))), CapabilityError::Cbor(CborError::WrongType));
    assert_eq!(refusal(10, Some(bytes(&[0; 31]))), CapabilityError::Cbor(CborError::TooShort));
    assert_eq!(refusal(11, Some(uint(0))), CapabilityError::Cbor(CborError::UnknownCriticalKey(11)));
    assert_eq!(refusal(127, Some(uint(0))), CapabilityError::Cbor(CborError::UnknownCriticalKey(127)));
    assert_eq!(refusal(128, Some(bytes(&[0; 400]))), CapabilityError::Length);
    assert_eq!(Capability::parse(&[]), Err(CapabilityError::Length));
    assert_eq!(Capability::parse(&[0; 64]), Err(CapabilityError::Cbor(CborError::Truncated)));
    assert_eq!(Capability::issue(grant(1, 2, 2), &CRYPTO, &key(2)), Err(CapabilityError::WrongKey));
}

#[test]
fn an_ignorable_key_is_kept_and_signed() {
    let body = map(&with(&capability_pairs(), 128, Some(bytes(b"later"))));
    let capability = Capability::parse(&sign(1, Domain::Capability, body.clone())).unwrap();
    assert_eq!(capability.body(), body);
    assert_eq!(capability.fields(), &grant(1, 2, 2));
    assert!(capability.verify(&CRYPTO));
    assert_ne!(capability.serial(), issue(grant(1, 2, 2), 1).serial());
}

#[test]
fn an_illegal_floor_is_refused_by_name() {
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        FloorRecord::parse(&sign(1, Domain::Floor, map(&with(&floor_pairs(), key, value)))).unwrap_err()
    };
    for key in 0..=6 {
        assert_eq!(refusal(key, None), FloorError::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(0))), FloorError::UnsupportedVersion(0));
    assert_eq!(refusal(2, Some(uint(0))), FloorError::Number);
    assert_eq!(refusal(4, Some(uint(1_500))), FloorError::Times);
    assert_eq!(refusal(5, Some(uint(3))), FloorError::UnknownPolicy(3));
    assert_eq!(refusal(7, Some(list(&[]))), FloorError::Cbor(CborError::TooShort));
    assert_eq!(refusal(7, Some(list(&[bytes(&[1; 32]), bytes(&[1; 32])]))), FloorError::Revoked);
    assert_eq!(refusal(7, Some(list(&[bytes(&[2; 32]), bytes(&[1; 32])]))), FloorError::Revoked);
    let many: Vec<_> = (0..33).map(|i| bytes(&[i; 32])).collect();
    assert_eq!(refusal(7, Some(list(&many))), FloorError::Cbor(CborError::TooLong));
    assert_eq!(refusal(9, Some(bytes(group(1).as_bytes()))), FloorError::SignerIsGroup);
    assert_eq!(refusal(10, Some(uint(0))), FloorError::Cbor(CborError::UnknownCriticalKey(10)));
    assert_eq!(refusal(200, Some(bytes(&[0; 2048]))), FloorError::Length);
    assert_eq!(FloorRecord::issue(floor_fields(), &CRYPTO, &key(2)), Err(FloorError::WrongKey));
    let fields = FloorFields { revoked: (0..33).map(|i| RevocationId::new([i; 32])).collect(), ..floor_fields() };
    assert_eq!(FloorRecord::issue(fields, &CRYPTO, &key(1)), Err(FloorError::Revoked));
}

#[test]
fn a_full_floor_fits() {
    let fields = FloorFields {
        number: u64::MAX,
        issued: WallMillis(u64::MAX - 1),
        valid_until: WallMillis(u64::MAX),
        lowest_epoch: u64::MAX,
        revoked: (0..32).map(|i| RevocationId::new([i; 32])).collect(),
        signer: Some(node(4)),
        ..floor_fields()
    };
    let floor = FloorRecord::issue(fields.clone(), &CRYPTO, &key(4)).unwrap();
    assert_eq!(FloorRecord::parse(floor.bytes()).unwrap().fields(), &fields);
    assert!(floor.revokes(&RevocationId::new([31; 32])) && !floor.revokes(&RevocationId::new([32; 32])));
}

#[test]
fn a_floor_of_another_signer_is_backed_only_by_a_chain_with_revoke() {
    let by = |signer| FloorFields { signer, ..floor_fields() };
    let own = FloorRecord::issue(by(None), &CRYPTO, &key(1)).unwrap();
    let other = FloorRecord::issue(by(Some(node(2))), &CRYPTO, &key(2)).unwrap();
    assert!(own.verify(&CRYPTO) && own.is_backed_by(None));
    assert!(other.verify(&CRYPTO) && !other.is_backed_by(None) && other.is_backed_by(Some(&chain(1))));
    assert!(!other.is_backed_by(Some(&chain(2))), "a chain for somebody else");
    let one = |fields: CapabilityFields| Chain::new(vec![issue(fields, 1)]).unwrap();
    let weak = CapabilityFields { rights: Rights::ALL.without(Rights::REVOKE), ..grant(1, 2, 2) };
    assert!(!other.is_backed_by(Some(&one(weak))));
    let late = CapabilityFields { not_before: WallMillis(1_501), ..grant(1, 2, 2) };
    assert!(!other.is_backed_by(Some(&one(late))));
}

#[test]
fn a_link_is_revoked_by_its_serial_its_subject_or_its_invite() {
    let invite = key(INVITE).public();
    let plain = issue(grant(1, 2, 2), 1);
    let invited = issue(CapabilityFields { invite: Some(invite), ..grant(1, 2, 2) }, 1);
    let other = issue(CapabilityFields { invite: Some([3; 32]), ..grant(1, 3, 2) }, 1);
    let judged = |id: Option<RevocationId>| {
        let fields = FloorFields { revoked: id.into_iter().collect(), ..floor_fields() };
        let floor = FloorRecord::issue(fields, &CRYPTO, &key(1)).unwrap();
        [&plain, &invited, &other].map(|link| floor.revokes_link(link))
    };
    assert_eq!(judged(None), [false, false, false]);
    assert_eq!(judged(Some(RevocationId::of_serial(plain.serial()))), [true, false, false]);
    assert_eq!(judged(Some(RevocationId::of_subject(&node(2)))), [true, true, false]);
    assert_eq!(judged(Some(RevocationId::of_invite(&invite))), [false, true, false]);
    // A key is one thing as a subject and another as an invite, and neither tag is the key itself.
    assert_eq!(judged(Some(RevocationId::of_invite(node(2).as_bytes()))), [false; 3]);
    assert_eq!(judged(Some(RevocationId::of_subject(&crosscast_wire::NodeId::new(invite)))), [false; 3]);
    assert_eq!(judged(Some(RevocationId::new(*node(2).as_bytes()))), [false; 3]);
}

#[test]
fn an_illegal_peer_record_is_refused_by_name() {
    let refusal = |key: u64, value: Option<Vec<u8>>| {
        PeerRecord::parse(&sign(5, Domain::PeerRecord, map(&with(&peer_record_pairs(), key, value)))).unwrap_err()
    };
    for key in [0, 1, 2, 3, 4, 6] {
        assert_eq!(refusal(key, None), PeerRecordError::Cbor(CborError::MissingKey(key)));
    }
    assert_eq!(refusal(0, Some(uint(9))), PeerRecordError::UnsupportedVersion(9));
    assert_eq!(refusal(2, Some(uint(0))), PeerRecordError::Number);
    assert_eq!(refusal(4, Some(uint(10))), PeerRecordError::Times);
    assert_eq!(refusal(5, Some(list(&[]))), PeerRecordError::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(list(&[text("")]))), PeerRecordError::Cbor(CborError::TooShort));
    assert_eq!(refusal(5, Some(list(&[text("tls://a b:1")]))), PeerRecordError::Locator);
    assert_eq!(refusal(5, Some(list(&[text("tls://a\u{7}:1")]))), PeerRecordError::Locator);
    assert_eq!(refusal(5, Some(list(&vec![text("x"); 17]))), PeerRecordError::Cbor(CborError::TooLong));
    assert_eq!(refusal(8, Some(list(&[bytes(&[])]))), PeerRecordError::Cbor(CborError::TooShort));
    assert_eq!(refusal(8, Some(list(&vec![bytes(&[1]); 5]))), PeerRecordError::Cbor(CborError::TooLong));
    assert_eq!(refusal(9, Some(uint(0))), PeerRecordError::Cbor(CborError::UnknownCriticalKey(9)));
    let long = PeerRecordFields { attestations: vec![vec![0; 256].into(); 4], ..peer_record_fields() };
    assert_eq!(PeerRecord::issue(long, &CRYPTO, &key(5)), Err(PeerRecordError::Length));
}

#[test]
fn a_locator_of_a_later_scheme_stays_but_is_not_offered() {
    let fields = PeerRecordFields { locators: vec!["i2p://x".into(), "tls://h:1".into()], ..peer_record_fields() };
    let record = PeerRecord::issue(fields, &CRYPTO, &key(5)).unwrap();
    assert_eq!(record.locators().map(|l| l.to_string()).collect::<Vec<_>>(), ["tls://h:1"]);
    assert_eq!(record.fields().locators.len(), 2);
}

#[test]
fn an_unknown_role_is_dropped_and_stays_signed() {
    let body = map(&with(&peer_record_pairs(), 6, Some(uint(1 << 20 | 2))));
    let record = PeerRecord::parse(&sign(5, Domain::PeerRecord, body)).unwrap();
    assert_eq!(record.fields().roles, Roles::EDGE);
    assert!(record.verify(&CRYPTO));
}

#[test]
fn chains_of_one_to_three_links_hold() {
    for links in 1..=3 {
        let chain = chain(links);
        assert_eq!(chain.depth(), links.into());
        assert_eq!(chain.subject(), node(links + 1));
        assert_eq!(Chain::parse(&chain.encode()).as_ref(), Ok(&chain));
        assert!(chain.verify(&CRYPTO) && chain.covers(WallMillis(2_000)) && !chain.covers(WallMillis(2_001)));
    }
    let longer = chain(2).extend(issue(grant(3, 4, 0), 3)).unwrap();
    assert_eq!(longer, chain(3));
    assert_ne!(chain(2).hash(), chain(3).hash());
}

#[test]
fn a_chain_whose_links_do_not_fit_is_refused_by_name() {
    let second = |change: &dyn Fn(&mut CapabilityFields)| {
        let mut fields = grant(2, 3, 1);
        change(&mut fields);
        let issuer = if fields.issuer == node(2) { 2 } else { 9 };
        chain(1).extend(issue(fields, issuer)).map(|chain| chain.hash())
    };
    assert!(second(&|_| ()).is_ok());
    assert_eq!(second(&|f| f.group = group(7)), Err(ChainError::Group));
    assert_eq!(second(&|f| f.issuer = node(9)), Err(ChainError::Issuer));
    assert_eq!(second(&|f| f.not_before = WallMillis(999)), Err(ChainError::Times));
    assert_eq!(second(&|f| f.not_after = WallMillis(2_001)), Err(ChainError::Times));
    assert_eq!(second(&|f| f.depth_left = 2), Err(ChainError::Depth));
    assert_eq!(second(&|f| f.epoch = 2), Err(ChainError::Epoch));
    assert_eq!(second(&|f| f.rate_class = 5), Err(ChainError::RateClass));
    let below = |rights: Rights| {
        let root = Chain::new(vec![issue(CapabilityFields { rights, ..grant(1, 2, 2) }, 1)]).unwrap();
        root.extend(issue(CapabilityFields { rights: Rights::PUBLISH, ..grant(2, 3, 1) }, 2)).map(|c| c.rights())
    };
    assert_eq!(below(Rights::PUBLISH | Rights::ADMIT), Ok(Rights::PUBLISH));
    assert_eq!(below(Rights::PUBLISH | Rights::RENEW), Ok(Rights::PUBLISH));
    assert_eq!(below(Rights::PUBLISH | Rights::SUBSCRIBE), Err(ChainError::MayNotIssue));
    assert_eq!(below(Rights::SUBSCRIBE | Rights::ADMIT), Err(ChainError::Rights));
    assert_eq!(Chain::new(vec![issue(grant(2, 3, 1), 2)]), Err(ChainError::Root));
    assert_eq!(Chain::new(vec![]), Err(ChainError::Links));
    let four = (1..=4).map(|i| issue(grant(i, i + 1, 0), i)).collect();
    assert_eq!(Chain::new(four), Err(ChainError::Links));
    assert_eq!(Chain::parse(&[0x80]), Err(ChainError::Cbor(CborError::TooShort)));
    assert_eq!(Chain::parse(&[0x81, 0x40]), Err(ChainError::Capability(CapabilityError::Length)));
}

#[test]
fn a_subject_that_may_not_issue_still_lets_its_devices_do_its_own_work() {
    let own_work = Rights::PUBLISH | Rights::SUBSCRIBE | Rights::RELAY | Rights::BRIDGE;
    let below = |above: Rights, depth_above: u8, rights: Rights, depth_left: u8| {
        let root = CapabilityFields { rights: above, ..grant(1, 2, depth_above) };
        let device = CapabilityFields { rights, ..grant(2, 3, depth_left) };
        Chain::new(vec![issue(root, 1), issue(device, 2)]).map(|chain| chain.rights())
    };
    assert_eq!(below(own_work, 1, own_work, 0), Ok(own_work));
    assert_eq!(below(own_work, 2, Rights::PUBLISH, 0), Ok(Rights::PUBLISH));
    // Whoever could pass it on, or decide for the group, is more than a device.
    assert_eq!(below(own_work, 2, Rights::PUBLISH, 1), Err(ChainError::MayNotIssue));
    let revoker = own_work | Rights::REVOKE;
    assert_eq!(below(revoker, 1, Rights::PUBLISH | Rights::REVOKE, 0), Err(ChainError::MayNotIssue));
    assert_eq!(below(revoker, 1, Rights::PUBLISH, 0), Ok(Rights::PUBLISH));
    for right in [Rights::ADMIT, Rights::RENEW] {
        assert_eq!(
            below(revoker | right, 1, Rights::PUBLISH | Rights::REVOKE, 0),
            Ok(Rights::PUBLISH | Rights::REVOKE)
        );
        assert_eq!(below(own_work, 1, Rights::PUBLISH | right, 0), Err(ChainError::MayNotIssue));
    }
    // The other rules hold for a device too.
    assert_eq!(below(own_work, 0, Rights::PUBLISH, 0), Err(ChainError::Depth));
    assert_eq!(below(Rights::PUBLISH, 1, Rights::SUBSCRIBE, 0), Err(ChainError::Rights));
}

#[test]
fn a_link_signed_by_another_key_breaks_the_chain() {
    let forged = Capability::parse(&sign(9, Domain::Capability, chain(1).leaf().body().to_vec())).unwrap();
    let chain = Chain::new(vec![forged]).unwrap();
    assert!(!chain.verify(&CRYPTO));
}

#[test]
fn a_signature_holds_in_its_own_domain_only() {
    let body = floor().body().to_vec();
    for domain in Domain::ALL {
        let floor = FloorRecord::parse(&sign(1, *domain, body.clone())).unwrap();
        assert_eq!(floor.verify(&CRYPTO), *domain == Domain::Floor, "{}", domain.name());
        let signature = CRYPTO.sign(&key(1), *domain, &body);
        for other in Domain::ALL {
            let holds = CRYPTO.verify(&key(1).public(), *other, &body, &signature);
            assert_eq!(holds, other == domain, "{} as {}", domain.name(), other.name());
        }
    }
}

prop_compose! {
    fn any_capability()(
        subject in any::<u8>(), rights in 1_u64..128, not_before in any::<u64>(), life in 1_u64.., epoch in any::<u64>(),
        rate_class in 0_u8..=7, depth_left in 0_u8..=2, issuer in 1_u8..5, invite in proptest::option::of(any::<[u8; 32]>()),
    ) -> (CapabilityFields, u8) {
        let not_before = WallMillis(not_before.min(u64::MAX - 1));
        let not_after = WallMillis(not_before.0.saturating_add(life));
        let rights = Rights::from_bits(rights).unwrap();
        (CapabilityFields { subject: node(subject), rights, not_before, not_after, epoch, rate_class, depth_left, invite, ..grant(issuer, 0, 0) }, issuer)
    }
}

prop_compose! {
    fn any_floor()(
        number in 1_u64.., issued in 0..u64::MAX, policy in 0_u64..3, lowest_epoch in any::<u64>(),
        revoked in proptest::collection::btree_set(any::<[u8; 32]>(), 0..=32), sealed in any::<bool>(), signed in any::<bool>(),
    ) -> (FloorFields, u8) {
        let fields = FloorFields {
            number, issued: WallMillis(issued), valid_until: WallMillis(u64::MAX), policy: Policy::from_number(policy).unwrap(),
            lowest_epoch, revoked: revoked.into_iter().map(RevocationId::new).collect(),
            content_key: sealed.then(|| ContentKeyId::new([3; 8])), signer: signed.then(|| node(6)), ..floor_fields()
        };
        (fields, if signed { 6 } else { 1 })
    }
}

prop_compose! {
    fn any_peer_record()(
        number in 1_u64.., issued in 0..u64::MAX, locators in proptest::collection::vec(address(60), 0..=6),
        roles in 0_u64..8, prekey in proptest::option::of(any::<[u8; 32]>()),
        attestations in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..=64).prop_map(bytes::Bytes::from), 0..=4),
    ) -> PeerRecordFields {
        PeerRecordFields {
            number, issued: WallMillis(issued), valid_until: WallMillis(u64::MAX), locators, attestations, prekey,
            roles: Roles::from_bits(roles).unwrap(), ..peer_record_fields()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_legal_capability_survives_its_bytes((fields, issuer) in any_capability()) {
        let capability = issue(fields.clone(), issuer);
        prop_assert_eq!(&Capability::parse(capability.bytes()).unwrap(), &capability);
        prop_assert_eq!(capability.fields(), &fields);
        prop_assert!(capability.verify(&CRYPTO));
    }

    #[test]
    fn every_legal_floor_survives_its_bytes((fields, signer) in any_floor()) {
        let floor = FloorRecord::issue(fields.clone(), &CRYPTO, &key(signer)).unwrap();
        prop_assert_eq!(&FloorRecord::parse(floor.bytes()).unwrap(), &floor);
        prop_assert_eq!(floor.fields(), &fields);
        prop_assert!(floor.verify(&CRYPTO));
    }

    #[test]
    fn every_legal_peer_record_survives_its_bytes(fields in any_peer_record()) {
        let record = PeerRecord::issue(fields.clone(), &CRYPTO, &key(5)).unwrap();
        prop_assert_eq!(&PeerRecord::parse(record.bytes()).unwrap(), &record);
        prop_assert_eq!(record.fields(), &fields);
        prop_assert!(record.verify(&CRYPTO));
    }

    #[test]
    fn no_changed_bit_leaves_a_record_valid(at in 0_usize..10_000, bit in 0_u8..8) {
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            bytes
        };
        let capability = Capability::parse(&flip(issue(grant(1, 2, 2), 1).bytes()));
        prop_assert!(!capability.is_ok_and(|c| c.verify(&CRYPTO)));
        prop_assert!(!FloorRecord::parse(&flip(floor().bytes())).is_ok_and(|f| f.verify(&CRYPTO)));
        let record = PeerRecord::issue(peer_record_fields(), &CRYPTO, &key(5)).unwrap();
        prop_assert!(!PeerRecord::parse(&flip(record.bytes())).is_ok_and(|r| r.verify(&CRYPTO)));
        prop_assert!(!Chain::parse(&flip(&chain(3).encode())).is_ok_and(|c| c.verify(&CRYPTO)));
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Capability::parse(&noise).map(|c| c.verify(&CRYPTO));
        let _ = FloorRecord::parse(&noise).map(|c| c.verify(&CRYPTO));
        let _ = PeerRecord::parse(&noise).map(|c| c.verify(&CRYPTO));
        let _ = Chain::parse(&noise).map(|c| c.verify(&CRYPTO));
    }
}
