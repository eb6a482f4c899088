//! Hellos, their transcript and their proof.

use crosscast_wire::hello::{common_version, proof_bytes, sign_proof, transcript, verify_proof};
use crosscast_wire::{
    CborError, Features, Hello, HelloError, HelloFields, Instance, NodeId, Roles, Scheme, VersionRange, WallMillis,
};
use proptest::prelude::*;

use crate::support::*;

fn pairs() -> Vec<(u64, Vec<u8>)> {
    vec![
        (0, bytes(node(3).as_bytes())),
        (1, uint(1)),
        (2, uint(1)),
        (3, bytes(&[3; 32])),
        (4, uint(0)),
        (5, uint(270_336)),
        (6, list(&[uint(1 << 20), uint(1 << 21), uint(1 << 22)])),
        (7, uint(2)),
        (8, uint(Instance::new(1_700_000_000, 77).0)),
        (9, uint(1_700_000_000_000)),
        (10, text("crosscast/0.1.0")),
        (11, uint(2)),
        (12, list(&[text("200:1234::1")])),
        (13, list(&[bytes(&[7; 100])])),
        (14, bytes(&[6; 32])),
        (15, text("küche")),
    ]
}

fn parse(key: u64, value: Option<Vec<u8>>) -> Result<HelloFields, HelloError> {
    Hello::parse(map(&with(&pairs(), key, value)).into()).map(|hello| hello.fields().clone())
}

#[test]
fn a_hello_is_written_as_the_format_says() {
    let hello = Hello::new(hello_fields(3)).unwrap();
    assert_eq!(hello.body(), &map(&pairs()));
    assert_eq!(Hello::parse(hello.body().clone()), Ok(hello));
}

#[test]
fn an_illegal_hello_is_refused_by_name() {
    for key in (0..=10).chain([14]) {
        assert_eq!(parse(key, None), Err(HelloError::Cbor(CborError::MissingKey(key))));
    }
    for key in [11, 12, 13, 15] {
        assert!(parse(key, None).is_ok(), "key {key} may be absent");
    }
    assert_eq!(parse(1, Some(uint(0))), Err(HelloError::Versions));
    assert_eq!(parse(1, Some(uint(2))), Err(HelloError::Versions));
    assert_eq!(parse(6, Some(list(&[uint(1), uint(2)]))), Err(HelloError::Cbor(CborError::TooShort)));
    assert_eq!(parse(6, Some(list(&vec![uint(1); 4]))), Err(HelloError::Cbor(CborError::TooLong)));
    assert_eq!(parse(10, Some(text(""))), Err(HelloError::Cbor(CborError::TooShort)));
    assert_eq!(parse(10, Some(text(&"a".repeat(65)))), Err(HelloError::Cbor(CborError::TooLong)));
    assert_eq!(parse(10, Some(text("é"))), Err(HelloError::Agent));
    assert_eq!(parse(10, Some(text("a\u{1b}[2J"))), Err(HelloError::Agent));
    assert_eq!(parse(11, Some(uint(0))), Err(HelloError::PeerRecordNumber));
    assert_eq!(parse(12, Some(list(&[]))), Err(HelloError::Cbor(CborError::TooShort)));
    assert_eq!(parse(12, Some(list(&vec![text("a"); 9]))), Err(HelloError::Cbor(CborError::TooLong)));
    assert_eq!(parse(12, Some(list(&[text("a b")]))), Err(HelloError::Overlay));
    assert_eq!(parse(13, Some(list(&[bytes(&[0; 257])]))), Err(HelloError::Cbor(CborError::TooLong)));
    assert_eq!(parse(15, Some(text(""))), Err(HelloError::Cbor(CborError::TooShort)));
    assert_eq!(parse(15, Some(text("a\nb"))), Err(HelloError::Name));
    assert_eq!(parse(15, Some(text("a\u{85}b"))), Err(HelloError::Name));
    assert_eq!(parse(16, Some(uint(0))), Err(HelloError::Cbor(CborError::UnknownCriticalKey(16))));
    assert_eq!(parse(127, Some(uint(0))), Err(HelloError::Cbor(CborError::UnknownCriticalKey(127))));
    assert!(parse(128, Some(uint(0))).is_ok());
    assert_eq!(parse(128, Some(bytes(&[0; 4096]))), Err(HelloError::TooLong));
    assert_eq!(Hello::parse(bytes::Bytes::new()), Err(HelloError::Cbor(CborError::Truncated)));
}

#[test]
fn a_hello_that_cannot_be_sent_is_not_made() {
    let refusal = |change: &dyn Fn(&mut HelloFields)| {
        let mut fields = hello_fields(3);
        change(&mut fields);
        Hello::new(fields).unwrap_err()
    };
    assert_eq!(refusal(&|f| f.agent = String::new()), HelloError::Agent);
    assert_eq!(refusal(&|f| f.agent = "a".repeat(65)), HelloError::Agent);
    assert_eq!(refusal(&|f| f.peer_record = Some(0)), HelloError::PeerRecordNumber);
    assert_eq!(refusal(&|f| f.overlay = vec!["a".into(); 9]), HelloError::Overlay);
    assert_eq!(refusal(&|f| f.overlay = vec!["a".repeat(65)]), HelloError::Overlay);
    assert_eq!(refusal(&|f| f.attestations = vec![vec![0; 257].into()]), HelloError::Attestation);
    assert_eq!(refusal(&|f| f.attestations = vec![vec![0; 1].into(); 5]), HelloError::Attestation);
    assert_eq!(refusal(&|f| f.name = Some(String::new())), HelloError::Name);
    assert_eq!(refusal(&|f| f.name = Some("a".repeat(65))), HelloError::Name);
}

#[test]
fn the_largest_hello_fits() {
    let fields = HelloFields {
        versions: VersionRange::new(1, u64::MAX).unwrap(),
        max_message_bytes: u64::MAX,
        credit: [u64::MAX; 3],
        instance: Instance(u64::MAX),
        wall: WallMillis(u64::MAX),
        agent: "a".repeat(64),
        peer_record: Some(u64::MAX),
        overlay: vec!["a".repeat(64); 8],
        attestations: vec![vec![0; 256].into(); 4],
        name: Some("n".repeat(64)),
        ..hello_fields(1)
    };
    assert!(Hello::new(fields).unwrap().body().len() < 4096);
}

#[test]
fn small_limits_are_raised_and_unknown_bits_dropped() {
    assert_eq!(parse(5, Some(uint(0))).unwrap().max_message_bytes, 65_536);
    assert_eq!(parse(5, Some(uint(u64::MAX))).unwrap().max_message_bytes, u64::MAX);
    assert_eq!(parse(4, Some(uint(u64::MAX))).unwrap().features, Features::ALL);
    assert_eq!(parse(7, Some(uint(1 << 63 | 1))).unwrap().roles, Roles::CORE);
}

#[test]
fn the_highest_common_version_is_spoken() {
    let range = |min, max| VersionRange::new(min, max).unwrap();
    assert_eq!(common_version(range(1, 1), range(1, 1)), Some(1));
    assert_eq!(common_version(range(1, 3), range(2, 5)), Some(3));
    assert_eq!(common_version(range(4, u64::MAX), range(1, 4)), Some(4));
    assert_eq!(common_version(range(1, 2), range(3, 4)), None);
    assert_eq!((VersionRange::new(0, 1), VersionRange::new(2, 1)), (None, None));
}

#[test]
fn a_proof_holds_for_one_side_of_one_channel_only() {
    let (a, b) = (Hello::new(hello_fields(1)).unwrap(), Hello::new(hello_fields(2)).unwrap());
    let hash = transcript(a.body(), b.body());
    let right = proof_bytes(Scheme::Tls, false, b"binding", &node(1), &node(2), &hash);
    let proof = sign_proof(&CRYPTO, &key(1), &right);
    assert!(verify_proof(&CRYPTO, &node(1), &right, &proof));
    let reflected = transcript(b.body(), a.body());
    for wrong in [
        proof_bytes(Scheme::Quic, false, b"binding", &node(1), &node(2), &hash),
        proof_bytes(Scheme::Tls, true, b"binding", &node(1), &node(2), &hash),
        proof_bytes(Scheme::Tls, false, b"bindinG", &node(1), &node(2), &hash),
        proof_bytes(Scheme::Tls, false, b"binding", &node(2), &node(1), &hash),
        proof_bytes(Scheme::Tls, false, b"binding", &node(1), &node(3), &hash),
        proof_bytes(Scheme::Tls, false, b"binding", &node(1), &node(2), &reflected),
    ] {
        assert!(!verify_proof(&CRYPTO, &node(1), &wrong, &proof));
    }
    assert!(!verify_proof(&CRYPTO, &node(2), &right, &proof));
}

#[test]
fn what_a_proof_is_over_is_laid_out_as_the_format_says() {
    let bytes = proof_bytes(Scheme::Ygg, true, &[0xaa, 0xbb], &NodeId::new([1; 32]), &NodeId::new([2; 32]), &[3; 32]);
    let expected = [&[3][..], b"ygg", &[1, 2, 0xaa, 0xbb], &[1; 32], &[2; 32], &[3; 32]].concat();
    assert_eq!(bytes, expected);
}

prop_compose! {
    fn any_hello()(
        versions in (1_u64.., any::<u64>()), nonce in any::<[u8; 32]>(), max_message_bytes in 65_536_u64..,
        credit in any::<[u64; 3]>(), roles in 0_u64..8, numbers in any::<[u64; 2]>(),
        agent in "[ -~]{1,64}", peer_record in proptest::option::of(1_u64..),
        overlay in proptest::collection::vec(address(64), 0..=8), attestations in attestations(),
        name in proptest::option::of(plain_text(1, 64)),
    ) -> HelloFields {
        HelloFields {
            versions: VersionRange::new(versions.0, versions.0.max(versions.1)).unwrap(), nonce, max_message_bytes, credit,
            roles: Roles::from_bits(roles).unwrap(), instance: Instance(numbers[0]), wall: WallMillis(numbers[1]),
            agent, peer_record, overlay, attestations, name, ..hello_fields(1)
        }
    }
}

proptest! {
    #[test]
    fn every_legal_hello_survives_its_bytes(fields in any_hello()) {
        let hello = Hello::new(fields.clone()).unwrap();
        prop_assert_eq!(hello.fields(), &fields);
        prop_assert_eq!(&Hello::parse(hello.body().clone()).unwrap(), &hello);
    }

    #[test]
    fn a_changed_hello_is_refused_or_changes_the_transcript(at in 0_usize..10_000, bit in 0_u8..8) {
        let hello = Hello::new(hello_fields(1)).unwrap();
        let mut body = hello.body().to_vec();
        let at = at % body.len();
        body[at] ^= 1 << bit;
        if let Ok(changed) = Hello::parse(body.into()) {
            prop_assert_ne!(transcript(changed.body(), b"x"), transcript(hello.body(), b"x"));
        }
    }

    #[test]
    fn arbitrary_bytes_never_do_harm(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Hello::parse(noise.into());
    }
}
