//! Where links announce that they have something for the node, and the bounds on what they may have.
//!
//! Each link keeps its own inbox; the board holds only the turn order of links with a non-empty inbox, the answers to
//! requests, and the sum of all inboxes. Links take turns, so a flooding link delays another by at most one inbox. No
//! lock here is ever held together with a link's own.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use crosscast_port::{LinkId, Report};

use crate::link_port::LinkCell;

/// What one link may have waiting for the node, in bytes; one more batch may overshoot it.
///
/// 512 KiB: more than the largest frame, and 5 ms of a 100 MB/s link, well above one turn of the node.
pub const LINK_SHARE_BYTES: usize = 512 * 1024;

/// What all links together may have waiting for the node, in bytes; one more batch per running thread may overshoot it.
///
/// 32 MiB: 64 links at their full share; beyond that links wait with the data still in the operating system.
pub const TOTAL_SHARE_BYTES: usize = 32 * 1024 * 1024;

/// Locks, also after a panic elsewhere: every change made under these locks is complete when it can unwind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared by the node's end, the ports and the links.
#[derive(Debug, Default)]
pub(crate) struct Board {
    turns: Mutex<Turns>,
    next_link: AtomicU64,
    waiting_bytes: AtomicUsize,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Turns {
    ready: VecDeque<Arc<LinkCell>>,
    answers: VecDeque<Report>,
    /// Links that found the sum full; bounded by the number of links, each at most once.
    parked: Vec<Arc<LinkCell>>,
    driver: Option<Waker>,
}

impl Board {
    pub(crate) fn next_link_id(&self) -> LinkId {
        LinkId(self.next_link.fetch_add(1, Ordering::Relaxed).saturating_add(1))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub(crate) fn answer(&self, report: Report) {
        let waker = {
            let mut turns = lock(&self.turns);
            turns.answers.push_back(report);
            turns.driver.take()
        };
        wake(waker);
    }

    /// Puts a link in the turn order; the caller makes sure that it is there at most once.
    pub(crate) fn push_ready(&self, cell: Arc<LinkCell>) {
        let waker = {
            let mut turns = lock(&self.turns);
            turns.ready.push_back(cell);
            turns.driver.take()
        };
        wake(waker);
    }

    pub(crate) fn pop_answer(&self) -> Option<Report> {
        lock(&self.turns).answers.pop_front()
    }

    pub(crate) fn pop_ready(&self) -> Option<Arc<LinkCell>> {
        lock(&self.turns).ready.pop_front()
    }

    /// Remembers whom to wake; false when there is something to take already.
    pub(crate) fn park_driver(&self, cx: &Context<'_>) -> bool {
        let mut turns = lock(&self.turns);
        if !turns.ready.is_empty() || !turns.answers.is_empty() {
            return false;
        }
        turns.driver = Some(cx.waker().clone());
        true
    }

    pub(crate) fn add_waiting(&self, bytes: usize) {
        self.waiting_bytes.fetch_add(bytes, Ordering::SeqCst);
    }

    /// Takes bytes off the sum and, once it is half empty, wakes every link that waited for it. Each looks again before
    /// it reads, so waking all of them cannot overfill it.
    pub(crate) fn sub_waiting(&self, bytes: usize) {
        let before = self.waiting_bytes.fetch_sub(bytes, Ordering::SeqCst);
        if before.saturating_sub(bytes) < TOTAL_SHARE_BYTES / 2 {
            let parked = std::mem::take(&mut lock(&self.turns).parked);
            for cell in parked {
                cell.unpark();
            }
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting_bytes.load(Ordering::SeqCst) >= TOTAL_SHARE_BYTES
    }

    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::SeqCst)
    }

    pub(crate) fn park_link(&self, cell: Arc<LinkCell>) {
        lock(&self.turns).parked.push(cell);
    }

    /// Marks the node's end as gone and hands out every link that has to hear of it.
    pub(crate) fn close(&self) -> Vec<Arc<LinkCell>> {
        self.closed.store(true, Ordering::SeqCst);
        let mut turns = lock(&self.turns);
        turns.answers.clear();
        let mut cells = std::mem::take(&mut turns.parked);
        cells.extend(turns.ready.drain(..));
        cells
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
