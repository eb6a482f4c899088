//! Signatures and AEADs behind one trait, and the domains that keep signed objects apart.
//!
//! A signature is over `"crosscast/1 " ‖ domain name ‖ 0x00 ‖ bytes`. Verification is strict everywhere
//! (`verify_strict`: small-order and non-canonical keys and points, and malleable scalars are refused), so that all
//! routers agree. [`RustCrypto`] is the reference; the node brings a faster provider for the AEADs.

use aes_gcm::{AeadInPlace as _, KeyInit as _};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use zeroize::Zeroize as _;

use crate::limits::TAG_LEN;

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// What kind of object a signature is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Domain {
    /// A message's header.
    Message,
    /// A capability.
    Capability,
    /// A floor record.
    Floor,
    /// A peer record.
    PeerRecord,
    /// A prekey.
    Prekey,
    /// A service record.
    ServiceRecord,
    /// A delegation from a principal to a device.
    Delegation,
    /// A successor record.
    Successor,
    /// A request to join a group.
    JoinRequest,
    /// An agreement between a core and an edge.
    Agreement,
    /// A receipt of a core.
    Receipt,
    /// A relay reservation.
    Reservation,
    /// A LAN beacon.
    Beacon,
    /// A hello's proof.
    Hello,
    /// A binding of another network's key to a NodeId.
    Attestation,
    /// The proof that a join request's sender holds an invite.
    Invite,
    /// A search for the way to a node or service.
    Locate,
}

impl Domain {
    /// Every domain.
    pub const ALL: &'static [Self] = &[
        Self::Message,
        Self::Capability,
        Self::Floor,
        Self::PeerRecord,
        Self::Prekey,
        Self::ServiceRecord,
        Self::Delegation,
        Self::Successor,
        Self::JoinRequest,
        Self::Agreement,
        Self::Receipt,
        Self::Reservation,
        Self::Beacon,
        Self::Hello,
        Self::Attestation,
        Self::Invite,
        Self::Locate,
    ];

    /// The object name inside the signed bytes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Capability => "capability",
            Self::Floor => "floor",
            Self::PeerRecord => "peer-record",
            Self::Prekey => "prekey",
            Self::ServiceRecord => "service-record",
            Self::Delegation => "delegation",
            Self::Successor => "successor",
            Self::JoinRequest => "join-request",
            Self::Agreement => "agreement",
            Self::Receipt => "receipt",
            Self::Reservation => "reservation",
            Self::Beacon => "beacon",
            Self::Hello => "hello",
            Self::Attestation => "attestation",
            Self::Invite => "invite",
            Self::Locate => "locate",
        }
    }

    /// The bytes that are signed: prefix, object name, a zero byte, the object.
    #[must_use]
    pub fn signed_bytes(self, body: &[u8]) -> Vec<u8> {
        let [prefix, name, end] = self.parts();
        [prefix, name, end, body].concat()
    }

    /// What stands before the object in what is signed.
    pub(crate) const fn parts(self) -> [&'static [u8]; 3] {
        [b"crosscast/1 ", self.name().as_bytes(), &[0]]
    }
}

/// An Ed25519 key pair, grown from a 32-byte seed; erased when dropped, never shown.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes the key pair of a seed.
    #[must_use]
    pub fn new(mut seed: [u8; 32]) -> Self {
        let key = SigningKey::from_bytes(&seed);
        seed.zeroize();
        Self(key)
    }

    /// The seed, for writing it to a key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

impl core::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// The AEADs that sealing is built from; 32-byte keys, 12-byte nonces, 16-byte tags appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aead {
    /// AES-256-GCM (NIST SP 800-38D).
    Aes256Gcm,
    /// ChaCha20-Poly1305 (RFC 8439).
    ChaCha20Poly1305,
}

/// The cryptographic operations the pure rooms need; a provider must accept exactly what [`RustCrypto`] accepts.
pub trait Crypto: Send + Sync {
    /// Signs `body` as an object of `domain`.
    fn sign(&self, key: &SecretKey, domain: Domain, body: &[u8]) -> Signature;

    /// Whether `signature` is `key`'s strict signature of `body` as an object of `domain`.
    fn verify(&self, key: &[u8; 32], domain: Domain, body: &[u8], signature: &Signature) -> bool;

    /// Encrypts `buffer` in place from byte `from` on and appends the tag.
    ///
    /// False means that nothing was sealed (`from` lies beyond the end, or the AEAD cannot take that much); then the
    /// buffer is cut at `from`, so that no plaintext can leave by mistake.
    #[must_use]
    fn seal_in_place(
        &self,
        aead: Aead,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    ) -> bool;

    /// Decrypts and authenticates `sealed` (ciphertext and tag); `None` when it is not authentic.
    fn open(&self, aead: Aead, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;

    /// Whether AES runs in hardware here: then suite 1 is the sender's choice, else suite 2.
    fn has_fast_aes(&self) -> bool;
}

/// The reference provider: ed25519-dalek and the RustCrypto AEADs.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;

impl Crypto for RustCrypto {
    fn sign(&self, key: &SecretKey, domain: Domain, body: &[u8]) -> Signature {
        key.0.sign(&domain.signed_bytes(body)).to_bytes()
    }

    fn verify(&self, key: &[u8; 32], domain: Domain, body: &[u8], signature: &Signature) -> bool {
        verify_plain(key, &domain.signed_bytes(body), signature)
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
        let tag = buffer.get_mut(from..).and_then(|plain| match aead {
            Aead::Aes256Gcm => {
                aes_gcm::Aes256Gcm::new(key.into()).encrypt_in_place_detached(nonce.into(), aad, plain).ok()
            }
            Aead::ChaCha20Poly1305 => chacha20poly1305::ChaCha20Poly1305::new(key.into())
                .encrypt_in_place_detached(nonce.into(), aad, plain)
                .ok(),
        });
        match tag {
            Some(tag) => buffer.extend_from_slice(&tag),
            None => buffer.truncate(from),
        }
        tag.is_some()
    }

    fn open(&self, aead: Aead, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>()?;
        let mut buffer = ciphertext.to_vec();
        match aead {
            Aead::Aes256Gcm => aes_gcm::Aes256Gcm::new(key.into())
                .decrypt_in_place_detached(nonce.into(), aad, &mut buffer, tag.into())
                .ok()?,
            Aead::ChaCha20Poly1305 => chacha20poly1305::ChaCha20Poly1305::new(key.into())
                .decrypt_in_place_detached(nonce.into(), aad, &mut buffer, tag.into())
                .ok()?,
        }
        Some(buffer)
    }

    // The reference promises nothing about the machine, so that the same build chooses alike everywhere.
    fn has_fast_aes(&self) -> bool {
        false
    }
}

/// Whether these bytes are a key that a signature can hold under: a canonical point, not of small order.
#[must_use]
pub fn is_usable_key(key: &[u8; 32]) -> bool {
    usable(key).is_some()
}

/// Whether `signature` is `key`'s strict signature of these bytes, which begin with no domain: what other networks sign.
pub(crate) fn verify_plain(key: &[u8; 32], bytes: &[u8], signature: &Signature) -> bool {
    usable(key).is_some_and(|key| key.verify_strict(bytes, &ed25519_dalek::Signature::from_bytes(signature)).is_ok())
}

pub(crate) fn usable(key: &[u8; 32]) -> Option<VerifyingKey> {
    // dalek reduces a coordinate of 2^255 - 19 or more instead of refusing it, which would give a key two names.
    let [low, middle @ .., high] = key;
    let unreduced = *low >= 0xed && middle.iter().all(|byte| *byte == 0xff) && high & 0x7f == 0x7f;
    if unreduced {
        return None;
    }
    VerifyingKey::from_bytes(key).ok().filter(|key| !key.is_weak())
}
