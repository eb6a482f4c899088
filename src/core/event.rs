//! What the core tells the application: replies to commands, deliveries, outcomes, and what an operator should know.

use std::sync::Arc;

use bytes::Bytes;
use crosscast_port::{DialError, ListenError, LogPos, NetworkReport};
use crosscast_wire::{
    Entries, Entry, GroupId, Instance, Locator, MessageId, Network, NodeId, Order, PathKind, PathReason, PeerFault,
    RefuseCode, Rights, Seq, State, Ticket, Trail, WallMillis,
};

use crate::{CommandId, GroupView, PeerView, ReaderId, ServiceView, Source, Status, TrailView};

/// One thing the application may want to know.
#[derive(Clone, Debug)]
pub enum Event {
    /// The answer to a command.
    Reply(CommandId, Reply),
    /// A message for a local reader; within its window.
    Deliver(ReaderId, Arc<Delivery>),
    /// A reader fell behind what is kept: messages are missing before the next delivery.
    ReaderGap(ReaderId),
    /// What became of something published or sent.
    Outcome(Outcome),
    /// A notice for the log and the status page.
    Notice(Notice),
}

/// The answer to a command.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Done.
    Done,
    /// Not done.
    Refused(Refusal),
    /// Entries were accepted as entries `first_index ..` of this message.
    Published {
        /// The message.
        id: MessageId,
        /// Index of the command's first entry in it.
        first_index: u16,
    },
    /// The one entry of a publication was published before, by its key: nothing was published now. When a next hop
    /// has taken it, that outcome is told again.
    Repeated {
        /// The message it was published in first.
        id: MessageId,
        /// Its index there.
        index: u16,
    },
    /// A group was made or joined.
    Group {
        /// The group.
        group: GroupId,
        /// Its local name.
        name: String,
        /// A ticket that lets others join, for the maker.
        ticket: Option<Box<Ticket>>,
    },
    /// A ticket.
    Ticket(Box<Ticket>),
    /// Rights were granted.
    Granted {
        /// To whom.
        subject: NodeId,
        /// Which: what was asked for, as far as the issuer has it.
        rights: Rights,
        /// Last millisecond of the capability's life.
        not_after: WallMillis,
    },
    /// A reader was started.
    Reading(ReaderId),
    /// A round trip.
    Pong {
        /// In microseconds.
        rtt_us: u64,
        /// Of the link that was measured.
        path: PathKind,
        /// Why that path.
        reason: PathReason,
    },
    /// The node's state.
    Status(Box<Status>),
    /// The peers.
    Peers(Vec<PeerView>),
    /// How messages of a group's senders came here.
    Trails(Vec<TrailView>),
    /// The groups.
    Groups(Vec<GroupView>),
    /// A service of this node.
    Service(ServiceView),
    /// All services of this node.
    Services(Vec<ServiceView>),
    /// A cursor kept by name, if there is one.
    Cursor(Option<Bytes>),
}

/// Why a command was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The group is not one of this node's.
    #[error("this node is not part of that group")]
    UnknownGroup,
    /// No such reader.
    #[error("no such reader")]
    UnknownReader,
    /// No link to that node.
    #[error("no link to that node")]
    NotLinked,
    /// Nobody knows where that node or service is, or how to seal to it.
    #[error("nobody answers for that node or service")]
    NotFound,
    /// A list names 1 to 32 nodes.
    #[error("a list names 1 to 32 nodes")]
    Recipients,
    /// No service of that name.
    #[error("this node has no service of that name")]
    UnknownService,
    /// More than an entry, a message or a name can hold.
    #[error("too large")]
    TooLarge,
    /// Nothing to publish.
    #[error("nothing to publish")]
    Empty,
    /// The group's policy does not let this node publish.
    #[error("the group's policy does not let this node publish")]
    NotAllowed,
    /// The queue for this is full; try again when something has gone out.
    #[error("the queue is full")]
    Busy,
    /// A limit of this node is reached.
    #[error("a limit of this node is reached")]
    Limit,
    /// A group's name is 1 to 64 bytes without control characters.
    #[error("a name is 1 to 64 bytes without control characters")]
    BadName,
    /// A local group of that name exists.
    #[error("a group of that name exists")]
    NameTaken,
    /// The ticket's records do not hold.
    #[error("the ticket is not valid")]
    BadTicket,
    /// What followed that position is no longer kept.
    #[error("what followed that position is no longer kept")]
    NoHistory,
    /// The content key that the group seals under has not come yet.
    #[error("the group's content key has not come yet")]
    NoKey,
    /// This node may not do that in the group.
    #[error("this node has not the right to do that in the group")]
    NoRight,
    /// The group's policy is not `capability`: there are no rights to hand out.
    #[error("the group's policy is not capability, so there are no rights to hand out")]
    NoCapabilities,
    /// Nobody who may admit has answered yet; asking goes on.
    #[error("nobody who may admit has answered yet; the node goes on asking")]
    NobodyAdmits,
    /// Whoever may admit has said no.
    #[error("the group does not admit this node")]
    NotAdmitted,
    /// The invite has been used as often as it may be, or was withdrawn.
    #[error("the invite was withdrawn or used as often as it may be")]
    InviteUsed,
    /// The invite has run out.
    #[error("the invite has run out")]
    InviteExpired,
    /// Not built in this version.
    #[error("that is not supported by this version")]
    Unsupported,
    /// The store failed.
    #[error("the store failed")]
    Store,
    /// The node is shutting down.
    #[error("the node is shutting down")]
    ShuttingDown,
}

/// A message as a local reader gets it: opened, in order, its signature and hash checked.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Where it came from: a group, or the inbox.
    pub source: Source,
    /// The message.
    pub id: MessageId,
    /// Who signed it.
    pub from: NodeId,
    /// In which run of that node.
    pub instance: Instance,
    /// Its number.
    pub seq: Seq,
    /// When it was sent, by the sender's clock.
    pub time: WallMillis,
    /// Cursor to resume after it.
    pub cursor: LogPos,
    /// Its entries.
    pub entries: Entries,
    /// Links it crossed; 0 when it was published here.
    pub hops: u8,
    /// Network of the last link; `None` when it was published here.
    pub network: Option<Network>,
    /// Path of the last link.
    pub path: Option<PathKind>,
    /// The networks of the links it crossed, as far as routers said so; empty for a message to a node.
    pub trail: Trail,
    /// The order its sender asked for.
    pub order: Order,
    /// Whether messages of its sender are missing before it.
    pub gap: bool,
    /// Whether its sender is a stranger: it was not written to, not accepted, and shares no group.
    pub request: bool,
    /// The service it was sent to; `None` when it was sent to this node or to a group.
    pub service: Option<NodeId>,
    /// Who got it beside this node, itself included, when its sender named several; else empty.
    pub recipients: Vec<NodeId>,
    /// What it weighs in its reader's window, in bytes: to be given back by `Command::Consumed`.
    pub weight: u32,
    /// Indices of entries that repeat one of an earlier message, by their keys; ascending.
    pub repeats: Vec<u16>,
}

impl Delivery {
    /// The entries with their indices, without those that repeat an earlier one.
    pub fn fresh(&self) -> impl Iterator<Item = (u16, Entry)> + '_ {
        (0u16..).zip(self.entries.iter()).filter(|(index, _)| !self.repeats.contains(index))
    }
}

/// What became of a message published or sent here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The message.
    pub id: MessageId,
    /// Its new state.
    pub state: State,
    /// How many next hops have acknowledged it.
    pub links: u32,
    /// Which of several recipients this is about; `None` when it is about the whole.
    pub to: Option<NodeId>,
    /// Why, where a next hop or the search for the recipient gave a reason.
    pub code: Option<RefuseCode>,
}

/// What an operator should know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A peer is linked.
    PeerUp {
        /// Who.
        node: NodeId,
        /// Which run of it.
        instance: Instance,
        /// Over which network.
        network: Network,
    },
    /// Another link to a peer leads from now on.
    PeerMoved {
        /// Who.
        node: NodeId,
        /// Which run of it.
        instance: Instance,
        /// Over which network it is reached now.
        network: Network,
    },
    /// The last link to a peer is gone.
    PeerDown {
        /// Who.
        node: NodeId,
        /// Which run of it.
        instance: Instance,
        /// A short code.
        code: &'static str,
    },
    /// A dial failed.
    DialFailed {
        /// Where to.
        locator: Locator,
        /// Why.
        error: DialError,
    },
    /// A listener is up.
    Listening {
        /// Where, with the real port.
        locator: Locator,
    },
    /// A listener is not up.
    ListenFailed {
        /// Where.
        locator: Locator,
        /// Why.
        error: ListenError,
    },
    /// A network that this node is attached to stands otherwise than before.
    Network(Box<NetworkReport>),
    /// Somebody was refused before the hello.
    PeerRefused {
        /// Where it came from.
        from: Locator,
        /// Why.
        fault: PeerFault,
    },
    /// A listener that was up is gone.
    Unlistened {
        /// Where it was.
        locator: Locator,
    },
    /// The first key that answered at a locator without one is now expected there.
    Pinned {
        /// Where.
        locator: Locator,
        /// The key.
        node: NodeId,
    },
    /// A peer's clock differs from this node's by more than a minute.
    ClockSkew {
        /// Who.
        node: NodeId,
        /// Theirs minus ours, in milliseconds.
        skew_ms: i64,
    },
    /// A sender has claimed one number twice: that run of it is not heard for a day.
    Equivocated {
        /// Who.
        node: NodeId,
        /// In which run.
        instance: Instance,
        /// In which group.
        group: GroupId,
    },
    /// This node's rights in a group were taken back.
    RightsLost {
        /// The group.
        group: GroupId,
    },
    /// A node or service that is looked for has not answered for ten seconds; the search goes on.
    NotFound {
        /// Who.
        node: NodeId,
    },
    /// The store refuses writes.
    StoreFailed {
        /// A short code.
        code: &'static str,
    },
}
