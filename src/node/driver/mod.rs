//! The loop around the core: everything that happens goes in, everything it wants goes out.
//!
//! One task owns the core; a publisher of a lone entry borrows it for a turn (ADR 0018). A turn takes what has piled up
//! at the links, the threads and the handles, feeds it in one by one, and hands out the effects in batches at its end: one
//! wake-up for each link, thread and reader. The loop never waits for any of them; what bounds each of them is said
//! where its queue is.

mod desk;
mod line;
mod timer;
mod turn;

use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use crosscast_core::{Notice, Now, Outcome, SignJob, VerifyJob};
use crosscast_port::{OpId, Report, Request, StoreOp};
use crosscast_transport::{PortDriver, Transport, TransportError};
use crosscast_wire::Scheme;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;

use self::desk::Desk;
use self::line::Line;
use self::timer::Timer;
use crate::clock::Clock;
use crate::crypto::CryptoHand;
use crate::intake::{Batch, Intake};
use crate::node::FailedTransports;
use crate::store_thread::StoreHand;
use crate::work::lock;

/// How long transports may take to end after their ports have closed.
const TRANSPORT_END: Duration = Duration::from_secs(2);

/// What a node is made of.
pub(crate) struct Parts {
    pub(crate) core: crosscast_core::Node,
    pub(crate) clock: Clock,
    pub(crate) intake: Arc<Intake>,
    pub(crate) crypto: CryptoHand,
    pub(crate) store: StoreHand,
    pub(crate) transports: Vec<Box<dyn Transport>>,
    pub(crate) failed: Arc<FailedTransports>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) outcomes: broadcast::Sender<Outcome>,
}

/// The driver, as its task and the node's publishers share it; empty before the task runs and when the node has stopped.
#[derive(Default)]
pub(crate) struct Wheel(Mutex<Option<Driver>>);

impl fmt::Debug for Wheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wheel(..)")
    }
}

impl Wheel {
    /// Runs a node until it is stopped or abandoned.
    pub(crate) async fn run(&self, parts: Parts) {
        *lock(&self.0) = Some(Driver::new(parts));
        // However the task ends, the driver goes with it, and with the driver its links and its hold on the store.
        let end = End(self);
        loop {
            let mut waited = false;
            let done = poll_fn(|cx| self.poll_turn(cx, &mut waited)).await;
            if done {
                break;
            }
            if !waited {
                // The links of a single-threaded runtime get their turn, and more piles up for the next batch.
                tokio::task::yield_now().await;
            }
        }
        if let Some(driver) = end.take() {
            driver.finish().await;
        }
    }

    /// A turn, once there is something to do; whether it was the last.
    fn poll_turn(&self, cx: &mut Context<'_>, waited: &mut bool) -> Poll<bool> {
        let mut driver = lock(&self.0);
        let Some(driver) = driver.as_mut() else { return Poll::Ready(true) };
        if driver.poll_ready(cx).is_pending() {
            *waited = true;
            return Poll::Pending;
        }
        driver.turn();
        driver.set_timer();
        Poll::Ready(driver.is_done())
    }

    /// Makes a turn here and now, for what lies at the intake, unless one is being made; false when the task has to.
    ///
    /// A lone entry is signed, written down and on its way before its publisher goes on: waking the task takes longer than
    /// all of that, and on a busy machine of two cores wakes both of its runtime's threads.
    pub(crate) fn turn_here(&self) -> bool {
        let Ok(mut driver) = self.0.try_lock() else { return false };
        driver.as_mut().is_some_and(Driver::turn_aside)
    }
}

/// Empties the wheel when dropped.
struct End<'a>(&'a Wheel);

impl End<'_> {
    fn take(&self) -> Option<Driver> {
        lock(&self.0.0).take()
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What the core asked for in this turn.
#[derive(Debug, Default)]
struct Effects {
    requests: Vec<Request>,
    store: Vec<(OpId, StoreOp)>,
    signs: Vec<(OpId, SignJob)>,
    verifies: Vec<(OpId, VerifyJob)>,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// The core says goodbye.
    Leaving,
    /// The store writes what it was given.
    Flushing,
}

struct Driver {
    core: crosscast_core::Node,
    clock: Clock,
    now: Now,
    intake: Arc<Intake>,
    batch: Batch,
    reports: Vec<Report>,
    ports: PortDriver,
    transports: JoinSet<(Scheme, Result<(), TransportError>)>,
    /// Transports that have ended in this turn.
    ended: Vec<(Scheme, TransportError)>,
    failed: Arc<FailedTransports>,
    effects: Effects,
    crypto: CryptoHand,
    store: StoreHand,
    desk: Desk,
    line: Line,
    timer: Timer,
    phase: Phase,
    stoppers: Vec<oneshot::Sender<()>>,
    /// There is more to do at once.
    more: bool,
}

impl Driver {
    fn new(parts: Parts) -> Self {
        let Parts { core, clock, intake, crypto, store, transports: given, failed, notices, outcomes } = parts;
        let mut ports = PortDriver::new();
        let mut transports = JoinSet::new();
        for transport in given {
            let scheme = transport.scheme();
            let run = transport.run(ports.attach(scheme));
            transports.spawn(async move { (scheme, run.await) });
        }
        Self {
            core,
            now: clock.now(),
            clock,
            desk: Desk::new(Arc::clone(&intake), notices, outcomes),
            intake,
            batch: Batch::default(),
            reports: Vec::new(),
            ports,
            transports,
            ended: Vec::new(),
            failed,
            effects: Effects::default(),
            crypto,
            store,
            line: Line::default(),
            timer: Timer::default(),
            phase: Phase::Running,
            stoppers: Vec::new(),
            more: true,
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut ready = std::mem::take(&mut self.more);
        ready |= self.intake.take(cx, &mut self.batch);
        ready |= self.phase == Phase::Running && self.intake.is_abandoned();
        // While the threads have their hands full the links wait: what they have stays in their bounded inboxes.
        if !self.crypto.is_full() {
            ready |= self.ports.poll_recv(cx, &mut self.reports).is_ready();
        }
        while let Poll::Ready(Some(ended)) = self.transports.poll_join_next(cx) {
            self.ended.extend(transport_ended(ended));
            ready = true;
        }
        ready |= self.timer.poll(cx);
        if ready { Poll::Ready(()) } else { Poll::Pending }
    }

    /// A turn outside of the task; false when the task has something left to do.
    fn turn_aside(&mut self) -> bool {
        if self.phase != Phase::Running {
            return false;
        }
        self.intake.take_now(&mut self.batch);
        self.turn();
        // The alarm belongs to the task: only there can it be heard.
        !self.more && self.timer.rings_by(self.alarms())
    }

    fn is_done(&mut self) -> bool {
        if self.phase == Phase::Leaving && self.desk.is_shut_down {
            self.phase = Phase::Flushing;
        }
        let flushed = self.phase == Phase::Flushing && !self.store.is_busy() && self.effects.store.is_empty();
        flushed || self.timer.is_over()
    }

    async fn finish(self) {
        let Self { ports, mut transports, mut store, mut desk, mut line, stoppers, mut batch, intake, .. } = self;
        drop(ports);
        let ending = async { while transports.join_next().await.is_some() {} };
        if tokio::time::timeout(TRANSPORT_END, ending).await.is_err() {
            tracing::warn!("a transport did not end in time and was cut off");
        }
        drop(transports);
        store.close().await;
        line.stop();
        desk.stop();
        batch.publishers.append(&mut intake.stop().publishers);
        batch.publishers.iter().for_each(|cell| cell.stop());
        for to in stoppers {
            // Whoever asked may have gone.
            let _ = to.send(());
        }
    }
}

fn transport_ended(
    ended: Result<(Scheme, Result<(), TransportError>), tokio::task::JoinError>,
) -> Option<(Scheme, TransportError)> {
    match ended {
        Ok((scheme, Ok(()))) => Some((scheme, TransportError::System("it ended by itself".to_owned()))),
        Ok((scheme, Err(error))) => {
            tracing::warn!(%scheme, %error, "a transport cannot work");
            Some((scheme, error))
        }
        Err(error) => {
            tracing::error!(%error, "a transport broke down");
            None
        }
    }
}
