//! What is shown of the node itself: its state, its peers, the links over which something goes.

use std::collections::BTreeMap;

use crosscast::{PeerView, TrailView};
use crosscast_wire::Roles;
use serde::{Deserialize, Serialize};

/// A round trip to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PongView {
    /// The peer.
    pub node: String,
    /// The round trip in milliseconds.
    pub rtt_ms: f64,
    /// How it is reached.
    pub path: String,
    /// Why so.
    pub reason: String,
}

/// A peer, over its preferred link: the object of `crosscast peers --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerJson {
    /// Who.
    pub node: String,
    /// Which run of it: 16 hexadecimal digits.
    pub instance: String,
    /// The name it gives itself.
    pub alias: String,
    /// What it offers to be.
    pub roles: Vec<String>,
    /// Over which network: that of the link that leads.
    pub network: String,
    /// The networks of further links to the same run, which stand by.
    pub standby: Vec<String>,
    /// Where.
    pub locator: String,
    /// `out` when this node dialled, `in` otherwise.
    pub direction: String,
    /// How it is reached.
    pub path: String,
    /// Why so.
    pub reason: String,
    /// Smoothed round trip in milliseconds, once measured.
    pub rtt_ms: Option<f64>,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received a second, lately.
    pub rx_rate: u64,
    /// Bytes sent a second, lately.
    pub tx_rate: u64,
    /// Groups both take part in.
    pub groups: u32,
    /// Bytes waiting for it.
    pub mailbox: u64,
    /// Its standing here; 0 as long as nothing speaks for or against it.
    pub score: i64,
    /// Its program and version.
    pub agent: String,
    /// When the link came up.
    pub up_since: u64,
    /// Why the last link to it ended, or the last dial failed.
    pub last_error: Option<String>,
}

impl PeerJson {
    /// Describes a peer with the rates and the last error known of it.
    #[must_use]
    pub fn of(peer: &PeerView, (rx_rate, tx_rate): (u64, u64), last_error: Option<String>) -> Self {
        Self {
            node: peer.node.to_string(),
            instance: format!("{:016x}", peer.instance.0),
            alias: peer.name.clone(),
            roles: role_words(peer.roles),
            network: peer.network.word().to_owned(),
            standby: peer.standby.iter().map(|network| network.word().to_owned()).collect(),
            locator: peer.locator.to_string(),
            direction: if peer.outbound { "out" } else { "in" }.to_owned(),
            path: peer.path.word().to_owned(),
            reason: peer.reason.word().to_owned(),
            rtt_ms: peer.rtt_us.map(millis),
            rx_bytes: peer.rx_bytes,
            tx_bytes: peer.tx_bytes,
            rx_rate,
            tx_rate,
            groups: peer.groups,
            mailbox: peer.queued_bytes,
            score: 0,
            agent: peer.agent.clone(),
            up_since: peer.up_since.0,
            last_error,
        }
    }
}

/// How a linked peer is reached, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathView {
    /// The peer.
    pub node: String,
    /// Over which network.
    pub network: String,
    /// Where.
    pub locator: String,
    /// How.
    pub path: String,
    /// Why so.
    pub reason: String,
    /// Smoothed round trip in milliseconds, once measured.
    pub rtt_ms: Option<f64>,
}

impl PathView {
    /// Describes the path to a peer.
    #[must_use]
    pub fn of(peer: &PeerView) -> Self {
        let PeerJson { node, network, locator, path, reason, rtt_ms, .. } = PeerJson::of(peer, (0, 0), None);
        Self { node, network, locator, path, reason, rtt_ms }
    }
}

/// One network this node is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// The network.
    pub network: String,
    /// `starting`, `up`, `degraded` or `down` for one that is attached to; `up` or `failed` for a listener.
    pub state: String,
    /// This node's address there, or where it listens; null when there is none, as where it only dials.
    pub address: Option<String>,
    /// The code for why it is not simply up.
    pub reason: Option<String>,
    /// More about it for people, at most 200 bytes of it from the transport, with hostile characters escaped.
    #[serde(default)]
    pub detail: Option<String>,
}

/// The node's state: the object of `crosscast status --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// This node.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Program and version, as shown to peers.
    pub agent: String,
    /// This run: 16 hexadecimal digits.
    pub instance: String,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// What it offers to be.
    pub roles: Vec<String>,
    /// Where it listens, with real ports.
    pub listen: Vec<String>,
    /// Its networks.
    pub networks: Vec<NetworkView>,
    /// Linked peers.
    pub peers: u32,
    /// Groups it is part of.
    pub groups: u32,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// How often input from peers was refused in this run, by reason; reasons that never came up are absent.
    #[serde(default)]
    pub rejects: BTreeMap<String, u64>,
    /// What the last reading of the configuration came to; null when it was read at the start only.
    #[serde(default)]
    pub reload: Option<ReloadView>,
}

/// What a reading of the configuration in a running daemon came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadView {
    /// When.
    pub time: u64,
    /// Whether the file could be used; otherwise nothing changed.
    pub ok: bool,
    /// What is wrong with it, or what of it could not be done; null when nothing.
    pub cause: Option<String>,
    /// Keys that changed and hold now.
    pub changed: Vec<String>,
    /// Keys that changed and hold after a restart.
    pub restart: Vec<String>,
}

/// A peer in detail: the object of `crosscast peer --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerDetail {
    /// Who.
    pub node: String,
    /// Each run of it that is linked, over its preferred link.
    pub instances: Vec<PeerJson>,
    /// Groups that flow over its links, by GroupId: of the first 256 here that flow over any link.
    pub groups: Vec<String>,
}

/// Over which links something goes: the object of `crosscast trace --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceView {
    /// The NodeId or GroupId.
    pub target: String,
    /// `node` or `group`.
    pub kind: String,
    /// How much of the way is known here: `whole`, when the peer at the other end of the links is the target;
    /// `first_hop`, when what lies behind is not known to this node.
    pub extent: String,
    /// The links.
    pub links: Vec<TraceLink>,
    /// How the newest message of each sender of a group came here; empty for a node.
    pub senders: Vec<TraceSender>,
    /// The round trip to a node, measured just now, in milliseconds; null for a group, or when nothing came back.
    pub measured_ms: Option<f64>,
    /// Under which name a group meets on other networks today (UTC): 64 hexadecimal digits; null for a node.
    #[serde(default)]
    pub rendezvous: Option<String>,
}

/// How the newest message of a sender came here, for a [`TraceView`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceSender {
    /// Who.
    pub from: String,
    /// Its number of the message.
    pub seq: u64,
    /// When it was sent, by its clock.
    pub time: u64,
    /// Links it crossed; 0 when it was published here.
    pub hops: u8,
    /// The network of each of them, in order, at most the newest eight: what the routers on its way say.
    pub networks: Vec<String>,
}

impl TraceSender {
    /// Describes a sender's newest message.
    #[must_use]
    pub fn of(view: &TrailView) -> Self {
        Self {
            from: view.from.to_string(),
            seq: view.seq.0,
            time: view.time.0,
            hops: view.hops,
            networks: view.trail.networks().map(|network| network.word().to_owned()).collect(),
        }
    }
}

/// A link of a [`TraceView`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TraceLink {
    /// Who is at its other end.
    pub node: String,
    /// The name it gives itself.
    pub alias: String,
    /// Over which network.
    pub network: String,
    /// Where.
    pub locator: String,
    /// `out` when this node dialled, `in` otherwise.
    pub direction: String,
    /// How.
    pub path: String,
    /// Why so.
    pub reason: String,
    /// Smoothed round trip in milliseconds, once measured.
    pub rtt_ms: Option<f64>,
    /// Bytes waiting for it.
    pub queued_bytes: u64,
}

impl TraceLink {
    /// Describes a link.
    #[must_use]
    pub fn of(peer: &PeerView) -> Self {
        let PeerJson { node, alias, network, locator, direction, path, reason, rtt_ms, mailbox: queued_bytes, .. } =
            PeerJson::of(peer, (0, 0), None);
        Self { node, alias, network, locator, direction, path, reason, rtt_ms, queued_bytes }
    }
}

/// The words of role bits.
#[must_use]
pub fn role_words(bits: u64) -> Vec<String> {
    Roles::from_known_bits(bits).words().map(str::to_owned).collect()
}

/// Microseconds as milliseconds.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a round trip of 285 years would lose a microsecond")]
pub fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}
