//! Chance as it comes in through the door: two streams from two seeds.
//!
//! [`Choices`] drives jitter and picks and is replayable; [`KeyStream`] makes keys and nonces from the seed that the
//! driver draws from the operating system at each start. Neither seed can be told from the other's output.

use zeroize::Zeroize;

/// Jitter and picks: SplitMix64 (Steele, Lea, Flood 2014); not for secrets.
pub(crate) struct Choices(u64);

impl Choices {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        let hash = blake3::derive_key("crosscast choices v1", seed);
        Self(hash.iter().take(8).fold(0, |word, byte| (word << 8) | u64::from(*byte)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 for none.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A value between half and one and a half times `base`.
    pub(crate) fn around(&mut self, base: u64) -> u64 {
        let half = base / 2;
        half.saturating_add(self.next() % base.saturating_add(1).max(1))
    }
}

/// Keys and nonces: BLAKE3 in keyed mode over a counter; erased when dropped.
pub(crate) struct KeyStream {
    key: [u8; 32],
    counter: u64,
}

impl KeyStream {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self { key: blake3::derive_key("crosscast key stream v1", seed), counter: 0 }
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        self.counter = self.counter.saturating_add(1);
        let mut out = [0; N];
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&self.counter.to_be_bytes());
        hasher.finalize_xof().fill(&mut out);
        out
    }
}

impl Drop for KeyStream {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
