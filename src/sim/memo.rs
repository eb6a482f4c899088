//! A crypto provider that does every signature check once for the whole world.
//!
//! A message's signature is checked by every node that gets it; the answer is the same each time, so it is remembered
//! under a hash of key, domain, bytes and signature. Signatures are remembered too, under key, domain and bytes. What
//! the checks would have cost in time is modelled by the pool, not spent.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crosscast_wire::{Aead, Crypto, Domain, RustCrypto, SecretKey, Signature};

/// Answers remembered at once. 262,144: all messages of a long run; then it starts anew, which changes no answer.
const REMEMBERED: usize = 262_144;

#[derive(Debug, Default)]
struct Answers {
    verified: BTreeMap<[u8; 32], bool>,
    signed: BTreeMap<[u8; 32], Signature>,
}

/// [`RustCrypto`] with a memory; clones share it.
#[derive(Clone, Debug, Default)]
pub struct MemoCrypto {
    answers: Arc<Mutex<Answers>>,
    fast_aes: bool,
}

impl MemoCrypto {
    /// The same memory for a node that says of itself whether its AES is fast, whatever this machine has.
    #[must_use]
    pub fn with_fast_aes(&self, fast_aes: bool) -> Self {
        Self { answers: Arc::clone(&self.answers), fast_aes }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        // A panic elsewhere leaves the table whole: inserts are single calls.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(key: &[u8; 32], domain: Domain, body: &[u8], signature: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key).update(domain.name().as_bytes()).update(&[0]).update(&(body.len() as u64).to_le_bytes());
    *hasher.update(body).update(signature).finalize().as_bytes()
}

impl Crypto for MemoCrypto {
    fn sign(&self, key: &SecretKey, domain: Domain, body: &[u8]) -> Signature {
        let name = name(key.expose(), domain, body, &[]);
        if let Some(signature) = self.answers().signed.get(&name) {
            return *signature;
        }
        let signature = RustCrypto.sign(key, domain, body);
        let signed = &mut self.answers().signed;
        if signed.len() >= REMEMBERED {
            signed.clear();
        }
        signed.insert(name, signature);
        signature
    }

    fn verify(&self, key: &[u8; 32], domain: Domain, body: &[u8], signature: &Signature) -> bool {
        let name = name(key, domain, body, signature);
        if let Some(holds) = self.answers().verified.get(&name) {
            return *holds;
        }
        let holds = RustCrypto.verify(key, domain, body, signature);
        let verified = &mut self.answers().verified;
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(name, holds);
        holds
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
        RustCrypto.seal_in_place(aead, key, nonce, aad, buffer, from)
    }

    fn open(&self, aead: Aead, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        RustCrypto.open(aead, key, nonce, aad, sealed)
    }

    fn has_fast_aes(&self) -> bool {
        self.fast_aes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_answer_is_the_reference_providers() {
        let (memo, key) = (MemoCrypto::default(), SecretKey::new([7; 32]));
        let other = SecretKey::new([8; 32]).public();
        let public = key.public();
        for _ in 0..2 {
            let signature = memo.sign(&key, Domain::Message, b"body");
            assert_eq!(signature, RustCrypto.sign(&key, Domain::Message, b"body"));
            assert!(memo.verify(&public, Domain::Message, b"body", &signature));
            assert!(!memo.verify(&public, Domain::Floor, b"body", &signature));
            assert!(!memo.verify(&public, Domain::Message, b"bodY", &signature));
            assert!(!memo.verify(&other, Domain::Message, b"body", &signature));
        }
        assert_eq!(memo.answers().verified.len(), 4);
    }
}
