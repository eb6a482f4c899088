//! Replay windows: which numbers of a sender instance have been taken, and up to where there is no hole.
//!
//! One window per (destination, sender, instance). Reading is free; a number is taken only after its message's
//! signature and payload hash held, so nobody can use up another's numbers. A sender has at most 8 live instances, a
//! destination a bounded number of windows: new ones are refused, old ones never thrown out before their time.

use std::collections::BTreeMap;

use crosscast_wire::{Instance, NodeId, Seq, WallMillis};

use crate::Reject;
use crate::limits;

const WORDS: usize = (limits::WINDOW_SPAN / 64) as usize;

/// The taken numbers of one sender instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    contiguous: u64,
    high: u64,
    /// Bit `n % SPAN` says whether number `n` in `(high - SPAN, high]` is taken; allocated at the first hole.
    bits: Vec<u64>,
    last: WallMillis,
}

impl Window {
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

    /// Whether the number may still be taken.
    pub(crate) fn is_free(&self, seq: Seq) -> bool {
        let seq = seq.0;
        if seq <= self.contiguous || seq.saturating_add(limits::WINDOW_SPAN) <= self.high {
            return false;
        }
        seq > self.high || !self.has_bit(seq)
    }

    /// Takes a number that is free.
    pub(crate) fn take(&mut self, seq: Seq, at: WallMillis) {
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

/// The windows of one destination.
#[derive(Default)]
pub(crate) struct Windows {
    windows: BTreeMap<(NodeId, Instance), Window>,
}

impl Windows {
    /// Whether a message may still be taken; reads only.
    ///
    /// # Errors
    /// [`Reject::Replayed`] or [`Reject::WindowsFull`].
    pub(crate) fn check(&self, from: NodeId, instance: Instance, seq: Seq, now: WallMillis) -> Result<(), Reject> {
        if let Some(window) = self.windows.get(&(from, instance)) {
            return if window.is_free(seq) { Ok(()) } else { Err(Reject::Replayed) };
        }
        let live = |window: &Window| now.0.saturating_sub(window.last.0) < LIVE_MS;
        if self.windows.len() >= limits::WINDOWS && self.windows.values().all(live) {
            return Err(Reject::WindowsFull);
        }
        let speaking = |window: &Window| now.0.saturating_sub(window.last.0) < SPEAKING_MS;
        if self.instances(from).filter(|(_, window)| speaking(window)).count() >= limits::INSTANCES_PER_SENDER {
            return Err(Reject::WindowsFull);
        }
        Ok(())
    }

    fn instances(&self, from: NodeId) -> impl Iterator<Item = (&(NodeId, Instance), &Window)> {
        self.windows.range((from, Instance(0))..=(from, Instance(u64::MAX)))
    }

    /// Takes a number, after signature and payload hash held.
    pub(crate) fn take(&mut self, from: NodeId, instance: Instance, seq: Seq, at: WallMillis) {
        if !self.windows.contains_key(&(from, instance)) {
            self.make_room(from);
        }
        self.windows.entry((from, instance)).or_default().take(seq, at);
    }

    /// Makes room for a new instance. Of a sender's own the one that has been silent longest goes: what it said is still
    /// known by its ids. Of all senders' only one whose messages the time gate refuses anyway.
    fn make_room(&mut self, from: NodeId) {
        let silent = |(key, window): (&(NodeId, Instance), &Window)| (window.last, *key);
        let own = self.instances(from).count() >= limits::INSTANCES_PER_SENDER;
        let gone = if own {
            self.instances(from).map(silent).min()
        } else if self.windows.len() >= limits::WINDOWS {
            self.windows.iter().map(silent).min()
        } else {
            None
        };
        if let Some((_, key)) = gone {
            self.windows.remove(&key);
        }
    }

    /// Every (sender, instance) with the number up to which there is no hole.
    pub(crate) fn contiguous(&self) -> impl Iterator<Item = (NodeId, Instance, Seq)> + '_ {
        self.windows.iter().map(|((from, instance), window)| (*from, *instance, Seq(window.contiguous)))
    }

    /// Every window as the store keeps it: hole-free start and time of the last message.
    pub(crate) fn states(&self) -> impl Iterator<Item = (NodeId, Instance, Seq, WallMillis)> + '_ {
        let state = |window: &Window| (Seq(window.contiguous), window.last);
        self.windows.iter().map(move |((from, instance), window)| {
            let (seq, last) = state(window);
            (*from, *instance, seq, last)
        })
    }

    /// Restores a window's hole-free start from the store.
    pub(crate) fn restore(&mut self, from: NodeId, instance: Instance, contiguous: Seq, last: WallMillis) {
        let window = self.windows.entry((from, instance)).or_default();
        window.contiguous = window.contiguous.max(contiguous.0);
        window.high = window.high.max(contiguous.0);
        window.last = window.last.max(last);
    }

    /// Drops windows silent for longer than the kept time; returns them so the store can forget them too.
    pub(crate) fn expire(&mut self, now: WallMillis) -> Vec<(NodeId, Instance)> {
        let old = |window: &Window| now.0.saturating_sub(window.last.0) >= KEPT_MS;
        let gone: Vec<_> = self.windows.iter().filter(|(_, window)| old(window)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.windows.remove(key);
        }
        gone
    }
}

/// An instance is live while its last message could still be pushed: the accepted age and future together.
const LIVE_MS: u64 = limits::PUSHED_MS + limits::FUTURE_MS;
/// 30 s: a machine with this key that has said nothing for so long does not count against the eight; a daemon that
/// crashes and starts again every few seconds is heard again soon.
const SPEAKING_MS: u64 = 30_000;
/// A window is kept an hour after its last message: replays older than [`LIVE_MS`] fall to the time gate anyway, the
/// rest of the hour keeps the sender's gaps visible.
const KEPT_MS: u64 = 3_600_000;

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

    #[test]
    fn a_ninth_instance_is_refused_while_all_speak_and_replaces_one_that_is_silent() {
        let (mut windows, from) = (Windows::default(), NodeId::new([1; 32]));
        for number in 0..8 {
            windows.take(from, Instance(number), Seq(1), NOW);
        }
        assert_eq!(windows.check(from, Instance(9), Seq(1), NOW), Err(Reject::WindowsFull));
        let later = WallMillis(NOW.0 + SPEAKING_MS);
        assert_eq!(windows.check(from, Instance(9), Seq(1), later), Ok(()));
        windows.take(from, Instance(9), Seq(1), later);
        assert_eq!(windows.contiguous().count(), 8);
    }

    #[test]
    fn a_full_table_lets_nobody_push_out_a_live_sender() {
        let mut windows = Windows::default();
        for number in 0..limits::WINDOWS as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            windows.take(NodeId::new(key), Instance(1), Seq(1), NOW);
        }
        let fresh = NodeId::new([0xff; 32]);
        assert_eq!(windows.check(fresh, Instance(1), Seq(1), NOW), Err(Reject::WindowsFull));
        let later = WallMillis(NOW.0 + LIVE_MS);
        assert_eq!(windows.check(fresh, Instance(1), Seq(1), later), Ok(()));
        windows.take(fresh, Instance(1), Seq(1), later);
        assert_eq!(windows.contiguous().count(), limits::WINDOWS);
    }
}
