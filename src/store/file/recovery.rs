//! Coming back to life: all segments are read from the oldest on and replayed.
//!
//! Only the last segment may end in a torn frame, which is cut off. A hole in it with whole frames behind is what a
//! loss of power leaves of writes that nobody waited for, unless one of those frames says that the hole lay in what was
//! synced: then it is damage, like any hole in an older segment, and nothing is touched.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, Recovered, Space, StoreError};

use super::codec::{Logged, Record, decode};
use super::disk::{Disk, corrupt, failed};
use super::engine::{Engine, Head, new_header};
use super::frame::{FRAME_HEAD_LEN, FrameHead, FrameKey, HEADER_LEN, Header, MARK};
use super::shelf::{Ledger, PairSpot, Shelf, Spot};
use super::{FileStoreConfig, SEGMENT_BYTES_MAX};
use crate::check::{COMMIT_BYTES_MAX, pair_cost};

/// The longest file that can be a segment of ours: one begun just before its limit.
const SEGMENT_LEN_MAX: u64 = SEGMENT_BYTES_MAX as u64 + COMMIT_BYTES_MAX as u64 + 4096;
/// Hashing that a search for frames behind a hole may cost: contents can only be made to look like frames' heads.
const SEARCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Opens what is in the folder.
pub(crate) fn recover(dir: &Path, config: FileStoreConfig) -> Result<(Engine, Recovered), StoreError> {
    let mut disk = Disk::open(dir).map_err(|error| failed(&error))?;
    let numbers = disk.list().map_err(|error| failed(&error))?;
    if let Some((before, _)) = numbers.iter().zip(numbers.iter().skip(1)).find(|(a, b)| a.checked_add(1) != Some(**b)) {
        return Err(corrupt(before.saturating_add(1), 0, "segment is missing"));
    }
    let mut replay = Replay { next_pos: 1, ..Replay::default() };
    let mut ledger = Ledger::default();
    let (mut head, mut torn_bytes) = (None, 0u64);
    for number in &numbers {
        let last = numbers.last() == Some(number);
        let (file, bytes) = disk.load(*number, SEGMENT_LEN_MAX).map_err(|error| failed(&error))?;
        let bytes = bytes.ok_or_else(|| corrupt(*number, 0, "longer than any segment"))?;
        let Some(header) = Header::decode(&bytes).filter(|header| header.number == *number) else {
            if !last || bytes.len() > HEADER_LEN as usize {
                return Err(corrupt(*number, 0, "header"));
            }
            disk.remove(*number).map_err(|error| failed(&error))?;
            torn_bytes = torn_bytes.saturating_add(bytes.len() as u64);
            break;
        };
        let end = replay.segment(&header, &bytes, last)?;
        let torn = (bytes.len() as u64).saturating_sub(end.into());
        if torn > 0 {
            torn_bytes = torn_bytes.saturating_add(torn);
            file.set_len(end.into()).map_err(|error| failed(&error))?;
        }
        if last {
            file.sync_all().map_err(|error| failed(&error))?;
        }
        ledger.grew(*number, end);
        head = Some(Head::new(&header, file, end));
    }
    let head = match head {
        Some(head) => head,
        None => {
            let header = new_header(1, replay.next_pos);
            ledger.grew(1, HEADER_LEN);
            Head::new(&header, disk.create(&header).map_err(|error| failed(&error))?, HEADER_LEN)
        }
    };
    let (shelf, recovered) = replay.finish(ledger, torn_bytes);
    Ok((Engine::new(config, disk, head, shelf), recovered))
}

#[derive(Default)]
struct ReplayLog {
    records: BTreeMap<u64, (LogEntry, Spot)>,
    /// No record up to here has bytes.
    trimmed: u64,
}

/// What the segments read so far amount to.
#[derive(Default)]
struct Replay {
    next_pos: u64,
    logs: BTreeMap<LogId, ReplayLog>,
    pairs: BTreeMap<(Space, Bytes), (PairSpot, Bytes)>,
}

impl Replay {
    /// Replays one segment and returns where it ends.
    fn segment(&mut self, header: &Header, bytes: &[u8], last: bool) -> Result<u32, StoreError> {
        let key = header.key();
        self.next_pos = self.next_pos.max(header.next_pos);
        let mut offset = HEADER_LEN;
        while let Some(rest) = bytes.get(offset as usize..).filter(|rest| !rest.is_empty()) {
            let Some(frame) = key.parse(rest, offset) else {
                if last && !is_damage(&key, bytes, offset) {
                    break;
                }
                return Err(corrupt(header.number, offset, "frame"));
            };
            self.frame(header.number, offset, frame.body)?;
            offset = offset.saturating_add(u32::try_from(frame.len()).unwrap_or(u32::MAX));
        }
        Ok(offset)
    }

    fn frame(&mut self, segment: u32, offset: u32, body: &[u8]) -> Result<(), StoreError> {
        let mut rest = body;
        while !rest.is_empty() {
            let before = body.len().saturating_sub(rest.len()).saturating_add(FRAME_HEAD_LEN);
            let at = offset.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            let logged = decode(&mut rest).ok_or_else(|| corrupt(segment, at, "write"))?;
            self.write(logged, segment, at);
        }
        Ok(())
    }

    fn write(&mut self, logged: Logged<'_>, segment: u32, offset: u32) {
        match logged {
            Logged::Append(Record { log, entry, bytes: _ }) | Logged::Moved(Record { log, entry, bytes: _ }) => {
                let highest = entry.released.unwrap_or(entry.pos).max(entry.pos);
                self.reach(highest.0);
                let spot = Spot { segment, offset, len: entry.len };
                self.logs.entry(log).or_default().records.insert(entry.pos.0, (entry, spot));
            }
            Logged::Release { log, pos, released, gap } => {
                self.reach(released.0);
                let record = self.logs.get_mut(&log).and_then(|log| log.records.get_mut(&pos.0));
                if let Some((entry, _)) = record.filter(|(entry, _)| entry.released.is_none()) {
                    entry.released = Some(released);
                    entry.gap = gap;
                }
            }
            Logged::Trim { log, through } => {
                let Some(log) = self.logs.get_mut(&log) else { return };
                let last = log.records.last_key_value().map_or(0, |(pos, _)| *pos);
                let through = through.0.min(last);
                if through <= log.trimmed {
                    return;
                }
                for (_, (entry, spot)) in log.records.range_mut(log.trimmed..=through) {
                    (entry.len, spot.len) = (0, 0);
                }
                log.trimmed = through;
            }
            Logged::Forget { log: id, through } => {
                let Some(log) = self.logs.get_mut(&id) else { return };
                log.records = match through.0.checked_add(1) {
                    Some(from) => log.records.split_off(&from),
                    None => BTreeMap::new(),
                };
                if log.records.is_empty() {
                    self.logs.remove(&id);
                }
            }
            Logged::Put { space, key, value } => {
                let cost = u32::try_from(pair_cost(key.len(), value.len())).unwrap_or(u32::MAX);
                let spot = PairSpot { segment, offset, cost };
                let key = Bytes::copy_from_slice(key);
                self.pairs.insert((space, key), (spot, Bytes::copy_from_slice(value)));
            }
            Logged::Delete { space, key } => {
                self.pairs.remove(&(space, Bytes::copy_from_slice(key)));
            }
        }
    }

    fn reach(&mut self, pos: u64) {
        self.next_pos = self.next_pos.max(pos.saturating_add(1));
    }

    /// The shelf for the engine, and what the core is told.
    fn finish(self, ledger: Ledger, torn_bytes: u64) -> (Shelf, Recovered) {
        let mut shelf = Shelf::new(self.next_pos, ledger);
        let mut recovered = Recovered { next_pos: self.next_pos, torn_bytes, ..Recovered::default() };
        for (log, replayed) in self.logs {
            let mut entries = Vec::with_capacity(replayed.records.len());
            for (entry, spot) in replayed.records.into_values() {
                let record = Record { log, entry, bytes: &[] };
                shelf.add(&record, spot.segment, spot.offset);
                entries.push(record.entry);
            }
            recovered.logs.push((log, entries));
        }
        for ((space, key), (spot, value)) in self.pairs {
            shelf.put(space, key.clone(), spot);
            recovered.pairs.push((space, key, value));
        }
        (shelf, recovered)
    }
}

/// Whether a frame behind the hole says that the hole lies in what was synced.
fn is_damage(key: &FrameKey, bytes: &[u8], hole: u32) -> bool {
    let mut at = (hole as usize).saturating_add(1);
    let mut search = SEARCH_BYTES_MAX;
    while let Some(rest) = bytes.get(at..) {
        let Some(found) = rest.windows(MARK.len()).position(|window| window == MARK) else { return false };
        at = at.saturating_add(found);
        let rest = rest.get(found..).unwrap_or_default();
        let frame = u32::try_from(at).ok().and_then(|offset| key.parse(rest, offset));
        if frame.as_ref().is_some_and(|frame| frame.synced > hole) {
            return true;
        }
        let claimed = FrameHead::parse(rest).map_or(0, |(head, _)| head.body_len as usize);
        let hashed = if claimed <= rest.len() { claimed } else { 0 };
        let Some(left) = search.checked_sub(hashed) else { return false };
        search = left;
        at = at.saturating_add(frame.map_or(1, |frame| frame.len()));
    }
    false
}
