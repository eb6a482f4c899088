//! A token bucket: so much at once, so much a second.

use crate::Instant;

/// Counts in millionths of a token, so that a slow rate is not lost to rounding.
const TOKEN: u64 = 1_000_000;

/// A token bucket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    level: u64,
    size: u64,
    /// Tokens a second: millionths of a token a microsecond.
    rate: u64,
    at: Instant,
}

impl Bucket {
    /// A full bucket of `size` tokens that gains `per_second`.
    pub(crate) const fn new(size: u64, per_second: u64, now: Instant) -> Self {
        let size = size.saturating_mul(TOKEN);
        Self { level: size, size, rate: per_second, at: now }
    }

    /// Takes one token; false when there is none.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        self.take_many(1, now)
    }

    /// Takes tokens; false, and nothing taken, when there are not so many.
    pub(crate) fn take_many(&mut self, tokens: u64, now: Instant) -> bool {
        let wanted = tokens.saturating_mul(TOKEN);
        let left = self.level_at(now).checked_sub(wanted);
        if let Some(left) = left {
            self.level = left;
            self.at = self.at.max(now);
        }
        left.is_some()
    }

    /// Takes a token, or what is left of one: for what has happened and cannot be refused any more.
    pub(crate) fn spend(&mut self, now: Instant) {
        self.level = self.level_at(now).saturating_sub(TOKEN);
        self.at = self.at.max(now);
    }

    /// Whether it has so many tokens; reads only.
    pub(crate) fn has(&self, tokens: u64, now: Instant) -> bool {
        self.level_at(now) >= tokens.saturating_mul(TOKEN)
    }

    /// Whether it is full again: then it says no more than a new one.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.level_at(now) >= self.size
    }

    fn level_at(&self, now: Instant) -> u64 {
        let gained = now.micros_since(self.at).saturating_mul(self.rate);
        self.level.saturating_add(gained).min(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_so_much_at_once_and_so_much_a_second() {
        let mut bucket = Bucket::new(3, 2, Instant(0));
        assert!((0..3).all(|_| bucket.take(Instant(0))));
        assert!(!bucket.take(Instant(499_999)));
        assert!(bucket.take(Instant(500_000)));
        assert!(!bucket.has(1, Instant(500_000)));
        assert!(bucket.is_full(Instant(10_000_000)) && !bucket.take_many(4, Instant(10_000_000)));
    }
}
