//! Writing: commits are gathered as frames in one buffer, written at once, and only then known to the shelf.
//!
//! A frame never spans two segments. Before a segment is left for the next it is synced, so only the last one can have
//! a torn tail. A write that fails leaves the whole frames before the failure; a sync that fails ends all writing,
//! because nobody can tell what the disk holds then.

use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};

use crosscast_port::{OpId, StoreError, StoreOutcome, Write};

use super::FileStoreConfig;
use super::codec::{decode, encode};
use super::disk::{Disk, failed};
use super::frame::{FRAME_HEAD_LEN, FrameKey, HEADER_LEN, Header};
use super::recent::Recent;
use super::reclaim::Cleaner;
use super::shelf::Shelf;
use crate::check::check;

/// What is gathered before it is written even within one batch; bounds memory, and larger writes are no faster.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(crate) type Answers = Vec<(OpId, StoreOutcome)>;

/// The segment that is written.
pub(crate) struct Head {
    pub(crate) number: u32,
    file: File,
    key: FrameKey,
    /// Bytes that count.
    pub(crate) len: u32,
    /// Bytes that are on the disk for sure.
    pub(crate) synced: u32,
}

impl Head {
    /// A segment whose file ends at `len` and is synced up to there.
    pub(crate) fn new(header: &Header, file: File, len: u32) -> Self {
        Self { number: header.number, file, key: header.key(), len, synced: len }
    }
}

/// Frames that wait to be written.
#[derive(Default)]
struct Batch {
    buffer: Vec<u8>,
    frames: Vec<Span>,
    /// The next position once all of them are written.
    next_pos: u64,
}

struct Span {
    /// Where it ends in the buffer; it starts where the one before ends.
    end: usize,
    /// Whose answer it is; `None` for copies.
    answer: Option<usize>,
}

/// A store that is at work.
pub(crate) struct Engine {
    pub(crate) config: FileStoreConfig,
    pub(crate) disk: Disk,
    pub(crate) head: Head,
    pub(crate) shelf: Shelf,
    pub(crate) recent: Recent,
    pub(crate) cleaner: Option<Cleaner>,
    /// Bytes written since it began to work.
    pub(crate) written: u64,
    /// Why nothing more is written.
    pub(crate) broken: Option<StoreError>,
    batch: Batch,
}

impl Engine {
    pub(crate) fn new(config: FileStoreConfig, disk: Disk, head: Head, shelf: Shelf) -> Self {
        let batch = Batch { next_pos: shelf.next_pos, ..Batch::default() };
        let (recent, cleaner) = (Recent::default(), None);
        Self { config, disk, head, shelf, recent, cleaner, written: 0, broken: None, batch }
    }

    /// Takes a commit into the batch, to be answered when it is written.
    pub(crate) fn stage(&mut self, writes: &[Write], answer: usize, answers: &mut Answers) -> Result<(), StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        // what waits costs no more than its bytes, and a new pair no less than one that is replaced
        let ceiling = self.shelf.ledger.live.saturating_add(self.batch.buffer.len() as u64);
        let mut checked = check(writes, self.batch.next_pos, |_, _| 0)?;
        if !checked.fits(ceiling, 0, self.config.quota_bytes) {
            self.settle(answers);
            checked = check(writes, self.shelf.next_pos, |space, key| self.shelf.pair_cost(space, key))?;
            let freed = self.shelf.index.freed(writes);
            if !checked.fits(self.shelf.ledger.live, freed, self.config.quota_bytes) {
                return Err(StoreError::Full);
            }
        }
        self.make_room(checked.frame_bytes.saturating_add(FRAME_HEAD_LEN), answers)?;
        self.begin_frame();
        writes.iter().for_each(|write| encode(write, &mut self.batch.buffer));
        self.end_frame(Some(answer));
        self.batch.next_pos = checked.next_pos;
        Ok(())
    }

    /// Sees to it that a frame of this length fits the segment that is written.
    pub(crate) fn make_room(&mut self, frame: usize, answers: &mut Answers) -> Result<(), StoreError> {
        let crowded = |engine: &Self| {
            let used = (engine.head.len as usize).saturating_add(engine.batch.buffer.len());
            used > HEADER_LEN as usize && used.saturating_add(frame) > engine.config.segment_bytes as usize
        };
        if self.batch.buffer.len() >= BUFFER_BYTES_MAX || crowded(self) {
            self.settle(answers);
        }
        if crowded(self) { self.roll() } else { Ok(()) }
    }

    /// Starts a frame at the end of the buffer and returns where.
    pub(crate) fn begin_frame(&mut self) -> usize {
        let start = self.batch.buffer.len();
        self.batch.buffer.resize(start.saturating_add(FRAME_HEAD_LEN), 0);
        start
    }

    /// The frame that was begun, to append to.
    pub(crate) fn frame(&mut self) -> (&mut Vec<u8>, &Shelf) {
        (&mut self.batch.buffer, &self.shelf)
    }

    /// Takes back the frame that was begun at `start`.
    pub(crate) fn drop_frame(&mut self, start: usize) {
        self.batch.buffer.truncate(start);
    }

    /// Completes the frame that was begun.
    pub(crate) fn end_frame(&mut self, answer: Option<usize>) {
        let start = self.batch.frames.last().map_or(0, |last| last.end);
        let offset = self.head.len.saturating_add(u32::try_from(start).unwrap_or(u32::MAX));
        self.head.key.finish(&mut self.batch.buffer, start, offset, self.head.synced);
        self.batch.frames.push(Span { end: self.batch.buffer.len(), answer });
    }

    /// Writes what waits and answers it.
    pub(crate) fn settle(&mut self, answers: &mut Answers) {
        let mut batch = std::mem::take(&mut self.batch);
        let (written, error) = self.disk.write(&self.head.file, &batch.buffer, self.head.len.into());
        let mut start = 0;
        for Span { end, answer } in batch.frames.drain(..) {
            let outcome = if end <= written {
                self.note(&batch.buffer, start, end);
                start = end;
                StoreOutcome::Committed
            } else {
                StoreOutcome::Failed(error.as_ref().map_or(StoreError::Full, failed))
            };
            if let Some(slot) = answer.and_then(|at| answers.get_mut(at)) {
                slot.1 = outcome;
            }
        }
        let done = batch.buffer.get(..start).unwrap_or_default();
        if !done.is_empty() {
            self.recent.wrote(self.head.number, self.head.len, done);
            self.head.len = self.head.len.saturating_add(u32::try_from(start).unwrap_or(u32::MAX));
            self.shelf.ledger.grew(self.head.number, self.head.len);
            self.written = self.written.saturating_add(start as u64);
        }
        if error.is_some() {
            // half a frame would be cut off by recovery, and the next write stands in its place: no harm if this fails
            let _ = self.head.file.set_len(self.head.len.into()).and_then(|()| self.head.file.sync_all());
        }
        batch.buffer.clear();
        batch.buffer.shrink_to(BUFFER_BYTES_MAX);
        self.batch = Batch { next_pos: self.shelf.next_pos, ..batch };
    }

    /// Tells the shelf of a frame that stands.
    fn note(&mut self, buffer: &[u8], start: usize, end: usize) {
        let body_start = start.saturating_add(FRAME_HEAD_LEN);
        let Some(mut rest) = buffer.get(body_start..end) else { return };
        while !rest.is_empty() {
            let at = end.saturating_sub(rest.len());
            let offset = self.head.len.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            let Some(logged) = decode(&mut rest) else { return };
            self.shelf.apply(&logged, self.head.number, offset);
        }
    }

    /// Leaves the segment that is written and begins the next.
    fn roll(&mut self) -> Result<(), StoreError> {
        self.sync()?;
        let number = self.head.number.checked_add(1).ok_or(StoreError::Full)?;
        let header = new_header(number, self.shelf.next_pos);
        let file = self.disk.create(&header).map_err(|error| failed(&error))?;
        self.head = Head::new(&header, file, HEADER_LEN);
        self.shelf.ledger.grew(number, HEADER_LEN);
        Ok(())
    }

    /// Brings everything that was written onto the disk.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        if self.head.synced < self.head.len {
            if let Err(error) = self.head.file.sync_data() {
                let error = failed(&error);
                self.broken = Some(error.clone());
                return Err(error);
            }
            self.head.synced = self.head.len;
        }
        Ok(())
    }

    /// Syncs if any of these commits stands, and answers them by it.
    pub(crate) fn sync_for(&mut self, commits: &[usize], answers: &mut Answers) {
        let stands = |answers: &Answers, at: usize| {
            answers.get(at).is_some_and(|(_, outcome)| *outcome == StoreOutcome::Committed)
        };
        if !commits.iter().any(|at| stands(answers, *at)) {
            return;
        }
        let Err(error) = self.sync() else { return };
        for at in commits.iter().copied().filter(|at| stands(answers, *at)).collect::<Vec<_>>() {
            if let Some(answer) = answers.get_mut(at) {
                answer.1 = StoreOutcome::Failed(error.clone());
            }
        }
    }
}

/// The header of a segment that is begun now.
pub(crate) fn new_header(number: u32, next_pos: u64) -> Header {
    // the standard library draws its hash keys from the operating system
    let salt = RandomState::new().build_hasher().finish();
    Header { number, next_pos, salt }
}
