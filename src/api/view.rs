//! The JSON that readers see: one shape per thing, with exactly the fields that are documented.
//!
//! Keys, hashes and closed words stand in their text form, times in milliseconds since the Unix epoch, a payload as text
//! when it is UTF-8 and in base64 otherwise.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast::{Delivery, GroupView, PeerView};
use crosscast_wire::{Entry, MessageId, Roles, State};
use serde::{Deserialize, Serialize};

use crate::base64;

/// A payload as JSON: one of two fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadView {
    /// The payload, when it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// The payload in base64, otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_b64: Option<String>,
}

impl PayloadView {
    /// Writes bytes in the form that fits.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { payload: Some(text.to_owned()), payload_b64: None },
            Err(_) => Self { payload: None, payload_b64: Some(base64::encode(bytes)) },
        }
    }

    /// The bytes; `None` when there is not exactly one of the fields, or the base64 is wrong.
    #[must_use]
    pub fn bytes(&self) -> Option<Bytes> {
        match (&self.payload, &self.payload_b64) {
            (Some(text), None) => Some(Bytes::copy_from_slice(text.as_bytes())),
            (None, Some(text)) => base64::decode(text).map(Bytes::from),
            (None, None) | (Some(_), Some(_)) => None,
        }
    }
}

/// One entry of a stream: the object of `crosscast sub --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryView {
    /// The message.
    pub id: String,
    /// Number of the entry in it.
    pub index: u16,
    /// The group.
    pub group: String,
    /// Who signed it.
    pub from: String,
    /// The sender's number of the message.
    pub seq: u64,
    /// When it was sent, by the sender's clock.
    pub time: u64,
    /// Its topic, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What was sent.
    #[serde(flatten)]
    pub payload: PayloadView,
    /// Links it crossed.
    pub hops: u8,
    /// Network of the last link; null when it was published here.
    pub network: Option<String>,
    /// Path of the last link; null when it was published here.
    pub path: Option<String>,
    /// The order its sender asked for.
    pub order: String,
    /// Whether messages of its sender are missing before it.
    pub gap: bool,
    /// Where to resume after it.
    pub cursor: String,
}

impl EntryView {
    /// Describes entry `index` of a delivery from `group`.
    #[must_use]
    pub fn of(delivery: &Delivery, group: &str, index: u16, entry: &Entry, cursor: String) -> Self {
        Self {
            id: delivery.id.to_string(),
            index,
            group: group.to_owned(),
            from: delivery.from.to_string(),
            seq: delivery.seq.0,
            time: delivery.time.0,
            topic: entry.meta.topic.clone(),
            payload: PayloadView::of(&entry.payload),
            hops: delivery.hops,
            network: delivery.network.map(|network| network.word().to_owned()),
            path: delivery.path.map(|path| path.word().to_owned()),
            order: delivery.order.word().to_owned(),
            // A gap is before the message, so its first entry bears the mark.
            gap: delivery.gap && index == 0,
            cursor,
        }
    }
}

/// What became of one entry: the object of `crosscast pub --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedView {
    /// The message.
    pub id: String,
    /// Number of the entry in it.
    pub index: u16,
    /// Its state.
    pub state: String,
    /// How many next hops have acknowledged it.
    pub links: u32,
    /// How many cores keep it.
    pub cores: u32,
}

/// What became of a message to one node: the object of `crosscast send --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentView {
    /// The message.
    pub id: String,
    /// Its state.
    pub state: String,
}

impl SentView {
    /// Describes a message in a state.
    #[must_use]
    pub fn of(id: MessageId, state: State) -> Self {
        Self { id: id.to_string(), state: state.word().to_owned() }
    }
}

/// What became of a message for one of several recipients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentToView {
    /// The recipient, as the caller wrote it.
    pub node: String,
    /// The message.
    #[serde(flatten)]
    pub sent: SentView,
    /// Why, where a reason is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What became of a message to several nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentListView {
    /// One for each recipient, in the caller's order.
    pub messages: Vec<SentToView>,
}

/// One message of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxView {
    /// The message.
    pub id: String,
    /// Who sent it.
    pub from: String,
    /// The sender's number of the message.
    pub seq: u64,
    /// When it was sent, by the sender's clock.
    pub time: u64,
    /// What was sent.
    #[serde(flatten)]
    pub payload: PayloadView,
    /// Whether its sender is a stranger.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub request: bool,
    /// The service it was sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Everybody it was sent to, when its sender named several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<String>,
    /// What to acknowledge, and where to resume, after it.
    pub cursor: String,
}

/// A group of this node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupJson {
    /// The GroupId.
    pub group: String,
    /// Its local name.
    pub name: String,
    /// Who may publish.
    pub policy: String,
    /// Whether payloads are sealed.
    pub sealed: bool,
    /// Whether this node holds the group key.
    pub keyholder: bool,
    /// Number of its floor record, 0 when none is known.
    pub floor: u64,
    /// What this node may do in a group of capabilities.
    pub rights: Vec<String>,
    /// Until when, unless it is renewed; null without rights of its own.
    pub rights_until: Option<u64>,
    /// What the node is asking for: `join`, `renew` or `key`; null when nothing is lacking.
    pub asking: Option<String>,
    /// Linked peers that subscribe to it.
    pub neighbours: u32,
    /// Messages kept.
    pub messages: u64,
    /// Bytes kept.
    pub bytes: u64,
    /// Cursor behind the newest message.
    pub head: String,
}

impl GroupJson {
    /// Describes a group.
    #[must_use]
    pub fn of(group: &GroupView) -> Self {
        Self {
            group: group.group.to_string(),
            name: group.name.clone(),
            policy: group.policy.word().to_owned(),
            sealed: group.sealed,
            keyholder: group.keyholder,
            floor: group.floor,
            rights: group.rights.words().map(str::to_owned).collect(),
            rights_until: group.rights_until.map(|until| until.0),
            asking: group.asking.map(|purpose| purpose.word().to_owned()),
            neighbours: group.neighbours,
            messages: group.messages,
            bytes: group.bytes,
            head: crate::since::Cursor::after(group.head.0).to_string(),
        }
    }
}

/// A group that was made, joined or invited to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketView {
    /// The GroupId.
    pub group: String,
    /// Its local name.
    pub name: String,
    /// What lets others join; absent after joining.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

/// Rights that were granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// The GroupId.
    pub group: String,
    /// To whom.
    pub node: String,
    /// Which, as far as the issuer has them.
    pub rights: Vec<String>,
    /// Until when, unless they are renewed.
    pub until: u64,
}

/// Rights that were taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedView {
    /// The GroupId.
    pub group: String,
    /// Whose; absent for an invite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Whether it was an invite, with everyone whom it let in.
    pub invite: bool,
}

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
    /// Over which network.
    pub network: String,
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
        Self {
            node: peer.node.to_string(),
            network: peer.network.word().to_owned(),
            locator: peer.locator.to_string(),
            path: peer.path.word().to_owned(),
            reason: peer.reason.word().to_owned(),
            rtt_ms: peer.rtt_us.map(millis),
        }
    }
}

/// One network this node is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// The network.
    pub network: String,
    /// `up`, or `failed`.
    pub state: String,
    /// Where it listens; null when it only dials.
    pub address: Option<String>,
    /// Why it failed, or does not listen.
    pub reason: Option<String>,
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
