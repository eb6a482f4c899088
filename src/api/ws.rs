//! `GET /v1/ws`: one WebSocket for both directions (RFC 6455).
//!
//! A text frame holds one object of JSON, a binary frame the same object in CBOR; answers come in the form of what they
//! answer. Applications subscribe with credit, and never get more than they granted; publish and send with a number of
//! theirs, and hear what becomes of it; and acknowledge, which moves a cursor that the daemon keeps under a name. The
//! words are in `docs/guide/local-api.md`, their schemas in `docs/spec/json`.

mod form;
mod jobs;
mod session;
mod subs;
mod words;

use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;

use crate::params::Params;
use crate::server::{App, Reply};
use crate::{ApiError, Code};

/// Largest frame in bytes. 512 KiB: an entry of 64 KiB in JSON escapes is at most 400 KiB.
const FRAME_MAX: usize = 512 << 10;

/// `GET /v1/ws`
pub(crate) async fn open(
    State(app): State<App>,
    params: Params,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Reply {
    params.only(&[])?;
    let upgrade = upgrade.map_err(|error| {
        ApiError::new(Code::BadRequest, format!("this endpoint speaks WebSocket only: {}", error.body_text()))
    })?;
    let place = app.stream_place()?;
    let upgrade = upgrade.max_message_size(FRAME_MAX).max_frame_size(FRAME_MAX);
    Ok(upgrade.on_upgrade(move |socket| Box::pin(session::run(app, socket, place))))
}
