//! A stream of events that outlives its connections: after a break it is opened again where it ended.
//!
//! The first connection must succeed; later ones are tried again, since a daemon that restarts keeps what it had. What
//! was seen completely is never seen again, what was not is sent again by the daemon.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use crosscast_api::Code;
use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};

use super::sse::{Event, Parser};
use super::{Client, lost, whole};
use crate::failure::Failure;

/// Pause before the first attempt to come back, and the longest. 100 ms to 1 s: a daemon is ready within half a second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Silence after which a connection counts as dead. 60 s: the daemon speaks every 15 s.
const SILENCE: Duration = Duration::from_secs(60);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a stream brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Occurrence {
    /// The data of an event.
    Data(String),
    /// Entries are missing before the next one.
    Gap(String),
    /// The connection broke; it will be opened again.
    Lost,
    /// It was opened again.
    Back,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Watch {
    client: Client,
    path: String,
    body: Option<Incoming>,
    parser: Parser,
    cursor: Option<String>,
    ready: VecDeque<Occurrence>,
    pause: Duration,
}

impl Watch {
    /// Opens the stream at `path`.
    pub(crate) async fn open(client: Client, path: String) -> Result<Self, Failure> {
        let mut watch = Self {
            client,
            path,
            body: None,
            parser: Parser::default(),
            cursor: None,
            ready: VecDeque::new(),
            pause: PAUSES.0,
        };
        watch.connect().await?;
        Ok(watch)
    }

    /// Whether something can be had without waiting.
    pub(crate) fn has_more(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Waits for what comes next. Cancelling it loses nothing but a connection attempt.
    pub(crate) async fn next(&mut self) -> Result<Occurrence, Failure> {
        loop {
            if let Some(occurrence) = self.ready.pop_front() {
                return Ok(occurrence);
            }
            if self.body.is_none() {
                self.reconnect().await?;
                return Ok(Occurrence::Back);
            }
            match self.read().await {
                Ok(Some(chunk)) => self.take(&chunk)?,
                Ok(None) | Err(_) => {
                    self.body = None;
                    self.ready.push_back(Occurrence::Lost);
                }
            }
        }
    }

    async fn read(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(body) = &mut self.body else { return Ok(None) };
        loop {
            match tokio::time::timeout(SILENCE, body.frame()).await {
                Err(_) | Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(lost(&error)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    fn take(&mut self, chunk: &Bytes) -> Result<(), Failure> {
        let mut events = Vec::new();
        let parsed = self.parser.push(chunk, &mut events);
        parsed.map_err(|_| Failure::new(Code::Internal, "the daemon's stream does not parse"))?;
        if let Some(cursor) = self.parser.last_id() {
            self.cursor = Some(cursor.to_owned());
        }
        self.pause = PAUSES.0;
        for Event { name, data, last_id: _ } in events {
            match name.as_str() {
                "" | "message" => self.ready.push_back(Occurrence::Data(data)),
                "gap" => self.ready.push_back(Occurrence::Gap(data)),
                // An event of a newer daemon.
                _ => {}
            }
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let mut request = self.client.request(Method::GET, &self.path, None, whole(""))?;
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(cursor) = self.cursor.as_deref().and_then(|cursor| HeaderValue::from_str(cursor).ok()) {
            request.headers_mut().insert(LAST_EVENT_ID, cursor);
        }
        self.parser = Parser::default();
        self.body = Some(self.client.exchange(request).await?.into_body());
        Ok(())
    }

    async fn reconnect(&mut self) -> Result<(), Failure> {
        loop {
            tokio::time::sleep(self.pause).await;
            self.pause = self.pause.saturating_mul(2).min(PAUSES.1);
            let Err(failure) = self.connect().await else { return Ok(()) };
            let passing = [Code::NoDaemon, Code::ConnectionLost, Code::ShuttingDown, Code::NotReady, Code::Limit];
            if !passing.iter().any(|code| failure.is(*code)) {
                return Err(failure);
            }
        }
    }
}
