//! snow's own primitives, with the caller's seed in place of the operating system's randomness.
//!
//! A key agreement whose result is zero, which is what a public key of small order gives, is refused.

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{BoxedCryptoResolver, CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use zeroize::{Zeroize, Zeroizing};

/// A builder for a pattern; what it draws comes from the seed, in a context of its own.
pub(crate) fn builder<'a>(
    pattern: &str,
    context: &'static str,
    seed: Option<&[u8; 32]>,
) -> Result<snow::Builder<'a>, snow::Error> {
    let seed = Zeroizing::new(seed.copied().unwrap_or_default());
    let resolver: BoxedCryptoResolver = Box::new(SeededResolver { context, seed });
    Ok(snow::Builder::with_resolver(pattern.parse()?, resolver))
}

struct SeededResolver {
    context: &'static str,
    seed: Zeroizing<[u8; 32]>,
}

impl CryptoResolver for SeededResolver {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        let hasher = blake3::Hasher::new_derive_key(self.context).update(self.seed.as_slice()).clone();
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
