//! Sending to one node.

use axum::extract::{Path, State};
use bytes::Bytes;
use crosscast_wire::limits::ENTRY_MAX;

use crate::inspect::node_id;
use crate::params::Params;
use crate::server::{App, Body, Reply, ok, parse};
use crate::settle::{Patience, settle_unicast};
use crate::view::{PayloadView, SentView};
use crate::{ApiError, Code};

/// `POST /v1/send/{node}`: the body as it is, or JSON `{payload|payload_b64}`.
pub(crate) async fn send(State(app): State<App>, Path(text): Path<String>, params: Params, body: Body) -> Reply {
    params.only(&["wait", "timeout_ms", "life_ms"])?;
    let patience = Patience::of(&params)?;
    let life = params.millis("life_ms")?;
    let to = node_id(&text)?;
    let payload = payload(body).await?;
    if payload.len() > ENTRY_MAX {
        return Err(ApiError::new(Code::TooLarge, format!("{} bytes; a message holds {ENTRY_MAX}", payload.len())));
    }
    // Before sending, so that no news is missed.
    let outcomes = app.node.outcomes();
    let id = app.node.send(to, payload, life).await?;
    let settled = settle_unicast(&app, outcomes, id, to, patience).await;
    ok(&SentView::of(id, settled.state))
}

async fn payload(body: Body) -> Result<Bytes, ApiError> {
    if !body.is_json() {
        return body.bytes().await;
    }
    let given: PayloadView = parse(&body.bytes().await?)?;
    let cause = "a message has either `payload` (text) or `payload_b64` (padded base64)";
    given.bytes().ok_or_else(|| ApiError::new(Code::BadRequest, cause))
}
