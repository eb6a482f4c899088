//! Signatures that must not hold, domains that must not mix, AEADs against published vectors.

use crosscast_wire::{Aead, Crypto as _, Domain, RustCrypto, SecretKey, VerifyKey, is_usable_key};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use sha2::{Digest as _, Sha512};

use crate::make::key;

/// The order of the base point, little endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn unhex(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    }
    bytes
}

/// Every encoding of a point of order 1, 2, 4 or 8 that decoders are known to take, canonical or not.
fn small_order_keys() -> Vec<[u8; 32]> {
    let middle = "f".repeat(60);
    [
        format!("01{}", "0".repeat(62)),
        format!("01{}80", "0".repeat(60)),
        "0".repeat(64),
        format!("{}80", "0".repeat(62)),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".to_owned(),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa".to_owned(),
        format!("ec{middle}7f"),
        format!("ec{middle}ff"),
        format!("ed{middle}7f"),
        format!("ed{middle}ff"),
        format!("ee{middle}7f"),
        format!("ee{middle}ff"),
    ]
    .iter()
    .map(|text| unhex(text))
    .collect()
}

fn challenge(r: &[u8; 32], key: &[u8; 32], signed: &[u8]) -> Scalar {
    let digest = Sha512::new().chain_update(r).chain_update(key).chain_update(signed).finalize();
    Scalar::from_bytes_mod_order_wide(&digest.into())
}

fn signature(r: &[u8; 32], s: &[u8; 32]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(r);
    bytes[32..].copy_from_slice(s);
    bytes
}

#[test]
fn a_key_of_small_order_is_no_key() {
    let mut believed_elsewhere = 0;
    for key in small_order_keys() {
        assert!(!is_usable_key(&key), "{key:02x?}");
        // Under such a key s = 1, R = B holds for about every message whose challenge its order divides.
        for attempt in 0..64u8 {
            let r = ED25519_BASEPOINT_POINT.compress().to_bytes();
            let forged = signature(&r, &Scalar::ONE.to_bytes());
            assert!(!RustCrypto.verify(&key, Domain::Message, &[attempt], &forged));
            let signed = Domain::Message.signed_bytes(&[attempt]);
            let lax = ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| {
                ed25519_dalek::Verifier::verify(&key, &signed, &ed25519_dalek::Signature::from_bytes(&forged)).is_ok()
            });
            believed_elsewhere += u32::from(lax);
        }
    }
    assert!(believed_elsewhere > 100, "the forgeries would not have fooled anyone");
}

#[test]
fn a_key_with_an_unreduced_coordinate_is_no_key() {
    let mut taken_elsewhere = 0;
    for (low, sign) in (0xed..=0xffu8).flat_map(|low| [(low, 0x7f), (low, 0xff)]) {
        let mut key = [0xff; 32];
        key[0] = low;
        key[31] = sign;
        assert!(!is_usable_key(&key), "{low:02x}");
        taken_elsewhere += u32::from(ed25519_dalek::VerifyingKey::from_bytes(&key).is_ok_and(|key| !key.is_weak()));
    }
    assert!(taken_elsewhere > 0, "no such key would have been taken");
    // One below the prime is a reduced coordinate; it fails for its order alone, and its neighbours are judged as points.
    let mut reduced = [0xff; 32];
    (reduced[0], reduced[31]) = (0xe0, 0x7f);
    for low in 0..0xecu8 {
        reduced[0] = low;
        let on_curve = CompressedEdwardsY(reduced).decompress().is_some();
        assert_eq!(is_usable_key(&reduced), on_curve, "{low:02x}");
    }
}

#[test]
fn a_commitment_of_small_order_is_refused() {
    let secret = key();
    let public = secret.public();
    let digest: [u8; 64] = Sha512::digest(secret.expose()).into();
    let scalar = Scalar::from_bytes_mod_order(clamp_integer(*digest.first_chunk().unwrap()));
    assert_eq!((ED25519_BASEPOINT_POINT * scalar).compress().to_bytes(), public);
    let signed = Domain::Floor.signed_bytes(b"body");
    for r in small_order_keys() {
        let s = challenge(&r, &public, &signed) * scalar;
        assert!(!RustCrypto.verify(&public, Domain::Floor, b"body", &signature(&r, &s.to_bytes())), "{r:02x?}");
    }
    // The same arithmetic with an honest commitment is a signature: the test above fails for the commitment alone.
    let r = (ED25519_BASEPOINT_POINT * Scalar::from(5u8)).compress().to_bytes();
    let s = Scalar::from(5u8) + challenge(&r, &public, &signed) * scalar;
    assert!(RustCrypto.verify(&public, Domain::Floor, b"body", &signature(&r, &s.to_bytes())));
}

#[test]
fn a_malleable_scalar_is_refused() {
    let secret = key();
    let good = RustCrypto.sign(&secret, Domain::Message, b"body");
    assert!(RustCrypto.verify(&secret.public(), Domain::Message, b"body", &good));
    let mut bent = good;
    let mut carry = 0u16;
    for (byte, order) in bent[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    assert!(!RustCrypto.verify(&secret.public(), Domain::Message, b"body", &bent));
    for bit in 0..512 {
        let mut flipped = good;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!RustCrypto.verify(&secret.public(), Domain::Message, b"body", &flipped), "bit {bit}");
    }
}

#[test]
fn a_signature_holds_in_its_own_domain_only() {
    let secret = key();
    let names: std::collections::BTreeSet<_> = Domain::ALL.iter().map(|domain| domain.name()).collect();
    assert_eq!(names.len(), Domain::ALL.len());
    for made in Domain::ALL {
        let signature = RustCrypto.sign(&secret, *made, b"body");
        for read in Domain::ALL {
            let holds = RustCrypto.verify(&secret.public(), *read, b"body", &signature);
            assert_eq!(holds, made == read, "{} as {}", made.name(), read.name());
        }
    }
    assert_eq!(Domain::PeerRecord.signed_bytes(b"x"), b"crosscast/1 peer-record\0x");
}

#[test]
fn a_secret_is_never_shown() {
    let secret = SecretKey::new([0xab; 32]);
    assert_eq!(format!("{secret:?}"), "SecretKey(..)");
    assert_eq!(SecretKey::new(*secret.expose()).public(), secret.public());
}

#[test]
fn chacha20_poly1305_gives_the_vector_of_rfc_8439() {
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + at as u8);
    let nonce = [7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47];
    let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
        sunscreen would be it.";
    let mut buffer = plain.to_vec();
    assert!(RustCrypto.seal_in_place(Aead::ChaCha20Poly1305, &key, &nonce, &aad, &mut buffer, 0));
    assert_eq!(buffer[..8], [0xd3, 0x1a, 0x8d, 0x34, 0x64, 0x8e, 0x60, 0xdb]);
    let tag = [0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a, 0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91];
    assert_eq!(buffer[plain.len()..], tag);
    assert_eq!(RustCrypto.open(Aead::ChaCha20Poly1305, &key, &nonce, &aad, &buffer).as_deref(), Some(&plain[..]));
}

#[test]
fn aes_256_gcm_gives_test_case_14_of_its_specification() {
    let mut buffer = vec![0; 16];
    assert!(RustCrypto.seal_in_place(Aead::Aes256Gcm, &[0; 32], &[0; 12], b"", &mut buffer, 0));
    let expected = [
        0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18, 0xd0, 0xd1,
        0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19,
    ];
    assert_eq!(buffer, expected);
}

#[test]
fn what_was_changed_after_sealing_does_not_open() {
    for aead in [Aead::Aes256Gcm, Aead::ChaCha20Poly1305] {
        let mut buffer = b"head plain".to_vec();
        assert!(RustCrypto.seal_in_place(aead, &[1; 32], &[2; 12], b"aad", &mut buffer, 5));
        assert_eq!((&buffer[..5], buffer.len()), (&b"head "[..], 10 + 16));
        let sealed = &buffer[5..];
        assert_eq!(RustCrypto.open(aead, &[1; 32], &[2; 12], b"aad", sealed).as_deref(), Some(&b"plain"[..]));
        for at in 0..sealed.len() {
            let mut bent = sealed.to_vec();
            bent[at] ^= 1;
            assert_eq!(RustCrypto.open(aead, &[1; 32], &[2; 12], b"aad", &bent), None);
        }
        assert_eq!(RustCrypto.open(aead, &[1; 32], &[2; 12], b"aae", sealed), None);
        assert_eq!(RustCrypto.open(aead, &[1; 32], &[3; 12], b"aad", sealed), None);
        assert_eq!(RustCrypto.open(aead, &[3; 32], &[2; 12], b"aad", sealed), None);
        assert_eq!(RustCrypto.open(aead, &[1; 32], &[2; 12], b"aad", &sealed[..15]), None);
    }
}

#[test]
fn nothing_is_left_in_the_clear_when_sealing_fails() {
    let mut buffer = b"plain".to_vec();
    assert!(!RustCrypto.seal_in_place(Aead::Aes256Gcm, &[0; 32], &[0; 12], b"", &mut buffer, 6));
    assert_eq!(buffer, b"plain");
}

/// A key in all the ways to verify with it.
struct Ways {
    key: [u8; 32],
    ready: Option<VerifyKey>,
    prepared: Option<VerifyKey>,
}

impl Ways {
    fn new(key: [u8; 32]) -> Self {
        let ready = VerifyKey::new(&key);
        assert_eq!(ready.is_some(), is_usable_key(&key), "{key:02x?}");
        let mut prepared = ready.clone();
        if let Some(key) = &mut prepared {
            key.prepare();
        }
        Self { key, ready, prepared }
    }

    /// The verdict, which is the same in all ways.
    fn agreed(&self, body: &[u8], signature: &[u8; 64]) -> bool {
        let verdict = RustCrypto.verify(&self.key, Domain::Message, body, signature);
        for way in [&self.ready, &self.prepared] {
            let held = way.as_ref().is_some_and(|key| key.verify(Domain::Message, body, signature));
            assert_eq!(held, verdict, "{way:?} {signature:02x?}");
        }
        verdict
    }
}

#[test]
fn a_key_made_ready_accepts_exactly_what_the_reference_accepts_whatever_torsion_is_in_it() {
    let (a, r) = (Scalar::from(77_777u64), Scalar::from(5_555u64));
    let mut accepted = 0;
    for (of_key, with_base) in EIGHT_TORSION.iter().flat_map(|point| [(point, true), (point, false)]) {
        let key = if with_base { ED25519_BASEPOINT_POINT * a + of_key } else { *of_key }.compress().to_bytes();
        let ways = Ways::new(key);
        for (of_r, r) in EIGHT_TORSION.iter().flat_map(|point| [(point, r), (point, Scalar::ZERO)]) {
            let commitment = (ED25519_BASEPOINT_POINT * r + of_r).compress().to_bytes();
            for body in 0..16u8 {
                let signed = Domain::Message.signed_bytes(&[body]);
                let a = if with_base { a } else { Scalar::ZERO };
                let s = r + challenge(&commitment, &key, &signed) * a;
                accepted += u32::from(ways.agreed(&[body], &signature(&commitment, &s.to_bytes())));
            }
        }
    }
    // With a key and a commitment without torsion all 16 hold; with torsion in them some hold by chance of the hash.
    assert!((100..400).contains(&accepted), "{accepted}");
}

#[test]
fn a_key_made_ready_refuses_every_way_to_write_a_commitment_of_small_order_and_every_changed_bit() {
    let secret = key();
    let public = secret.public();
    let digest: [u8; 64] = Sha512::digest(secret.expose()).into();
    let scalar = Scalar::from_bytes_mod_order(clamp_integer(*digest.first_chunk().unwrap()));
    let signed = Domain::Message.signed_bytes(b"body");
    let ways = Ways::new(public);
    for r in small_order_keys() {
        let s = challenge(&r, &public, &signed) * scalar;
        assert!(!ways.agreed(b"body", &signature(&r, &s.to_bytes())));
    }
    let good = RustCrypto.sign(&secret, Domain::Message, b"body");
    assert!(ways.agreed(b"body", &good));
    for bit in 0..512 {
        let mut changed = good;
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!ways.agreed(b"body", &changed));
        let mut other = public;
        other[bit / 16] ^= 1 << (bit % 8);
        assert!(!Ways::new(other).agreed(b"body", &good));
    }
    // The same scalar written with the order added.
    let mut carry = 0u16;
    let mut long = good;
    for (digit, add) in long[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        (*digit, carry) = (sum as u8, sum >> 8);
    }
    assert!(!ways.agreed(b"body", &long));
}
