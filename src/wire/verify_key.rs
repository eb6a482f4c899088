//! A public key made ready once, to verify many signatures with.
//!
//! It accepts exactly what [`crate::RustCrypto`] accepts and saves what that does anew each time: taking the key apart,
//! and taking the signature's first half apart. The latter is not needed: verification computes the point that stands
//! there, encodes it and compares bytes, so a point that cannot be taken apart, or is not written canonically, never
//! matches, and one of small order matches only in one of its eight canonical forms, which are refused here by name.
//! Prepared, it also holds multiples of the key, as libraries do of the base point; the equation is the same.

use std::sync::{Arc, Weak};

use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::{Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha512};

use crate::crypto::usable;
use crate::multiples::Multiples;
use crate::{Domain, Signature};

/// The canonical encodings of the points of order 1, 2, 4 and 8, by their first half; a test holds them to the curve.
const SMALL_ORDER: [[u8; 32]; 5] = [
    first(0x01, 0x00, 0x00),
    first(0xec, 0xff, 0x7f),
    [0; 32],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn first(low: u8, middle: u8, high: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = low;
    bytes[31] = high;
    bytes
}

/// A usable public key, ready to verify. Clones share what preparing made.
#[derive(Clone)]
pub struct VerifyKey {
    key: VerifyingKey,
    /// Multiples of the negated key, once it is worth their making.
    multiples: Option<Arc<Multiples>>,
}

/// A prepared key that others may keep: it is gone when the last that verifies with it is.
#[derive(Clone)]
pub struct WeakVerifyKey {
    key: VerifyingKey,
    multiples: Weak<Multiples>,
}

impl WeakVerifyKey {
    /// The key as it travels.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The prepared key, if anybody still has it.
    #[must_use]
    pub fn upgrade(&self) -> Option<VerifyKey> {
        Some(VerifyKey { key: self.key, multiples: Some(self.multiples.upgrade()?) })
    }
}

impl VerifyKey {
    /// Takes a key apart; `None` when it is not usable ([`crate::is_usable_key`]).
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Option<Self> {
        usable(key).map(|key| Self { key, multiples: None })
    }

    /// Makes verifying cost half, at the price of 220 KB and of as much time as it saves in 20 verifications.
    pub fn prepare(&mut self) {
        if self.multiples.is_none() {
            self.multiples = Some(Arc::new(Multiples::new(-self.key.to_edwards())));
        }
    }

    /// Whether it was prepared.
    #[must_use]
    pub const fn is_prepared(&self) -> bool {
        self.multiples.is_some()
    }

    /// A hold on a prepared key that does not keep it; `None` when it is not prepared.
    #[must_use]
    pub fn downgrade(&self) -> Option<WeakVerifyKey> {
        let multiples = Arc::downgrade(self.multiples.as_ref()?);
        Some(WeakVerifyKey { key: self.key, multiples })
    }

    /// The key as it travels.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is this key's strict signature of `body` as an object of `domain`.
    #[must_use]
    pub fn verify(&self, domain: Domain, body: &[u8], signature: &Signature) -> bool {
        match &self.multiples {
            _ if is_small_order(signature) => false,
            Some(multiples) => self.holds(multiples, domain, body, signature).unwrap_or(false),
            None => {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                self.key.verify(&domain.signed_bytes(body), &signature).is_ok()
            }
        }
    }

    /// RFC 8032, section 5.1.7, without cofactor: whether `s B - k A` is written as `R` is.
    fn holds(&self, minus_key: &Multiples, domain: Domain, body: &[u8], signature: &Signature) -> Option<bool> {
        let (r, s) = signature.split_first_chunk::<32>()?;
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s.first_chunk()?))?;
        let [prefix, name, end] = domain.parts();
        let hash = Sha512::new().chain_update(r).chain_update(self.as_bytes());
        let hash = hash.chain_update(prefix).chain_update(name).chain_update(end).chain_update(body);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        Some(minus_key.times_plus_base(&k, &s).compress().as_bytes() == r)
    }
}

impl core::fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("VerifyKey").field(self.as_bytes()).finish()
    }
}

impl core::fmt::Debug for WeakVerifyKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("WeakVerifyKey").field(self.as_bytes()).finish()
    }
}

/// Whether the first half of a signature is a point of small order in canonical form.
fn is_small_order(signature: &Signature) -> bool {
    let Some(point) = signature.first_chunk::<32>() else { return true };
    let mut unsigned = *point;
    if let Some(high) = unsigned.last_mut() {
        *high &= 0x7f;
    }
    SMALL_ORDER.contains(&unsigned)
}
