//! The driver's way in: one place where handles, threads and readers leave what they have, with one wake-up per batch.
//!
//! Everything that can pile up here is bounded elsewhere: asks by permits, results by the jobs under way, readers and
//! publishers by being listed at most once each. The driver takes everything at once by swapping empty lists in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use crosscast_core::{Command, Input, Refusal, Reply};
use crosscast_port::ListenError;
use crosscast_transport::TransportError;
use crosscast_wire::Locator;
use tokio::sync::{Semaphore, oneshot};

use crate::Error;
use crate::publish::PublishAsk;
use crate::publisher::PublisherCell;
use crate::subscription::ReaderCell;
use crate::work::lock;

/// Commands of handles under way at once. 256: an application's questions, not its data.
const ASKS: usize = 256;
/// Budget of publications that wait for their message id, in KiB. 16 MiB: 64 of the largest messages.
const PUBLISH_KIB: usize = 16 * 1024;
/// What an entry costs beside its payload, in bytes: its own struct and the buffer's bookkeeping.
pub(crate) const ENTRY_COST: usize = 128;

/// Something a handle wants.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A command and who gets the answer.
    Command { command: Command, to: oneshot::Sender<Reply> },
    /// Entries to be published.
    Publish(PublishAsk),
    /// A reader to be started.
    Subscribe { command: Command, window_bytes: u32, to: oneshot::Sender<Result<Arc<ReaderCell>, Refusal>> },
    /// A listener to be made.
    Listen { locator: Locator, to: oneshot::Sender<Result<Locator, ListenAnswer>> },
    /// The node is to stop.
    Shutdown { to: oneshot::Sender<()> },
}

/// Why a listener is not there.
#[derive(Clone, Debug)]
pub(crate) enum ListenAnswer {
    /// The core said no.
    Refused(Refusal),
    /// The transport could not.
    Failed(ListenError),
    /// The transport cannot work at all.
    Transport(TransportError),
}

/// What the driver takes in one go.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Wants of handles, in order.
    pub(crate) asks: Vec<Ask>,
    /// Answers of the store's and the crypto threads.
    pub(crate) results: Vec<Input>,
    /// Readers that have consumed or ended.
    pub(crate) readers: Vec<Arc<ReaderCell>>,
    /// Publishers that have entries.
    pub(crate) publishers: Vec<Arc<PublisherCell>>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.results.is_empty() && self.readers.is_empty() && self.publishers.is_empty()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    batch: Batch,
    driver: Option<Waker>,
    /// The driver is gone.
    stopped: bool,
}

/// Shared by the driver and everyone who has something for it.
#[derive(Debug)]
pub(crate) struct Intake {
    waiting: Mutex<Waiting>,
    asks: Semaphore,
    publishes: Semaphore,
    /// The last handle is gone.
    abandoned: AtomicBool,
}

impl Intake {
    pub(crate) fn new() -> Self {
        Self {
            waiting: Mutex::default(),
            asks: Semaphore::new(ASKS),
            publishes: Semaphore::new(PUBLISH_KIB),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Leaves an ask, waiting for its turn.
    pub(crate) async fn ask(&self, ask: Ask) -> Result<(), Error> {
        self.asks.acquire().await.map_err(|_| Error::Stopped)?.forget();
        self.add(|batch| batch.asks.push(ask))
    }

    /// Waits for room for a publication of so many bytes; waiting callers get it in order.
    pub(crate) async fn publish_room(&self, bytes: usize) -> Result<u32, Error> {
        let kib = bytes.div_ceil(1024).clamp(1, PUBLISH_KIB);
        let permits = u32::try_from(kib).unwrap_or(u32::MAX);
        self.publishes.acquire_many(permits).await.map_err(|_| Error::Stopped)?.forget();
        Ok(permits)
    }

    /// Leaves a publication for which there is room.
    pub(crate) fn publish(&self, ask: PublishAsk) -> Result<(), Error> {
        self.add(|batch| batch.asks.push(Ask::Publish(ask)))
    }

    /// Says that a publication's room is free again.
    pub(crate) fn free_publish_room(&self, permits: u32) {
        self.publishes.add_permits(permits as usize);
    }

    /// Lists a reader; the caller makes sure that it is listed at most once.
    pub(crate) fn reader(&self, cell: Arc<ReaderCell>) {
        // A reader of a stopped node has nobody to tell.
        let _ = self.add(|batch| batch.readers.push(cell));
    }

    /// Lists a publisher; the caller makes sure that it is listed at most once.
    ///
    /// First lets `here` do what the driver would do; when that is false, the driver is woken.
    pub(crate) fn publisher(&self, cell: Arc<PublisherCell>, here: impl FnOnce() -> bool) -> Result<(), Error> {
        let waker = self.put(|batch| batch.publishers.push(cell))?;
        if here() {
            self.hand_back(waker)
        } else {
            wake(waker)
        }
        Ok(())
    }

    /// Leaves results of a thread and empties the list; they fall on the floor when the node has stopped.
    pub(crate) fn results(&self, results: &mut Vec<Input>) {
        let _ = self.add(|batch| batch.results.append(results));
        results.clear();
    }

    /// Says that the last handle is gone.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        let waker = lock(&self.waiting).driver.take();
        wake(waker);
    }

    /// Whether the last handle is gone.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    /// Takes everything that waits; false when there is nothing, and then the task will be woken.
    pub(crate) fn take(&self, cx: &Context<'_>, into: &mut Batch) -> bool {
        let mut waiting = lock(&self.waiting);
        if waiting.batch.is_empty() {
            if !waiting.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                waiting.driver = Some(cx.waker().clone());
            }
            return false;
        }
        drop(waiting);
        self.take_now(into);
        true
    }

    /// Takes everything that waits, into an empty batch.
    pub(crate) fn take_now(&self, into: &mut Batch) {
        std::mem::swap(&mut lock(&self.waiting).batch, into);
        let asks = into.asks.iter().filter(|ask| !matches!(ask, Ask::Publish(_))).count();
        self.asks.add_permits(asks);
    }

    /// Refuses everything from now on and drops what waits, so that everyone who waits for an answer hears of it.
    pub(crate) fn stop(&self) -> Batch {
        self.asks.close();
        self.publishes.close();
        let mut waiting = lock(&self.waiting);
        waiting.stopped = true;
        std::mem::take(&mut waiting.batch)
    }

    fn add(&self, add: impl FnOnce(&mut Batch)) -> Result<(), Error> {
        wake(self.put(add)?);
        Ok(())
    }

    /// Adds something, and takes the driver's waker, if it sleeps.
    fn put(&self, add: impl FnOnce(&mut Batch)) -> Result<Option<Waker>, Error> {
        let mut waiting = lock(&self.waiting);
        if waiting.stopped {
            return Err(Error::Stopped);
        }
        add(&mut waiting.batch);
        Ok(waiting.driver.take())
    }

    /// Lets the driver sleep on, unless something came for it meanwhile.
    fn hand_back(&self, waker: Option<Waker>) {
        let mut waiting = lock(&self.waiting);
        if waiting.batch.is_empty() && !self.is_abandoned() {
            waiting.driver = waiting.driver.take().or(waker);
        } else {
            drop(waiting);
            wake(waker);
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
