//! What a store should be: everything in plain vectors, searched through and counted anew each time.
//!
//! Slow and obvious on purpose; the words are the port's.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, LogItem, LogPos, Recovered, Space, StoreError, StoreOp, StoreOutcome, Write};

use crate::{ENTRY_COST, PAIR_COST, PAIR_RESERVE_BYTES};

/// What a store should be.
#[derive(Clone, Debug)]
pub struct Model {
    quota_bytes: u64,
    pub(super) next_pos: u64,
    pub(super) logs: BTreeMap<LogId, Vec<LogItem>>,
    pairs: BTreeMap<(Space, Bytes), Bytes>,
}

impl Model {
    /// An empty store.
    #[must_use]
    pub fn new(quota_bytes: u64) -> Self {
        Self { quota_bytes, next_pos: 1, logs: BTreeMap::new(), pairs: BTreeMap::new() }
    }

    /// What a store that holds the same tells when it is opened.
    #[must_use]
    pub fn recovered(&self) -> Recovered {
        let entries = |items: &Vec<LogItem>| items.iter().map(|item| item.entry.clone()).collect();
        Recovered {
            next_pos: self.next_pos,
            logs: self.logs.iter().map(|(log, items)| (*log, entries(items))).collect(),
            pairs: self.pairs.iter().map(|((space, key), value)| (*space, key.clone(), value.clone())).collect(),
            torn_bytes: 0,
        }
    }

    /// Cost of everything, counted anew.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        let records = self.logs.values().flatten().map(|item| ENTRY_COST + item.bytes.len() as u64);
        let pairs = self.pairs.iter().map(|((_, key), value)| PAIR_COST + (key.len() + value.len()) as u64);
        records.sum::<u64>() + pairs.sum::<u64>()
    }

    /// What the store should answer.
    pub fn answer(&mut self, op: &StoreOp) -> StoreOutcome {
        match op {
            StoreOp::Commit { writes, durability: _ } => match self.refusal(writes) {
                Some(error) => StoreOutcome::Failed(error),
                None => {
                    writes.iter().for_each(|write| self.write(write));
                    StoreOutcome::Committed
                }
            },
            StoreOp::Read { log, after, max_bytes } => {
                self.read(*log, *max_bytes, |entry| (entry.pos > *after).then_some(entry.pos))
            }
            StoreOp::ReadReleased { log, after, max_bytes } => {
                self.read(*log, *max_bytes, |entry| entry.released.filter(|released| released > after))
            }
        }
    }

    fn refusal(&self, writes: &[Write]) -> Option<StoreError> {
        let illegal = Some(StoreError::Io(String::new()));
        let (mut next, mut log_growth, mut pair_growth) = (self.next_pos, 0, 0);
        for write in writes {
            let mut positions = Vec::new();
            match write {
                Write::Append { item, .. } => {
                    positions.push(item.entry.pos.0);
                    positions.extend(item.entry.released.map(|released| released.0));
                    log_growth += ENTRY_COST + item.bytes.len() as u64;
                }
                Write::Release { pos, released, .. } => {
                    if pos >= released {
                        return illegal;
                    }
                    positions.push(released.0);
                }
                Write::Put { space, key, value } => {
                    let old = self.pairs.get(&(*space, key.clone()));
                    let old = old.map_or(0, |old| PAIR_COST + (key.len() + old.len()) as u64);
                    pair_growth += (PAIR_COST + (key.len() + value.len()) as u64).saturating_sub(old);
                }
                Write::Trim { .. } | Write::Forget { .. } | Write::Delete { .. } => {}
            }
            positions.dedup();
            for pos in positions {
                if pos < next {
                    return illegal;
                }
                next = pos + 1;
            }
        }
        let reserve = if log_growth > 0 { 0 } else { PAIR_RESERVE_BYTES };
        let growth = log_growth + pair_growth;
        let mut freed = self.clone();
        let frees = writes.iter().filter(|write| matches!(write, Write::Trim { .. } | Write::Forget { .. }));
        frees.for_each(|write| freed.write(write));
        (growth > 0 && freed.live_bytes() + growth > self.quota_bytes.saturating_add(reserve))
            .then_some(StoreError::Full)
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Append { log, item } => {
                self.next_pos = item.entry.released.unwrap_or(item.entry.pos).0 + 1;
                self.logs.entry(*log).or_default().push(item.clone());
            }
            Write::Release { log, pos, released, gap } => {
                self.next_pos = released.0 + 1;
                for item in self.logs.get_mut(log).into_iter().flatten() {
                    if item.entry.pos == *pos && item.entry.released.is_none() {
                        item.entry.released = Some(*released);
                        item.entry.gap = *gap;
                    }
                }
            }
            Write::Trim { log, through } => {
                for item in self.logs.get_mut(log).into_iter().flatten() {
                    if item.entry.pos <= *through {
                        item.entry.len = 0;
                        item.bytes = Bytes::new();
                    }
                }
            }
            Write::Forget { log, through } => {
                self.logs.entry(*log).or_default().retain(|item| item.entry.pos > *through);
                self.logs.retain(|_, items| !items.is_empty());
            }
            Write::Put { space, key, value } => {
                self.pairs.insert((*space, key.clone()), value.clone());
            }
            Write::Delete { space, key } => {
                self.pairs.remove(&(*space, key.clone()));
            }
        }
    }

    fn read(&self, log: LogId, max_bytes: u32, key: impl Fn(&LogEntry) -> Option<LogPos>) -> StoreOutcome {
        let mut all: Vec<&LogItem> = self.logs.get(&log).into_iter().flatten().collect();
        all.retain(|item| !item.bytes.is_empty() && key(&item.entry).is_some());
        all.sort_by_key(|item| key(&item.entry));
        let mut sum = 0;
        let fits = |item: &&&LogItem| {
            sum += item.bytes.len();
            sum <= max_bytes as usize
        };
        let count = all.iter().take_while(fits).count().max(1);
        StoreOutcome::Items {
            items: all.iter().take(count).map(|item| (*item).clone()).collect(),
            end: count >= all.len(),
        }
    }
}
