//! Fifo order and visible gaps: which committed message may be shown now, and which waits for an earlier one.
//!
//! Per (sender, instance) the next expected number is known. A message that comes early is held back; when the missing
//! ones come it is released in order, and when they do not come in time it is released with a gap mark. The first
//! message seen of an instance that ran before this node joined waits only briefly: what came before it may be history
//! that nobody keeps. A message below the expected number is late: stored and forwarded, no longer shown.

use std::collections::BTreeMap;

use crosscast_port::LogPos;
use crosscast_wire::{Instance, NodeId, Order, Seq, WallMillis};

use crate::limits;
use crate::{Instant, Times};

/// What to do with a message that is being committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admit {
    /// Show it, then look for held ones behind it.
    Release {
        /// Whether messages before it were given up.
        gap: bool,
    },
    /// Keep it back.
    Hold,
    /// Do not show it.
    Late,
}

struct Held {
    pos: LogPos,
    len: u64,
    since: Instant,
}

#[derive(Default)]
struct Stream {
    /// The next number to show; 0 while nothing was shown.
    next: u64,
    held: BTreeMap<u64, Held>,
}

/// The order of one group's senders.
#[derive(Default)]
pub(crate) struct Ordering {
    /// When this node joined or the live window begins, in Unix seconds: what an older instance said before may be history
    /// that nobody keeps.
    joined: u64,
    streams: BTreeMap<(NodeId, Instance), Stream>,
    held: usize,
    held_bytes: u64,
}

impl Ordering {
    /// The order of a group joined at this time.
    pub(crate) fn joined_at(joined: WallMillis) -> Self {
        Self { joined: joined.0 / 1_000, ..Self::default() }
    }

    /// What began before this is history: of what it said first nothing is kept anywhere any more.
    pub(crate) fn history_before(&mut self, time: WallMillis) {
        self.joined = self.joined.max(time.0 / 1_000);
    }

    /// Decides on a message; one that is held is booked under `pos`.
    pub(crate) fn admit(
        &mut self,
        key: (NodeId, Instance),
        seq: Seq,
        order: Order,
        pos: LogPos,
        len: u64,
        now: Instant,
    ) -> Admit {
        let history = self.is_history(key.1);
        let full = self.held >= limits::HELD_MESSAGES || self.held_bytes.saturating_add(len) > limits::HELD_BYTES;
        let stream = self.streams.entry(key).or_default();
        let next = stream.next.max(1);
        if order == Order::None {
            stream.next = next.max(seq.0.saturating_add(1));
            return Admit::Release { gap: false };
        }
        if seq.0 < next {
            return Admit::Late;
        }
        if seq.0 == next || full {
            let gap = seq.0 != next && !(stream.next == 0 && history);
            stream.next = seq.0.saturating_add(1);
            return Admit::Release { gap };
        }
        stream.held.insert(seq.0, Held { pos, len, since: now });
        self.held = self.held.saturating_add(1);
        self.held_bytes = self.held_bytes.saturating_add(len);
        Admit::Hold
    }

    /// Takes the held message that is next in a stream.
    pub(crate) fn take_next(&mut self, key: (NodeId, Instance)) -> Option<LogPos> {
        let stream = self.streams.get_mut(&key)?;
        // Numbers already passed over by a full hold-back queue are late.
        while stream.held.first_key_value().is_some_and(|(seq, _)| *seq < stream.next) {
            let (_, late) = stream.held.pop_first()?;
            self.held = self.held.saturating_sub(1);
            self.held_bytes = self.held_bytes.saturating_sub(late.len);
        }
        let held = stream.held.remove(&stream.next)?;
        stream.next = stream.next.saturating_add(1);
        self.held = self.held.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(held.len);
        Some(held.pos)
    }

    /// Whether an instance was running so long before this node joined that its first messages may be kept by nobody:
    /// by more than clocks may differ, which is well within every live window.
    const fn is_history(&self, instance: Instance) -> bool {
        (instance.0 >> 32).saturating_add(limits::FUTURE_MS / 1_000) <= self.joined
    }

    fn due(&self, instance: Instance, stream: &Stream, times: &Times) -> Option<Instant> {
        let brief = stream.next == 0 && self.is_history(instance);
        let wait = if brief { times.first_gap_ms } else { times.gap_ms };
        stream.held.values().map(|held| held.since.plus_millis(wait)).min()
    }

    /// When the next gap is given up.
    pub(crate) fn next_due(&self, times: &Times) -> Option<Instant> {
        self.streams.iter().filter_map(|((_, instance), stream)| self.due(*instance, stream, times)).min()
    }

    /// Gives up a gap that is due: returns the sender, the first held message, and whether to mark the gap. The caller
    /// goes on with [`Self::take_next`].
    pub(crate) fn give_up(&mut self, now: Instant, times: &Times) -> Option<((NodeId, Instance), LogPos, bool)> {
        let due =
            |(key, stream): &(&(NodeId, Instance), &Stream)| self.due(key.1, stream, times).is_some_and(|at| at <= now);
        let key = *self.streams.iter().find(due)?.0;
        let history = self.is_history(key.1);
        let stream = self.streams.get_mut(&key)?;
        let (seq, held) = stream.held.pop_first()?;
        let gap = !(stream.next == 0 && history);
        stream.next = seq.saturating_add(1);
        self.held = self.held.saturating_sub(1);
        self.held_bytes = self.held_bytes.saturating_sub(held.len);
        Some((key, held.pos, gap))
    }

    /// Whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        self.held > 0
    }

    /// Restores a stream: what was released up to `seq`.
    pub(crate) fn restore_released(&mut self, key: (NodeId, Instance), seq: Seq) {
        let stream = self.streams.entry(key).or_default();
        stream.next = stream.next.max(seq.0.saturating_add(1));
    }

    /// Restores a held message.
    pub(crate) fn restore_held(&mut self, key: (NodeId, Instance), seq: Seq, pos: LogPos, len: u64, now: Instant) {
        let stream = self.streams.entry(key).or_default();
        if seq.0 >= stream.next {
            stream.held.insert(seq.0, Held { pos, len, since: now });
            self.held = self.held.saturating_add(1);
            self.held_bytes = self.held_bytes.saturating_add(len);
        }
    }

    /// Forgets a stream whose replay window is gone.
    pub(crate) fn forget(&mut self, key: (NodeId, Instance)) {
        if let Some(stream) = self.streams.remove(&key) {
            for held in stream.held.into_values() {
                self.held = self.held.saturating_sub(1);
                self.held_bytes = self.held_bytes.saturating_sub(held.len);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (NodeId, Instance) = (NodeId::new([1; 32]), Instance(1));
    const START: Instant = Instant(0);

    fn admit(ordering: &mut Ordering, seq: u64, now: Instant) -> Admit {
        ordering.admit(KEY, Seq(seq), Order::Fifo, LogPos(seq * 10), 1, now)
    }

    #[test]
    fn what_comes_early_waits_and_follows_in_order() {
        let mut ordering = Ordering::default();
        assert_eq!(admit(&mut ordering, 1, START), Admit::Release { gap: false });
        assert_eq!(admit(&mut ordering, 3, START), Admit::Hold);
        assert_eq!(admit(&mut ordering, 4, START), Admit::Hold);
        assert_eq!(ordering.take_next(KEY), None);
        assert_eq!(admit(&mut ordering, 2, START), Admit::Release { gap: false });
        assert_eq!(ordering.take_next(KEY), Some(LogPos(30)));
        assert_eq!(ordering.take_next(KEY), Some(LogPos(40)));
        assert_eq!(ordering.take_next(KEY), None);
        assert!(!ordering.is_waiting());
    }

    #[test]
    fn a_gap_is_given_up_in_time_and_marked() {
        let (mut ordering, times) = (Ordering::default(), Times::default());
        admit(&mut ordering, 1, START);
        admit(&mut ordering, 3, START);
        assert_eq!(ordering.give_up(START.plus_millis(times.gap_ms - 1), &times), None);
        assert_eq!(ordering.give_up(START.plus_millis(times.gap_ms), &times), Some((KEY, LogPos(30), true)));
        assert_eq!(admit(&mut ordering, 2, START), Admit::Late);
        assert_eq!(admit(&mut ordering, 4, START), Admit::Release { gap: false });
    }

    #[test]
    fn the_first_message_of_an_instance_that_began_here_waits_as_long_as_any() {
        let (mut ordering, times) = (Ordering::default(), Times::default());
        // By a clock that is behind, or shortly before this node joined: then everything is still kept somewhere.
        ordering.joined = 1_700_000_100;
        let key = (KEY.0, Instance::new(1_700_000_000, 1));
        let hold = ordering.admit(key, Seq(2), Order::Fifo, LogPos(20), 1, START);
        assert_eq!(hold, Admit::Hold);
        let due = START.plus_millis(times.gap_ms);
        assert_eq!(ordering.next_due(&times), Some(due));
        assert_eq!(ordering.give_up(due, &times), Some((key, LogPos(20), true)));
    }

    #[test]
    fn the_first_message_seen_of_an_older_instance_waits_briefly_and_is_no_gap() {
        let (mut ordering, times) = (Ordering::joined_at(WallMillis(1_700_000_000_000)), Times::default());
        assert_eq!(admit(&mut ordering, 57, START), Admit::Hold);
        let due = START.plus_millis(times.first_gap_ms);
        assert_eq!(ordering.next_due(&times), Some(due));
        assert_eq!(ordering.give_up(due, &times), Some((KEY, LogPos(570), false)));
    }

    #[test]
    fn a_full_hold_back_queue_lets_through_with_a_mark() {
        let mut ordering = Ordering::default();
        admit(&mut ordering, 1, START);
        for seq in 0..limits::HELD_MESSAGES as u64 {
            assert_eq!(admit(&mut ordering, seq + 3, START), Admit::Hold);
        }
        let next = limits::HELD_MESSAGES as u64 + 3;
        assert_eq!(admit(&mut ordering, next, START), Admit::Release { gap: true });
        assert_eq!(ordering.take_next(KEY), None);
    }
}
