//! What the durable store knows in memory: where everything stands, and how much of each segment is still wanted.
//!
//! 32 bytes for a record of a log, and the key and 12 bytes for a pair; the rest is read from the segments.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_port::{LogId, LogPos, Space};

use super::codec::{Logged, Record};
use super::frame::HEADER_LEN;
use crate::check::{ENTRY_COST, pair_cost};
use crate::index::{Index, Place, Slot};

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Length of the message; 0 when only the entry is wanted.
    pub(crate) len: u32,
}

impl Spot {
    fn cost(&self) -> u64 {
        ENTRY_COST.saturating_add(self.len.into())
    }
}

impl Place for Spot {
    fn kept(&self) -> u32 {
        self.len
    }

    fn free(&mut self) {
        self.len = 0;
    }
}

/// Where a pair stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PairSpot {
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) cost: u32,
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes on disk.
    pub(crate) len: u32,
    /// Cost of what is wanted of it.
    pub(crate) live: u64,
}

/// The segments and what is wanted of them.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) segments: BTreeMap<u32, Usage>,
    /// Cost of everything that is wanted.
    pub(crate) live: u64,
    /// Bytes of all segments.
    pub(crate) disk: u64,
}

impl Ledger {
    /// Takes note of a segment's length.
    pub(crate) fn grew(&mut self, segment: u32, len: u32) {
        let usage = self.segments.entry(segment).or_insert(Usage { len: 0, live: 0 });
        self.disk = self.disk.saturating_sub(usage.len.into()).saturating_add(len.into());
        usage.len = len;
    }

    /// Takes note that a segment is gone.
    pub(crate) fn gone(&mut self, segment: u32) {
        if let Some(usage) = self.segments.remove(&segment) {
            self.disk = self.disk.saturating_sub(usage.len.into());
        }
    }

    fn wanted(&mut self, segment: u32, cost: u64) {
        self.live = self.live.saturating_add(cost);
        if let Some(usage) = self.segments.get_mut(&segment) {
            usage.live = usage.live.saturating_add(cost);
        }
    }

    fn unwanted(&mut self, segment: u32, cost: u64) {
        self.live = self.live.saturating_sub(cost);
        if let Some(usage) = self.segments.get_mut(&segment) {
            usage.live = usage.live.saturating_sub(cost);
        }
    }
}

/// Everything that is known in memory.
#[derive(Debug)]
pub(crate) struct Shelf {
    pub(crate) next_pos: u64,
    pub(crate) index: Index<Spot>,
    pub(crate) ledger: Ledger,
    pairs: BTreeMap<(Space, Bytes), PairSpot>,
}

impl Shelf {
    pub(crate) fn new(next_pos: u64, ledger: Ledger) -> Self {
        Self { next_pos, index: Index::default(), ledger, pairs: BTreeMap::new() }
    }

    /// Takes note of a write that stands at `offset` of `segment`.
    pub(crate) fn apply(&mut self, logged: &Logged<'_>, segment: u32, offset: u32) {
        let Self { index, ledger, .. } = self;
        match *logged {
            Logged::Append(ref record) => self.add(record, segment, offset),
            Logged::Moved(ref record) => self.moved(record, segment, offset),
            Logged::Release { log, pos, released, gap } => {
                index.release(log, pos, released, gap);
                self.reach(released.0);
            }
            Logged::Trim { log, through } => {
                index.trim(log, through, |spot| ledger.unwanted(spot.segment, spot.len.into()));
            }
            Logged::Forget { log, through } => {
                index.forget(log, through, |spot| ledger.unwanted(spot.segment, spot.cost()));
            }
            Logged::Put { space, key, value } => {
                let cost = pair_cost(key.len(), value.len());
                let spot = PairSpot { segment, offset, cost: u32::try_from(cost).unwrap_or(u32::MAX) };
                self.put(space, Bytes::copy_from_slice(key), spot);
            }
            Logged::Delete { space, key } => {
                if let Some(old) = self.pairs.remove(&(space, Bytes::copy_from_slice(key))) {
                    ledger.unwanted(old.segment, old.cost.into());
                }
            }
        }
    }

    /// Adds a record behind the last of its log.
    pub(crate) fn add(&mut self, record: &Record<'_>, segment: u32, offset: u32) {
        let Record { log, ref entry, bytes: _ } = *record;
        let released = entry.released.map_or(0, |released| released.0);
        let place = Spot { segment, offset, len: entry.len };
        self.ledger.wanted(segment, place.cost());
        self.index.append(log, Slot { pos: entry.pos.0, released, gap: entry.gap, place });
        self.reach(entry.pos.0.max(released));
    }

    /// Sets a pair.
    pub(crate) fn put(&mut self, space: Space, key: Bytes, spot: PairSpot) {
        self.ledger.wanted(spot.segment, spot.cost.into());
        if let Some(old) = self.pairs.insert((space, key), spot) {
            self.ledger.unwanted(old.segment, old.cost.into());
        }
    }

    fn moved(&mut self, record: &Record<'_>, segment: u32, offset: u32) {
        let Some(slot) = self.index.slot_mut(record.log, record.entry.pos) else { return };
        let old = slot.place;
        slot.place = Spot { segment, offset, len: record.entry.len };
        let cost = slot.place.cost();
        self.ledger.unwanted(old.segment, old.cost());
        self.ledger.wanted(segment, cost);
    }

    fn reach(&mut self, pos: u64) {
        self.next_pos = self.next_pos.max(pos.saturating_add(1));
    }

    /// The cost of a pair that is held, 0 when it is not.
    pub(crate) fn pair_cost(&self, space: Space, key: &[u8]) -> u64 {
        self.pairs.get(&(space, Bytes::copy_from_slice(key))).map_or(0, |spot| spot.cost.into())
    }

    /// The record of a log if what stands at this offset is what is wanted of it.
    pub(crate) fn wanted_record(&self, log: LogId, pos: LogPos, segment: u32, offset: u32) -> Option<&Slot<Spot>> {
        let slot = self.index.slot(log, pos)?;
        (slot.place.segment == segment && slot.place.offset == offset).then_some(slot)
    }

    /// Whether the pair that stands at this offset is wanted.
    pub(crate) fn wants_pair(&self, space: Space, key: &[u8], segment: u32, offset: u32) -> bool {
        let spot = self.pairs.get(&(space, Bytes::copy_from_slice(key)));
        spot.is_some_and(|spot| spot.segment == segment && spot.offset == offset)
    }

    /// The oldest segment, unless it is the one being written.
    pub(crate) fn oldest(&self, head: u32) -> Option<(u32, Usage)> {
        self.ledger.segments.first_key_value().map(|(number, usage)| (*number, *usage)).filter(|(n, _)| *n != head)
    }

    /// Whether the segments hold so much that is unwanted that the oldest should be emptied.
    pub(crate) fn is_wasteful(&self, segment_bytes: u32) -> bool {
        let Ledger { live, disk, .. } = self.ledger;
        let header = u64::from(HEADER_LEN).saturating_mul(self.ledger.segments.len() as u64);
        disk.saturating_sub(header) > live.saturating_add(live / 2).saturating_add(segment_bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_costs_little_memory() {
        assert!(size_of::<Slot<Spot>>() <= 32);
    }
}
