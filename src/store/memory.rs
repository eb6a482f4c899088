//! The store in memory: for tests, benches and nodes that should leave no trace.
//!
//! It keeps the rules of the durable store and nothing else; a clone is what a crash at that moment would have left, so
//! a simulator can keep one aside and start a node from it again.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, LogItem, OpId, Recovered, Space, StoreError, StoreOp, StoreOutcome, Write};

use crate::Store;
use crate::check::{ENTRY_COST, check, pair_cost};
use crate::index::{Index, Place, Slot, take_upto};

#[derive(Clone, Debug)]
struct Held {
    entry: LogEntry,
    bytes: Bytes,
}

impl Place for Held {
    fn kept(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(u32::MAX)
    }

    fn free(&mut self) {
        self.bytes = Bytes::new();
    }
}

/// A store that lives as long as its process.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    quota_bytes: u64,
    next_pos: u64,
    live_bytes: u64,
    index: Index<Held>,
    pairs: BTreeMap<(Space, Bytes), Bytes>,
}

impl Default for MemoryStore {
    /// A store without a quota.
    fn default() -> Self {
        Self::new(u64::MAX)
    }
}

impl MemoryStore {
    /// An empty store that refuses records when what it holds would cost more than `quota_bytes`.
    #[must_use]
    pub fn new(quota_bytes: u64) -> Self {
        Self { quota_bytes, next_pos: 1, live_bytes: 0, index: Index::default(), pairs: BTreeMap::new() }
    }

    /// Cost of what is held, in bytes: messages, entries and pairs.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    fn commit(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        let held = |space, key: &[u8]| {
            let name = (space, Bytes::copy_from_slice(key));
            self.pairs.get(&name).map_or(0, |value| pair_cost(key.len(), value.len()))
        };
        let checked = check(&writes, self.next_pos, held)?;
        let fits = |freed| checked.fits(self.live_bytes, freed, self.quota_bytes);
        if !fits(0) && !fits(self.index.freed(&writes)) {
            return Err(StoreError::Full);
        }
        self.next_pos = checked.next_pos;
        writes.into_iter().for_each(|write| self.write(write));
        Ok(())
    }

    fn write(&mut self, write: Write) {
        let live = &mut self.live_bytes;
        match write {
            Write::Append { log, item } => {
                let LogItem { entry, bytes } = item;
                *live = live.saturating_add(ENTRY_COST).saturating_add(bytes.len() as u64);
                let released = entry.released.map_or(0, |released| released.0);
                let slot = Slot { pos: entry.pos.0, released, gap: entry.gap, place: Held { entry, bytes } };
                self.index.append(log, slot);
            }
            Write::Release { log, pos, released, gap } => self.index.release(log, pos, released, gap),
            Write::Trim { log, through } => {
                self.index.trim(log, through, |held| *live = live.saturating_sub(u64::from(held.kept())));
            }
            Write::Forget { log, through } => self.index.forget(log, through, |held| {
                *live = live.saturating_sub(ENTRY_COST).saturating_sub(u64::from(held.kept()));
            }),
            Write::Put { space, key, value } => {
                let (key_len, cost) = (key.len(), pair_cost(key.len(), value.len()));
                let old = self.pairs.insert((space, key), value);
                *live = live.saturating_sub(old.map_or(0, |old| pair_cost(key_len, old.len()))).saturating_add(cost);
            }
            Write::Delete { space, key } => {
                let key_len = key.len();
                let old = self.pairs.remove(&(space, key));
                *live = live.saturating_sub(old.map_or(0, |old| pair_cost(key_len, old.len())));
            }
        }
    }
}

fn entry_of(slot: &Slot<Held>) -> LogEntry {
    LogEntry { released: slot.released(), gap: slot.gap, len: slot.place.kept(), ..slot.place.entry.clone() }
}

fn items((slots, end): (Vec<&Slot<Held>>, bool)) -> StoreOutcome {
    let items =
        slots.into_iter().map(|slot| LogItem { entry: entry_of(slot), bytes: slot.place.bytes.clone() }).collect();
    StoreOutcome::Items { items, end }
}

impl Store for MemoryStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        let logs: Vec<(LogId, Vec<LogEntry>)> =
            self.index.logs().map(|(log, slots)| (log, slots.map(entry_of).collect())).collect();
        let pairs = self.pairs.iter().map(|((space, key), value)| (*space, key.clone(), value.clone())).collect();
        Ok(Recovered { next_pos: self.next_pos, logs, pairs, torn_bytes: 0 })
    }

    fn apply(&mut self, ops: Vec<(OpId, StoreOp)>) -> Vec<(OpId, StoreOutcome)> {
        let mut answers = Vec::with_capacity(ops.len());
        for (op_id, op) in ops {
            let outcome = match op {
                StoreOp::Commit { writes, durability: _ } => {
                    self.commit(writes).map_or_else(StoreOutcome::Failed, |()| StoreOutcome::Committed)
                }
                StoreOp::Read { log, after, max_bytes } => {
                    items(take_upto(self.index.kept_after(log, after), max_bytes))
                }
                StoreOp::ReadReleased { log, after, max_bytes } => {
                    items(take_upto(self.index.released_after(log, after), max_bytes))
                }
            };
            answers.push((op_id, outcome));
        }
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exam::{self, Examinee};

    struct Memory;

    impl Examinee for Memory {
        type Store = MemoryStore;

        fn open(&mut self, quota_bytes: u64) -> MemoryStore {
            MemoryStore::new(quota_bytes)
        }

        fn reopen(&mut self, store: MemoryStore) -> MemoryStore {
            store
        }

        fn disk_and_segment(&self, store: &MemoryStore) -> Option<(u64, u64)> {
            // no disk, but the same count of what is held
            Some((store.live_bytes(), 0))
        }
    }

    #[test]
    fn the_store_in_memory_passes_the_exam() {
        exam::sit(&mut Memory);
    }
}
