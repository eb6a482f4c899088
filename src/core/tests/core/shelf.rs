//! The smallest store that keeps a store's promises: enough for a core under test.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_port::{LogId, LogItem, LogPos, Recovered, Space, StoreError, StoreOp, StoreOutcome, Write};

#[derive(Clone, Default)]
pub(crate) struct Shelf {
    logs: BTreeMap<LogId, BTreeMap<LogPos, LogItem>>,
    pairs: BTreeMap<(Space, Bytes), Bytes>,
    last: u64,
    /// Whether commits fail.
    pub(crate) full: bool,
}

impl Shelf {
    pub(crate) fn recover(&self) -> Recovered {
        let entries = |log: &BTreeMap<LogPos, LogItem>| log.values().map(|item| item.entry.clone()).collect();
        Recovered {
            next_pos: self.last + 1,
            logs: self.logs.iter().map(|(id, log)| (*id, entries(log))).collect(),
            pairs: self.pairs.iter().map(|((space, key), value)| (*space, key.clone(), value.clone())).collect(),
            torn_bytes: 0,
        }
    }

    pub(crate) fn apply(&mut self, op: StoreOp) -> StoreOutcome {
        match op {
            StoreOp::Commit { .. } if self.full => StoreOutcome::Failed(StoreError::Full),
            StoreOp::Commit { writes, .. } => {
                writes.into_iter().for_each(|write| self.write(write));
                StoreOutcome::Committed
            }
            StoreOp::Read { log, after, max_bytes } => {
                self.read(log, max_bytes, |item| Some(item.entry.pos).filter(|pos| *pos > after))
            }
            StoreOp::ReadReleased { log, after, max_bytes } => {
                self.read(log, max_bytes, |item| item.entry.released.filter(|released| *released > after))
            }
        }
    }

    fn read(&self, log: LogId, max: u32, key: impl Fn(&LogItem) -> Option<LogPos>) -> StoreOutcome {
        let kept = self.logs.get(&log).into_iter().flat_map(BTreeMap::values).filter(|item| item.entry.len > 0);
        let ordered: BTreeMap<LogPos, &LogItem> = kept.filter_map(|item| Some((key(item)?, item))).collect();
        let (mut items, mut bytes) = (Vec::new(), 0);
        for item in ordered.values() {
            bytes += item.bytes.len();
            if !items.is_empty() && bytes > max as usize {
                return StoreOutcome::Items { items, end: false };
            }
            items.push((*item).clone());
        }
        StoreOutcome::Items { items, end: true }
    }

    fn write(&mut self, write: Write) {
        match write {
            Write::Append { log, item } => {
                self.last = self.last.max(item.entry.pos.0);
                self.logs.entry(log).or_default().insert(item.entry.pos, item);
            }
            Write::Release { log, pos, released, gap } => {
                self.last = self.last.max(released.0);
                if let Some(item) = self.logs.entry(log).or_default().get_mut(&pos) {
                    item.entry.released = Some(released);
                    item.entry.gap = gap;
                }
            }
            Write::Trim { log, through } => {
                for (_, item) in self.logs.entry(log).or_default().range_mut(..=through) {
                    item.entry.len = 0;
                    item.bytes = Bytes::new();
                }
            }
            Write::Forget { log, through } => self.logs.entry(log).or_default().retain(|pos, _| *pos > through),
            Write::Put { space, key, value } => {
                self.pairs.insert((space, key), value);
            }
            Write::Delete { space, key } => {
                self.pairs.remove(&(space, key));
            }
        }
    }
}
