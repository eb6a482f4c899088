//! The durable store: append-only segments in a folder of its own.
//!
//! A batch of operations is written at once and synced at most once. Memory holds where things stand, never what they
//! are; what is no longer wanted is reclaimed from the oldest segment on, so what took something back may go when it is
//! itself the oldest. The layout is in `frame.rs` and `codec.rs`, coming back to life in `recovery.rs`.

mod codec;
mod disk;
mod engine;
mod frame;
mod read;
mod recent;
mod reclaim;
mod recovery;
mod shelf;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use crosscast_port::{Durability, OpId, Recovered, StoreError, StoreOp, StoreOutcome};

use crate::Store;
use crate::index::take_upto;
use engine::Engine;

/// Smallest segment: below it headers would outweigh records.
const SEGMENT_BYTES_MIN: u32 = 4 * 1024;
/// Largest segment: recovery holds one in memory.
const SEGMENT_BYTES_MAX: u32 = 64 * 1024 * 1024;

/// How a durable store lays itself out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStoreConfig {
    /// Length in bytes at which a new segment is begun; 4 KiB to 64 MiB, clipped.
    pub segment_bytes: u32,
    /// Records are refused when what is wanted would cost more bytes; the disk may hold up to twice that and two segments.
    pub quota_bytes: u64,
}

impl Default for FileStoreConfig {
    /// Segments of 8 MiB (one sync a segment, seconds of a busy node), no quota.
    fn default() -> Self {
        Self { segment_bytes: 8 * 1024 * 1024, quota_bytes: u64::MAX }
    }
}

/// A store in a folder.
pub struct FileStore {
    dir: PathBuf,
    config: FileStoreConfig,
    /// `None` before recovery.
    engine: Option<Engine>,
    /// Held as long as the store is open; dropped last.
    _lock: File,
}

impl FileStore {
    /// Takes the store in `dir` for this process; the folder is made if need be, readable by its owner only.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another has it open, [`StoreError::Io`] when the folder cannot be had.
    pub fn open(dir: impl AsRef<Path>, config: FileStoreConfig) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_path_buf();
        let lock = disk::lock(&dir)?;
        let segment_bytes = config.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        Ok(Self { dir, config: FileStoreConfig { segment_bytes, ..config }, engine: None, _lock: lock })
    }

    /// Cost of what is held, in bytes: messages, entries and pairs; 0 before recovery.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.engine.as_ref().map_or(0, |engine| engine.shelf.ledger.live)
    }

    /// Bytes of all segments; 0 before recovery.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.engine.as_ref().map_or(0, |engine| engine.shelf.ledger.disk)
    }

    fn engine(&mut self) -> Result<&mut Engine, StoreError> {
        let engine = match self.engine.take() {
            Some(engine) => engine,
            None => recovery::recover(&self.dir, self.config)?.0,
        };
        Ok(self.engine.insert(engine))
    }
}

impl Store for FileStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.engine = None;
        let (engine, recovered) = recovery::recover(&self.dir, self.config)?;
        self.engine = Some(engine);
        Ok(recovered)
    }

    fn apply(&mut self, ops: Vec<(OpId, StoreOp)>) -> Vec<(OpId, StoreOutcome)> {
        match self.engine() {
            Ok(engine) => engine.apply(ops),
            Err(error) => ops.into_iter().map(|(id, _)| (id, StoreOutcome::Failed(error.clone()))).collect(),
        }
    }
}

impl Engine {
    fn apply(&mut self, ops: Vec<(OpId, StoreOp)>) -> Vec<(OpId, StoreOutcome)> {
        let mut answers = Vec::with_capacity(ops.len());
        let mut to_sync = Vec::new();
        let written_before = self.written;
        for (id, op) in ops {
            let at = answers.len();
            // nothing is answered as committed before it is written
            answers.push((id, StoreOutcome::Failed(StoreError::Io("not written".into()))));
            let outcome = match op {
                StoreOp::Commit { writes, durability } => {
                    if durability == Durability::Synced {
                        to_sync.push(at);
                    }
                    self.stage(&writes, at, &mut answers).err().map(StoreOutcome::Failed)
                }
                StoreOp::Read { log, after, max_bytes } => {
                    self.settle(&mut answers);
                    let (slots, end) = take_upto(self.shelf.index.kept_after(log, after), max_bytes);
                    let slots = slots.into_iter().cloned().collect();
                    Some(self.read(log, slots, end))
                }
                StoreOp::ReadReleased { log, after, max_bytes } => {
                    self.settle(&mut answers);
                    let (slots, end) = take_upto(self.shelf.index.released_after(log, after), max_bytes);
                    let slots = slots.into_iter().cloned().collect();
                    Some(self.read(log, slots, end))
                }
            };
            if let (Some(outcome), Some(answer)) = (outcome, answers.get_mut(at)) {
                answer.1 = outcome;
            }
        }
        self.settle(&mut answers);
        self.sync_for(&to_sync, &mut answers);
        self.reclaim(self.written.saturating_sub(written_before));
        answers
    }
}
