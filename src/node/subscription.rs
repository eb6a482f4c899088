//! A local reader as the application sees it: items in order, within a window of bytes.
//!
//! What has been taken is reported to the core in bulk, so that reading a message does not cost a wake-up of the node.
//! The window bounds what waits here: the core sends no more before it hears of consumption.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crosscast_core::{Delivery, ReaderId};

use crate::Node;
use crate::work::lock;

/// What a subscription brings.
#[derive(Clone, Debug)]
pub enum Item {
    /// A message with its entries.
    Delivery(Arc<Delivery>),
    /// Messages are missing here: the reader fell behind what is kept.
    Gap,
}

/// A running subscription; dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    node: Node,
    cell: Arc<ReaderCell>,
}

impl Subscription {
    pub(crate) const fn new(node: Node, cell: Arc<ReaderCell>) -> Self {
        Self { node, cell }
    }

    /// Waits for the next item; `None` when the node has stopped. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Item> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next item if it is there already.
    pub fn try_next(&mut self) -> Option<Item> {
        let taken = self.cell.take(None);
        self.report(taken.report);
        taken.item
    }

    /// Polls for the next item, as [`Subscription::next`].
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        let taken = self.cell.take(Some(cx));
        self.report(taken.report);
        match taken.item {
            Some(item) => Poll::Ready(Some(item)),
            None if taken.ended => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    fn report(&self, due: bool) {
        if due {
            self.node.intake().reader(Arc::clone(&self.cell));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let due = self.cell.abandon();
        self.report(due);
    }
}

/// Shared by a subscription and the driver.
#[derive(Debug)]
pub(crate) struct ReaderCell {
    id: ReaderId,
    window_bytes: u32,
    state: Mutex<ReaderState>,
}

#[derive(Debug, Default)]
struct ReaderState {
    items: VecDeque<Item>,
    /// Taken and not yet reported, in bytes.
    consumed: u32,
    /// Whether the driver has it on its list.
    listed: bool,
    abandoned: bool,
    ended: bool,
    waker: Option<Waker>,
}

struct Taken {
    item: Option<Item>,
    ended: bool,
    report: bool,
}

/// What a reader wants of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReaderNews {
    pub(crate) id: ReaderId,
    pub(crate) consumed: u32,
    pub(crate) abandoned: bool,
}

impl ReaderCell {
    pub(crate) fn new(id: ReaderId, window_bytes: u32) -> Self {
        Self { id, window_bytes, state: Mutex::default() }
    }

    /// Adds an item; the waker is to be woken at the end of the driver's turn.
    pub(crate) fn push(&self, item: Item) -> Option<Waker> {
        let mut state = lock(&self.state);
        if state.abandoned {
            return None;
        }
        state.items.push_back(item);
        state.waker.take()
    }

    /// Says that nothing follows.
    pub(crate) fn end(&self) {
        let waker = {
            let mut state = lock(&self.state);
            state.ended = true;
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What the driver came for; the reader may list itself again.
    pub(crate) fn news(&self) -> ReaderNews {
        let mut state = lock(&self.state);
        state.listed = false;
        ReaderNews { id: self.id, consumed: std::mem::take(&mut state.consumed), abandoned: state.abandoned }
    }

    fn take(&self, cx: Option<&Context<'_>>) -> Taken {
        let mut state = lock(&self.state);
        let item = state.items.pop_front();
        if let Some(Item::Delivery(delivery)) = &item {
            state.consumed = state.consumed.saturating_add(delivery.weight);
        }
        if item.is_none()
            && let Some(cx) = cx
            && !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            state.waker = Some(cx.waker().clone());
        }
        // By the quarter: the core sends while anything is left of the window, so what is unreported holds nothing up.
        let due = state.consumed >= (self.window_bytes / 4).max(1);
        let report = due && !state.listed;
        state.listed |= due;
        Taken { item, ended: state.ended, report }
    }

    fn abandon(&self) -> bool {
        let mut state = lock(&self.state);
        state.abandoned = true;
        state.items = VecDeque::new();
        !std::mem::replace(&mut state.listed, true)
    }
}
