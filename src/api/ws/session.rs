//! One socket from its hello to its close: frames in, frames out, and a look now and then whether the other side lives.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::MissedTickBehavior;

use super::FRAME_MAX;
use super::form::{self, Form};
use super::jobs::{Jobs, OUTSTANDING, OUTSTANDING_BYTES};
use super::subs::{SUBSCRIPTIONS, Subs};
use super::words::{self, About, Ask, Limits, Say};
use crate::feed::GROUPS;
use crate::server::{App, stopped};
use crate::{ApiError, Code};

/// Version of the words.
const PROTOCOL: u32 = 1;

/// How often the other side is asked for a sign of life. 15 s: as streams of events give one.
const PING: Duration = Duration::from_secs(15);

/// Silence after which the other side is gone. 45 s: three questions unanswered.
const SILENCE: Duration = Duration::from_secs(45);

/// How long the other side may take to take what it is given. 60 s: then it does not read.
const WRITE: Duration = Duration::from_secs(60);

/// Why a socket ends.
struct End {
    code: u16,
    reason: &'static str,
}

/// Serves a socket.
pub(super) async fn run(app: App, socket: WebSocket, place: OwnedSemaphorePermit) {
    let (sink, stream) = socket.split();
    let session = Session {
        heard: Instant::now(),
        subs: Subs::default(),
        jobs: Jobs::start(app.clone()),
        out: Vec::new(),
        sink,
        app,
    };
    Box::pin(session.serve(stream)).await;
    drop(place);
}

struct Session {
    app: App,
    heard: Instant,
    subs: Subs,
    jobs: Jobs,
    out: Vec<Message>,
    sink: SplitSink<WebSocket, Message>,
}

impl Session {
    async fn serve(mut self, mut stream: SplitStream<WebSocket>) {
        let limits = Limits {
            frame_bytes: FRAME_MAX,
            subscriptions: SUBSCRIPTIONS,
            groups: GROUPS,
            outstanding: OUTSTANDING,
            outstanding_bytes: OUTSTANDING_BYTES,
        };
        let (node, version) = (self.app.node.node_id().to_string(), self.app.about.version.clone());
        self.say(Form::Json, &Say::Hello { protocol: PROTOCOL, node, version, limits });
        let mut tick = tokio::time::interval(PING);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tick.reset();
        let stop = self.app.stop.clone();
        let end = loop {
            if self.flush().await.is_err() {
                return;
            }
            let (subs, app, out) = (&mut self.subs, &self.app, &mut self.out);
            tokio::select! {
                frame = stream.next() => match self.take(frame).await {
                    Ok(()) => {}
                    Err(Some(end)) => break end,
                    Err(None) => return,
                },
                Some(news) = self.jobs.news() => self.out.push(news.message),
                () = poll_fn(|cx| subs.poll(app, cx, out)) => {}
                _ = tick.tick() => {
                    if self.heard.elapsed() > SILENCE {
                        break End { code: close_code::POLICY, reason: "no sign of life for 45 s" };
                    }
                    self.out.push(Message::Ping(Vec::new().into()));
                    let positions = self.subs.positions();
                    self.out.extend(positions);
                }
                () = stopped(stop.clone()) => break End { code: close_code::AWAY, reason: "the daemon is shutting down" },
            }
        };
        let frame = CloseFrame { code: end.code, reason: end.reason.into() };
        self.out.push(Message::Close(Some(frame)));
        // Whoever does not take the goodbye has gone.
        let _ = self.flush().await;
    }

    fn say(&mut self, form: Form, say: &Say) {
        self.out.push(form.write(say));
    }

    /// Hands over what there is to say.
    async fn flush(&mut self) -> Result<(), ()> {
        let write = async {
            for message in self.out.drain(..) {
                self.sink.feed(message).await?;
            }
            self.sink.flush().await
        };
        match tokio::time::timeout(WRITE, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(()),
        }
    }

    /// Takes a frame; an error ends the socket, with a goodbye when there is somebody to hear it.
    async fn take(&mut self, frame: Option<Result<Message, axum::Error>>) -> Result<(), Option<End>> {
        let frame = match frame {
            None | Some(Ok(Message::Close(_))) => return Err(None),
            Some(Err(error)) => {
                tracing::debug!(%error, "a WebSocket broke");
                return Err(Some(End { code: close_code::SIZE, reason: "too large a frame, or none at all" }));
            }
            Some(Ok(frame)) => frame,
        };
        self.heard = Instant::now();
        let (form, object) = match &frame {
            Message::Text(text) => (Form::Json, form::read_json(text)),
            Message::Binary(bytes) => (Form::Cbor, form::read_cbor(bytes)),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
        };
        let done = match object {
            Ok(object) => {
                let about = About::of(&object);
                match words::read(object) {
                    Ok(ask) => self.answer(form, ask).await.map_err(|error| (about, error)),
                    Err(error) => Err((about, error)),
                }
            }
            Err(error) => Err((About::default(), error)),
        };
        match done {
            Ok(Some(say)) => self.say(form, &say),
            Ok(None) => {}
            Err((about, error)) => self.say(form, &Say::error(about, &error)),
        }
        Ok(())
    }

    async fn answer(&mut self, form: Form, ask: Ask) -> Result<Option<Say>, ApiError> {
        match ask {
            Ask::Subscribe(ask) => self.subs.subscribe(&self.app, form, ask).await.map(Some),
            Ask::Credit(ask) if ask.entries.is_none() && ask.bytes.is_none() => {
                Err(ApiError::new(Code::BadRequest, "credit is `entries`, `bytes`, or both"))
            }
            Ask::Credit(ask) => self.subs.credit(ask.sub, ask.entries, ask.bytes).map(|()| None),
            Ask::Ack(ask) => self.subs.acknowledge(&self.app.node, ask.sub, &ask.cursor).await.map(Some),
            Ask::Unsubscribe(ask) => self.subs.unsubscribe(ask.sub).map(Some),
            Ask::Publish(ask) => self.jobs.publish(form, ask).map(|()| None),
            Ask::Send(ask) => self.jobs.send(form, ask).map(|()| None),
        }
    }
}
