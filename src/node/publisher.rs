//! Publishing many entries in a row without waiting for each answer.
//!
//! Entries gather in a cell shared with the driver, which takes all that wait in one go: no message between tasks per
//! entry, one wake-up per batch. An entry that comes alone does not even wait for the wake-up: its publisher makes the
//! driver's turn itself. The cell is bounded by what it holds and by what the core has not yet accepted.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crosscast_core::Instant;
use crosscast_wire::{Class, Entry, GroupId, MessageId};

use crate::clock::Clock;
use crate::intake::ENTRY_COST;
use crate::publish::{PublishAnswer, PublishAsk};
use crate::work::lock;
use crate::{Error, Node, PublishOptions};

/// What a publisher may have waiting and not yet accepted, in bytes. 2 MiB: eight full messages.
const PUBLISHER_BYTES: usize = 2 * 1024 * 1024;
/// Most entries in one command. 256: what a message holds.
const CHUNK_ENTRIES: usize = 256;
/// Bytes after which a command is full. 60 KiB: four of them fill what the core puts into one message.
const CHUNK_BYTES: usize = 60 * 1024;
/// What an entry weighs in a message beside its payload, in bytes: as the core counts.
const CHUNK_ENTRY_OVERHEAD: usize = 8;

/// Time without an entry after which one comes alone, in microseconds. 250: several times what signing, committing and
/// sending one takes its publisher.
const ALONE_US: u64 = 250;

/// A fast way to publish to one group; entries keep their order.
#[derive(Debug)]
pub struct Publisher {
    pub(crate) node: Node,
    pub(crate) cell: Arc<PublisherCell>,
}

/// What a publisher has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Entries that were accepted.
    pub entries: u64,
    /// Messages that they were accepted into.
    pub messages: u64,
    /// Entries that were refused.
    pub refused: u64,
}

impl Publisher {
    /// Adds an entry; waits while too much is on its way. One that comes alone is signed and under way when this returns,
    /// which takes some 50 µs of the caller's thread.
    ///
    /// # Errors
    /// [`Error::Refused`] when entries before this one were refused (told once, this entry is not added), and
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn push(&mut self, entry: Entry) -> Result<(), Error> {
        let mut entry = Some(entry);
        poll_fn(|cx| self.poll_push(cx, &mut entry)).await
    }

    /// Adds entries in order; waits while too much is on its way.
    ///
    /// # Errors
    /// As [`Publisher::push`]; what was not added stays in the list.
    pub async fn push_all(&mut self, entries: &mut VecDeque<Entry>) -> Result<(), Error> {
        while let Some(entry) = entries.pop_front() {
            let mut entry = Some(entry);
            let pushed = poll_fn(|cx| self.poll_push(cx, &mut entry)).await;
            if let Some(left) = entry {
                entries.push_front(left);
            }
            pushed?;
        }
        Ok(())
    }

    /// Waits until everything pushed has been accepted or refused.
    ///
    /// # Errors
    /// As [`Publisher::push`].
    pub async fn flush(&mut self) -> Result<Tally, Error> {
        poll_fn(|cx| self.cell.poll_flush(cx)).await
    }

    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        lock(&self.cell.state).tally
    }

    /// The group it publishes to.
    #[must_use]
    pub fn group(&self) -> GroupId {
        self.cell.group
    }

    fn poll_push(&self, cx: &Context<'_>, entry: &mut Option<Entry>) -> Poll<Result<(), Error>> {
        let now = self.cell.clock.mono();
        let (announce, here) = {
            let mut state = lock(&self.cell.state);
            if let Some(error) = state.take_error() {
                return Poll::Ready(Err(error));
            }
            if state.cost >= PUBLISHER_BYTES {
                state.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            if let Some(entry) = entry.take() {
                state.cost = state.cost.saturating_add(cost(&entry));
                state.queue.push_back(entry);
            }
            (!std::mem::replace(&mut state.listed, true), state.calm.is_alone(now) || state.pacing)
        };
        if announce {
            self.node.intake().publisher(Arc::clone(&self.cell), || here && self.node.wheel().turn_here())?;
        }
        Poll::Ready(Ok(()))
    }
}

/// What an entry counts towards the bound of a publisher, in bytes.
pub(crate) fn cost(entry: &Entry) -> usize {
    entry.payload.len().saturating_add(ENTRY_COST)
}

/// Shared by a publisher and the driver.
#[derive(Debug)]
pub(crate) struct PublisherCell {
    pub(crate) group: GroupId,
    pub(crate) class: Class,
    pub(crate) life_ms: Option<u64>,
    clock: Clock,
    state: Mutex<PublisherState>,
}

#[derive(Debug, Default)]
struct PublisherState {
    queue: VecDeque<Entry>,
    /// Of what waits here and of what the core has not answered.
    cost: usize,
    /// Whether the driver knows of the queue.
    listed: bool,
    /// Whether entries only gather for now, which costs less than waking somebody for it.
    pacing: bool,
    tally: Tally,
    last: Option<MessageId>,
    refused: Option<Error>,
    stopped: bool,
    waker: Option<Waker>,
    calm: Calm,
}

/// Whether entries come one by one, or in bursts that are better gathered.
#[derive(Debug, Default)]
struct Calm {
    last: Option<Instant>,
    /// Whether the last entry came alone.
    was_alone: bool,
}

impl Calm {
    /// Notes an entry; whether it and the one before came alone: one that does may be the first of a burst.
    fn is_alone(&mut self, now: Instant) -> bool {
        let alone = self.last.is_none_or(|last| now.micros_since(last) >= ALONE_US);
        self.last = Some(now);
        std::mem::replace(&mut self.was_alone, alone) && alone
    }
}

impl PublisherState {
    fn take_error(&mut self) -> Option<Error> {
        self.refused.take().or_else(|| self.stopped.then_some(Error::Stopped))
    }
}

impl PublisherCell {
    pub(crate) fn new(group: GroupId, options: PublishOptions) -> Self {
        let life_ms = crate::publish::life_ms(options.life);
        Self { group, class: options.class, life_ms, clock: Clock::start(), state: Mutex::default() }
    }

    /// Takes one command's worth of entries and what they cost; `None` when none waits, and then the publisher will
    /// list itself again.
    fn take_chunk(&self) -> Option<(Vec<Entry>, usize)> {
        let mut state = lock(&self.state);
        let (mut count, mut bytes) = (0usize, 0usize);
        for entry in state.queue.iter().take(CHUNK_ENTRIES) {
            bytes = bytes.saturating_add(entry.encoded_len_max()).saturating_add(CHUNK_ENTRY_OVERHEAD);
            if count > 0 && bytes > CHUNK_BYTES {
                break;
            }
            count = count.saturating_add(1);
        }
        if count == 0 {
            state.listed = false;
            return None;
        }
        let entries: Vec<Entry> = state.queue.drain(..count).collect();
        let cost = entries.iter().map(cost).fold(0, usize::saturating_add);
        Some((entries, cost))
    }

    /// Says whether entries only gather for now.
    pub(crate) fn set_pacing(&self, pacing: bool) {
        lock(&self.state).pacing = pacing;
    }

    /// One command's worth of entries, as [`PublisherCell::take_chunk`].
    pub(crate) fn take_ask(this: &Arc<Self>) -> Option<PublishAsk> {
        let (entries, cost) = this.take_chunk()?;
        let answer = PublishAnswer::Publisher { cell: Arc::clone(this), cost };
        Some(PublishAsk { group: this.group, entries, class: this.class, life_ms: this.life_ms, answer })
    }

    /// Tells that a chunk was accepted.
    pub(crate) fn accepted(&self, id: MessageId, entries: usize, cost: usize) {
        self.settle(cost, |state| {
            let is_new = state.last.replace(id) != Some(id);
            state.tally.entries = state.tally.entries.saturating_add(entries as u64);
            state.tally.messages = state.tally.messages.saturating_add(u64::from(is_new));
        });
    }

    /// Tells that a chunk was refused.
    pub(crate) fn refused(&self, error: Error, entries: usize, cost: usize) {
        self.settle(cost, |state| {
            state.tally.refused = state.tally.refused.saturating_add(entries as u64);
            state.refused.get_or_insert(error);
        });
    }

    /// Tells that the node has stopped.
    pub(crate) fn stop(&self) {
        self.settle(0, |state| state.stopped = true);
    }

    fn settle(&self, cost: usize, change: impl FnOnce(&mut PublisherState)) {
        let waker = {
            let mut state = lock(&self.state);
            change(&mut state);
            state.cost = state.cost.saturating_sub(cost);
            // A publisher that waits for room is woken with half of it free: it then fills a batch, not a gap.
            let room = state.cost <= PUBLISHER_BYTES / 2;
            if room || state.stopped || state.refused.is_some() { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn poll_flush(&self, cx: &Context<'_>) -> Poll<Result<Tally, Error>> {
        let mut state = lock(&self.state);
        if let Some(error) = state.take_error() {
            return Poll::Ready(Err(error));
        }
        if state.cost == 0 {
            return Poll::Ready(Ok(state.tally));
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
