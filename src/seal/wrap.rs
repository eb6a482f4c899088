//! The wrap of a content key for one recipient: one message of the one-way Noise pattern N.
//!
//! `Noise_N_25519_ChaChaPoly_BLAKE2s` (Noise revision 34): ChaChaPoly because every recipient must open it, with or
//! without AES in hardware, and in constant time; a wrap is 32 bytes, so speed decides nothing. The prologue binds it
//! to destination, recipient, sender and instance. The only randomness is the caller's seed. A shared secret of zero
//! (a prekey or ephemeral key of small order) is refused.

use crosscast_wire::{Instance, NodeId};
use snow::params::DHChoice;
use snow::resolvers::{CryptoResolver as _, DefaultResolver};
use zeroize::Zeroizing;

use crate::resolver::builder;
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
    let written = builder(PATTERN, SEED_CONTEXT, Some(seed))
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
    let builder =
        builder(PATTERN, SEED_CONTEXT, None).ok()?.prologue(prologue).ok()?.local_private_key(prekey_secret).ok()?;
    let read = builder.build_responder().ok()?.read_message(wrapped, key.as_mut_slice()).ok()?;
    (read == key.len()).then(|| ContentKey::new(*key))
}
