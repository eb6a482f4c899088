//! Small tools for threads: a lock that survives a panic elsewhere, and a queue that a thread empties in one go.
//!
//! The queues are bounded by their callers, who know how many answers are outstanding.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Locks, also after a panic elsewhere: every change made under these locks is complete when it can unwind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct State<T> {
    items: Vec<T>,
    /// The thread waits: only then does a push need the system call that wakes it.
    sleeps: bool,
    closed: bool,
}

/// A queue between the driver and one thread; the thread takes everything that waits at once.
#[derive(Debug)]
pub(crate) struct WorkQueue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
}

impl<T> Default for WorkQueue<T> {
    fn default() -> Self {
        Self { state: Mutex::new(State { items: Vec::new(), sleeps: false, closed: false }), ready: Condvar::new() }
    }
}

impl<T> WorkQueue<T> {
    /// Adds items behind those that wait, with one wake-up, and empties the list.
    pub(crate) fn push_all(&self, items: &mut Vec<T>) {
        if items.is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        state.items.append(items);
        let sleeps = std::mem::take(&mut state.sleeps);
        drop(state);
        if sleeps {
            self.ready.notify_one();
        }
    }

    /// Waits for items and takes all of them into an empty list; false when the queue is closed and empty.
    pub(crate) fn take_all(&self, into: &mut Vec<T>) -> bool {
        let mut state = lock(&self.state);
        while state.items.is_empty() {
            if state.closed {
                return false;
            }
            state.sleeps = true;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.items, into);
        true
    }

    /// Ends the queue: what waits is still taken.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.ready.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use std::sync::Arc;

    use super::*;

    #[test]
    fn everything_pushed_is_taken_once_in_order_and_the_end_comes_last() {
        let queue = Arc::new(WorkQueue::default());
        let theirs = Arc::clone(&queue);
        let taker = std::thread::spawn(move || {
            let (mut all, mut batch) = (Vec::new(), Vec::new());
            while theirs.take_all(&mut batch) {
                all.append(&mut batch);
            }
            all
        });
        for start in (0..10_000u32).step_by(10) {
            queue.push_all(&mut (start..start + 10).collect());
        }
        queue.close();
        assert_eq!(taker.join().unwrap(), (0..10_000).collect::<Vec<_>>());
    }
}
