//! Sending to one node or service, or one message to several.

use axum::extract::{Path, State};
use bytes::Bytes;
use crosscast::NodeId;
use crosscast_wire::limits::ENTRY_MAX;
use serde::Deserialize;

use crate::inspect::recipient;
use crate::params::Params;
use crate::server::{App, Body, Reply, ok, parse};
use crate::settle::{Patience, settle_unicast};
use crate::settle_list::settle_list;
use crate::view::{PayloadView, SentListView, SentView};
use crate::{ApiError, Code};

/// `POST /v1/send/{node}`: the body as it is, or JSON `{payload|payload_b64}`.
pub(crate) async fn send(State(app): State<App>, Path(text): Path<String>, params: Params, body: Body) -> Reply {
    params.only(&["wait", "timeout_ms", "life_ms"])?;
    let patience = Patience::of(&params)?;
    let life = params.millis("life_ms")?;
    let to = recipient(&text)?;
    let payload = payload(body).await?;
    // Before sending, so that no news is missed.
    let outcomes = app.node.outcomes();
    let id = app.node.send(to, payload, life).await?;
    let settled = settle_unicast(&app, outcomes, id, patience).await;
    ok(&SentView::of(id, settled.state))
}

async fn payload(body: Body) -> Result<Bytes, ApiError> {
    if body.is_json() { given(&parse(&body.bytes().await?)?) } else { checked(body.bytes().await?) }
}

fn given(payload: &PayloadView) -> Result<Bytes, ApiError> {
    let cause = "a message has either `payload` (text) or `payload_b64` (padded base64)";
    payload.bytes().ok_or_else(|| ApiError::new(Code::BadRequest, cause)).and_then(checked)
}

fn checked(payload: Bytes) -> Result<Bytes, ApiError> {
    if payload.len() > ENTRY_MAX {
        return Err(ApiError::new(Code::TooLarge, format!("{} bytes; a message holds {ENTRY_MAX}", payload.len())));
    }
    Ok(payload)
}

/// The body of `POST /v1/send`.
#[derive(Debug, Deserialize)]
struct ToMany {
    to: Vec<String>,
    #[serde(flatten)]
    payload: PayloadView,
}

/// `POST /v1/send` with `{to: [KEY..], payload|payload_b64}`: one message to all of them.
pub(crate) async fn send_many(State(app): State<App>, params: Params, body: Body) -> Reply {
    params.only(&["wait", "timeout_ms", "life_ms"])?;
    let patience = Patience::of(&params)?;
    let life = params.millis("life_ms")?;
    let ToMany { to, payload } = body.json().await?;
    let payload = given(&payload)?;
    let nodes: Vec<(String, NodeId)> =
        to.into_iter().map(|text| recipient(&text).map(|node| (text, node))).collect::<Result<_, _>>()?;
    // Before sending, so that no news is missed.
    let outcomes = app.node.outcomes();
    let id = app.node.send_many(nodes.iter().map(|(_, node)| *node).collect(), payload, life).await?;
    ok(&SentListView { messages: settle_list(outcomes, id, nodes, patience).await })
}
