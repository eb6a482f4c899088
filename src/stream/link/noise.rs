//! Noise records with the AES-256-GCM of ring or aws-lc-rs (`docs/adr/0024`): five times as fast as the pure one on 64 KiB
//! where the CPU has AES.

#[cfg(not(target_arch = "x86_64"))]
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use crosscast_seal::noise::records::{Opened, Opener, RecordCipher, Sealer, TAG_LEN, record_len};
use crosscast_seal::noise::{Channel, NoiseError};
use crosscast_wire::RustCrypto;
#[cfg(target_arch = "x86_64")]
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::Codec;

/// For a stream that nobody protects: everything goes in records of a Noise channel.
#[derive(Debug)]
pub struct Noise {
    sealer: Sealer<Fast>,
    opener: Opener<Fast>,
}

impl Noise {
    /// Starts behind a finished handshake.
    ///
    /// # Errors
    /// When the provider refuses the keys, which none does.
    pub fn new(channel: Channel) -> Result<Self, NoiseError> {
        Ok(Self { sealer: Sealer::new(channel.sends)?, opener: Opener::new(channel.receives)? })
    }
}

// The pure provider makes the next key, once in a million records.
impl Codec for Noise {
    fn seal(&mut self, pieces: &[Bytes], into: &mut Vec<u8>) -> Result<(), NoiseError> {
        self.sealer.seal(&RustCrypto, pieces, into)
    }

    fn end(&mut self, into: &mut Vec<u8>) -> Result<(), NoiseError> {
        self.sealer.end(&RustCrypto, into)
    }

    fn open<'a>(&mut self, received: &'a mut [u8]) -> Result<Opened<'a>, NoiseError> {
        self.opener.open(&RustCrypto, received)
    }

    fn whole_len(&self, part: &[u8]) -> usize {
        record_len(part)
    }

    fn ends_with_stream(&self) -> bool {
        false
    }
}

/// The key of one direction, prepared.
#[derive(Debug)]
struct Fast(LessSafeKey);

impl RecordCipher for Fast {
    fn new(key: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Self(LessSafeKey::new(key)))
    }

    fn seal(&self, nonce: [u8; 12], content: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_separate_tag(nonce, Aad::empty(), content).ok()?.as_ref().try_into().ok()
    }

    fn open<'a>(&self, nonce: [u8; 12], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::empty(), sealed).ok().map(|content| &*content)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crosscast_wire::{Aead, Crypto as _};

    #[test]
    fn the_fast_cipher_and_the_reference_agree() {
        for len in [0, 1, 15, 16, 17, 1000, 65_519] {
            let (key, nonce) = ([9; 32], [8; 12]);
            let plain: Vec<u8> = (0..len).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let cipher = Fast::new(&key).unwrap();
            let mut sealed = plain.clone();
            let tag = cipher.seal(nonce, &mut sealed).unwrap();
            sealed.extend_from_slice(&tag);
            assert_eq!(RustCrypto.open(Aead::Aes256Gcm, &key, &nonce, &[], &sealed).as_deref(), Some(&plain[..]));
            assert_eq!(cipher.open(nonce, &mut sealed.clone()), Some(&plain[..]));
            if let Some(first) = sealed.first_mut() {
                *first ^= 1;
            }
            assert_eq!(cipher.open(nonce, &mut sealed), None);
        }
    }
}
