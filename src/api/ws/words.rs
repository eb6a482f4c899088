//! What either side may say: one object per frame, told apart by `op`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ErrorBody;
use crate::view::{EntryView, InboxView, PublishedView, SentView};
use crate::{ApiError, Code};

/// What an application asks.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Ask {
    /// Read groups, or the inbox.
    Subscribe(Subscribe),
    /// More may be sent.
    Credit(Credit),
    /// Everything before a cursor was taken for good.
    Ack(Ack),
    /// Read no more.
    Unsubscribe(Unsubscribe),
    /// Publish an entry.
    Publish(Publish),
    /// Send to a node.
    Send(Send),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscribe {
    pub(super) sub: u64,
    #[serde(default)]
    pub(super) groups: Vec<String>,
    #[serde(default)]
    pub(super) inbox: bool,
    #[serde(default)]
    pub(super) since: Option<String>,
    /// The cursor that is kept under this name goes before `since`.
    #[serde(default)]
    pub(super) name: Option<String>,
    /// Start at `since` all the same.
    #[serde(default)]
    pub(super) reset: bool,
    #[serde(default)]
    pub(super) topics: Vec<String>,
    #[serde(default)]
    pub(super) entries: Option<u64>,
    #[serde(default)]
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credit {
    pub(super) sub: u64,
    #[serde(default)]
    pub(super) entries: Option<u64>,
    #[serde(default)]
    pub(super) bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ack {
    pub(super) sub: u64,
    pub(super) cursor: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unsubscribe {
    pub(super) sub: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publish {
    #[serde(rename = "ref")]
    pub(super) number: u64,
    pub(super) group: String,
    #[serde(default)]
    pub(super) payload: Option<String>,
    #[serde(default)]
    pub(super) payload_b64: Option<String>,
    #[serde(default)]
    pub(super) topic: Option<String>,
    #[serde(default)]
    pub(super) content_type: Option<String>,
    #[serde(default)]
    pub(super) key: Option<String>,
    #[serde(default)]
    pub(super) class: Option<String>,
    #[serde(default)]
    pub(super) life_ms: Option<u64>,
    #[serde(default)]
    pub(super) wait: Option<String>,
    #[serde(default)]
    pub(super) timeout_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Send {
    #[serde(rename = "ref")]
    pub(super) number: u64,
    pub(super) to: String,
    #[serde(default)]
    pub(super) payload: Option<String>,
    #[serde(default)]
    pub(super) payload_b64: Option<String>,
    #[serde(default)]
    pub(super) life_ms: Option<u64>,
    #[serde(default)]
    pub(super) wait: Option<String>,
    #[serde(default)]
    pub(super) timeout_ms: Option<u64>,
}

/// Which of its asks or subscriptions a failure belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) number: Option<u64>,
    pub(super) sub: Option<u64>,
}

impl About {
    /// As far as the object says.
    pub(super) fn of(object: &Map<String, Value>) -> Self {
        Self { number: object.get("ref").and_then(Value::as_u64), sub: object.get("sub").and_then(Value::as_u64) }
    }

    /// An ask with this number.
    pub(super) const fn ask(number: u64) -> Self {
        Self { number: Some(number), sub: None }
    }
}

/// Reads an ask.
pub(super) fn read(object: Map<String, Value>) -> Result<Ask, ApiError> {
    serde_json::from_value(Value::Object(object)).map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
}

/// What the daemon says.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(super) enum Say {
    /// First of all: who speaks, and what it takes.
    Hello { protocol: u32, node: String, version: String, limits: Limits },
    /// A subscription has begun, here.
    Subscribed { sub: u64, cursor: String },
    /// An entry of a group.
    Entry {
        sub: u64,
        #[serde(flatten)]
        entry: Box<EntryView>,
    },
    /// A message of the inbox.
    Message {
        sub: u64,
        #[serde(flatten)]
        message: Box<InboxView>,
    },
    /// Entries are missing before the next one.
    Gap { sub: u64, group: String },
    /// Something waits that the credit does not cover; it weighs this much.
    Starved { sub: u64, bytes: u64 },
    /// The subscription has passed entries that its topics do not want, up to here.
    Position { sub: u64, cursor: String },
    /// The cursor was kept.
    Acked { sub: u64, cursor: String },
    /// A subscription has ended, here.
    Unsubscribed { sub: u64, cursor: String },
    /// What became of an entry.
    Published {
        #[serde(rename = "ref")]
        number: u64,
        #[serde(flatten)]
        published: PublishedView,
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// What became of a message to a node.
    Sent {
        #[serde(rename = "ref")]
        number: u64,
        #[serde(flatten)]
        sent: SentView,
        #[serde(rename = "final")]
        is_final: bool,
    },
    /// Something was not done.
    Error {
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        number: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub: Option<u64>,
        #[serde(flatten)]
        error: ErrorBody,
    },
}

impl Say {
    pub(super) fn error(about: About, error: &ApiError) -> Self {
        Self::Error { number: about.number, sub: about.sub, error: error.body() }
    }
}

/// What a socket takes.
#[derive(Debug, Serialize)]
pub(super) struct Limits {
    pub(super) frame_bytes: usize,
    pub(super) subscriptions: usize,
    pub(super) groups: usize,
    pub(super) outstanding: usize,
    pub(super) outstanding_bytes: usize,
}
