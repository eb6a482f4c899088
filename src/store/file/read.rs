//! Reading: from what is in memory, else a window of the segment at once.
//!
//! What is handed out is copied, so that a message of a kilobyte that waits in some queue does not hold a window. A
//! record must be the one the shelf means; that its message is unaltered its signature and hash will tell.

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, LogItem, StoreError, StoreOutcome};

use super::codec::{Logged, RECORD_HEAD_LEN, decode};
use super::disk::{corrupt, failed};
use super::engine::Engine;
use super::recent::WINDOW_BYTES;
use super::shelf::Spot;
use crate::index::Slot;

impl Engine {
    /// The records of a log in these slots.
    pub(crate) fn read(&mut self, log: LogId, slots: Vec<Slot<Spot>>, end: bool) -> StoreOutcome {
        let items: Result<Vec<LogItem>, StoreError> = slots.iter().map(|slot| self.item(log, slot)).collect();
        items.map_or_else(StoreOutcome::Failed, |items| StoreOutcome::Items { items, end })
    }

    fn item(&mut self, log: LogId, slot: &Slot<Spot>) -> Result<LogItem, StoreError> {
        let Spot { segment, offset, len: kept } = slot.place;
        let len = RECORD_HEAD_LEN.saturating_add(usize::try_from(kept).unwrap_or(usize::MAX));
        if self.recent.get(segment, offset, len).is_none() {
            self.load(segment, offset, len)?;
        }
        let lost = || corrupt(segment, offset, "not the record that was written here");
        let mut bytes = self.recent.get(segment, offset, len).ok_or_else(lost)?;
        let (Logged::Append(record) | Logged::Moved(record)) = decode(&mut bytes).ok_or_else(lost)? else {
            return Err(lost());
        };
        if record.log != log || record.entry.pos.0 != slot.pos || record.entry.len != kept {
            return Err(lost());
        }
        let bytes = Bytes::copy_from_slice(record.bytes);
        let entry = LogEntry { released: slot.released(), gap: slot.gap, ..record.entry };
        Ok(LogItem { entry, bytes })
    }

    fn load(&mut self, segment: u32, offset: u32, len: usize) -> Result<(), StoreError> {
        let end = self.shelf.ledger.segments.get(&segment).map_or(0, |usage| usage.len);
        let there = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        if there < len {
            return Err(corrupt(segment, offset, "record beyond the end"));
        }
        let bytes =
            self.disk.read(segment, offset, there.min(len.max(WINDOW_BYTES))).map_err(|error| failed(&error))?;
        self.recent.read(segment, offset, bytes);
        Ok(())
    }
}
