//! The index of the logs: where each record is, in order of position and in order of release.
//!
//! Generic over the place of a record's bytes, so that the store in memory and the one on disk share its rules. Most
//! records are released where they stand; only those released later cost a second entry. With the durable store's
//! place of 12 bytes a record takes 32 bytes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crosscast_port::{LogId, LogPos, Write};

use crate::check::ENTRY_COST;

/// Where a record's bytes are.
pub(crate) trait Place {
    /// Length of the kept bytes; 0 when they were freed.
    fn kept(&self) -> u32;
    /// Forgets the bytes.
    fn free(&mut self);
}

/// One record.
#[derive(Clone, Debug)]
pub(crate) struct Slot<P> {
    pub(crate) pos: u64,
    /// 0 while it is held back: no position is 0.
    pub(crate) released: u64,
    pub(crate) gap: bool,
    pub(crate) place: P,
}

impl<P> Slot<P> {
    /// The place in the order of release.
    pub(crate) fn released(&self) -> Option<LogPos> {
        (self.released != 0).then_some(LogPos(self.released))
    }
}

#[derive(Clone, Debug)]
struct Log<P> {
    /// Ascending by `pos`.
    slots: VecDeque<Slot<P>>,
    /// Release position to position, for records released later than they stand.
    late: BTreeMap<u64, u64>,
    /// No record up to here has bytes.
    trimmed: u64,
}

impl<P: Place> Log<P> {
    fn first_after(&self, pos: u64) -> usize {
        self.slots.partition_point(|slot| slot.pos <= pos)
    }

    fn slot(&self, pos: u64) -> Option<&Slot<P>> {
        let at = self.slots.binary_search_by_key(&pos, |slot| slot.pos).ok()?;
        self.slots.get(at)
    }

    fn slot_mut(&mut self, pos: u64) -> Option<&mut Slot<P>> {
        let at = self.slots.binary_search_by_key(&pos, |slot| slot.pos).ok()?;
        self.slots.get_mut(at)
    }

    fn kept_after(&self, after: u64) -> impl Iterator<Item = &Slot<P>> {
        self.slots.range(self.first_after(after.max(self.trimmed))..).filter(|slot| slot.place.kept() > 0)
    }

    fn released_after(&self, after: u64) -> impl Iterator<Item = &Slot<P>> {
        let mut prompt = self.kept_after(after).filter(|slot| slot.released == slot.pos).peekable();
        let mut late = self
            .late
            .range((Bound::Excluded(after), Bound::Unbounded))
            .filter_map(|(_, pos)| self.slot(*pos))
            .filter(|slot| slot.place.kept() > 0)
            .peekable();
        std::iter::from_fn(move || match (prompt.peek(), late.peek()) {
            (Some(a), Some(b)) if a.released < b.released => prompt.next(),
            (Some(_), None) => prompt.next(),
            (Some(_) | None, Some(_)) => late.next(),
            (None, None) => None,
        })
    }
}

/// The logs of a store.
#[derive(Clone, Debug)]
pub(crate) struct Index<P> {
    logs: BTreeMap<LogId, Log<P>>,
}

impl<P> Default for Index<P> {
    fn default() -> Self {
        Self { logs: BTreeMap::new() }
    }
}

impl<P: Place> Index<P> {
    /// Adds a record behind the last of its log.
    pub(crate) fn append(&mut self, log: LogId, slot: Slot<P>) {
        let log =
            self.logs.entry(log).or_insert_with(|| Log { slots: VecDeque::new(), late: BTreeMap::new(), trimmed: 0 });
        if slot.released > slot.pos {
            log.late.insert(slot.released, slot.pos);
        }
        log.slots.push_back(slot);
    }

    /// Gives a held-back record its place in the order of release; nothing happens to any other.
    pub(crate) fn release(&mut self, log: LogId, pos: LogPos, released: LogPos, gap: bool) {
        let Some(log) = self.logs.get_mut(&log) else { return };
        let Some(slot) = log.slot_mut(pos.0).filter(|slot| slot.released == 0) else { return };
        slot.released = released.0;
        slot.gap = gap;
        log.late.insert(released.0, pos.0);
    }

    /// Frees the bytes of the records up to `through`; `freed` sees each before it is done.
    pub(crate) fn trim(&mut self, log: LogId, through: LogPos, mut freed: impl FnMut(&P)) {
        let Some(log) = self.logs.get_mut(&log) else { return };
        let last = log.slots.back().map_or(0, |slot| slot.pos);
        let (start, end) = (log.first_after(log.trimmed), log.first_after(through.0));
        if start >= end {
            return;
        }
        for slot in log.slots.range_mut(start..end).filter(|slot| slot.place.kept() > 0) {
            freed(&slot.place);
            slot.place.free();
        }
        log.trimmed = log.trimmed.max(through.0.min(last));
    }

    /// Drops the records up to `through`; `dropped` sees each.
    pub(crate) fn forget(&mut self, id: LogId, through: LogPos, mut dropped: impl FnMut(&P)) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        while log.slots.front().is_some_and(|slot| slot.pos <= through.0) {
            let Some(slot) = log.slots.pop_front() else { break };
            if slot.released > slot.pos {
                log.late.remove(&slot.released);
            }
            dropped(&slot.place);
        }
        if log.slots.is_empty() {
            self.logs.remove(&id);
        } else if log.slots.capacity() > log.slots.len().saturating_mul(4).max(64) {
            log.slots.shrink_to(log.slots.len().saturating_mul(2));
        }
    }

    /// Cost of what the trims and forgets of a commit free of what is held before it.
    pub(crate) fn freed(&self, writes: &[Write]) -> u64 {
        let mut ends: BTreeMap<LogId, (u64, u64)> = BTreeMap::new();
        for write in writes {
            match write {
                Write::Trim { log, through } => {
                    let (trim, _) = ends.entry(*log).or_default();
                    *trim = through.0.max(*trim);
                }
                Write::Forget { log, through } => {
                    let (_, forget) = ends.entry(*log).or_default();
                    *forget = through.0.max(*forget);
                }
                Write::Append { .. } | Write::Release { .. } | Write::Put { .. } | Write::Delete { .. } => {}
            }
        }
        let mut freed = 0u64;
        for (id, (trim, forget)) in ends {
            let Some(log) = self.logs.get(&id) else { continue };
            let (forgotten, end) = (log.first_after(forget), log.first_after(trim.max(forget)));
            let start = log.first_after(log.trimmed).min(end);
            let bytes: u64 = log.slots.range(start..end).map(|slot| u64::from(slot.place.kept())).sum();
            freed = freed.saturating_add(bytes).saturating_add(ENTRY_COST.saturating_mul(forgotten as u64));
        }
        freed
    }

    /// One record.
    pub(crate) fn slot(&self, log: LogId, pos: LogPos) -> Option<&Slot<P>> {
        self.logs.get(&log)?.slot(pos.0)
    }

    /// One record, to say where it went.
    pub(crate) fn slot_mut(&mut self, log: LogId, pos: LogPos) -> Option<&mut Slot<P>> {
        self.logs.get_mut(&log)?.slot_mut(pos.0)
    }

    /// The records of a log that have bytes, by position.
    pub(crate) fn kept_after(&self, log: LogId, after: LogPos) -> impl Iterator<Item = &Slot<P>> {
        self.logs.get(&log).into_iter().flat_map(move |log| log.kept_after(after.0))
    }

    /// The released records of a log that have bytes, by release.
    pub(crate) fn released_after(&self, log: LogId, after: LogPos) -> impl Iterator<Item = &Slot<P>> {
        self.logs.get(&log).into_iter().flat_map(move |log| log.released_after(after.0))
    }

    /// Every log with its records.
    pub(crate) fn logs(&self) -> impl Iterator<Item = (LogId, impl Iterator<Item = &Slot<P>>)> {
        self.logs.iter().map(|(id, log)| (*id, log.slots.iter()))
    }
}

/// Takes records until `max_bytes` are reached, at least one; the second value is whether none is left.
pub(crate) fn take_upto<'a, P: Place + 'a>(
    slots: impl Iterator<Item = &'a Slot<P>>,
    max_bytes: u32,
) -> (Vec<&'a Slot<P>>, bool) {
    let mut taken = Vec::new();
    let mut bytes = 0u32;
    for slot in slots {
        bytes = bytes.saturating_add(slot.place.kept());
        if bytes > max_bytes && !taken.is_empty() {
            return (taken, false);
        }
        taken.push(slot);
    }
    (taken, true)
}
