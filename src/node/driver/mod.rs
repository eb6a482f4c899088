//! The loop around the core: everything that happens goes in, everything it wants goes out.
//!
//! One task owns the core. A turn takes what has piled up at the links, the threads and the handles, feeds it in one
//! by one, and hands out the effects in batches at its end: one wake-up for each link, thread and reader. The loop
//! never waits for any of them; what bounds each of them is said where its queue is.

mod desk;
mod line;
mod timer;

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use crosscast_core::{Command, Input, Notice, Now, Outcome, Output, SignJob, VerifyJob};
use crosscast_port::{ListenError, OpId, Report, Request, StoreOp};
use crosscast_transport::{PortDriver, Transport, TransportError};
use crosscast_wire::Scheme;
use std::sync::Arc;
use tokio::sync::{broadcast, oneshot};
use tokio::task::JoinSet;

use self::desk::{Desk, Pending};
use self::line::Line;
use self::timer::Timer;
use crate::clock::Clock;
use crate::crypto::CryptoHand;
use crate::intake::{Ask, Batch, Intake};
use crate::publish::PublishAsk;
use crate::publisher::PublisherCell;
use crate::store_thread::StoreHand;
use crate::subscription::ReaderCell;

/// Rounds of effects that are done in passing in one turn. 64: more is left for the next, so that links get theirs.
const ROUNDS: usize = 64;
/// How long a stop may take, in milliseconds: the core's second, and a slow disk.
const STOP_MS: u64 = 10_000;
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
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) outcomes: broadcast::Sender<Outcome>,
}

/// Runs a node until it is stopped or abandoned.
pub(crate) async fn run(parts: Parts) {
    let mut driver = Driver::new(parts);
    while !driver.is_done() {
        let waited = driver.wait().await;
        driver.turn();
        if !waited {
            // The links of a single-threaded runtime get their turn, and more piles up for the next batch.
            tokio::task::yield_now().await;
        }
    }
    driver.finish().await;
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
    ended: Vec<Scheme>,
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
        let Parts { core, clock, intake, crypto, store, transports: given, notices, outcomes } = parts;
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

    /// Waits until there is something to do; false when there was already.
    async fn wait(&mut self) -> bool {
        let mut waited = false;
        poll_fn(|cx| {
            let ready = self.poll_ready(cx);
            waited |= ready.is_pending();
            ready
        })
        .await;
        waited
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

    fn turn(&mut self) {
        self.now = self.clock.now();
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= self.now.mono) {
            self.feed(Input::Timeout);
        }
        self.take_results();
        self.take_readers();
        self.take_reports();
        self.take_asks();
        self.take_publishers();
        self.check_stop();
        self.settle();
        self.hand_out();
        self.set_timer();
    }

    /// Feeds one thing in and sorts what comes out.
    fn feed(&mut self, input: Input) {
        self.core.handle(self.now, input);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Link(request) => self.effects.requests.push(request),
                Output::Store(op, work) => self.effects.store.push((op, work)),
                Output::Sign(op, job) => self.effects.signs.push((op, job)),
                Output::Verify(op, job) => self.effects.verifies.push((op, job)),
                Output::Event(event) => self.desk.event(event),
            }
        }
    }

    fn command(&mut self, command: Command, pending: Pending) {
        let id = self.desk.expect(pending);
        self.feed(Input::Command(id, command));
    }

    fn take_results(&mut self) {
        let mut results = std::mem::take(&mut self.batch.results);
        for input in results.drain(..) {
            if matches!(input, Input::Stored(..)) {
                self.store.answered(1)
            } else {
                self.crypto.answered(1)
            }
            self.feed(input);
        }
        self.batch.results = results;
    }

    fn take_readers(&mut self) {
        let mut readers = std::mem::take(&mut self.batch.readers);
        for cell in readers.drain(..) {
            self.take_reader(&cell);
        }
        self.batch.readers = readers;
    }

    fn take_reader(&mut self, cell: &ReaderCell) {
        let news = cell.news();
        if news.abandoned {
            self.desk.forget_reader(news.id);
            self.command(Command::Unsubscribe { reader: news.id }, Pending::Nobody);
        } else if news.consumed > 0 {
            // Answered by nothing, so nothing is expected.
            let id = self.desk.next_id();
            self.feed(Input::Command(id, Command::Consumed { reader: news.id, bytes: news.consumed }));
        }
    }

    fn take_reports(&mut self) {
        let mut reports = std::mem::take(&mut self.reports);
        for report in reports.drain(..) {
            self.desk.listening(&report);
            self.feed(Input::Link(report));
        }
        self.reports = reports;
        for scheme in std::mem::take(&mut self.ended) {
            self.ports.detach(scheme);
            for asked in self.desk.listens_of(scheme) {
                let report = Report::ListenFailed { asked, error: ListenError::Denied };
                self.desk.listening(&report);
                self.feed(Input::Link(report));
            }
        }
    }

    fn take_asks(&mut self) {
        let mut asks = std::mem::take(&mut self.batch.asks);
        for ask in asks.drain(..) {
            match ask {
                Ask::Command { command, to } => self.command(command, Pending::Reply(to)),
                Ask::Publish(ask) if self.line.is_waiting(ask.group) => self.line.join(ask),
                Ask::Publish(ask) => {
                    self.offer(ask);
                }
                Ask::Subscribe { command, window_bytes, to } => {
                    self.command(command, Pending::Reader { window_bytes, to });
                }
                Ask::Listen { locator, to } => {
                    let pending = Pending::Listen(locator.clone());
                    self.desk.expect_listening(locator.clone(), to);
                    self.command(Command::Listen { locator }, pending);
                }
                Ask::Shutdown { to } => {
                    self.stoppers.push(to);
                    self.leave();
                }
            }
        }
        self.batch.asks = asks;
        for reader in self.desk.take_orphans() {
            self.command(Command::Unsubscribe { reader }, Pending::Nobody);
        }
    }

    fn take_publishers(&mut self) {
        let mut publishers = std::mem::take(&mut self.batch.publishers);
        for cell in publishers.drain(..) {
            self.pull(cell);
        }
        self.batch.publishers = publishers;
    }

    /// Offers entries to the core; false when it is busy, and then they are first in their group's line.
    fn offer(&mut self, ask: PublishAsk) -> bool {
        let PublishAsk { group, class, life_ms, .. } = ask;
        // The core takes the entries and does not hand them back when it is busy; payloads are shared, not copied.
        let entries = ask.entries.clone();
        self.command(Command::Publish { group, entries, class, life_ms }, Pending::Publish(ask));
        match self.desk.bounced.pop() {
            Some(ask) => {
                self.line.bounce(ask, self.now.mono);
                false
            }
            None => true,
        }
    }

    /// Takes a publisher's entries until it has none or the core is busy.
    fn pull(&mut self, cell: Arc<PublisherCell>) {
        loop {
            if self.line.is_waiting(cell.group) {
                self.line.park(cell);
                return;
            }
            let Some(ask) = PublisherCell::take_ask(&cell) else { return };
            self.offer(ask);
        }
    }

    /// Offers what waits for groups that have moved on, or that it is time to ask again.
    fn retry(&mut self) -> bool {
        let groups = self.line.due(&mut self.desk.moved, self.now.mono);
        let any = !groups.is_empty();
        for group in groups {
            let Some(mut waiting) = self.line.take(group) else { continue };
            while let Some(ask) = waiting.asks.pop_front() {
                if !self.offer(ask) {
                    break;
                }
            }
            if self.line.is_waiting(group) {
                self.line.put_back(group, waiting);
            } else {
                waiting.publishers.into_iter().for_each(|cell| self.pull(cell));
            }
        }
        any
    }

    /// Does what can be done in passing, until there is nothing of it left.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let mut quiet = !self.retry();
            if matches!(self.store, StoreHand::Here(_)) && !self.effects.store.is_empty() {
                quiet = false;
                for answer in self.store.submit(&mut self.effects.store) {
                    self.feed(answer);
                }
            }
            if let Some(answer) = self.crypto.run_only(&mut self.effects.signs, &mut self.effects.verifies) {
                quiet = false;
                self.feed(answer);
            }
            if quiet {
                return;
            }
        }
        self.more = true;
    }

    /// Hands out the turn's effects.
    fn hand_out(&mut self) {
        for answer in self.store.submit(&mut self.effects.store) {
            self.feed(answer);
            self.more = true;
        }
        self.crypto.submit(&mut self.effects.signs, &mut self.effects.verifies);
        let mut requests = std::mem::take(&mut self.effects.requests);
        for request in requests.drain(..) {
            let link = link_of(&request);
            if let (Err(error), Some(link)) = (self.ports.request(request), link) {
                // The core keeps within the grants; if it ever did not, the link's order would be broken for good.
                tracing::error!(%error, ?link, "a link was sent what it cannot take: closing it");
                let _ = self.ports.request(Request::Close { link });
            }
        }
        self.effects.requests = requests;
        self.desk.wake_readers();
    }

    fn set_timer(&mut self) {
        let core = self.core.poll_timeout().map(|(at, _)| at);
        self.timer.set(&self.clock, [core, self.line.retry_at()]);
    }

    fn check_stop(&mut self) {
        if self.phase == Phase::Running && self.intake.is_abandoned() {
            self.leave();
        }
    }

    fn leave(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Leaving;
            self.timer.stop_by(&self.clock, self.now.mono.plus_millis(STOP_MS));
            self.command(Command::Shutdown, Pending::Shutdown);
        }
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

fn link_of(request: &Request) -> Option<crosscast_port::LinkId> {
    match request {
        Request::Send { link, .. } | Request::Datagram { link, .. } | Request::Close { link } => Some(*link),
        Request::Listen { .. } | Request::Dial { .. } => None,
    }
}

fn transport_ended(ended: Result<(Scheme, Result<(), TransportError>), tokio::task::JoinError>) -> Option<Scheme> {
    match ended {
        Ok((scheme, Ok(()))) => Some(scheme),
        Ok((scheme, Err(error))) => {
            tracing::warn!(%scheme, %error, "a transport cannot work");
            Some(scheme)
        }
        Err(error) => {
            tracing::error!(%error, "a transport broke down");
            None
        }
    }
}
