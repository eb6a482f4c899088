//! What an application can ask of the core. Each command is answered by exactly one `Event::Reply`; what comes of it
//! later (deliveries, outcomes) are events of their own.

use bytes::Bytes;
use crosscast_port::LogPos;
use crosscast_wire::{Class, Entry, GroupId, Locator, MessageId, NodeId, Policy, Rights, Ticket, WallMillis};

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
        /// What kind of ticket.
        options: InviteOptions,
    },
    /// Give a node rights in a group of capabilities. Answered by `Reply::Granted`; handed over at once when the node can
    /// be reached, else when it asks.
    Grant {
        /// Which group.
        group: GroupId,
        /// To whom.
        subject: NodeId,
        /// Which rights; what the issuer has not is left out.
        rights: Rights,
        /// How many more links may follow below it: 1 lets it name devices of its own, or others with `admit`.
        depth: u8,
        /// How long it holds unless it is renewed, in milliseconds; default 30 days.
        life_ms: Option<u64>,
    },
    /// Take rights back in a group of capabilities, and change the content key. Answered by `Reply::Done` once the new
    /// floor record is kept.
    Revoke {
        /// Which group.
        group: GroupId,
        /// Whose.
        whom: Revoked,
    },
    /// Change who may publish to a group. Answered by `Reply::Done` once the new floor record is kept.
    SetPolicy {
        /// Which group; its key is held here.
        group: GroupId,
        /// The new policy.
        policy: Policy,
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
    /// Send to one node or service. Answered by `Reply::Published`; when it has not been heard of, once it was found, or
    /// by [`crate::Refusal::NotFound`] after ten seconds.
    Send {
        /// To whom.
        to: NodeId,
        /// What; at most 64 KiB.
        payload: Bytes,
        /// Life in milliseconds, also while the peer is away; default 10 minutes.
        life_ms: Option<u64>,
    },
    /// Send one message to several nodes or services. Answered by `Reply::Published` once those that are not known yet
    /// were found or ten seconds have passed; the outcomes name each recipient.
    SendMany {
        /// To whom: 1 to 32.
        to: Vec<NodeId>,
        /// What; at most 64 KiB.
        payload: Bytes,
        /// Life in milliseconds, also while a recipient is away; default 10 minutes.
        life_ms: Option<u64>,
    },
    /// Take a node for no stranger any more. Answered by `Reply::Done`.
    Accept {
        /// Which node.
        node: NodeId,
    },
    /// Have a service under a key of its own, or find it again by its name. Answered by `Reply::Service`.
    Serve {
        /// Its local name: 1 to 64 bytes without control characters.
        name: String,
    },
    /// Give up a service and its key. Answered by `Reply::Done`.
    Unserve {
        /// Its local name.
        name: String,
    },
    /// Answered by `Reply::Services`.
    Services,
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
    /// Keep no link to this locator any more; one that is up stays until it breaks. Answered by `Reply::Done`.
    Detach {
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
    /// The links over which a group flows, one view each. Answered by `Reply::Peers`.
    GroupPeers {
        /// Which group.
        group: GroupId,
    },
    /// How the newest message of each sender of a group came here. Answered by `Reply::Trails`.
    GroupTrails {
        /// Which group.
        group: GroupId,
    },
    /// Change what can change while the node runs. Answered by `Reply::Done`.
    Tune(Tuning),
    /// Keep a cursor under a name, for an application; an empty one is forgotten. Answered by `Reply::Done` once it is
    /// written.
    KeepCursor {
        /// 1 to 64 bytes without control characters.
        name: String,
        /// At most 8 KiB, opaque to the core.
        value: Bytes,
    },
    /// Look up a cursor. Answered by `Reply::Cursor`.
    Cursor {
        /// Its name.
        name: String,
    },
    /// Say goodbye on every link. Answered by `Reply::Done` when all links are down or after a second.
    Shutdown,
}

/// What kind of ticket is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InviteOptions {
    /// Where the joiner can dial; what this node listens on when empty.
    pub locators: Vec<Locator>,
    /// In a group of capabilities: what it lets the joiner do; default publish and subscribe.
    pub rights: Option<Rights>,
    /// In a group of capabilities: works while nobody who may admit is reachable. Such a ticket is worth what it allows to
    /// everyone who has seen it, any number of times, until it is revoked.
    pub offline: bool,
    /// How many may join by it; default one. Not counted for an offline ticket.
    pub uses: Option<u32>,
    /// How long the invite holds, in milliseconds; default 7 days.
    pub valid_ms: Option<u64>,
    /// How long what it lets in holds unless it is renewed, in milliseconds; default 30 days.
    pub life_ms: Option<u64>,
}

/// Whose rights are taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Everything that was ever granted to this node, by whomever.
    Subject(NodeId),
    /// Everyone who was let in by the invite with this public key.
    Invite([u8; 32]),
}

/// What can change while the node runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// The name for peers to show, at most 64 bytes; links that are up have seen the old one.
    pub name: String,
    /// Kept per group, in bytes.
    pub window_bytes: u64,
    /// How long it is kept, in milliseconds.
    pub window_ms: u64,
    /// Kept in the inbox, in bytes.
    pub inbox_bytes: u64,
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
