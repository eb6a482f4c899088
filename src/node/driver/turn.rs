//! One turn of the driver: what has piled up goes into the core, what it wants is sorted and handed out.

use std::sync::Arc;

use crosscast_core::{Command, Input, Instant, Output};
use crosscast_port::{LinkId, ListenError, Report, Request};

use super::desk::Pending;
use super::{Driver, Phase};
use crate::intake::Ask;
use crate::publish::PublishAsk;
use crate::publisher::PublisherCell;
use crate::store_thread::StoreHand;
use crate::subscription::ReaderCell;
use crate::work::lock;

/// Rounds of effects that are done in passing in one turn. 64: more is left for the next, so that links get theirs.
const ROUNDS: usize = 64;
/// How long a stop may take, in milliseconds: the core's second, and a slow disk.
const STOP_MS: u64 = 10_000;

impl Driver {
    pub(super) fn turn(&mut self) {
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
        // First the transports that ended: they, and not the refusals that follow from it, are the reason.
        for (scheme, error) in std::mem::take(&mut self.ended) {
            self.ports.detach(scheme);
            for asked in self.desk.transport_failed(scheme, &error) {
                self.feed(Input::Link(Report::ListenFailed { asked, error: ListenError::Denied }));
            }
            lock(&self.failed).push((scheme, error));
        }
        let mut reports = std::mem::take(&mut self.reports);
        for report in reports.drain(..) {
            self.desk.listening(&report);
            self.feed(Input::Link(report));
        }
        self.reports = reports;
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
            let Some(ask) = PublisherCell::take_ask(&cell) else { break };
            self.offer(ask);
        }
        cell.set_pacing(self.core.is_pacing(cell.group));
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

    pub(super) fn set_timer(&mut self) {
        self.timer.set(&self.clock, self.alarms());
    }

    /// When there is something to do next.
    pub(super) fn alarms(&self) -> [Option<Instant>; 2] {
        [self.core.poll_timeout().map(|(at, _)| at), self.line.retry_at()]
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
}

fn link_of(request: &Request) -> Option<LinkId> {
    match request {
        Request::Send { link, .. } | Request::Datagram { link, .. } | Request::Close { link } => Some(*link),
        // Also a judgement: a carrier takes it as it comes.
        Request::Listen { .. }
        | Request::Dial { .. }
        | Request::Meet { .. }
        | Request::Part { .. }
        | Request::Judge { .. } => None,
    }
}
