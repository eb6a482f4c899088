//! Public vectors, round trips and refusals of the whole room, against the reference provider.
//!
//! What a sealed payload's layout refuses is tested where it is read, in `crosscast-wire`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_wire::{
    Aead, Codec, Crypto, Domain, Instance, NodeId, PayloadError, Plaintext, RustCrypto, Sealed, SecretKey, Signature,
};
use proptest::prelude::*;

use crate::suite::expand;
use crate::*;

const SUITES: [Suite; 2] = [Suite::XAes256Gcm, Suite::XChaCha20Poly1305];

const NONCE: &[u8; 24] = b"ABCDEFGHIJKLMNOPQRSTUVWX";

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The bare suite, as the public vectors know it.
fn bare(suite: Suite, key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    let message = expand(suite, key, nonce);
    let mut buffer = plain.to_vec();
    assert!(RustCrypto.seal_in_place(message.aead, &message.key, &message.nonce, aad, &mut buffer, 0));
    buffer
}

fn key() -> MessageKey {
    ContentKey::new([5; 32]).for_sender(&[6; 32], &NodeId::new([7; 32]), Instance(8))
}

fn sealing<'a>(suite: Suite, key: &'a MessageKey, pad: bool, wraps: &'a [Vec<u8>]) -> Sealing<'a> {
    Sealing { suite, key, nonce: NONCE, aad: b"header", codec: Codec::Entries, pad, wraps }
}

/// Opens what travels, down to the inner payload.
fn open(crypto: &dyn Crypto, key: &MessageKey, aad: &[u8], sealed: &[u8], wraps: usize) -> Option<Plaintext> {
    let sealed = Sealed::parse(&Bytes::copy_from_slice(sealed), wraps).ok()?;
    let plain = open_payload(crypto, key, aad, &sealed).ok()?;
    Some(Plaintext::parse(plain, true).unwrap())
}

fn seal(sealing: &Sealing<'_>, inner: &[u8]) -> Result<Vec<u8>, SealError> {
    seal_payload(&RustCrypto, sealing, inner).map(|payload| payload.as_slice().to_vec())
}

/// The reference with AES in hardware: the other choice of suite.
struct FastAes;

impl Crypto for FastAes {
    fn sign(&self, key: &SecretKey, domain: Domain, body: &[u8]) -> Signature {
        RustCrypto.sign(key, domain, body)
    }
    fn verify(&self, key: &[u8; 32], domain: Domain, body: &[u8], signature: &Signature) -> bool {
        RustCrypto.verify(key, domain, body, signature)
    }
    fn seal_in_place(&self, a: Aead, k: &[u8; 32], n: &[u8; 12], aad: &[u8], b: &mut Vec<u8>, from: usize) -> bool {
        RustCrypto.seal_in_place(a, k, n, aad, b, from)
    }
    fn open(&self, a: Aead, k: &[u8; 32], n: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        RustCrypto.open(a, k, n, aad, sealed)
    }
    fn has_fast_aes(&self) -> bool {
        true
    }
}

#[test]
fn xaes_gcm_agrees_with_the_c2sp_vectors() {
    // C2SP XAES-256-GCM, "Test vectors": the most significant bit of L is 0 for the first key and 1 for the second
    let first = bare(Suite::XAes256Gcm, &[1; 32], NONCE, b"", b"XAES-256-GCM");
    assert_eq!(hex(&first), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
    let second = bare(Suite::XAes256Gcm, &[3; 32], NONCE, b"c2sp.org/XAES-256-GCM", b"XAES-256-GCM");
    assert_eq!(hex(&second), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

#[test]
fn xaes_gcm_agrees_with_the_accumulated_c2sp_vector() {
    let (mut source, mut seen) = (Shake128::default(), Shake128::default());
    for _ in 0..10_000 {
        let key: [u8; 32] = source.read(32).try_into().unwrap();
        let nonce: [u8; 24] = source.read(24).try_into().unwrap();
        let len = usize::from(source.read(1)[0]);
        let plain = source.read(len);
        let len = usize::from(source.read(1)[0]);
        let aad = source.read(len);
        seen.write(&bare(Suite::XAes256Gcm, &key, &nonce, &aad, &plain));
    }
    assert_eq!(hex(&seen.read(32)), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

#[test]
fn xchacha_agrees_with_the_draft_vector() {
    // draft-irtf-cfrg-xchacha-03, appendix A.3.1
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + at as u8);
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + at as u8);
    let aad = unhex("50515253c0c1c2c3c4c5c6c7");
    let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                  sunscreen would be it.";
    let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6\
                    708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c9763\
                    7da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49";
    assert_eq!(hex(&bare(Suite::XChaCha20Poly1305, &key, &nonce, &aad, plain)), expected);
}

#[test]
fn every_receiver_opens_both_suites() {
    let key = key();
    let providers: [&dyn Crypto; 2] = [&RustCrypto, &FastAes];
    assert_eq!(providers.map(Suite::preferred), [Suite::XChaCha20Poly1305, Suite::XAes256Gcm]);
    for sender in providers {
        let sealed = seal_payload(sender, &sealing(Suite::preferred(sender), &key, true, &[]), &b"hello"[..]).unwrap();
        for receiver in providers {
            let opened = open(receiver, &key, b"header", sealed.as_slice(), 0).unwrap();
            assert_eq!(opened, Plaintext { codec: Codec::Entries, payload: b"hello"[..].into() });
        }
    }
}

#[test]
fn every_altered_byte_is_refused() {
    let key = key();
    let wraps = vec![vec![9; WRAP_LEN]; 2];
    for suite in SUITES {
        let sealed = seal(&sealing(suite, &key, true, &wraps), &[1; 100]).unwrap();
        assert!(open(&RustCrypto, &key, b"header", &sealed, 2).is_some());
        let wraps_start = sealed.len() - 1 - 2 * (2 + WRAP_LEN);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 0x01;
            let opened = open(&RustCrypto, &key, b"header", &altered, 2);
            // the wraps stand outside the AEAD: the header's payload hash covers them, and they guard themselves
            assert!(opened.is_none() || at >= wraps_start, "byte {at}");
        }
        for len in 0..sealed.len() {
            assert!(open(&RustCrypto, &key, b"header", &sealed[..len], 2).is_none(), "length {len}");
        }
    }
}

#[test]
fn a_wrong_header_or_key_is_refused() {
    let key = key();
    for suite in SUITES {
        let sealed = seal(&sealing(suite, &key, true, &[]), b"hello").unwrap();
        let sealed = Sealed::parse(&sealed.into(), 0).unwrap();
        let refused = |key: &MessageKey, aad: &[u8]| {
            assert_eq!(open_payload(&RustCrypto, key, aad, &sealed), Err(SealError::NotAuthentic));
        };
        [&b""[..], b"headeR", b"header "].into_iter().for_each(|aad| refused(&key, aad));
        let other = ContentKey::new([5; 32]).for_sender(&[6; 32], &NodeId::new([7; 32]), Instance(9));
        assert_eq!(other.id(), key.id());
        refused(&other, b"header");
        refused(&ContentKey::new([4; 32]).for_sender(&[6; 32], &NodeId::new([7; 32]), Instance(8)), b"header");
        // not even when the key's name is forged
        let stranger = ContentKey::new([4; 32]).for_sender(&[6; 32], &NodeId::new([7; 32]), Instance(8));
        let forged = Sealed { key_id: stranger.id(), ..sealed.clone() };
        assert_eq!(open_payload(&RustCrypto, &stranger, b"header", &forged), Err(SealError::NotAuthentic));
    }
}

#[test]
fn what_no_payload_may_hold_is_not_sealed() {
    let key = key();
    let most = vec![0; 256 * 1024];
    let refused = |error| Err(SealError::Payload(error));
    assert_eq!(seal(&sealing(Suite::XAes256Gcm, &key, false, &[]), &most), refused(PayloadError::TooLong));
    assert!(seal(&sealing(Suite::XAes256Gcm, &key, false, &[]), &most[100..]).is_ok());
    assert!(seal(&sealing(Suite::XAes256Gcm, &key, true, &vec![vec![0; 160]; 32]), b"").is_ok());
    let many = vec![vec![0; 160]; 33];
    assert_eq!(seal(&sealing(Suite::XAes256Gcm, &key, true, &many), b""), refused(PayloadError::WrapCount));
    let nested = Sealing { codec: Codec::Sealed, ..sealing(Suite::XAes256Gcm, &key, true, &[]) };
    assert_eq!(seal(&nested, b""), refused(PayloadError::InnerCodec(4)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_sealed_opens_again(
        inner in proptest::collection::vec(any::<u8>(), 0..3000),
        (aes, pad, wraps) in (any::<bool>(), any::<bool>(), 0usize..=32),
        nonce in any::<[u8; 24]>(),
    ) {
        let key = key();
        let wraps = vec![vec![3; WRAP_LEN]; wraps];
        let suite = SUITES[usize::from(aes)];
        let sealing = Sealing { nonce: &nonce, codec: Codec::Nested, ..sealing(suite, &key, pad, &wraps) };
        let sealed = Sealed::parse(&seal(&sealing, &inner).unwrap().into(), wraps.len()).unwrap();
        let plain = Plaintext::parse(open_payload(&RustCrypto, &key, b"header", &sealed).unwrap(), pad);
        prop_assert_eq!(plain, Ok(Plaintext { codec: Codec::Nested, payload: inner.into() }));
    }
}

#[test]
fn a_wrap_opens_only_for_its_recipient_and_message() {
    let secret = [11; 32];
    let (to, recipient, from) = ([1; 32], NodeId::new([1; 32]), NodeId::new([2; 32]));
    let prologue = wrap_prologue(&to, &recipient, &from, Instance(3));
    let content = ContentKey::new([42; 32]);
    let wrapped = wrap(&[9; 32], &prekey_public(&secret), &prologue, &content).unwrap();
    assert_eq!(wrapped.len(), WRAP_LEN);
    assert_eq!(unwrap(&secret, &prologue, &wrapped).unwrap().expose(), content.expose());
    assert!(unwrap(&[12; 32], &prologue, &wrapped).is_none());
    for other in [
        wrap_prologue(&[9; 32], &recipient, &from, Instance(3)),
        wrap_prologue(&to, &NodeId::new([9; 32]), &from, Instance(3)),
        wrap_prologue(&to, &recipient, &NodeId::new([9; 32]), Instance(3)),
        wrap_prologue(&to, &recipient, &from, Instance(4)),
    ] {
        assert!(unwrap(&secret, &other, &wrapped).is_none());
    }
    for at in 0..wrapped.len() {
        let mut altered = wrapped.clone();
        altered[at] ^= 0x10;
        assert!(unwrap(&secret, &prologue, &altered).is_none(), "byte {at}");
        assert!(unwrap(&secret, &prologue, &wrapped[..at]).is_none(), "length {at}");
    }
    assert!(unwrap(&secret, &prologue, &[wrapped.as_slice(), &[0]].concat()).is_none());
}

#[test]
fn a_wrap_is_decided_by_its_seed_alone() {
    let content = ContentKey::new([42; 32]);
    let wrapped = |seed: u8| wrap(&[seed; 32], &prekey_public(&[11; 32]), b"", &content).unwrap();
    assert_eq!(wrapped(1), wrapped(1));
    assert_ne!(wrapped(1)[..32], wrapped(2)[..32]);
}

#[test]
fn an_agreement_without_a_secret_is_refused() {
    // RFC 7748 section 6.1: these points give the all-zero secret
    let order8 = unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
    let small: [[u8; 32]; 3] = [[0; 32], std::array::from_fn(|at| u8::from(at == 0)), order8.try_into().unwrap()];
    for point in small {
        assert_eq!(wrap(&[1; 32], &point, b"", &ContentKey::new([2; 32])).err(), Some(SealError::BadPrekey));
        let mut wrapped = wrap(&[1; 32], &prekey_public(&[3; 32]), b"", &ContentKey::new([2; 32])).unwrap();
        wrapped[..32].copy_from_slice(&point);
        assert!(unwrap(&[3; 32], b"", &wrapped).is_none());
    }
}

#[test]
fn a_prekeys_public_half_is_that_of_the_rfc() {
    // RFC 7748 section 6.1, Alice's pair
    let secret = unhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
    let public = prekey_public(&secret.try_into().unwrap());
    assert_eq!(hex(&public), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
}

/// SHAKE128 (FIPS 202), for the accumulated vector only.
#[derive(Default)]
struct Shake128 {
    state: [u64; 25],
    at: usize,
    squeezing: bool,
}

impl Shake128 {
    const RATE: usize = 168;

    fn xor(&mut self, at: usize, byte: u8) {
        self.state[at / 8] ^= u64::from(byte) << (8 * (at % 8));
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.xor(self.at, *byte);
            self.at += 1;
            if self.at == Self::RATE {
                keccak(&mut self.state);
                self.at = 0;
            }
        }
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        if !self.squeezing {
            self.xor(self.at, 0x1f);
            self.xor(Self::RATE - 1, 0x80);
            (self.at, self.squeezing) = (Self::RATE, true);
        }
        let mut out = Vec::with_capacity(len);
        for _ in 0..len {
            if self.at == Self::RATE {
                keccak(&mut self.state);
                self.at = 0;
            }
            out.push((self.state[self.at / 8] >> (8 * (self.at % 8))) as u8);
            self.at += 1;
        }
        out
    }
}

fn keccak(state: &mut [u64; 25]) {
    let mut lfsr = 1u8;
    for _ in 0..24 {
        let column: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ state[x + 5 * y]));
        for at in 0..25 {
            state[at] ^= column[(at + 4) % 5] ^ column[(at + 1) % 5].rotate_left(1);
        }
        let (mut x, mut y, mut carried) = (1usize, 0usize, state[1]);
        for step in 0..24u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let next = state[x + 5 * y];
            state[x + 5 * y] = carried.rotate_left((step + 1) * (step + 2) / 2 % 64);
            carried = next;
        }
        for row in 0..5 {
            let old: [u64; 5] = std::array::from_fn(|x| state[x + 5 * row]);
            (0..5).for_each(|x| state[x + 5 * row] = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]));
        }
        for bit in 0..7 {
            if lfsr & 1 == 1 {
                state[0] ^= 1 << ((1u32 << bit) - 1);
            }
            lfsr = (lfsr << 1) ^ if lfsr & 0x80 == 0 { 0 } else { 0x71 };
        }
    }
}
