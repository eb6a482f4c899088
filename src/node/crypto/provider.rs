//! The node's provider: AEADs by ring or aws-lc-rs (`docs/adr/0024`), signatures as the reference makes and accepts them.
//!
//! Both seal several times faster than RustCrypto's AEADs. They do not accept exactly the signatures that
//! `verify_strict` accepts, and all routers must agree on what is a message, so they verify none. What verifying saves
//! is taking the same few keys apart for every message: each thread keeps those it met last, as [`VerifyKey`]s, whose
//! verdict is the reference's, and prepares those that say much. Then it is faster than aws-lc-rs.

use std::cell::RefCell;
use std::sync::Mutex;

#[cfg(not(target_arch = "x86_64"))]
use aws_lc_rs::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use crosscast_wire::{Aead, Crypto, Domain, RustCrypto, SecretKey, Signature, VerifyKey, WeakVerifyKey};
#[cfg(target_arch = "x86_64")]
use ring::aead::{AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

use crate::work::lock;

/// Keys that a thread keeps ready, 200 bytes each. 1,024: 200 KiB for the senders that speak at a time.
const KEYS_READY: usize = 1_024;
/// Keys that are prepared at a time, 220 KB each, for all threads. 16: 3.5 MB for those who say most.
const KEYS_PREPARED: usize = 16;
/// Signatures that held on a thread before a key is prepared. 64: three times what preparing costs.
const PREPARE_AFTER: u32 = 64;

/// A key with the signatures that held under it.
struct Ready {
    key: VerifyKey,
    held: u32,
}

thread_local! {
    /// Each key has one place, given by its last bytes, and the next key of that place takes it.
    static READY: RefCell<Vec<Option<Ready>>> = RefCell::new((0..KEYS_READY).map(|_| None).collect());
}

/// The keys that are prepared, kept as long as a thread keeps them.
static PREPARED: Mutex<Vec<WeakVerifyKey>> = Mutex::new(Vec::new());

/// Verifies with a key that this thread keeps ready.
fn verify(key: &[u8; 32], check: impl FnOnce(&VerifyKey) -> bool) -> bool {
    // Not the first bytes, by which jobs are given to threads.
    let place = usize::from(key.last_chunk::<2>().map_or(0, |bytes| u16::from_le_bytes(*bytes))) % KEYS_READY;
    READY.with_borrow_mut(|keys| {
        let Some(slot) = keys.get_mut(place) else { return false };
        if slot.as_ref().is_none_or(|ready| ready.key.as_bytes() != key) {
            // An unusable key takes nobody's place.
            let Some(key) = VerifyKey::new(key) else { return false };
            *slot = Some(Ready { key, held: 0 });
        }
        let Some(ready) = slot else { return false };
        let holds = check(&ready.key);
        if holds && !ready.key.is_prepared() {
            ready.held = ready.held.saturating_add(1);
            if ready.held.is_multiple_of(PREPARE_AFTER) {
                prepare(&mut ready.key);
            }
        }
        holds
    })
}

/// Prepares a key, or takes over what another thread has prepared.
fn prepare(key: &mut VerifyKey) {
    let mut prepared = lock(&PREPARED);
    prepared.retain(|other| other.upgrade().is_some());
    if let Some(same) =
        prepared.iter().find(|other| other.as_bytes() == key.as_bytes()).and_then(WeakVerifyKey::upgrade)
    {
        *key = same;
    } else if prepared.len() < KEYS_PREPARED {
        key.prepare();
        prepared.extend(key.downgrade());
    }
}

/// AEADs in assembly, signatures by the reference provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeCrypto;

impl Crypto for NodeCrypto {
    fn sign(&self, key: &SecretKey, domain: Domain, body: &[u8]) -> Signature {
        RustCrypto.sign(key, domain, body)
    }

    fn verify(&self, key: &[u8; 32], domain: Domain, body: &[u8], signature: &Signature) -> bool {
        verify(key, |key| key.verify(domain, body, signature))
    }

    fn seal_in_place(
        &self,
        aead: Aead,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = buffer
            .get_mut(from..)
            .zip(bind(aead, key))
            .and_then(|(plain, key)| key.seal_in_place_separate_tag(nonce, Aad::from(aad), plain).ok());
        match &tag {
            Some(tag) => buffer.extend_from_slice(tag.as_ref()),
            None => buffer.truncate(from),
        }
        tag.is_some()
    }

    fn open(&self, aead: Aead, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        // Copied first: the received bytes stay as they are, and room that is written once need not be cleared.
        let mut plain = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let len = bind(aead, key)?.open_in_place(nonce, Aad::from(aad), &mut plain).ok()?.len();
        plain.truncate(len);
        Some(plain)
    }

    fn has_fast_aes(&self) -> bool {
        has_fast_aes()
    }
}

fn bind(aead: Aead, key: &[u8; 32]) -> Option<LessSafeKey> {
    let algorithm: &'static Algorithm = match aead {
        Aead::Aes256Gcm => &AES_256_GCM,
        Aead::ChaCha20Poly1305 => &CHACHA20_POLY1305,
    };
    UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new)
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_fast_aes() -> bool {
    std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_fast_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_fast_aes() -> bool {
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const LENGTHS: [usize; 9] = [0, 1, 15, 16, 17, 255, 4_096, 65_537, 262_144];

    fn filled(len: usize, seed: u8) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn both_providers_seal_to_the_same_bytes_and_open_each_others() {
        for aead in [Aead::Aes256Gcm, Aead::ChaCha20Poly1305] {
            for len in LENGTHS {
                let (key, nonce, aad) = ([len as u8; 32], [7; 12], filled(len % 100, 1));
                let (mut ours, mut theirs) = (filled(len + 5, 2), filled(len + 5, 2));
                assert!(NodeCrypto.seal_in_place(aead, &key, &nonce, &aad, &mut ours, 5));
                assert!(RustCrypto.seal_in_place(aead, &key, &nonce, &aad, &mut theirs, 5));
                assert_eq!(ours, theirs);
                let plain = &filled(len + 5, 2)[5..];
                assert_eq!(NodeCrypto.open(aead, &key, &nonce, &aad, &theirs[5..]).unwrap(), plain);
                assert_eq!(RustCrypto.open(aead, &key, &nonce, &aad, &ours[5..]).unwrap(), plain);
            }
        }
    }

    #[test]
    fn what_was_changed_on_the_way_does_not_open() {
        for aead in [Aead::Aes256Gcm, Aead::ChaCha20Poly1305] {
            let mut sealed = filled(100, 3);
            assert!(NodeCrypto.seal_in_place(aead, &[1; 32], &[2; 12], b"aad", &mut sealed, 0));
            for at in 0..sealed.len() {
                let mut wrong = sealed.clone();
                wrong[at] ^= 1;
                assert_eq!(NodeCrypto.open(aead, &[1; 32], &[2; 12], b"aad", &wrong), None);
            }
            assert_eq!(NodeCrypto.open(aead, &[1; 32], &[2; 12], b"aae", &sealed), None);
            assert_eq!(NodeCrypto.open(aead, &[1; 32], &[2; 12], b"aad", &sealed[..15]), None);
        }
    }

    #[test]
    fn keys_that_share_a_place_and_keys_that_are_none_are_told_apart() {
        let keys: Vec<SecretKey> = (0..200).map(|seed| SecretKey::new([seed; 32])).collect();
        for _ in 0..2 {
            for (key, next) in keys.iter().zip(&keys[1..]) {
                let signature = NodeCrypto.sign(key, Domain::Message, b"body");
                assert!(NodeCrypto.verify(&key.public(), Domain::Message, b"body", &signature));
                assert!(!NodeCrypto.verify(&next.public(), Domain::Message, b"body", &signature));
                assert!(!NodeCrypto.verify(&[0; 32], Domain::Message, b"body", &signature));
            }
        }
    }

    #[test]
    fn a_key_that_says_much_is_prepared_and_judged_as_before() {
        let (key, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        for count in 0..2 * PREPARE_AFTER {
            let body = count.to_le_bytes();
            let signature = NodeCrypto.sign(&key, Domain::Message, &body);
            assert!(NodeCrypto.verify(&key.public(), Domain::Message, &body, &signature));
            assert!(!NodeCrypto.verify(&key.public(), Domain::Floor, &body, &signature));
            assert!(!NodeCrypto.verify(&other.public(), Domain::Message, &body, &signature));
        }
        let prepared = READY.with_borrow(|keys| keys.iter().flatten().filter(|ready| ready.key.is_prepared()).count());
        assert_eq!(prepared, 1, "what never held is never prepared");
    }

    #[test]
    fn nothing_is_sealed_from_beyond_the_end() {
        let mut buffer = vec![1; 4];
        assert!(!NodeCrypto.seal_in_place(Aead::Aes256Gcm, &[0; 32], &[0; 12], b"", &mut buffer, 5));
        assert_eq!(buffer, [1; 4]);
    }
}
