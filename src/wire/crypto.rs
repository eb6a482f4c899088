//! Signatures and AEADs behind one trait, and the domains that keep signed objects apart.
//!
//! A signature is over `"crosscast/1 " ‖ domain name ‖ 0x00 ‖ bytes`. Verification is strict everywhere
//! (`verify_strict`: small-order and non-canonical keys and points, and malleable scalars are refused), so that all
//! routers agree. [`RustCrypto`] is the reference; the node brings a faster provider for the AEADs.

use ed25519_dalek::Signer as _;
use zeroize::Zeroize;

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
        }
    }

    /// The bytes that are signed: prefix, object name, a zero byte, the object.
    #[must_use]
    pub fn signed_bytes(self, body: &[u8]) -> Vec<u8> {
        let name = self.name().as_bytes();
        let mut bytes = Vec::with_capacity(body.len().saturating_add(32));
        bytes.extend_from_slice(b"crosscast/1 ");
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(body);
        bytes
    }
}

/// The 32-byte seed of an Ed25519 key pair; erased when dropped, never shown.
#[derive(Clone)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Wraps a seed.
    #[must_use]
    pub const fn new(seed: [u8; 32]) -> Self {
        Self(seed)
    }

    /// The seed, for writing it to a key file.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&self.0).verifying_key().to_bytes()
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
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
    fn seal_in_place(
        &self,
        aead: Aead,
        key: &[u8; 32],
        nonce: &[u8; 12],
        aad: &[u8],
        buffer: &mut Vec<u8>,
        from: usize,
    );

    /// Decrypts and authenticates `sealed` (ciphertext and tag); `None` when it is not authentic.
    fn open(&self, aead: Aead, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>>;

    /// Whether AES runs in hardware here: then suite 1 is the sender's choice, else suite 2.
    fn has_fast_aes(&self) -> bool;
}

/// The reference provider: ed25519-dalek and the RustCrypto AEADs.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCrypto;
