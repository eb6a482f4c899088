//! Links: what the core asks of a transport and what a transport tells the core.
//!
//! A link is one adjacency over one transport, inside a finished secure channel; the hello above it is the core's. The
//! transport says how many bytes it takes per lane ([`Report::Writable`]); the core never sends beyond that, so a
//! transport needs no queue that can grow. Reports and requests carry batches of frames.

use bytes::Bytes;
use crosscast_wire::{
    Lane, Locator, NetworkReason, NetworkState, NodeId, PathKind, PathReason, PeerFault, RawFrame, Rendezvous, Scheme,
};

/// Longest channel binding a transport hands up, in bytes.
pub const BINDING_MAX: usize = 128;

/// Names a link within one node; never used twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// Names a dial attempt; chosen by the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialId(pub u64);

/// Which side opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// This side dialled.
    Dialer,
    /// This side accepted.
    Listener,
}

/// What a network gives its links, so that the core need not add it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTraits {
    /// Largest datagram in bytes, 0 where there are none.
    pub mtu: u32,
    /// Whether datagrams can be sent.
    pub datagrams: bool,
    /// Whether frames of one lane arrive in order.
    pub ordered: bool,
    /// Whether the channel is encrypted and both ends are authenticated.
    pub encrypted: bool,
    /// Whether one send reaches several peers.
    pub broadcast: bool,
    /// Whether another peer carries the link.
    pub relayed: bool,
    /// Relative cost of a byte; 0 is free.
    pub cost: u32,
}

impl LinkTraits {
    /// What an encrypted stream to one peer gives: order, no datagrams, no cost.
    pub const STREAM: Self =
        Self { mtu: 0, datagrams: false, ordered: true, encrypted: true, broadcast: false, relayed: false, cost: 0 };
}

/// A link that is ready for the hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkUp {
    /// The transport's scheme.
    pub scheme: Scheme,
    /// Which side dialled.
    pub role: Role,
    /// The dial this link answers, for the dialler.
    pub dial: Option<DialId>,
    /// Where the other side is: dialled address, or the address it came from.
    pub locator: Locator,
    /// The key that the hello must prove: what the channel authenticated, where the transport authenticates NodeIds, or
    /// what the peer's introduction claimed and the channel's binding covers.
    pub peer: Option<NodeId>,
    /// What ties the hello to this channel: exporter output or handshake hash, at most [`BINDING_MAX`] bytes.
    pub binding: Bytes,
    /// What the network gives.
    pub traits: LinkTraits,
    /// How the peer is reached.
    pub path: PathKind,
    /// Why it is reached that way.
    pub reason: PathReason,
    /// For a carrier, which reaches everybody who meets there and has no hello: under which name they meet.
    pub rendezvous: Option<Rendezvous>,
}

/// How a network stands that a transport is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkReport {
    /// The transport's scheme.
    pub scheme: Scheme,
    /// How it stands.
    pub state: NetworkState,
    /// This node's address there, as text.
    pub address: Option<String>,
    /// Why it is not simply up.
    pub reason: Option<NetworkReason>,
    /// Whether others can be met there (`Request::Meet`).
    pub meets: bool,
    /// More about the reason, for people: plain text of at most 200 bytes, made by the transport.
    pub detail: String,
}

/// What the core thinks of a message that came over a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Judgement {
    /// It holds: pass it on.
    Accept,
    /// Nobody's fault: do not pass it on.
    Ignore,
    /// It is forged: blame whoever sent it.
    Reject,
}

/// Why a dial failed, by guilty party.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialError {
    /// Nothing answered in time.
    Timeout,
    /// The host refused, or there is no way to it.
    Unreachable,
    /// The locator's host name did not resolve.
    NoSuchHost,
    /// The locator is not one this transport can dial.
    BadLocator,
    /// The peer did not finish the secure handshake.
    Handshake,
    /// A peer answered with another key than the one asked for.
    WrongKey {
        /// The key that was asked for.
        expected: NodeId,
        /// The key that answered.
        actual: NodeId,
    },
    /// This node has reached its own limit of links.
    Full,
    /// Whoever answered was refused.
    Refused(PeerFault),
    /// The host node that leads there is not attached now.
    NotAttached,
}

/// Why a listener is not listening.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenError {
    /// Another program has the address.
    AddressInUse,
    /// This machine has no such address.
    NoSuchAddress,
    /// The operating system forbids it.
    Denied,
    /// The locator is not one this transport can listen on.
    BadLocator,
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DownReason {
    /// The core asked for it.
    Requested,
    /// The peer ended the stream in order.
    PeerClosed,
    /// The connection broke.
    Broken,
    /// The peer broke the framing rules (oversize frame, bad lane, interleaved fragments).
    Framing,
    /// The peer did not read what it was owed for too long.
    Stalled,
    /// The transport stopped.
    Stopped,
}

/// What the core asks of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Listen on a locator; port 0 picks a free one.
    Listen {
        /// Where.
        locator: Locator,
    },
    /// Open a link.
    Dial {
        /// The attempt's name, repeated in the answer.
        dial: DialId,
        /// Where to; a NodeId in it is the key that must answer.
        locator: Locator,
    },
    /// Send frames; their bytes are within what [`Report::Writable`] granted for their lanes.
    Send {
        /// Over which link.
        link: LinkId,
        /// In this order within each lane.
        frames: Vec<RawFrame>,
    },
    /// Send an unreliable datagram, where the traits say they exist.
    Datagram {
        /// Over which link.
        link: LinkId,
        /// At most `mtu` bytes.
        bytes: Bytes,
    },
    /// Flush what was sent, for at most a second, and end the link. Answered by `Down`.
    Close {
        /// Which link.
        link: LinkId,
    },
    /// Look for others who meet under a name, and carry messages to them all where the network can: until `Part`. Answered
    /// by `Found` for each, and by `Up` of a carrier.
    Meet {
        /// By which transport.
        scheme: Scheme,
        /// Under which name.
        rendezvous: Rendezvous,
    },
    /// Meet there no more.
    Part {
        /// By which transport.
        scheme: Scheme,
        /// Under which name.
        rendezvous: Rendezvous,
    },
    /// What became of a message that came over a carrier. Each is judged once, in any order.
    Judge {
        /// Over which carrier.
        link: LinkId,
        /// Which of the MESSAGE frames that the carrier has handed up, counted from 1. Its id would not do: two messages
        /// with one header, one of them forged, have one id.
        number: u64,
        /// What it is worth.
        judgement: Judgement,
    },
}

/// What a transport tells the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A listener is up; the locator has the real port.
    Listening {
        /// What was asked for.
        asked: Locator,
        /// What it became.
        locator: Locator,
    },
    /// A listener could not be made.
    ListenFailed {
        /// What was asked for.
        asked: Locator,
        /// Why not.
        error: ListenError,
    },
    /// A link is ready for the hello.
    Up {
        /// Its name from now on.
        link: LinkId,
        /// What is known of it.
        up: Box<LinkUp>,
    },
    /// Frames arrived, in order within each lane.
    Frames {
        /// Over which link.
        link: LinkId,
        /// At least one.
        frames: Vec<RawFrame>,
    },
    /// A datagram arrived.
    Datagram {
        /// Over which link.
        link: LinkId,
        /// Its bytes.
        bytes: Bytes,
    },
    /// The transport takes this many more body bytes on a lane. A frame may overdraw the grant once: the core sends
    /// while the balance is above zero.
    Writable {
        /// Over which link.
        link: LinkId,
        /// On which lane.
        lane: Lane,
        /// In addition to what was granted before.
        bytes: u32,
    },
    /// A link ended; nothing follows under its name.
    Down {
        /// Which link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A dial came to nothing.
    DialFailed {
        /// Which attempt.
        dial: DialId,
        /// Why.
        error: DialError,
    },
    /// A listener that was up is gone.
    Unlistened {
        /// Where it was.
        locator: Locator,
    },
    /// How the network stands that the transport is attached to, whenever that changes.
    Network(Box<NetworkReport>),
    /// A place where another node of ours may answer, found by the transport itself.
    Found {
        /// Where; with the key when it is known.
        locator: Locator,
    },
    /// Somebody was refused before the hello.
    Refused {
        /// The transport's scheme.
        scheme: Scheme,
        /// Where it came from.
        from: Locator,
        /// Why.
        fault: PeerFault,
    },
}
