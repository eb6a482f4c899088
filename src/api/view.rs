//! The JSON that readers see: one shape per thing, with exactly the fields that are documented.
//!
//! Keys, hashes and closed words stand in their text form, times in milliseconds since the Unix epoch, a payload as text
//! when it is UTF-8 and in base64 otherwise.

mod node;

use bytes::Bytes;
use crosscast::{Delivery, GroupView};
use crosscast_wire::{Entry, MessageId, State};
use serde::{Deserialize, Serialize};

use crate::base64;

pub use node::{
    NetworkView, PathView, PeerDetail, PeerJson, PongView, ReloadView, StatusView, TraceLink, TraceSender, TraceView,
    millis, role_words,
};

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
    /// The networks of the links it crossed, in order, at most eight: what the routers on its way say.
    #[serde(default)]
    pub trail: Vec<String>,
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
            trail: delivery.trail.networks().map(|network| network.word().to_owned()).collect(),
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
    /// Whether it was published before, by its key, and nothing was published now; absent when not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
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
