//! The window of one sender instance: which of its numbers have been taken, and up to where there is no hole.
//!
//! A ring of bits behind the highest number, allocated at the first hole; what is older than the ring counts as taken.

use crosscast_wire::{Seq, WallMillis};

use crate::auth::origin::Prefix;
use crate::limits;

const WORDS: usize = (limits::WINDOW_SPAN / 64) as usize;

/// The taken numbers of one sender instance.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    contiguous: u64,
    high: u64,
    /// Bit `n % SPAN` says whether number `n` in `(high - SPAN, high]` is taken; allocated at the first hole.
    bits: Vec<u64>,
    /// When its last message was taken.
    pub(super) last: WallMillis,
    /// Where its first message came from; `None` for this node's own and for what was restored.
    pub(super) prefix: Option<Prefix>,
}

impl Window {
    /// The window of a run that is heard for the first time, from there.
    pub(super) fn opened(prefix: Prefix, at: WallMillis) -> Self {
        Self { prefix: Some(prefix), last: at, ..Self::default() }
    }

    fn bit(seq: u64) -> (usize, u64) {
        let place = seq % limits::WINDOW_SPAN;
        (usize::try_from(place / 64).unwrap_or(0), 1u64 << (place % 64))
    }

    fn has_bit(&self, seq: u64) -> bool {
        let (word, mask) = Self::bit(seq);
        self.bits.get(word).is_some_and(|bits| bits & mask != 0)
    }

    fn set_bit(&mut self, seq: u64, on: bool) {
        if self.bits.is_empty() {
            self.bits = vec![0; WORDS];
        }
        let (word, mask) = Self::bit(seq);
        if let Some(bits) = self.bits.get_mut(word) {
            *bits = if on { *bits | mask } else { *bits & !mask };
        }
    }

    /// How long it has said nothing, in milliseconds.
    pub(super) const fn silence_ms(&self, now: WallMillis) -> u64 {
        now.0.saturating_sub(self.last.0)
    }

    /// Whether what it said last could still be pushed.
    pub(super) const fn is_live(&self, now: WallMillis) -> bool {
        self.silence_ms(now) < LIVE_MS
    }

    /// The number up to which there is no hole.
    pub(super) const fn contiguous(&self) -> Seq {
        Seq(self.contiguous)
    }

    /// Takes up to a number, and the time of the last message, from the store.
    pub(super) fn restore(&mut self, contiguous: Seq, last: WallMillis) {
        self.contiguous = self.contiguous.max(contiguous.0);
        self.high = self.high.max(contiguous.0);
        self.last = self.last.max(last);
    }

    /// Whether the number may still be taken.
    pub(super) fn is_free(&self, seq: Seq) -> bool {
        let seq = seq.0;
        if seq <= self.contiguous || seq.saturating_add(limits::WINDOW_SPAN) <= self.high {
            return false;
        }
        seq > self.high || !self.has_bit(seq)
    }

    /// Takes a number that is free.
    pub(super) fn take(&mut self, seq: Seq, at: WallMillis) {
        let seq = seq.0;
        self.last = self.last.max(at);
        if seq == self.contiguous.saturating_add(1) && self.high <= self.contiguous {
            // The common case: no holes, no bits.
            self.contiguous = seq;
            self.high = seq;
            return;
        }
        if seq > self.high {
            let first = self.high.saturating_add(1).max(seq.saturating_sub(limits::WINDOW_SPAN).saturating_add(1));
            for skipped in first..seq {
                self.set_bit(skipped, false);
            }
            self.high = seq;
        }
        self.set_bit(seq, true);
        let floor = self.high.saturating_sub(limits::WINDOW_SPAN);
        self.contiguous = self.contiguous.max(floor);
        self.advance();
    }

    fn advance(&mut self) {
        while self.contiguous < self.high && self.has_bit(self.contiguous.saturating_add(1)) {
            self.contiguous = self.contiguous.saturating_add(1);
        }
    }
}

/// An instance is live while its last message could still be pushed: the accepted age and future together.
pub(super) const LIVE_MS: u64 = limits::PUSHED_MS + limits::FUTURE_MS;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Choices;

    const NOW: WallMillis = WallMillis(1_000_000_000);

    #[test]
    fn a_window_agrees_with_a_plain_set_of_numbers() {
        let mut choices = Choices::new(&[7; 32]);
        for _ in 0..20 {
            let (mut window, mut taken, mut high) = (Window::default(), BTreeSet::new(), 0u64);
            for _ in 0..300 {
                let step = choices.next() % 40;
                let jump = if choices.next().is_multiple_of(50) { 5_000 } else { 0 };
                let seq = (high + jump + 20).saturating_sub(step).max(1);
                let below = seq + limits::WINDOW_SPAN <= high;
                let free = window.is_free(Seq(seq));
                assert_eq!(free, !below && !taken.contains(&seq), "{seq} of {high}");
                if free {
                    window.take(Seq(seq), NOW);
                    taken.insert(seq);
                    high = high.max(seq);
                }
                let first = high.saturating_sub(limits::WINDOW_SPAN) + 1;
                let hole = (first..).find(|number| !taken.contains(number));
                assert_eq!(window.contiguous + 1, hole.unwrap_or(1), "high {high}");
            }
        }
    }

    #[test]
    fn extreme_numbers_neither_panic_nor_loop() {
        let mut window = Window::default();
        for seq in [u64::MAX, u64::MAX - 1, 1, u64::MAX / 2] {
            if window.is_free(Seq(seq)) {
                window.take(Seq(seq), NOW);
            }
            assert!(!window.is_free(Seq(seq)));
        }
    }
}
