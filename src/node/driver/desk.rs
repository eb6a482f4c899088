//! Who waits for which answer: replies to commands, deliveries to readers, news of tracked messages, onlookers.
//!
//! The desk turns the core's events into wake-ups of the application and never calls the core.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::task::Waker;

use crosscast_core::{CommandId, Delivery, Event, Notice, Outcome, ReaderId, Refusal, Reply};
use crosscast_port::Report;
use crosscast_transport::TransportError;
use crosscast_wire::{GroupId, Locator, MessageId, Scheme};
use tokio::sync::{broadcast, oneshot};

use crate::intake::{Intake, ListenAnswer};
use crate::publish::{PublishAnswer, PublishAsk, TrackerCell};
use crate::subscription::{Item, ReaderCell};
use crate::{Error, Published};

/// Tracked messages at once; the oldest handle's loss is the newest's gain. 65,536: what the core follows.
const TRACKED: usize = 65_536;

/// Who gets the answer to a command.
pub(super) enum Pending {
    Nobody,
    Reply(oneshot::Sender<Reply>),
    Reader { window_bytes: u32, to: oneshot::Sender<Result<Arc<ReaderCell>, Refusal>> },
    Listen(Locator),
    Publish(PublishAsk),
    Shutdown,
}

type ListenWaiter = (Locator, oneshot::Sender<Result<Locator, ListenAnswer>>);

pub(super) struct Desk {
    intake: Arc<Intake>,
    notices: broadcast::Sender<Notice>,
    outcomes: broadcast::Sender<Outcome>,
    last_id: u64,
    pending: HashMap<CommandId, Pending>,
    readers: HashMap<ReaderId, Arc<ReaderCell>>,
    /// Readers whose subscriber was gone before they began.
    orphans: Vec<ReaderId>,
    trackers: HashMap<MessageId, Vec<Weak<TrackerCell>>>,
    /// What became of the places that were asked for.
    listening: BTreeMap<Locator, Locator>,
    listens: Vec<ListenWaiter>,
    /// Publications that the core was too busy for.
    pub(super) bounced: Vec<PublishAsk>,
    /// Groups that have taken a publication on.
    pub(super) moved: Vec<GroupId>,
    pub(super) is_shut_down: bool,
    wakers: Vec<Waker>,
}

impl Desk {
    pub(super) fn new(
        intake: Arc<Intake>,
        notices: broadcast::Sender<Notice>,
        outcomes: broadcast::Sender<Outcome>,
    ) -> Self {
        Self {
            intake,
            notices,
            outcomes,
            last_id: 0,
            pending: HashMap::new(),
            readers: HashMap::new(),
            orphans: Vec::new(),
            trackers: HashMap::new(),
            listening: BTreeMap::new(),
            listens: Vec::new(),
            bounced: Vec::new(),
            moved: Vec::new(),
            is_shut_down: false,
            wakers: Vec::new(),
        }
    }

    pub(super) const fn next_id(&mut self) -> CommandId {
        self.last_id = self.last_id.wrapping_add(1);
        CommandId(self.last_id)
    }

    /// Notes who gets the answer to the next command.
    pub(super) fn expect(&mut self, pending: Pending) -> CommandId {
        let id = self.next_id();
        self.pending.insert(id, pending);
        id
    }

    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Reply(id, reply) => self.reply(id, reply),
            Event::Deliver(reader, delivery) => self.deliver(reader, delivery),
            Event::ReaderGap(reader) => self.give(reader, Item::Gap),
            Event::Outcome(outcome) => self.outcome(outcome),
            Event::Notice(notice) => {
                tracing::debug!(?notice, "notice");
                // Without an onlooker there is nobody to tell.
                let _ = self.notices.send(notice);
            }
        }
    }

    fn reply(&mut self, id: CommandId, reply: Reply) {
        match self.pending.remove(&id) {
            Some(Pending::Reply(to)) => {
                // Whoever asked may have gone.
                let _ = to.send(reply);
            }
            Some(Pending::Reader { window_bytes, to }) => self.reading(reply, window_bytes, to),
            Some(Pending::Listen(asked)) => self.listen_reply(&asked, &reply),
            Some(Pending::Publish(ask)) => self.published(ask, &reply),
            Some(Pending::Shutdown) => self.is_shut_down = true,
            Some(Pending::Nobody) | None => {}
        }
    }

    fn reading(&mut self, reply: Reply, window_bytes: u32, to: oneshot::Sender<Result<Arc<ReaderCell>, Refusal>>) {
        if let Reply::Reading(reader) = reply {
            let cell = Arc::new(ReaderCell::new(reader, window_bytes));
            if to.send(Ok(Arc::clone(&cell))).is_ok() {
                self.readers.insert(reader, cell);
            } else {
                self.orphans.push(reader);
            }
        } else {
            let _ = to.send(Err(refusal(&reply)));
        }
    }

    fn published(&mut self, ask: PublishAsk, reply: &Reply) {
        let answer = if let Reply::Published { id, first_index } = reply {
            Ok(Published { id: *id, index: *first_index, repeated: false })
        } else if let Reply::Repeated { id, index } = reply {
            Ok(Published { id: *id, index: *index, repeated: true })
        } else {
            let refusal = refusal(reply);
            if refusal == Refusal::Busy {
                return self.bounced.push(ask);
            }
            Err(Error::Refused(refusal))
        };
        self.moved.push(ask.group);
        let entries = ask.entries.len();
        match ask.answer {
            PublishAnswer::Caller { permits, to, tracker } => {
                self.intake.free_publish_room(permits);
                if let (Some(cell), Ok(published)) = (tracker, &answer) {
                    self.track(published.id, &cell);
                }
                // Whoever asked may have gone.
                let _ = to.send(answer);
            }
            PublishAnswer::Publisher { cell, cost } => match answer {
                Ok(published) => cell.accepted(published.id, entries, cost),
                Err(error) => cell.refused(error, entries, cost),
            },
        }
    }

    fn track(&mut self, id: MessageId, cell: &Arc<TrackerCell>) {
        if self.trackers.len() >= TRACKED {
            self.trackers.retain(|_, cells| cells.iter().any(|cell| cell.strong_count() > 0));
        }
        if self.trackers.len() >= TRACKED {
            cell.end();
        } else {
            self.trackers.entry(id).or_default().push(Arc::downgrade(cell));
        }
    }

    fn outcome(&mut self, outcome: Outcome) {
        if let Some(cells) = self.trackers.get_mut(&outcome.id) {
            cells.retain(|cell| cell.upgrade().is_some_and(|cell| !cell.tell(outcome)));
            if cells.is_empty() {
                self.trackers.remove(&outcome.id);
            }
        }
        // Without an onlooker there is nobody to tell.
        let _ = self.outcomes.send(outcome);
    }

    fn deliver(&mut self, reader: ReaderId, delivery: Arc<Delivery>) {
        self.give(reader, Item::Delivery(delivery));
    }

    fn give(&mut self, reader: ReaderId, item: Item) {
        if let Some(cell) = self.readers.get(&reader) {
            self.wakers.extend(cell.push(item));
        }
    }

    /// Wakes the readers that were given something since the last call.
    pub(super) fn wake_readers(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn forget_reader(&mut self, reader: ReaderId) {
        self.readers.remove(&reader);
    }

    pub(super) fn take_orphans(&mut self) -> Vec<ReaderId> {
        std::mem::take(&mut self.orphans)
    }

    /// Notes who wants to hear of a listener.
    pub(super) fn expect_listening(&mut self, asked: Locator, to: oneshot::Sender<Result<Locator, ListenAnswer>>) {
        self.listens.push((asked, to));
    }

    fn listen_reply(&mut self, asked: &Locator, reply: &Reply) {
        if let Reply::Refused(refusal) = reply {
            self.answer_listen(asked, || Err(ListenAnswer::Refused(*refusal)));
        } else if let Some(locator) = self.listening.get(asked).cloned() {
            // It listens there already, so no report will follow.
            self.answer_listen(asked, || Ok(locator.clone()));
        }
    }

    /// Looks at a report for news of listeners.
    pub(super) fn listening(&mut self, report: &Report) {
        match report {
            Report::Listening { asked, locator } => {
                self.listening.insert(asked.clone(), locator.clone());
                self.answer_listen(asked, || Ok(locator.clone()));
            }
            Report::Unlistened { locator } => self.listening.retain(|_, listening| listening != locator),
            Report::ListenFailed { asked, error } => {
                self.answer_listen(asked, || Err(ListenAnswer::Failed(error.clone())));
            }
            Report::Up { .. }
            | Report::Frames { .. }
            | Report::Datagram { .. }
            | Report::Writable { .. }
            | Report::Down { .. }
            | Report::DialFailed { .. }
            | Report::Network(_)
            | Report::Found { .. }
            | Report::Refused { .. } => {}
        }
    }

    /// Tells those who wait for a listener of a transport that it cannot work; returns what they asked for.
    pub(super) fn transport_failed(&mut self, scheme: Scheme, error: &TransportError) -> Vec<Locator> {
        let places = self.listens.iter().map(|(asked, _)| asked).filter(|asked| asked.scheme() == scheme);
        let places: Vec<Locator> = places.cloned().collect();
        for asked in &places {
            self.answer_listen(asked, || Err(ListenAnswer::Transport(error.clone())));
        }
        places
    }

    fn answer_listen(&mut self, asked: &Locator, answer: impl Fn() -> Result<Locator, ListenAnswer>) {
        for (_, to) in self.listens.extract_if(.., |(waiting, _)| waiting == asked) {
            // Whoever asked may have gone.
            let _ = to.send(answer());
        }
    }

    /// Tells everyone that the node has stopped; those who wait for a reply hear of it as their channel closes.
    pub(super) fn stop(&mut self) {
        let _ = self.intake.stop();
        for cell in std::mem::take(&mut self.readers).into_values() {
            cell.end();
        }
        for cell in std::mem::take(&mut self.trackers).into_values().flatten() {
            cell.upgrade().into_iter().for_each(|cell| cell.end());
        }
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Pending::Publish(PublishAsk { answer: PublishAnswer::Publisher { cell, .. }, .. }) = pending {
                cell.stop();
            }
        }
        self.listens.clear();
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The core answers every command with its own kind of reply; anything else is refused rather than misread.
fn refusal(reply: &Reply) -> Refusal {
    match reply {
        Reply::Refused(refusal) => *refusal,
        Reply::Done
        | Reply::Published { .. }
        | Reply::Repeated { .. }
        | Reply::Cursor(_)
        | Reply::Group { .. }
        | Reply::Ticket(_)
        | Reply::Granted { .. }
        | Reply::Reading(_)
        | Reply::Pong { .. }
        | Reply::Status(_)
        | Reply::Peers(_)
        | Reply::Trails(_)
        | Reply::Groups(_)
        | Reply::Service(_)
        | Reply::Services(_) => Refusal::Unsupported,
    }
}
