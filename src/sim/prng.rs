//! The simulator's own chance: xoshiro256** (Blackman and Vigna), seeded through SplitMix64.
//!
//! Everything random in a run comes from one 64-bit seed. Each part of the world forks a stream of its own under a
//! label, so that a change in how often one part draws leaves the others alone. Integers only: no result depends on a
//! floating-point library.

/// One part in a million, the unit of probabilities.
pub const PPM: u32 = 1_000_000;

/// A stream of pseudo-random numbers.
#[derive(Clone, Debug)]
pub struct Prng {
    state: [u64; 4],
}

const fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Prng {
    /// Starts the stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        let mut mixer = seed;
        let state = [split_mix(&mut mixer), split_mix(&mut mixer), split_mix(&mut mixer), split_mix(&mut mixer)];
        Self { state }
    }

    /// A stream that depends on this one's position and a label.
    #[must_use]
    pub const fn fork(&mut self, label: u64) -> Self {
        Self::new(self.next_u64() ^ label.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let (c2, d2) = (c ^ a, d ^ b);
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// A number below `bound`; 0 when the bound is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        // Multiply-shift; its bias of at most 2^-32 for the small bounds used here moves no result.
        ((self.next_u64() as u128).wrapping_mul(bound as u128) >> 64) as u64
    }

    /// A number from `low` to `high`, both included; `low` when they are the wrong way round.
    pub const fn range(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.below(high.saturating_sub(low).saturating_add(1)))
    }

    /// True in `ppm` of a million cases.
    pub const fn chance(&mut self, ppm: u32) -> bool {
        self.below(PPM as u64) < ppm as u64
    }

    /// A waiting time with this mean: between a tenth of it and three times it, short ones more often.
    pub const fn around(&mut self, mean: u64) -> u64 {
        let (a, b) = (self.below(1_000), self.below(1_000));
        let share = if a < b { a } else { b };
        // The smaller of two uniform draws has mean 1/3: scaled by 3 its mean is `mean`.
        let spread = mean.saturating_mul(share.saturating_mul(3)) / 1_000;
        let least = mean / 10;
        if spread < least { least } else { spread }
    }

    /// One of the values; `None` of none.
    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        let at = usize::try_from(self.below(values.len() as u64)).unwrap_or(0);
        values.get(at)
    }

    /// Puts the values into a random order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = usize::try_from(self.below(last.saturating_add(1) as u64)).unwrap_or(0);
            values.swap(last, other);
        }
    }

    /// 32 random bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_a_seed_is_the_published_one() {
        // Seed 0 through SplitMix64 gives the state that the authors' reference programs start from.
        let mut mixer = 0;
        assert_eq!(split_mix(&mut mixer), 0xe220_a839_7b1d_cdaf);
        let mut prng = Prng { state: [1, 2, 3, 4] };
        assert_eq!([prng.next_u64(), prng.next_u64(), prng.next_u64()], [11_520, 0, 1_509_978_240]);
    }

    #[test]
    fn bounds_are_kept_and_reached() {
        let mut prng = Prng::new(7);
        let drawn: std::collections::BTreeSet<u64> = (0..1_000).map(|_| prng.range(3, 9)).collect();
        assert_eq!(drawn, (3..=9).collect());
        assert_eq!((prng.below(0), prng.range(5, 5)), (0, 5));
        let hits = (0..10_000).filter(|_| prng.chance(PPM / 4)).count();
        assert!((2_200..2_800).contains(&hits), "{hits}");
    }

    #[test]
    fn forks_of_one_stream_differ() {
        let (mut a, mut b) = (Prng::new(1), Prng::new(1));
        assert_eq!(a.fork(1).next_u64(), b.fork(1).next_u64());
        assert_ne!(a.fork(1).next_u64(), b.fork(2).next_u64());
    }
}
