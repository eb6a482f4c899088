//! The handle to a running node.
//!
//! Cheap to clone; the node runs until [`Node::shutdown`], or until the last handle, subscription and publisher is gone.
//! Calls leave what they want at the driver's intake and wait for its answer; none of them blocks a thread. Those about
//! rights, unicast and the upkeep of a running daemon are in `rights.rs`, `unicast.rs` and `upkeep.rs`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use crosscast_core::{Command, GroupView, PeerView, Refusal, Reply, Since, Source, Status};
use crosscast_transport::TransportError;
use crosscast_wire::{Entry, GroupId, Instance, Locator, NodeId, PathKind, PathReason, Policy, Scheme, Ticket};
use tokio::sync::{broadcast, oneshot};

use crate::driver::Wheel;
use crate::intake::{Ask, Intake, ListenAnswer};
use crate::publish::{PublishAnswer, PublishAsk, TrackerCell, life_ms};
use crate::publisher::{PublisherCell, cost};
use crate::work::lock;
use crate::{
    Builder, Error, Notices, Outcomes, PublishOptions, Published, Publisher, Submitted, SubmittedTracked, Subscription,
    Tracked,
};

/// A running node.
#[derive(Clone, Debug)]
pub struct Node {
    shared: Arc<Shared>,
}

/// What all handles of a node share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) intake: Arc<Intake>,
    pub(crate) wheel: Arc<Wheel>,
    pub(crate) node: NodeId,
    pub(crate) instance: Instance,
    pub(crate) name: Mutex<String>,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) notices: broadcast::WeakSender<crosscast_core::Notice>,
    pub(crate) outcomes: broadcast::WeakSender<crosscast_core::Outcome>,
    pub(crate) failed: Arc<FailedTransports>,
}

/// Transports that ended, and why; at most one entry for each.
pub(crate) type FailedTransports = Mutex<Vec<(Scheme, TransportError)>>;

impl Drop for Shared {
    fn drop(&mut self) {
        self.intake.abandon();
    }
}

/// A measured round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pong {
    /// The round trip.
    pub rtt: Duration,
    /// Path of the link that was measured.
    pub path: PathKind,
    /// Why that path.
    pub reason: PathReason,
}

impl Node {
    /// Starts to gather what a node needs.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Shows another name to peers from now on.
    pub(crate) fn rename(&self, name: String) {
        *lock(&self.shared.name) = name;
    }

    pub(crate) const fn from_shared(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn intake(&self) -> &Intake {
        &self.shared.intake
    }

    pub(crate) fn wheel(&self) -> &Wheel {
        &self.shared.wheel
    }

    /// This node's key.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        self.shared.node
    }

    /// This run of the node.
    #[must_use]
    pub fn instance(&self) -> Instance {
        self.shared.instance
    }

    /// The name it shows to peers.
    #[must_use]
    pub fn name(&self) -> String {
        lock(&self.shared.name).clone()
    }

    /// Makes a group whose key this node holds; the text is a ticket that lets others join.
    ///
    /// # Errors
    /// [`Error::Refused`], for example when a group of that name exists.
    pub async fn create_group(&self, name: &str, policy: Policy, public: bool) -> Result<(GroupId, String), Error> {
        let command = Command::CreateGroup { name: name.to_owned(), policy, public };
        let made = |reply| if let Reply::Group { group, .. } = reply { Some(group) } else { None };
        let group = self.query(command, made).await?;
        Ok((group, self.invite(group, Vec::new()).await?))
    }

    /// Becomes part of a group; returns it with its local name, which is the ticket's unless another is given.
    ///
    /// # Errors
    /// [`Error::Ticket`] when the text is none, [`Error::Refused`] when the node says no.
    pub async fn join(&self, ticket: &str, name: Option<&str>) -> Result<(GroupId, String), Error> {
        let ticket = Ticket::parse(ticket.trim()).map_err(|error| Error::Ticket(error.to_string()))?;
        let command = Command::JoinGroup { ticket: Box::new(ticket), name: name.map(str::to_owned) };
        self.query(command, |reply| {
            if let Reply::Group { group, name, ticket: _ } = reply { Some((group, name)) } else { None }
        })
        .await
    }

    /// Stops being part of a group and forgets its keys and messages.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not one of this node's.
    pub async fn leave(&self, group: GroupId) -> Result<(), Error> {
        self.done(Command::LeaveGroup { group }).await
    }

    /// Publishes one entry; waits while the node is busy.
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn publish(&self, group: GroupId, payload: impl Into<Bytes>) -> Result<Published, Error> {
        self.publish_entries(group, vec![entry(payload)], PublishOptions::default()).await
    }

    /// Publishes at most 256 entries of at most 64 KiB, together at most 240 KiB, as part of one message; waits while
    /// the node is busy, in the order of calls.
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn publish_entries(
        &self,
        group: GroupId,
        entries: Vec<Entry>,
        options: PublishOptions,
    ) -> Result<Published, Error> {
        self.submit(group, entries, options).await?.await
    }

    /// As [`Node::publish_entries`], but only waits for a place in the queue: several calls can be under way, and are
    /// accepted in the order in which they returned.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn submit(
        &self,
        group: GroupId,
        entries: Vec<Entry>,
        options: PublishOptions,
    ) -> Result<Submitted, Error> {
        self.enqueue(group, entries, options, None).await
    }

    /// As [`Node::publish_entries`], and follows what becomes of the message.
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn publish_tracked(
        &self,
        group: GroupId,
        entries: Vec<Entry>,
        options: PublishOptions,
    ) -> Result<Tracked, Error> {
        self.submit_tracked(group, entries, options).await?.await
    }

    /// As [`Node::submit`], and follows what becomes of the message.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn submit_tracked(
        &self,
        group: GroupId,
        entries: Vec<Entry>,
        options: PublishOptions,
    ) -> Result<SubmittedTracked, Error> {
        let cell = Arc::new(TrackerCell::default());
        let submitted = self.enqueue(group, entries, options, Some(Arc::clone(&cell))).await?;
        Ok(SubmittedTracked { submitted, cell })
    }

    /// A fast way to publish many entries to one group.
    #[must_use]
    pub fn publisher(&self, group: GroupId, options: PublishOptions) -> Publisher {
        Publisher { node: self.clone(), cell: Arc::new(PublisherCell::new(group, options)) }
    }

    /// Reads a group, or the inbox, with at most about `window_bytes` of payload on their way.
    ///
    /// # Errors
    /// [`Error::Refused`], for example when what followed a position is no longer kept.
    pub async fn subscribe(&self, source: Source, since: Since, window_bytes: u32) -> Result<Subscription, Error> {
        let (to, answer) = oneshot::channel();
        let command = Command::Subscribe { source, since, window_bytes };
        self.shared.intake.ask(Ask::Subscribe { command, window_bytes, to }).await?;
        let cell = answer.await.map_err(|_| Error::Stopped)??;
        Ok(Subscription::new(self.clone(), cell))
    }

    /// Measures the round trip to a linked peer.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is no link to it.
    pub async fn ping(&self, node: NodeId) -> Result<Pong, Error> {
        self.query(Command::Ping { node }, |reply| {
            if let Reply::Pong { rtt_us, path, reason } = reply {
                Some(Pong { rtt: Duration::from_micros(rtt_us), path, reason })
            } else {
                None
            }
        })
        .await
    }

    /// Keeps a link to this locator from now on.
    ///
    /// # Errors
    /// [`Error::Locator`], [`Error::NoTransport`], [`Error::Transport`], or the node's refusal.
    pub async fn attach(&self, locator: &str) -> Result<(), Error> {
        self.attach_to(self.served(locator)?).await
    }

    /// Listens here from now on; returns the locator with the real port.
    ///
    /// # Errors
    /// [`Error::Locator`], [`Error::NoTransport`], [`Error::Transport`], [`Error::Listen`], or the node's refusal.
    pub async fn listen(&self, locator: &str) -> Result<Locator, Error> {
        self.listen_on(self.served(locator)?).await
    }

    pub(crate) async fn attach_to(&self, locator: Locator) -> Result<(), Error> {
        self.check_working(locator.scheme())?;
        self.done(Command::Attach { locator }).await
    }

    pub(crate) async fn listen_on(&self, locator: Locator) -> Result<Locator, Error> {
        self.check_working(locator.scheme())?;
        let (to, answer) = oneshot::channel();
        self.shared.intake.ask(Ask::Listen { locator: locator.clone(), to }).await?;
        match answer.await.map_err(|_| Error::Stopped)? {
            Ok(locator) => Ok(locator),
            Err(ListenAnswer::Refused(refusal)) => Err(refusal.into()),
            Err(ListenAnswer::Transport(error)) => Err(Error::Transport { scheme: locator.scheme(), error }),
            Err(ListenAnswer::Failed(reason)) => Err(Error::Listen { locator, reason }),
        }
    }

    /// The node's state.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn status(&self) -> Result<Status, Error> {
        self.query(Command::Status, |reply| if let Reply::Status(status) = reply { Some(*status) } else { None }).await
    }

    /// The peers it is linked with.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn peers(&self) -> Result<Vec<PeerView>, Error> {
        self.query(Command::Peers, |reply| if let Reply::Peers(peers) = reply { Some(peers) } else { None }).await
    }

    /// The groups it is part of.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn groups(&self) -> Result<Vec<GroupView>, Error> {
        self.query(Command::Groups, |reply| if let Reply::Groups(groups) = reply { Some(groups) } else { None }).await
    }

    /// The schemes it has transports for, in the order in which they were given.
    #[must_use]
    pub fn schemes(&self) -> &[Scheme] {
        &self.shared.schemes
    }

    /// Transports that cannot work, and why.
    #[must_use]
    pub fn failed_transports(&self) -> Vec<(Scheme, TransportError)> {
        lock(&self.shared.failed).clone()
    }

    /// What an operator should know, from now on.
    #[must_use]
    pub fn notices(&self) -> Notices {
        Notices::new(subscribe(&self.shared.notices))
    }

    /// What becomes of everything published or sent, from now on.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        Outcomes::new(subscribe(&self.shared.outcomes))
    }

    /// Says goodbye on every link, writes what is owed to the store, and stops; returns when it has stopped.
    pub async fn shutdown(&self) {
        let (to, answer) = oneshot::channel();
        if self.shared.intake.ask(Ask::Shutdown { to }).await.is_ok() {
            // Dropped unanswered, it means the same: the node has stopped.
            let _ = answer.await;
        }
    }

    /// Asks the core; `read` takes what is wanted out of the reply that belongs to the command.
    pub(crate) async fn query<T>(&self, command: Command, read: impl FnOnce(Reply) -> Option<T>) -> Result<T, Error> {
        let (to, answer) = oneshot::channel();
        self.shared.intake.ask(Ask::Command { command, to }).await?;
        let reply = answer.await.map_err(|_| Error::Stopped)?;
        if let Reply::Refused(refusal) = reply {
            return Err(refusal.into());
        }
        // The core answers every command with its own kind of reply; anything else is refused rather than misread.
        read(reply).ok_or_else(|| {
            tracing::error!("a command was answered with another command's reply");
            Error::Refused(Refusal::Unsupported)
        })
    }

    pub(crate) async fn done(&self, command: Command) -> Result<(), Error> {
        self.query(command, |_| Some(())).await
    }

    async fn enqueue(
        &self,
        group: GroupId,
        mut entries: Vec<Entry>,
        options: PublishOptions,
        tracker: Option<Arc<TrackerCell>>,
    ) -> Result<Submitted, Error> {
        if let (Some(key), [only]) = (options.entry_key, entries.as_mut_slice()) {
            only.meta.key = Some(key);
        }
        let intake = &self.shared.intake;
        let permits = intake.publish_room(entries.iter().map(cost).fold(0, usize::saturating_add)).await?;
        let (to, answer) = oneshot::channel();
        let answer_to = PublishAnswer::Caller { permits, to, tracker };
        let (class, life_ms) = (options.class, life_ms(options.life));
        intake.publish(PublishAsk { group, entries, class, life_ms, answer: answer_to })?;
        Ok(Submitted { answer })
    }

    fn check_working(&self, scheme: Scheme) -> Result<(), Error> {
        let failed = lock(&self.shared.failed).iter().find(|(failed, _)| *failed == scheme).cloned();
        failed.map_or(Ok(()), |(scheme, error)| Err(Error::Transport { scheme, error }))
    }

    fn served(&self, text: &str) -> Result<Locator, Error> {
        let locator = Error::locator(text)?;
        let scheme = locator.scheme();
        self.shared.schemes.contains(&scheme).then_some(locator).ok_or(Error::NoTransport(scheme))
    }
}

fn entry(payload: impl Into<Bytes>) -> Entry {
    Entry::new(payload.into())
}

/// A stream that ends at once when the node has stopped.
fn subscribe<T: Clone>(sender: &broadcast::WeakSender<T>) -> broadcast::Receiver<T> {
    sender.upgrade().map_or_else(|| broadcast::channel(1).1, |sender| sender.subscribe())
}
