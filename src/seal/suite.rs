//! The sealing suites: how a 32-byte key and a random 24-byte nonce become an AEAD key and a 12-byte nonce.
//!
//! Suite 1 is XAES-256-GCM (C2SP): a key derived for each message by AES in counter-mode CMAC (NIST SP 800-108r1).
//! Suite 2 is XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha): a key derived by HChaCha20. The AEAD itself is
//! `crosscast_wire::Crypto`'s.

use aes::Aes256;
use aes::cipher::{BlockEncrypt, KeyInit};
use chacha20::cipher::consts::U10;
use crosscast_wire::limits::NONCE_LEN;
use crosscast_wire::{Aead, Suite};
use zeroize::Zeroize;

/// The AEAD, key and nonce of one message.
pub(crate) fn expand(suite: Suite, key: &[u8; 32], nonce: &[u8; NONCE_LEN]) -> MessageAead {
    match suite {
        Suite::XAes256Gcm => expand_xaes(key, nonce),
        Suite::XChaCha20Poly1305 => expand_xchacha(key, nonce),
    }
}

/// What one message is sealed with; the key is erased when dropped.
pub(crate) struct MessageAead {
    pub(crate) aead: Aead,
    pub(crate) key: [u8; 32],
    pub(crate) nonce: [u8; 12],
}

impl Drop for MessageAead {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

fn expand_xaes(key: &[u8; 32], nonce: &[u8; NONCE_LEN]) -> MessageAead {
    let (derivation, rest) = split::<12, 12>(nonce);
    let cipher = Aes256::new(key.into());
    let mut subkey = [0u8; 16];
    cipher.encrypt_block((&mut subkey).into());
    double(&mut subkey);
    let mut derived = [0u8; 32];
    for (counter, half) in (1u8..).zip(derived.chunks_exact_mut(16)) {
        // SP 800-108: [counter]_16 ‖ label "X" ‖ 0x00 ‖ context, one whole block, hence CMAC's K1
        let prefix = [0, counter, b'X', 0];
        let block = prefix.iter().chain(&derivation).zip(&subkey);
        half.iter_mut().zip(block).for_each(|(byte, (message, mask))| *byte = message ^ mask);
        cipher.encrypt_block(half.into());
    }
    subkey.zeroize();
    MessageAead { aead: Aead::Aes256Gcm, key: derived, nonce: rest }
}

/// Multiplies by x in GF(2^128), as CMAC makes its subkeys, without a branch on secret bits.
fn double(block: &mut [u8; 16]) {
    let value = u128::from_be_bytes(*block);
    let carry = (value >> 127) * 0x87;
    *block = ((value << 1) ^ carry).to_be_bytes();
}

fn expand_xchacha(key: &[u8; 32], nonce: &[u8; NONCE_LEN]) -> MessageAead {
    let (derivation, rest) = split::<16, 8>(nonce);
    let derived = chacha20::hchacha::<U10>(key.into(), (&derivation).into());
    let mut short = [0u8; 12];
    short.iter_mut().skip(4).zip(rest).for_each(|(byte, from)| *byte = from);
    MessageAead { aead: Aead::ChaCha20Poly1305, key: derived.into(), nonce: short }
}

fn split<const A: usize, const B: usize>(nonce: &[u8; NONCE_LEN]) -> ([u8; A], [u8; B]) {
    let (mut head, mut tail) = ([0u8; A], [0u8; B]);
    head.iter_mut().chain(&mut tail).zip(nonce).for_each(|(byte, from)| *byte = *from);
    (head, tail)
}
