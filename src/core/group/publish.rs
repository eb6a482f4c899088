//! What is about to be published: entries gather while a signature or a commit is under way.
//!
//! An idle publisher sends at once; under load one message carries up to 256 entries, so that signature, hash, seal and
//! header are paid once for all of them (`docs/spec/message.md`).

use std::collections::VecDeque;

use crosscast_wire::limits::{ENTRIES_MAX, ENTRY_MAX};
use crosscast_wire::{Class, Entry, Seq};

use crate::auth::bucket::Bucket;
use crate::{CommandId, Instant};

/// Largest content of one message, in bytes: the format's 256 KiB less lengths, metadata heads, seal and padding.
pub(crate) const BATCH_BYTES: u64 = 240 * 1024;
/// 1,100 messages a second: the pause between two is a tenth less than the millisecond that gathering may add to an
/// entry's way, which is for being late.
const PACE_PER_S: u64 = 1_100;
/// 64 messages at once: a publisher that is not faster than the pace never waits, however unevenly it speaks.
const PACE_BURST: u64 = 64;
/// 1 ms: when to look again if nothing else happens meanwhile.
pub(crate) const PACE_MS: u64 = 1;
/// What an entry weighs beside its payload and metadata: its length and its heads.
const ENTRY_OVERHEAD: u64 = 8;

/// Entries of one command, waiting.
struct Waiting {
    command: CommandId,
    entries: Vec<Entry>,
    class: Class,
    life_ms: u64,
    weight: u64,
}

/// The content of the next message.
pub(crate) struct Batch {
    pub(crate) entries: Vec<Entry>,
    /// Which command's entries start at which index.
    pub(crate) commands: Vec<(CommandId, u16)>,
    pub(crate) class: Class,
    pub(crate) life_ms: u64,
}

/// The gathering queue of one group.
#[derive(Default)]
pub(crate) struct Publisher {
    last_seq: u64,
    waiting: VecDeque<Waiting>,
    pub(crate) waiting_bytes: u64,
    waiting_entries: usize,
    /// Whether a signature is under way.
    pub(crate) signing: bool,
    /// Own messages signed but not committed.
    pub(crate) ahead: usize,
    /// How many messages may still be made without waiting for more entries.
    pace: Option<Bucket>,
    /// Payload bytes of own messages that no next hop has acknowledged.
    pub(crate) unacked_bytes: u64,
}

/// What entries weigh in a message; `None` when one is too large or there are too many.
pub(crate) fn weight(entries: &[Entry]) -> Option<u64> {
    if entries.len() > ENTRIES_MAX || entries.iter().any(|entry| entry.payload.len() > ENTRY_MAX) {
        return None;
    }
    let one = |entry: &Entry| (entry.encoded_len_max() as u64).saturating_add(ENTRY_OVERHEAD);
    let sum = entries.iter().fold(0u64, |sum, entry| sum.saturating_add(one(entry)));
    (sum <= BATCH_BYTES).then_some(sum)
}

impl Publisher {
    /// Goes on with the numbers of a group that was left in this run: a number is never used twice.
    pub(crate) fn after(last_seq: u64) -> Self {
        Self { last_seq, ..Self::default() }
    }

    /// Ends it: the last number, and the commands whose entries never became a message.
    pub(crate) fn close(self) -> (u64, Vec<CommandId>) {
        (self.last_seq, self.waiting.into_iter().map(|waiting| waiting.command).collect())
    }

    /// Adds a command's entries, whose weight is known to fit a message.
    pub(crate) fn gather(&mut self, command: CommandId, entries: Vec<Entry>, class: Class, life_ms: u64, weight: u64) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(weight);
        self.waiting_entries = self.waiting_entries.saturating_add(entries.len());
        self.waiting.push_back(Waiting { command, entries, class, life_ms, weight });
    }

    /// Whether the next message may be made now: when what waits fills one, or while messages are few.
    ///
    /// A message costs every hop and every reader a signature, so a fast publisher gathers; a slow one never waits.
    pub(crate) fn may_make(&mut self, now: Instant) -> bool {
        let fills = self.waiting_bytes >= BATCH_BYTES || self.waiting_entries >= ENTRIES_MAX;
        let pace = self.pace.get_or_insert_with(|| Bucket::new(PACE_BURST, PACE_PER_S, now));
        pace.take(now) || fills
    }

    /// Whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes as many waiting commands of one class and life as fit a message.
    pub(crate) fn take_batch(&mut self) -> Option<Batch> {
        let first = self.waiting.pop_front()?;
        let mut weight = first.weight;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(first.weight);
        self.waiting_entries = self.waiting_entries.saturating_sub(first.entries.len());
        let mut batch = Batch {
            entries: first.entries,
            commands: vec![(first.command, 0)],
            class: first.class,
            life_ms: first.life_ms,
        };
        while let Some(next) = self.waiting.front() {
            let fits = weight.saturating_add(next.weight) <= BATCH_BYTES
                && batch.entries.len().saturating_add(next.entries.len()) <= ENTRIES_MAX;
            if !fits || next.class != batch.class || next.life_ms != batch.life_ms {
                break;
            }
            let Some(next) = self.waiting.pop_front() else { break };
            weight = weight.saturating_add(next.weight);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(next.weight);
            self.waiting_entries = self.waiting_entries.saturating_sub(next.entries.len());
            let index = u16::try_from(batch.entries.len()).unwrap_or(u16::MAX);
            batch.commands.push((next.command, index));
            batch.entries.extend(next.entries);
        }
        Some(batch)
    }

    /// The number of the next message, which is its own once it is [taken](Self::take_seq).
    pub(crate) const fn next_seq(&self) -> Seq {
        Seq(self.last_seq.saturating_add(1))
    }

    /// Takes the next number for a message.
    pub(crate) const fn take_seq(&mut self) {
        self.last_seq = self.next_seq().0;
    }
}
