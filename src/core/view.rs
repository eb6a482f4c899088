//! What an operator sees of a node: its state, its peers, its groups and services, the ways messages came.

use crosscast_port::{ListenError, LogPos, NetworkReport};
use crosscast_wire::{
    GroupId, Instance, Locator, Network, NodeId, PathKind, PathReason, Policy, Purpose, Rights, Seq, Trail, WallMillis,
};

/// The node's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node: NodeId,
    /// This run.
    pub instance: Instance,
    /// Where it listens, with real ports.
    pub listen: Vec<Locator>,
    /// Listeners that failed.
    pub listen_failed: Vec<(Locator, ListenError)>,
    /// How the networks stand that transports are attached to.
    pub networks: Vec<NetworkReport>,
    /// Linked peers.
    pub peers: u32,
    /// Groups it is part of.
    pub groups: u32,
    /// Cursor of the newest message in the inbox.
    pub inbox_head: LogPos,
    /// Everything in the inbox up to here has been acknowledged.
    pub inbox_acknowledged: LogPos,
    /// Refused input, by reject word.
    pub rejects: Vec<(&'static str, u64)>,
}

/// How the newest message of a group's sender came here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailView {
    /// Who.
    pub from: NodeId,
    /// Its number.
    pub seq: Seq,
    /// When it was sent, by the sender's clock.
    pub time: WallMillis,
    /// Links it crossed; 0 when it was published here.
    pub hops: u8,
    /// The networks of those links.
    pub trail: Trail,
}

/// A peer, over its preferred link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// Who.
    pub node: NodeId,
    /// Which run of it.
    pub instance: Instance,
    /// The name it gives itself, without control characters; may be empty.
    pub name: String,
    /// Role bits of its hello.
    pub roles: u64,
    /// Over which network.
    pub network: Network,
    /// Where.
    pub locator: Locator,
    /// Whether this node dialled.
    pub outbound: bool,
    /// Networks of the links that stand by.
    pub standby: Vec<Network>,
    /// How it is reached.
    pub path: PathKind,
    /// Why so.
    pub reason: PathReason,
    /// Smoothed round trip in microseconds, once measured.
    pub rtt_us: Option<u64>,
    /// Bytes of frame bodies received.
    pub rx_bytes: u64,
    /// Bytes of frame bodies sent.
    pub tx_bytes: u64,
    /// Groups both take part in.
    pub groups: u32,
    /// Its program and version.
    pub agent: String,
    /// When the link came up.
    pub up_since: WallMillis,
    /// Bytes waiting for it.
    pub queued_bytes: u64,
}

/// A group this node is part of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupView {
    /// The group.
    pub group: GroupId,
    /// Its local name.
    pub name: String,
    /// The policy in force.
    pub policy: Policy,
    /// Whether payloads are sealed.
    pub sealed: bool,
    /// Whether this node holds the group key.
    pub keyholder: bool,
    /// Number of its floor record, 0 when none is known.
    pub floor: u64,
    /// What this node may do here now, by a chain of its own.
    pub rights: Rights,
    /// Last millisecond of that chain.
    pub rights_until: Option<WallMillis>,
    /// What the node lacks and asks for.
    pub asking: Option<Purpose>,
    /// Linked peers that subscribe to it.
    pub neighbours: u32,
    /// Messages kept.
    pub messages: u64,
    /// Bytes kept.
    pub bytes: u64,
    /// Cursor of the newest released message.
    pub head: LogPos,
}

/// A service of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceView {
    /// Its key, which others send to.
    pub service: NodeId,
    /// Its local name.
    pub name: String,
}
