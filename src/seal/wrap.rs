//! The wrap of a content key for one recipient: one message of the one-way Noise pattern N.
//!
//! `Noise_N_25519_ChaChaPoly_BLAKE2s` (Noise revision 34): ChaChaPoly because every recipient must open it, with or
//! without AES in hardware, and in constant time; a wrap is 32 bytes, so speed decides nothing. The prologue binds it
//! to destination, recipient, sender and instance. The only randomness is the caller's seed. A shared secret of zero
//! (a prekey or ephemeral key of small order) is refused.

use crosscast_wire::{Instance, NodeId};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::{Zeroize, Zeroizing};

use crate::{ContentKey, SealError};

const PATTERN: &str = "Noise_N_25519_ChaChaPoly_BLAKE2s";
const SEED_CONTEXT: &str = "crosscast wrap seed v1";
const PROLOGUE_NAME: &[u8; 17] = b"crosscast wrap v1";
const PROLOGUE_LEN: usize = 17 + 32 + 32 + 32 + 8;

/// Length of a wrap in bytes: ephemeral key, content key, tag.
pub const WRAP_LEN: usize = 32 + 32 + 16;

/// What a wrap is bound to: the message's destination, the recipient, the sender and its instance.
#[must_use]
pub fn wrap_prologue(to: &[u8; 32], recipient: &NodeId, from: &NodeId, instance: Instance) -> [u8; PROLOGUE_LEN] {
    let number = instance.0.to_be_bytes();
    let parts = PROLOGUE_NAME.iter().chain(to).chain(recipient.as_bytes()).chain(from.as_bytes()).chain(&number);
    let mut prologue = [0u8; PROLOGUE_LEN];
    prologue.iter_mut().zip(parts).for_each(|(byte, from)| *byte = *from);
    prologue
}

/// The public half of an X25519 prekey.
#[must_use]
pub fn prekey_public(secret: &[u8; 32]) -> [u8; 32] {
    let mut public = [0u8; 32];
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(secret);
        public.iter_mut().zip(dh.pubkey()).for_each(|(byte, from)| *byte = *from);
    }
    public
}

/// Wraps a content key for the holder of a prekey; `seed` is random and drawn for this wrap alone.
///
/// # Errors
/// [`SealError::BadPrekey`] when nothing secret can be agreed with that prekey.
pub fn wrap(
    seed: &[u8; 32],
    recipient_prekey: &[u8; 32],
    prologue: &[u8],
    content_key: &ContentKey,
) -> Result<Vec<u8>, SealError> {
    let mut wrapped = vec![0u8; WRAP_LEN];
    let written = builder(Some(seed))
        .and_then(|builder| builder.prologue(prologue)?.remote_public_key(recipient_prekey)?.build_initiator())
        .and_then(|mut noise| noise.write_message(content_key.expose(), &mut wrapped))
        .map_err(|_| SealError::BadPrekey)?;
    if written == WRAP_LEN { Ok(wrapped) } else { Err(SealError::BadPrekey) }
}

/// Unwraps a content key; `None` when it was not wrapped for this prekey and prologue.
#[must_use]
pub fn unwrap(prekey_secret: &[u8; 32], prologue: &[u8], wrapped: &[u8]) -> Option<ContentKey> {
    if wrapped.len() != WRAP_LEN {
        return None;
    }
    let mut key = Zeroizing::new([0u8; 32]);
    let builder = builder(None).ok()?.prologue(prologue).ok()?.local_private_key(prekey_secret).ok()?;
    let read = builder.build_responder().ok()?.read_message(wrapped, key.as_mut_slice()).ok()?;
    (read == key.len()).then(|| ContentKey::new(*key))
}

fn builder<'a>(seed: Option<&[u8; 32]>) -> Result<snow::Builder<'a>, snow::Error> {
    let resolver: BoxedCryptoResolver =
        Box::new(SeededResolver { seed: Zeroizing::new(seed.copied().unwrap_or_default()) });
    Ok(snow::Builder::with_resolver(PATTERN.parse()?, resolver))
}

/// snow's own primitives, with the caller's seed in place of the operating system's randomness.
struct SeededResolver {
    seed: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for SeededResolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        let hasher = blake3::Hasher::new_derive_key(SEED_CONTEXT).update(self.seed.as_slice()).clone();
        Some(Box::new(SeedStream(hasher.finalize_xof())))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        Some(Box::new(StrictDh(DefaultResolver.resolve_dh(choice)?)))
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

struct SeedStream(blake3::OutputReader);

impl Random for SeedStream {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(dest);
        Ok(())
    }
}

/// An agreement whose result is never zero.
struct StrictDh(Box<dyn Dh>);

impl Dh for StrictDh {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn pub_len(&self) -> usize {
        self.0.pub_len()
    }

    fn priv_len(&self) -> usize {
        self.0.priv_len()
    }

    fn set(&mut self, privkey: &[u8]) {
        self.0.set(privkey);
    }

    fn generate(&mut self, rng: &mut dyn Random) -> Result<(), snow::Error> {
        self.0.generate(rng)
    }

    fn pubkey(&self) -> &[u8] {
        self.0.pubkey()
    }

    fn privkey(&self) -> &[u8] {
        self.0.privkey()
    }

    fn dh(&self, pubkey: &[u8], out: &mut [u8]) -> Result<(), snow::Error> {
        self.0.dh(pubkey, out)?;
        let bits = out.iter().take(self.dh_len()).fold(0u8, |bits, byte| bits | byte);
        if bits == 0 {
            out.zeroize();
            return Err(snow::Error::Dh);
        }
        Ok(())
    }
}
