//! The words of the WebSocket: each is said once in either direction and held to its schema.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tungstenite::WebSocket;

use super::{GROUP, Taken, text_of};
use crate::daemon::Daemon;
use crate::{http, reader};

/// How long a word may take. 25 s: a position is told every 15.
const WORD: Duration = Duration::from_secs(25);

/// A socket that is listened to until the suite ends.
pub(super) struct Talk {
    socket: WebSocket<UnixStream>,
}

impl Talk {
    fn ask(&mut self, taken: &mut Taken, object: &Value) -> Result<()> {
        taken.take(&format!("ws-ask-{}", text_of(object, "op")?), "an application", object);
        reader::say(&mut self.socket, object)
    }

    /// Listens until a word comes; every word on the way is held to its schema.
    fn hear(&mut self, taken: &mut Taken, op: &str) -> Result<Value> {
        let start = Instant::now();
        while start.elapsed() < WORD {
            let Some(object) = reader::hear(&mut self.socket)? else { continue };
            let said = text_of(&object, "op")?.to_owned();
            taken.take(&format!("ws-{said}"), "GET /v1/ws", &object);
            ensure!(said != "error" || op == "error", "{object}");
            if said == op {
                return Ok(object);
            }
        }
        bail!("no `{op}` within {} s", WORD.as_secs())
    }
}

/// Says everything but what takes its time.
pub(super) fn begin(taken: &mut Taken, near: &Daemon, far: &Daemon) -> Result<Talk> {
    let mut talk = Talk { socket: reader::open_socket(far.home(), Duration::from_secs(1))? };
    talk.hear(taken, "hello")?;
    talk.ask(taken, &json!({ "op": "subscribe", "sub": 1, "inbox": true, "bytes": 1_000_000 }))?;
    talk.hear(taken, "subscribed")?;
    let path = format!("/v1/send/{}", far.node());
    http::post(near.home(), &path, b"by socket", WORD)?;
    let message = talk.hear(taken, "message")?;
    talk.ask(taken, &json!({ "op": "ack", "sub": 1, "cursor": text_of(&message, "cursor")? }))?;
    talk.hear(taken, "acked")?;

    talk.ask(taken, &json!({ "op": "subscribe", "sub": 2, "groups": [GROUP], "name": "schemas", "since": "now" }))?;
    talk.hear(taken, "subscribed")?;
    let publish = json!({
        "op": "publish", "ref": 1, "group": GROUP, "payload_b64": "/w==", "topic": "a/b", "wait": "accepted",
        "key": "8e03978e-40d5-43dd-bc93-6894a57f9324"
    });
    talk.ask(taken, &publish)?;
    talk.hear(taken, "starved")?;
    talk.ask(taken, &json!({ "op": "credit", "sub": 2, "entries": 10 }))?;
    let entry = talk.hear(taken, "entry")?;
    talk.ask(taken, &json!({ "op": "ack", "sub": 2, "cursor": text_of(&entry, "cursor")? }))?;
    talk.hear(taken, "acked")?;
    talk.ask(taken, &publish)?;
    let again = talk.hear(taken, "published")?;
    ensure!(again.get("repeated") == Some(&json!(true)), "a retried entry was answered with {again}");
    talk.ask(taken, &json!({ "op": "unsubscribe", "sub": 2 }))?;
    talk.hear(taken, "unsubscribed")?;
    talk.ask(taken, &json!({ "op": "send", "ref": 2, "to": near.node(), "payload": "by socket" }))?;
    talk.hear(taken, "sent")?;
    talk.hear(taken, "sent")?;
    talk.ask(taken, &json!({ "op": "credit", "sub": 9, "bytes": 1 }))?;
    let error = talk.hear(taken, "error")?;
    ensure!(error.get("sub") == Some(&json!(9)), "{error}");

    let quiet = json!({ "op": "subscribe", "sub": 3, "groups": [GROUP], "topics": ["quiet/#"], "entries": 10 });
    talk.ask(taken, &quiet)?;
    talk.hear(taken, "subscribed")?;
    http::post(near.home(), &format!("/v1/groups/{GROUP}/messages?topic=loud"), b"loud", WORD)?;
    Ok(talk)
}

/// Waits for what takes its time.
pub(super) fn end(taken: &mut Taken, mut talk: Talk) -> Result<()> {
    let position = talk.hear(taken, "position")?;
    ensure!(position.get("sub").context("a number")? == 3, "{position}");
    Ok(())
}
