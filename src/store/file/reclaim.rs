//! Reclaiming: what is still wanted of the oldest segment is copied behind the newest, then the oldest is removed.
//!
//! Always the oldest: then whatever it took back lies in segments that are gone, and it needs no bookkeeping of what
//! superseded what. The copies are on the disk before the segment goes; a copy is known by its position, and the later
//! one counts. Work is paid out in steps with the writes that cause it, so no batch waits long: emptying begins at one
//! and a half times what is wanted plus a segment, so that even a store whose oldest part is all wanted stays below
//! twice plus two.

use crosscast_port::{LogEntry, StoreError};

use super::codec::{Logged, decode, encode_moved, encode_put};
use super::disk::{corrupt, failed};
use super::engine::Engine;
use super::frame::{FRAME_HEAD_LEN, FrameHead, FrameKey, HEADER_LEN, Header};

/// Work in bytes for every byte written: enough to pass over a store that is all wanted before as much garbage grows.
const WORK_PER_BYTE: u64 = 4;
/// Work in a batch however little it writes, so that a quiet store gets tidy too.
const WORK_MIN: u64 = 64 * 1024;
/// Work in a batch, unless the batch wrote half of that itself: some milliseconds.
const WORK_MAX: u64 = 1024 * 1024;
/// Copied as one frame.
const COPY_BYTES: u64 = 128 * 1024;
/// Reading over what is not wanted is this much cheaper than copying.
const SKIP_DISCOUNT: u64 = 4;
/// Removals in a batch: each waits for the disk.
const REMOVALS_MAX: usize = 4;

/// Where emptying the oldest segment has come to.
pub(crate) struct Cleaner {
    segment: u32,
    key: FrameKey,
    /// The next frame.
    offset: u32,
    /// The frame in work.
    body: Vec<u8>,
    body_offset: u32,
    /// The next write in it.
    at: usize,
}

impl Engine {
    /// Does a share of the work, after a batch that wrote `written` bytes.
    pub(crate) fn reclaim(&mut self, written: u64) {
        let limit = WORK_MAX.max(written.saturating_mul(2));
        let budget = written.saturating_mul(WORK_PER_BYTE).max(WORK_MIN).min(limit);
        if let Err(error) = self.reclaim_within(budget) {
            self.cleaner = None;
            // a full or failing disk is reported where it matters, to the next commit; damage would only spread
            if matches!(error, StoreError::Corrupt(_)) {
                self.broken = Some(error);
            }
        }
    }

    fn reclaim_within(&mut self, budget: u64) -> Result<(), StoreError> {
        for _ in 0..REMOVALS_MAX {
            match self.shelf.oldest(self.head.number) {
                Some((number, usage)) if usage.live == 0 => self.retire(number)?,
                Some(_) | None => break,
            }
        }
        let mut spent = 0u64;
        while spent < budget && self.shelf.is_wasteful(self.config.segment_bytes) {
            let Some((number, usage)) = self.shelf.oldest(self.head.number) else { return Ok(()) };
            let mut cleaner = match self.cleaner.take().filter(|cleaner| cleaner.segment == number) {
                Some(cleaner) => cleaner,
                None => self.start(number)?,
            };
            if cleaner.at < cleaner.body.len() {
                spent = spent.saturating_add(self.copy(&mut cleaner, budget.saturating_sub(spent))?);
            } else if cleaner.offset < usage.len {
                self.next_frame(&mut cleaner, usage.len)?;
            } else {
                self.retire(number)?;
                continue;
            }
            self.cleaner = Some(cleaner);
        }
        Ok(())
    }

    fn start(&mut self, segment: u32) -> Result<Cleaner, StoreError> {
        let header = self.disk.read(segment, 0, HEADER_LEN as usize).map_err(|error| failed(&error))?;
        let header = Header::decode(&header).ok_or_else(|| corrupt(segment, 0, "header"))?;
        Ok(Cleaner { segment, key: header.key(), offset: HEADER_LEN, body: Vec::new(), body_offset: 0, at: 0 })
    }

    fn next_frame(&mut self, cleaner: &mut Cleaner, end: u32) -> Result<(), StoreError> {
        let Cleaner { segment, offset, .. } = *cleaner;
        let damaged = || corrupt(segment, offset, "frame");
        let head_len = u32::try_from(FRAME_HEAD_LEN).unwrap_or(u32::MAX);
        let head = self.disk.read(segment, offset, FRAME_HEAD_LEN).map_err(|error| failed(&error))?;
        let body_len = FrameHead::parse(&head).ok_or_else(damaged)?.0.body_len;
        let len =
            head_len.checked_add(body_len).filter(|len| *len <= end.saturating_sub(offset)).ok_or_else(damaged)?;
        let mut frame = self.disk.read(segment, offset, len as usize).map_err(|error| failed(&error))?;
        cleaner.key.parse(&frame, offset).ok_or_else(damaged)?;
        frame.drain(..FRAME_HEAD_LEN.min(frame.len()));
        cleaner.body = frame;
        cleaner.body_offset = offset.saturating_add(head_len);
        cleaner.offset = offset.saturating_add(len);
        cleaner.at = 0;
        Ok(())
    }

    /// Copies what is wanted of the frame in work, within `limit`; returns the work done.
    fn copy(&mut self, cleaner: &mut Cleaner, limit: u64) -> Result<u64, StoreError> {
        let copy_bytes = COPY_BYTES.min(self.config.segment_bytes.into()).min(limit);
        self.make_room(usize::try_from(copy_bytes).unwrap_or(usize::MAX), &mut Vec::new())?;
        let start = self.begin_frame();
        let (buffer, shelf) = self.frame();
        let empty = buffer.len();
        let copied = |buffer: &Vec<u8>| buffer.len().saturating_sub(empty) as u64;
        let mut work = 0u64;
        while let Some(mut rest) = cleaner.body.get(cleaner.at..).filter(|rest| !rest.is_empty()) {
            if copied(buffer) >= copy_bytes || work >= limit {
                break;
            }
            let (len, before) = (rest.len(), copied(buffer));
            let offset = cleaner.body_offset.saturating_add(u32::try_from(cleaner.at).unwrap_or(u32::MAX));
            match decode(&mut rest).ok_or_else(|| corrupt(cleaner.segment, offset, "write"))? {
                Logged::Append(record) | Logged::Moved(record) => {
                    let wanted = shelf.wanted_record(record.log, record.entry.pos, cleaner.segment, offset);
                    if let Some(slot) = wanted {
                        let (len, released) = (slot.place.len, slot.released());
                        let bytes = if len == 0 { &[] } else { record.bytes };
                        let entry = LogEntry { released, gap: slot.gap, len, ..record.entry };
                        encode_moved(record.log, &entry, bytes, buffer);
                    }
                }
                Logged::Put { space, key, value } => {
                    if shelf.wants_pair(space, key, cleaner.segment, offset) {
                        encode_put(space, key, value, buffer);
                    }
                }
                Logged::Release { .. } | Logged::Trim { .. } | Logged::Forget { .. } | Logged::Delete { .. } => {}
            }
            let passed = len.saturating_sub(rest.len());
            cleaner.at = cleaner.at.saturating_add(passed);
            let grown = copied(buffer).saturating_sub(before);
            work = work.saturating_add(grown.max(passed as u64 / SKIP_DISCOUNT));
        }
        if copied(buffer) == 0 {
            self.drop_frame(start);
            return Ok(work);
        }
        self.end_frame(None);
        let before = self.written;
        self.settle(&mut Vec::new());
        if self.written == before { Err(StoreError::Full) } else { Ok(work) }
    }

    /// Removes the oldest segment, of which nothing is wanted any more.
    fn retire(&mut self, segment: u32) -> Result<(), StoreError> {
        if self.shelf.ledger.segments.get(&segment).is_some_and(|usage| usage.live > 0) {
            return Err(corrupt(segment, 0, "more is wanted than was found"));
        }
        // what superseded it, or took it back, must not be lost before it
        self.sync()?;
        self.disk.remove(segment).map_err(|error| failed(&error))?;
        self.shelf.ledger.gone(segment);
        self.cleaner = None;
        Ok(())
    }
}
