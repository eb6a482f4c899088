//! A channel over bytes that nobody protects: Noise XX (revision 34), sans-IO.
//!
//! [`Handshake`] writes and reads the three messages, each with a payload; [`Channel`] is what comes of it: the handshake
//! hash, which names this channel and no other, and a key for each direction, from which [`records`] are made. Which
//! NodeIds are at the ends is not said here: whoever uses the channel proves it over the hash. The only randomness is
//! the caller's seed. Framing of the handshake's messages on a stream is the caller's too.

pub mod records;
#[cfg(test)]
mod tests;

use zeroize::{Zeroize, Zeroizing};

use crate::resolver::builder;
use records::RecordKey;

/// AES-GCM, because the records of a link are its whole traffic and most machines have AES in hardware; BLAKE2s, which
/// only the handshake uses, needs nothing of the machine.
pub const PATTERN: &str = "Noise_XX_25519_AESGCM_BLAKE2s";

const SEED_CONTEXT: &str = "crosscast noise seed v1";

/// Longest Noise message in bytes, as the framework has it.
pub const NOISE_MAX: usize = 65_535;

/// Length of the handshake hash in bytes.
pub const BINDING_LEN: usize = 32;

/// What the three handshake messages have beside their payloads, in bytes: `e`; `e, ee, s, es`; `s, se`, with the tags of
/// the static key and of the payload.
pub const OVERHEADS: [usize; 3] = [32, 32 + 48 + 16, 48 + 16];

/// Why a channel cannot be made or used, by guilty party.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoiseError {
    /// A handshake message of the peer does not hold: garbage, altered, of another handshake, or with an unusable key.
    #[error("the peer's handshake message does not hold")]
    BadMessage,
    /// A record of the peer is not authentic, or too short to be one.
    #[error("a record of the peer does not hold")]
    BadRecord,
    /// The peer sent records behind the one that ends the channel.
    #[error("records behind the end of the channel")]
    BehindEnd,
    /// The caller asked out of turn, for too much at once, or for more than one key may do.
    #[error("the channel was used wrongly")]
    Misuse,
}

/// An X25519 secret key; erased when dropped, never shown.
#[derive(Clone)]
pub struct NoiseSecret(Zeroizing<[u8; 32]>);

impl NoiseSecret {
    /// Makes the key of random bytes.
    #[must_use]
    pub fn new(mut bytes: [u8; 32]) -> Self {
        let secret = Self(Zeroizing::new(bytes));
        bytes.zeroize();
        secret
    }
}

impl core::fmt::Debug for NoiseSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NoiseSecret(..)")
    }
}

/// A handshake under way.
pub struct Handshake {
    state: Box<snow::HandshakeState>,
}

impl core::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Handshake").field("initiator", &self.state.is_initiator()).finish_non_exhaustive()
    }
}

impl Handshake {
    /// Starts as the side that writes first. `seed` is random and drawn for this handshake alone; the prologue is what
    /// both sides must mean alike.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] when there is no such pattern, which a test rules out.
    pub fn initiator(secret: &NoiseSecret, seed: &[u8; 32], prologue: &[u8]) -> Result<Self, NoiseError> {
        let state = prepared(secret, seed, prologue).and_then(snow::Builder::build_initiator);
        state.map(|state| Self { state: Box::new(state) }).map_err(|_| NoiseError::Misuse)
    }

    /// Starts as the side that reads first, otherwise as [`Self::initiator`].
    ///
    /// # Errors
    /// As [`Self::initiator`].
    pub fn responder(secret: &NoiseSecret, seed: &[u8; 32], prologue: &[u8]) -> Result<Self, NoiseError> {
        let state = prepared(secret, seed, prologue).and_then(snow::Builder::build_responder);
        state.map(|state| Self { state: Box::new(state) }).map_err(|_| NoiseError::Misuse)
    }

    /// Writes this side's next message. The payload of the first one is in the clear, that of the second may be read by
    /// whoever answered; both are authentic once the handshake is finished.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] out of turn, or when the message would be longer than [`NOISE_MAX`];
    /// [`NoiseError::BadMessage`] when nothing secret can be agreed with the peer's key.
    pub fn write(&mut self, payload: &[u8]) -> Result<Vec<u8>, NoiseError> {
        let longest = OVERHEADS.iter().copied().max().unwrap_or_default();
        let mut message = vec![0; payload.len().saturating_add(longest).min(NOISE_MAX)];
        match self.state.write_message(payload, &mut message) {
            Ok(written) => {
                message.truncate(written);
                Ok(message)
            }
            Err(snow::Error::Dh) => Err(NoiseError::BadMessage),
            Err(_) => Err(NoiseError::Misuse),
        }
    }

    /// Reads the peer's next message and returns its payload. After an error the handshake is over.
    ///
    /// # Errors
    /// [`NoiseError::BadMessage`] when it does not hold, [`NoiseError::Misuse`] out of turn.
    pub fn read(&mut self, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        if self.state.is_my_turn() || self.is_finished() {
            return Err(NoiseError::Misuse);
        }
        let mut payload = vec![0; message.len()];
        let read = self.state.read_message(message, &mut payload).map_err(|_| NoiseError::BadMessage)?;
        payload.truncate(read);
        Ok(payload)
    }

    /// Whether all three messages went.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.state.is_handshake_finished()
    }

    /// Ends the handshake.
    ///
    /// # Errors
    /// [`NoiseError::Misuse`] when it is not finished.
    pub fn finish(mut self) -> Result<Channel, NoiseError> {
        if !self.is_finished() {
            return Err(NoiseError::Misuse);
        }
        let binding = self.state.get_handshake_hash().try_into().map_err(|_| NoiseError::Misuse)?;
        let (initiators, responders) = self.state.dangerously_get_raw_split();
        let (initiators, responders) = (RecordKey::new(initiators), RecordKey::new(responders));
        let (sends, receives) =
            if self.state.is_initiator() { (initiators, responders) } else { (responders, initiators) };
        Ok(Channel { binding, sends, receives })
    }
}

/// What a finished handshake leaves.
#[derive(Debug)]
pub struct Channel {
    /// The handshake hash: it covers the prologue, every key and every payload, and is never the same twice.
    pub binding: [u8; BINDING_LEN],
    /// The key of what this side sends.
    pub sends: RecordKey,
    /// The key of what the peer sends.
    pub receives: RecordKey,
}

fn prepared<'a>(
    secret: &'a NoiseSecret,
    seed: &[u8; 32],
    prologue: &'a [u8],
) -> Result<snow::Builder<'a>, snow::Error> {
    builder(PATTERN, SEED_CONTEXT, Some(seed))?.prologue(prologue)?.local_private_key(secret.0.as_slice())
}
