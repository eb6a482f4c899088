//! The model of a store on a disk: what is kept, how safe it is, and how long it takes.
//!
//! Operations are done one after the other. A commit is on the disk's platter once it was synced: by its own wish, by
//! a later commit's, or by the operating system after a while. The death of the process takes what was not yet done;
//! a loss of power also takes a tail of the commits that were not synced, so that a prefix stays. A full or failing
//! disk refuses.

mod state;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use crosscast_port::{Durability, Recovered, StoreError, StoreOp, StoreOutcome, Write};

pub(crate) use state::State;

use crate::agenda::{MILLI, Micros, SECOND};
use crate::prng::Prng;

/// An operation that stays in the operating system's memory.
const WRITTEN_US: (u64, u64) = (30, 300);
/// A sync of a solid-state disk.
const SYNCED_US: (u64, u64) = (MILLI, 8 * MILLI);
/// Bytes moved in a microsecond.
const BYTES_PER_US: u64 = 500;
/// How long the operating system lets a written commit lie before it syncs it by itself.
const FLUSH_US: (u64, u64) = (SECOND, 10 * SECOND);
/// Bytes a record or pair takes beside its contents, about.
const OVERHEAD: u64 = 160;

/// Whether the disk does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum DiskMode {
    /// It does.
    #[default]
    Good,
    /// It has no room for anything that grows.
    Full,
    /// Every write fails.
    Failing,
}

#[derive(Clone, Debug)]
struct Commit {
    at: Micros,
    bytes: u64,
    writes: Vec<Write>,
}

/// One node's store.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What a loss of power leaves.
    synced: State,
    /// What the death of the process leaves.
    live: State,
    /// The commits that lie between the two, oldest first.
    tail: VecDeque<Commit>,
    mode: DiskMode,
    slowness: u64,
    busy_until: Micros,
    flush_us: Micros,
    torn_bytes: u64,
    prng: Prng,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub const fn new(mut prng: Prng) -> Self {
        let flush_us = prng.range(FLUSH_US.0, FLUSH_US.1);
        Self {
            synced: State::new(),
            live: State::new(),
            tail: VecDeque::new(),
            mode: DiskMode::Good,
            slowness: 1,
            busy_until: 0,
            flush_us,
            torn_bytes: 0,
            prng,
        }
    }

    /// Sets whether it works.
    pub const fn set_mode(&mut self, mode: DiskMode) {
        self.mode = mode;
    }

    /// Makes it this many times slower than usual.
    pub const fn set_slowness(&mut self, times: u64) {
        self.slowness = if times == 0 { 1 } else { times };
    }

    /// Queues an operation: the time at which it will be done.
    pub fn submit(&mut self, now: Micros, op: &StoreOp) -> Micros {
        let (low, high) = match op {
            StoreOp::Commit { writes: _, durability: Durability::Synced } => SYNCED_US,
            StoreOp::Commit { writes: _, durability: Durability::Written }
            | StoreOp::Read { log: _, after: _, max_bytes: _ }
            | StoreOp::ReadReleased { log: _, after: _, max_bytes: _ } => WRITTEN_US,
        };
        let moved = match op {
            StoreOp::Commit { writes, durability: _ } => size(writes) / BYTES_PER_US,
            StoreOp::Read { log: _, after: _, max_bytes } | StoreOp::ReadReleased { log: _, after: _, max_bytes } => {
                u64::from(*max_bytes) / BYTES_PER_US / 16
            }
        };
        let cost = self.prng.range(low, high).saturating_add(moved).saturating_mul(self.slowness);
        self.busy_until = self.busy_until.max(now).saturating_add(cost);
        self.busy_until
    }

    /// How long an answer takes back to the machine.
    pub const fn way_back(&mut self) -> Micros {
        self.prng.range(5, 100)
    }

    /// Does an operation. The second value names a rule of the port that it broke.
    pub fn perform(&mut self, now: Micros, op: StoreOp) -> (StoreOutcome, Option<&'static str>) {
        match op {
            StoreOp::Commit { writes, durability } => self.commit(now, writes, durability),
            StoreOp::Read { log, after, max_bytes } => (self.live.read(log, after, max_bytes), None),
            StoreOp::ReadReleased { log, after, max_bytes } => (self.live.read_released(log, after, max_bytes), None),
        }
    }

    fn commit(
        &mut self,
        now: Micros,
        writes: Vec<Write>,
        durability: Durability,
    ) -> (StoreOutcome, Option<&'static str>) {
        if let Err(rule) = self.live.check(&writes) {
            return (StoreOutcome::Failed(StoreError::Io(format!("invalid input: {rule}"))), Some(rule));
        }
        match self.mode {
            DiskMode::Full if writes.iter().any(grows) => return (StoreOutcome::Failed(StoreError::Full), None),
            DiskMode::Failing => return (StoreOutcome::Failed(StoreError::Io("input/output error".into())), None),
            DiskMode::Full | DiskMode::Good => {}
        }
        self.live.apply(&writes);
        self.tail.push_back(Commit { at: now, bytes: size(&writes), writes });
        match durability {
            Durability::Synced => self.sync(|_| true),
            Durability::Written => self.flush(now),
        }
        (StoreOutcome::Committed, None)
    }

    /// What the operating system has synced by itself until now.
    fn flush(&mut self, now: Micros) {
        let flush_us = self.flush_us;
        self.sync(|commit| commit.at.saturating_add(flush_us) <= now);
    }

    fn sync(&mut self, ripe: impl Fn(&Commit) -> bool) {
        while self.tail.front().is_some_and(&ripe) {
            let Some(commit) = self.tail.pop_front() else { return };
            self.synced.apply(&commit.writes);
        }
    }

    /// The process died: what was queued and not done is lost with it.
    pub const fn kill(&mut self, now: Micros) {
        self.busy_until = now;
    }

    /// The power failed: a tail of the commits that were not synced is lost. Returns how many.
    pub fn lose_power(&mut self, now: Micros) -> usize {
        self.kill(now);
        self.flush(now);
        let kept = usize::try_from(self.prng.range(0, self.tail.len() as u64)).unwrap_or(0);
        let lost = self.tail.split_off(kept.min(self.tail.len()));
        self.sync(|_| true);
        self.live = self.synced.clone();
        // The first lost commit may have left a piece behind.
        self.torn_bytes = lost.front().map_or(0, |commit| self.prng.below(commit.bytes));
        lost.len()
    }

    /// Opens the store: what a machine is built from.
    pub fn recover(&mut self) -> Recovered {
        self.live.recovered(std::mem::take(&mut self.torn_bytes))
    }

    /// Bytes of messages that are kept.
    #[must_use]
    pub fn message_bytes(&self) -> u64 {
        self.live.message_bytes()
    }
}

fn grows(write: &Write) -> bool {
    match write {
        Write::Append { log: _, item: _ } => true,
        // The store keeps a reserve for cursors and replay windows.
        Write::Put { space: _, key: _, value: _ }
        | Write::Release { log: _, pos: _, released: _, gap: _ }
        | Write::Trim { log: _, through: _ }
        | Write::Forget { log: _, through: _ }
        | Write::Delete { space: _, key: _ } => false,
    }
}

fn size(writes: &[Write]) -> u64 {
    let one = |write: &Write| match write {
        Write::Append { log: _, item } => item.bytes.len() as u64,
        Write::Put { space: _, key, value } => (key.len() as u64).saturating_add(value.len() as u64),
        Write::Release { log: _, pos: _, released: _, gap: _ }
        | Write::Trim { log: _, through: _ }
        | Write::Forget { log: _, through: _ }
        | Write::Delete { space: _, key: _ } => 0,
    };
    writes.iter().map(|write| one(write).saturating_add(OVERHEAD)).fold(0, u64::saturating_add)
}
