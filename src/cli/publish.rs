//! `crosscast pub`: one text, or the lines of standard input as they come.
//!
//! Lines go up in one request and their fates come back in it, so that many are as fast as the daemon is. A line that
//! nobody has acknowledged when the wait is over is told of, never passed over.

use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use crosscast_api::view::{GroupJson, PublishedView};
use crosscast_api::{Code, ErrorBody, Line, Lines};
use http_body_util::BodyExt as _;
use hyper::Method;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::Context;
use crate::args::{ClassArg, PubArgs, WaitArg};
use crate::client::{Client, Payload, escaped, lost, pieces};
use crate::failure::Failure;

/// What is read of standard input at once, in bytes. 64 KiB: what a pipe holds.
const READ: usize = 64 << 10;

/// Pieces of standard input on their way. 16: a megabyte.
const PIECES: usize = 16;

/// Longest line of an answer that is read, in bytes. 64 KiB: answers have a few hundred.
const ANSWER_LINE: usize = 64 << 10;

/// A line of the answer: a fate, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Fate {
    /// It was published.
    Published(PublishedView),
    /// It was not.
    Failed {
        /// Its number, from 1.
        line: u64,
        /// Why.
        #[serde(flatten)]
        error: ErrorBody,
    },
}

/// Publishes.
pub(crate) async fn publish(client: &Client, args: PubArgs, context: &mut Context) -> Result<(), Failure> {
    match args.text.clone() {
        Some(text) => one(client, &args, text.into(), context).await,
        None => lines(client, &args, context).await,
    }
}

async fn one(client: &Client, args: &PubArgs, text: Bytes, context: &mut Context) -> Result<(), Failure> {
    let published: PublishedView = client.post(&path(client, args, None), text).await?;
    let mut tally = Tally::default();
    tally.take(Fate::Published(published), context)?;
    tally.end(client, args, context).await
}

async fn lines(client: &Client, args: &PubArgs, context: &mut Context) -> Result<(), Failure> {
    let path = path(client, args, Some("lines"));
    let mut answers = Upload::start(client, &path, pieces(standard_input()));
    let mut tally = Tally::default();
    let work = async {
        while let Some(fates) = answers.next().await? {
            for fate in fates {
                tally.take(fate, context)?;
            }
            context.out.flush()?;
        }
        Ok(())
    };
    match client.within(work).await {
        Ok(()) => tally.end(client, args, context).await,
        Err(failure) => Err(failure),
    }
}

/// The endpoint with its options.
fn path(client: &Client, args: &PubArgs, stream: Option<&str>) -> String {
    let mut query = vec![format!("wait={}", wait_word(args.wait)), format!("class={}", class_word(args.class))];
    query.extend(stream.map(|stream| format!("stream={stream}")));
    query.extend(client.wait_ms().map(|wait| format!("timeout_ms={wait}")));
    query.extend(args.topic.as_ref().map(|topic| format!("topic={}", escaped(topic))));
    query.extend(args.key.as_ref().map(|key| format!("key={}", escaped(key))));
    query.extend(args.life.map(|life| format!("life_ms={}", life.as_millis())));
    format!("/v1/groups/{}/messages?{}", escaped(&args.group), query.join("&"))
}

pub(crate) const fn wait_word(wait: WaitArg) -> &'static str {
    match wait {
        WaitArg::Accepted => "accepted",
        WaitArg::Sent => "sent",
    }
}

const fn class_word(class: ClassArg) -> &'static str {
    match class {
        ClassArg::Urgent => "urgent",
        ClassArg::Normal => "normal",
        ClassArg::Bulk => "bulk",
    }
}

/// An upload of lines and its answers.
pub(crate) struct Upload {
    client: Client,
    request: Option<Result<hyper::Request<Payload>, Failure>>,
    body: Option<hyper::body::Incoming>,
    cutter: Lines,
}

impl Upload {
    /// Prepares an upload of a body of lines to a path with `stream=lines`.
    pub(crate) fn start(client: &Client, path: &str, body: Payload) -> Self {
        let request = client.request(Method::POST, path, Some("application/octet-stream"), body);
        Self { client: client.clone(), request: Some(request), body: None, cutter: Lines::new(ANSWER_LINE) }
    }

    /// The next answers; `None` after the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Fate>>, Failure> {
        if let Some(request) = self.request.take() {
            self.body = Some(self.client.exchange(request?).await?.into_body());
        }
        let Some(body) = &mut self.body else { return Ok(None) };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| lost(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            let mut lines = Vec::new();
            self.cutter.push(&data, &mut lines);
            if !lines.is_empty() {
                return lines.into_iter().map(read_fate).collect::<Result<Vec<_>, _>>().map(Some);
            }
        }
        Ok(None)
    }
}

fn read_fate(line: Line) -> Result<Fate, Failure> {
    let strange = || Failure::new(Code::Internal, "the daemon's answer does not parse");
    match line {
        Line::Whole(text) => serde_json::from_slice(&text).map_err(|_| strange()),
        Line::TooLong(_) => Err(strange()),
    }
}

/// What became of all lines.
#[derive(Debug, Default)]
struct Tally {
    published: u64,
    unacknowledged: u64,
    failed: u64,
    first: Option<Failure>,
}

impl Tally {
    fn take(&mut self, fate: Fate, context: &mut Context) -> Result<(), Failure> {
        match fate {
            Fate::Published(view) => {
                self.count(&view);
                if context.json {
                    context.out.json(&view)
                } else {
                    context.out.line(&format!("{} {} {} {}", view.id, view.index, view.state, view.links))
                }
            }
            Fate::Failed { line, error } => {
                self.failed = self.failed.saturating_add(1);
                let failure = Failure::answered(error);
                // Each of them is told, with its number; the first is what the verb ends with.
                Failure { cause: format!("line {line}: {}", failure.cause), ..failure.clone() }.tell(context.json);
                self.first.get_or_insert(failure);
                Ok(())
            }
        }
    }

    fn count(&mut self, view: &PublishedView) {
        match view.state.as_str() {
            "expired" => self.fail(Code::Expired, view),
            "refused" => self.fail(Code::Refused, view),
            "dropped" => self.fail(Code::Dropped, view),
            // Accepted, sent, stored, delivered, and what a newer daemon may say beyond.
            state => {
                self.published = self.published.saturating_add(1);
                self.unacknowledged = self.unacknowledged.saturating_add(u64::from(state == "accepted"));
            }
        }
    }

    fn fail(&mut self, code: Code, view: &PublishedView) {
        self.failed = self.failed.saturating_add(1);
        self.first.get_or_insert_with(|| Failure::new(code, format!("message {} was {}", view.id, view.state)));
    }

    async fn end(self, client: &Client, args: &PubArgs, context: &mut Context) -> Result<(), Failure> {
        if let Some(first) = self.first {
            let cause = format!("{} of {} not published", self.failed, self.published.saturating_add(self.failed));
            return Err(Failure { cause: format!("{cause}; first: {}", first.cause), ..first });
        }
        if self.published == 0 {
            return Err(Failure::new(Code::Empty, "standard input held no line"));
        }
        if self.unacknowledged == 0 || args.wait == WaitArg::Accepted {
            return Ok(());
        }
        context.out.flush()?;
        let cause = format!("{} of {} accepted here, acknowledged by nobody yet", self.unacknowledged, self.published);
        let group: GroupJson = client.get(&format!("/v1/groups/{}", escaped(&args.group))).await?;
        if group.neighbours > 0 {
            // Somebody should have answered, and the time is over.
            return Err(Failure::new(Code::Timeout, cause));
        }
        Failure::new(Code::NotAcknowledged, format!("{cause}: nobody of the group is linked"))
            .tell_notice(context.json);
        Ok(())
    }
}

/// Reads standard input on a thread of its own, since such a read cannot be cancelled.
fn standard_input() -> mpsc::Receiver<Bytes> {
    let (to, pieces) = mpsc::channel(PIECES);
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        loop {
            let mut piece = BytesMut::zeroed(READ);
            match input.read(&mut piece) {
                Ok(0) => return,
                Ok(len) => {
                    piece.truncate(len);
                    if to.blocking_send(piece.freeze()).is_err() {
                        return;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    eprintln!("{}", Failure::io("standard input", &error));
                    return;
                }
            }
        }
    });
    pieces
}

/// Everything standard input has, as one payload of at most `max` bytes and one more to show that it is too long.
pub(crate) fn all_of_standard_input(max: u64) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(max.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| Failure::io("standard input", &error))?;
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn each_line_is_counted_once_whatever_became_of_it() {
        let view = |state: &str| PublishedView {
            id: "id".into(),
            index: 0,
            state: state.into(),
            links: 0,
            cores: 0,
            repeated: false,
        };
        let mut tally = Tally::default();
        ["sent", "accepted", "refused", "expired"].iter().for_each(|state| tally.count(&view(state)));
        assert_eq!((tally.published, tally.unacknowledged, tally.failed), (2, 1, 2));
    }
}
