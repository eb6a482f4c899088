//! Publishing one call at a time: options, the answer, and what becomes of a message afterwards.
//!
//! A call waits while the node is busy; calls to one group are accepted in the order in which they were made.
//! For many entries in a row there is [`crate::Publisher`], which does not wait for each answer.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crosscast_core::Outcome;
use crosscast_wire::{Class, Entry, GroupId, MessageId, State};
use tokio::sync::oneshot;

use crate::Error;
use crate::publisher::PublisherCell;
use crate::work::lock;

/// How entries are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishOptions {
    /// How urgent.
    pub class: Class,
    /// How long the message matters; `None` is the live window.
    pub life: Option<Duration>,
    /// Makes a retry harmless: of this sender's entries with the same key within 24 hours only the first is published,
    /// also after a restart; [`Published::repeated`] tells. Only for one entry.
    pub entry_key: Option<[u8; 16]>,
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self { class: Class::Normal, life: None, entry_key: None }
    }
}

/// Where entries went: the message and the number of the first of them in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Published {
    /// The message.
    pub id: MessageId,
    /// Number of the first entry in it.
    pub index: u16,
    /// Whether the entry was published before, by its key, and nothing was published now.
    pub repeated: bool,
}

/// A publication that has its place in the queue; await it for its message id.
#[derive(Debug)]
pub struct Submitted {
    pub(crate) answer: oneshot::Receiver<Result<Published, Error>>,
}

impl Future for Submitted {
    type Output = Result<Published, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.answer).poll(cx).map(|answer| answer.unwrap_or(Err(Error::Stopped)))
    }
}

/// As [`Submitted`], for a message that is to be followed.
#[derive(Debug)]
pub struct SubmittedTracked {
    pub(crate) submitted: Submitted,
    pub(crate) cell: Arc<TrackerCell>,
}

impl Future for SubmittedTracked {
    type Output = Result<Tracked, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.submitted).poll(cx));
        Poll::Ready(answer.map(|published| Tracked { published, cell: Arc::clone(&self.cell) }))
    }
}

/// A publication whose fate is followed.
#[derive(Debug)]
pub struct Tracked {
    pub(crate) published: Published,
    pub(crate) cell: Arc<TrackerCell>,
}

impl Tracked {
    /// Where the entries went.
    #[must_use]
    pub const fn published(&self) -> Published {
        self.published
    }

    /// Waits for the next news; `None` after the last (see [`Tracked::outcome`]) or when the node stops.
    pub async fn next(&mut self) -> Option<Outcome> {
        poll_fn(|cx| self.cell.poll_next(cx)).await
    }

    /// Waits for the first news that means success or the end: sent, stored, delivered, expired, refused or dropped.
    /// `None` when the node stops before.
    pub async fn outcome(&mut self) -> Option<Outcome> {
        while let Some(outcome) = self.next().await {
            if outcome.state != State::Accepted {
                return Some(outcome);
            }
        }
        None
    }
}

/// News of one tracked message on their way to its [`Tracked`].
#[derive(Debug, Default)]
pub(crate) struct TrackerCell {
    state: Mutex<TrackerState>,
}

#[derive(Debug, Default)]
struct TrackerState {
    news: VecDeque<Outcome>,
    ended: bool,
    waker: Option<Waker>,
}

/// News kept for a handle that does not look; beyond, the newest replaces the last. 16: each state twice.
const NEWS_KEPT: usize = 16;

impl TrackerCell {
    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Outcome>> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.news.pop_front() {
            return Poll::Ready(Some(outcome));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Hands news over; true when nothing can follow.
    pub(crate) fn tell(&self, outcome: Outcome) -> bool {
        let last = is_last(outcome.state);
        self.change(|state| {
            if state.news.len() >= NEWS_KEPT {
                state.news.pop_back();
            }
            state.news.push_back(outcome);
            state.ended |= last;
        });
        last
    }

    /// Says that nothing follows.
    pub(crate) fn end(&self) {
        self.change(|state| state.ended = true);
    }

    fn change(&self, change: impl FnOnce(&mut TrackerState)) {
        let waker = {
            let mut state = lock(&self.state);
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

const fn is_last(state: State) -> bool {
    match state {
        State::Accepted | State::Sent | State::Stored => false,
        State::Delivered | State::Expired | State::Refused | State::Dropped => true,
    }
}

/// Entries on their way into the core.
#[derive(Debug)]
pub(crate) struct PublishAsk {
    pub(crate) group: GroupId,
    pub(crate) entries: Vec<Entry>,
    pub(crate) class: Class,
    pub(crate) life_ms: Option<u64>,
    pub(crate) answer: PublishAnswer,
}

/// Who hears of the answer.
#[derive(Debug)]
pub(crate) enum PublishAnswer {
    /// One caller; the permits go back to the publish queue's budget.
    Caller { permits: u32, to: oneshot::Sender<Result<Published, Error>>, tracker: Option<Arc<TrackerCell>> },
    /// A publisher: a chunk of this cost.
    Publisher { cell: Arc<PublisherCell>, cost: usize },
}

/// Milliseconds of a life, saturated.
pub(crate) fn life_ms(life: Option<Duration>) -> Option<u64> {
    life.map(|life| u64::try_from(life.as_millis()).unwrap_or(u64::MAX))
}
