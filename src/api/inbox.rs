//! The inbox: what was sent to this node and not yet acknowledged.

use std::time::Duration;

use axum::extract::State;
use crosscast::{Delivery, Entry, Item, LogPos};
use crosscast_wire::ServiceId;
use serde::{Deserialize, Serialize};

use crate::params::Params;
use crate::server::{App, Body, Reply, ok};
use crate::since::{Cursor, Start, parse_start};
use crate::view::{InboxView, PayloadView};
use crate::{ApiError, Code};

/// Most messages in one list. 1,000: more comes with the next, after acknowledging, or by stream.
const LIST_MAX: usize = 1_000;

/// Silence after which a list ends before the inbox does: only a message that cannot be opened causes it. 500 ms: reading
/// from memory or disk takes less.
const QUIET: Duration = Duration::from_millis(500);

/// Payload bytes under way to a list. 1 MiB: sixteen of the largest.
const WINDOW: u32 = 1 << 20;

#[derive(Debug, Serialize)]
struct List {
    messages: Vec<InboxView>,
}

/// `GET /v1/inbox`
pub(crate) async fn list(State(app): State<App>, params: Params) -> Reply {
    params.only(&["limit"])?;
    let limit = params.get("limit").map(str::parse::<usize>).transpose();
    let limit = limit.map_err(|_| ApiError::new(Code::BadRequest, "`limit` is a whole number"))?.unwrap_or(LIST_MAX);
    let mut messages = Vec::new();
    let status = app.node.status().await?;
    let mut inbox = app.node.inbox(WINDOW).await?;
    let mut at = status.inbox_acknowledged;
    while messages.len() < limit.min(LIST_MAX) && at < status.inbox_head {
        match tokio::time::timeout(QUIET, inbox.next()).await {
            Ok(Some(Item::Delivery(delivery))) => {
                at = delivery.cursor;
                messages.extend(views(&delivery));
            }
            Ok(Some(Item::Gap)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    messages.truncate(limit);
    ok(&List { messages })
}

/// The objects of a message; one per entry, and senders put one entry in each.
pub(crate) fn views(delivery: &Delivery) -> impl Iterator<Item = InboxView> {
    let count = delivery.entries.len();
    delivery
        .fresh()
        .map(move |(index, entry)| view(delivery, &entry, Cursor::after_entry(delivery.cursor.0, index, count)))
}

/// The object of one entry.
pub(crate) fn view(delivery: &Delivery, entry: &Entry, cursor: Cursor) -> InboxView {
    InboxView {
        id: delivery.id.to_string(),
        from: delivery.from.to_string(),
        seq: delivery.seq.0,
        time: delivery.time.0,
        payload: PayloadView::of(&entry.payload),
        request: delivery.request,
        service: delivery.service.map(|key| ServiceId::new(*key.as_bytes()).to_string()),
        recipients: delivery.recipients.iter().map(ToString::to_string).collect(),
        cursor: cursor.to_string(),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledge {
    through: String,
}

#[derive(Debug, Serialize)]
struct Acknowledged {
    through: String,
}

/// Reads the cursor of a message of the inbox.
pub(crate) fn taken(text: &str) -> Result<LogPos, ApiError> {
    match parse_start(text) {
        Some(Start::Cursors(cursors)) => match cursors.as_slice() {
            [Some(cursor)] => Ok(LogPos(cursor.pos.saturating_sub(1))),
            _ => Err(not_a_cursor(text)),
        },
        Some(Start::Now | Start::Oldest | Start::After(_) | Start::Time(_)) | None => Err(not_a_cursor(text)),
    }
}

/// `POST /v1/inbox/ack` with `{"through": CURSOR}`: everything before that cursor was taken.
pub(crate) async fn acknowledge(State(app): State<App>, body: Body) -> Reply {
    let Acknowledge { through } = body.json().await?;
    app.node.acknowledge_inbox(taken(&through)?).await?;
    ok(&Acknowledged { through })
}

fn not_a_cursor(text: &str) -> ApiError {
    ApiError::new(Code::BadRequest, format!("`through` is the `cursor` of a message, not `{text}`"))
}
