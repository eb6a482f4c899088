//! What an application can ask of the core. Each command is answered by exactly one `Event::Reply`; what comes of it
//! later (deliveries, outcomes) are events of their own.

use bytes::Bytes;
use crosscast_port::LogPos;
use crosscast_wire::{Class, Entry, GroupId, Locator, MessageId, NodeId, Policy, Ticket, WallMillis};

/// A request of the application.
#[derive(Clone, Debug)]
pub enum Command {
    /// Publish entries to a group, in one message where they fit. Answered by `Reply::Published` once they have a
    /// message id; refused with [`crate::Refusal::Busy`] when the group's gathering queue is full.
    Publish {
        /// To which group.
        group: GroupId,
        /// At most 256 entries of at most 64 KiB, together at most 256 KiB.
        entries: Vec<Entry>,
        /// How urgent.
        class: Class,
        /// Life in milliseconds; the default is the live window.
        life_ms: Option<u64>,
    },
    /// Make a group whose key this node holds. Answered by `Reply::Group`.
    CreateGroup {
        /// Its local name: 1 to 64 bytes without control characters.
        name: String,
        /// Who may publish.
        policy: Policy,
        /// Whether payloads travel unsealed.
        public: bool,
    },
    /// Become part of a group. Answered by `Reply::Group`.
    JoinGroup {
        /// The ticket.
        ticket: Box<Ticket>,
        /// A local name other than the ticket's.
        name: Option<String>,
    },
    /// Stop being part of a group and forget its keys and log. Answered by `Reply::Done`.
    LeaveGroup {
        /// Which group.
        group: GroupId,
    },
    /// Make a ticket for a group. Answered by `Reply::Ticket`.
    Invite {
        /// Which group.
        group: GroupId,
        /// Where the joiner can dial; the core adds what it listens on when empty.
        locators: Vec<Locator>,
    },
    /// Start a local reader. Answered by `Reply::Reading`.
    Subscribe {
        /// What to read.
        source: Source,
        /// From where.
        since: Since,
        /// How many payload bytes may be under way to the reader before it must consume; at least one message is.
        window_bytes: u32,
    },
    /// A reader has taken this many payload bytes out of its window. Answered by nothing.
    Consumed {
        /// Which reader.
        reader: ReaderId,
        /// How many bytes.
        bytes: u32,
    },
    /// End a reader. Answered by `Reply::Done`.
    Unsubscribe {
        /// Which reader.
        reader: ReaderId,
    },
    /// Send to one node. Answered by `Reply::Published`.
    Send {
        /// To whom.
        to: NodeId,
        /// What; at most 64 KiB.
        payload: Bytes,
        /// Life in milliseconds, also while the peer is away; default 10 minutes.
        life_ms: Option<u64>,
    },
    /// Everything in the inbox up to and including this position has been taken. Answered by `Reply::Done`.
    AcknowledgeInbox {
        /// Last position taken.
        through: LogPos,
    },
    /// Keep a link to this locator. Answered by `Reply::Done`.
    Attach {
        /// Where.
        locator: Locator,
    },
    /// Listen here. Answered by `Reply::Done`; the outcome shows in the status.
    Listen {
        /// Where.
        locator: Locator,
    },
    /// Measure the round trip to a peer. Answered by `Reply::Pong`.
    Ping {
        /// Which peer.
        node: NodeId,
    },
    /// Answered by `Reply::Status`.
    Status,
    /// Answered by `Reply::Peers`.
    Peers,
    /// Answered by `Reply::Groups`.
    Groups,
    /// Say goodbye on every link. Answered by `Reply::Done` when all links are down or after a second.
    Shutdown,
}

/// Names a local reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId(pub u64);

/// What a reader reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A group this node is part of.
    Group(GroupId),
    /// This node's inbox; messages already acknowledged are not read again.
    Inbox,
}

/// Where a reader starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// With what comes next.
    Now,
    /// With the oldest that is kept.
    Oldest,
    /// After this release position; [`crate::Refusal::NoHistory`] when what followed it is no longer kept.
    After(LogPos),
    /// After this message.
    AfterMessage(MessageId),
    /// With the first message sent at or after this time.
    Time(WallMillis),
}
