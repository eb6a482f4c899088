//! What a store holds, as plainly as it can be said: the rules of the port, without any thought of speed on disk.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use bytes::Bytes;
use crosscast_port::{LogId, LogItem, LogPos, Recovered, Space, StoreOutcome, Write};

/// Longest key: the port's word.
const KEY_BYTES_MAX: usize = 256;
/// Longest value: the port's word.
const VALUE_BYTES_MAX: usize = 64 << 10;

/// One log: its records by position, and the order of release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Log {
    records: BTreeMap<u64, LogItem>,
    /// Release position to position.
    released: BTreeMap<u64, u64>,
    /// Every record up to here has lost its bytes.
    trimmed: u64,
}

/// Everything a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    logs: BTreeMap<LogId, Log>,
    pairs: BTreeMap<(Space, Bytes), Bytes>,
    next_pos: u64,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self { logs: BTreeMap::new(), pairs: BTreeMap::new(), next_pos: 1 }
    }

    /// Whether a commit keeps the port's rules.
    ///
    /// # Errors
    /// The broken rule in words.
    pub(crate) fn check(&self, writes: &[Write]) -> Result<(), &'static str> {
        let mut next = self.next_pos;
        for write in writes {
            match write {
                Write::Append { log: _, item } => {
                    if usize::try_from(item.entry.len) != Ok(item.bytes.len()) {
                        return Err("a record's length differs from its bytes");
                    }
                    raise(&mut next, item.entry.pos)?;
                    match item.entry.released {
                        Some(released) if released < item.entry.pos => return Err("released before it was appended"),
                        Some(released) if released > item.entry.pos => raise(&mut next, released)?,
                        Some(_) | None => {}
                    }
                }
                Write::Release { log: _, pos, released, gap: _ } => {
                    if pos >= released {
                        return Err("released before it was appended");
                    }
                    raise(&mut next, *released)?;
                }
                Write::Trim { log: _, through: _ } | Write::Forget { log: _, through: _ } => {}
                Write::Put { space: _, key, value } => {
                    if key.len() > KEY_BYTES_MAX || value.len() > VALUE_BYTES_MAX {
                        return Err("key or value too long");
                    }
                }
                Write::Delete { space: _, key } if key.len() > KEY_BYTES_MAX => return Err("key too long"),
                Write::Delete { space: _, key: _ } => {}
            }
        }
        Ok(())
    }

    /// Makes the changes of a commit that was checked.
    pub(crate) fn apply(&mut self, writes: &[Write]) {
        for write in writes {
            self.write(write);
        }
    }

    fn write(&mut self, write: &Write) {
        match write {
            Write::Append { log, item } => self.append(*log, item),
            Write::Release { log, pos, released, gap } => self.release(*log, *pos, *released, *gap),
            Write::Trim { log, through } => self.trim(*log, *through),
            Write::Forget { log, through } => self.forget(*log, *through),
            Write::Put { space, key, value } => {
                self.pairs.insert((*space, key.clone()), value.clone());
            }
            Write::Delete { space, key } => {
                self.pairs.remove(&(*space, key.clone()));
            }
        }
    }

    fn append(&mut self, log: LogId, item: &LogItem) {
        let log = self.logs.entry(log).or_default();
        let pos = item.entry.pos.0;
        if let Some(released) = item.entry.released {
            log.released.insert(released.0, pos);
        }
        log.records.insert(pos, item.clone());
        let last = item.entry.released.map_or(pos, |released| released.0.max(pos));
        self.next_pos = self.next_pos.max(last.saturating_add(1));
    }

    fn release(&mut self, log: LogId, pos: LogPos, released: LogPos, gap: bool) {
        self.next_pos = self.next_pos.max(released.0.saturating_add(1));
        let Some(log) = self.logs.get_mut(&log) else { return };
        let Some(item) = log.records.get_mut(&pos.0).filter(|item| item.entry.released.is_none()) else { return };
        item.entry.released = Some(released);
        item.entry.gap = gap;
        log.released.insert(released.0, pos.0);
    }

    fn trim(&mut self, log: LogId, through: LogPos) {
        let Some(log) = self.logs.get_mut(&log) else { return };
        if through.0 <= log.trimmed {
            return;
        }
        for (_, item) in log.records.range_mut((Excluded(log.trimmed), Included(through.0))) {
            item.bytes = Bytes::new();
            item.entry.len = 0;
        }
        let last = log.records.last_key_value().map_or(0, |(pos, _)| *pos);
        log.trimmed = log.trimmed.max(through.0.min(last));
    }

    fn forget(&mut self, id: LogId, through: LogPos) {
        let Some(log) = self.logs.get_mut(&id) else { return };
        while let Some(first) = log.records.first_entry().filter(|first| *first.key() <= through.0) {
            if let Some(released) = first.remove().entry.released {
                log.released.remove(&released.0);
            }
        }
        if log.records.is_empty() {
            self.logs.remove(&id);
        }
    }

    pub(crate) fn read(&self, log: LogId, after: LogPos, max_bytes: u32) -> StoreOutcome {
        let records =
            self.logs.get(&log).into_iter().flat_map(|log| {
                log.records.range((Excluded(after.0.max(log.trimmed)), Unbounded)).map(|(_, item)| item)
            });
        take(records, max_bytes)
    }

    pub(crate) fn read_released(&self, log: LogId, after: LogPos, max_bytes: u32) -> StoreOutcome {
        let records = self.logs.get(&log).into_iter().flat_map(|log| {
            log.released.range((Excluded(after.0), Unbounded)).filter_map(|(_, pos)| log.records.get(pos))
        });
        take(records, max_bytes)
    }

    pub(crate) fn recovered(&self, torn_bytes: u64) -> Recovered {
        let entries = |log: &Log| log.records.values().map(|item| item.entry.clone()).collect();
        Recovered {
            next_pos: self.next_pos,
            logs: self.logs.iter().map(|(id, log)| (*id, entries(log))).collect(),
            pairs: self.pairs.iter().map(|((space, key), value)| (*space, key.clone(), value.clone())).collect(),
            torn_bytes,
        }
    }

    /// Bytes of messages that are kept.
    pub(crate) fn message_bytes(&self) -> u64 {
        let records = self.logs.values().flat_map(|log| log.records.values());
        records.map(|item| item.bytes.len() as u64).fold(0, u64::saturating_add)
    }
}

/// Takes a position, which must be above every one before.
fn raise(next: &mut u64, pos: LogPos) -> Result<(), &'static str> {
    if pos.0 < *next {
        return Err("a position is not above the last");
    }
    *next = pos.0.checked_add(1).ok_or("a position is out of range")?;
    Ok(())
}

/// Takes kept records until `max_bytes` are reached, at least one.
fn take<'a>(records: impl Iterator<Item = &'a LogItem>, max_bytes: u32) -> StoreOutcome {
    let mut items = Vec::new();
    let mut bytes = 0_u32;
    for item in records.filter(|item| !item.bytes.is_empty()) {
        bytes = bytes.saturating_add(item.entry.len);
        if bytes > max_bytes && !items.is_empty() {
            return StoreOutcome::Items { items, end: false };
        }
        items.push(item.clone());
    }
    StoreOutcome::Items { items, end: true }
}
