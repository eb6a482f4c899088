//! Server-sent events: one group, many groups, or the inbox, from any point that is kept.
//!
//! Each entry is an event whose id is the cursor to resume at; an event without data names the cursor at the start, so
//! that a reader who is cut off before the first entry misses nothing either. The body is pulled as the caller reads, and
//! the node sends no more than a window beyond that.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use bytes::Bytes;
use crosscast::Source;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::feed::{EntryAt, Feed, GROUPS, Next, Starts};
use crate::params::Params;
use crate::server::{App, Reply, stopped};
use crate::since::{Start, cursors_text, parse_start};
use crate::topic::Filters;
use crate::{ApiError, Code};

/// Text after which a piece of the body is handed over. 64 KiB: large enough that bulk costs few calls.
const PIECE: usize = 64 << 10;

/// Silence after which a comment shows that the stream lives. 15 s: the standard's advice.
const ALIVE: Duration = Duration::from_secs(15);

/// `GET /v1/groups/{g}/stream`
pub(crate) async fn one_group(
    State(app): State<App>,
    Path(text): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Reply {
    params.only(&["since", "topic"])?;
    open(app, vec![text], &params, &headers, Start::Now).await
}

/// `GET /v1/stream?group=a&group=b`
pub(crate) async fn many_groups(State(app): State<App>, params: Params, headers: HeaderMap) -> Reply {
    params.only(&["since", "group", "topic"])?;
    let texts: Vec<String> = params.all("group").map(str::to_owned).collect();
    if texts.is_empty() {
        return Err(ApiError::new(Code::BadRequest, format!("name 1 to {GROUPS} groups: ?group=a&group=b")));
    }
    open(app, texts, &params, &headers, Start::Now).await
}

/// `GET /v1/inbox/stream`
pub(crate) async fn inbox(State(app): State<App>, params: Params, headers: HeaderMap) -> Reply {
    params.only(&["since"])?;
    open(app, Vec::new(), &params, &headers, Start::Oldest).await
}

async fn open(app: App, groups: Vec<String>, params: &Params, headers: &HeaderMap, default: Start) -> Reply {
    let place = app.stream_place()?;
    let filters = Filters::parse(params.all("topic"))?;
    let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    let last = last.filter(|text| !text.is_empty()).map(start).transpose()?;
    let since = params.get("since").map(start).transpose()?;
    // `Last-Event-ID` goes before `since`, which says where to start what the former does not name.
    let starts = Starts::of([since, last], groups.len().max(1), default)?;
    let feeds = Feed::open_all(&app, &groups, &starts, &filters).await?;
    Ok(respond(Stream { feeds, first: 0, opened: false, app: app.clone(), place }, &app))
}

/// Reads where a stream is to start.
pub(crate) fn start(text: &str) -> Result<Start, ApiError> {
    parse_start(text).ok_or_else(|| ApiError::new(Code::BadSince, format!("`{}`", crate::text::shown(text))))
}

/// The body of an answer as it is pulled.
struct Stream {
    feeds: Vec<Feed>,
    /// The feed that is asked first: each in turn.
    first: usize,
    opened: bool,
    app: App,
    #[expect(dead_code, reason = "held for as long as the stream lasts")]
    place: OwnedSemaphorePermit,
}

fn respond(stream: Stream, app: &App) -> axum::response::Response {
    let stop = app.stop.clone();
    let pieces = futures_util::stream::unfold((stream, stop), |(mut stream, stop)| async {
        let piece = tokio::select! {
            piece = stream.next_piece() => piece?,
            () = stopped(stop.clone()) => return None,
        };
        Some((Ok::<Bytes, std::convert::Infallible>(piece), (stream, stop)))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, axum::body::Body::from_stream(pieces)).into_response()
}

/// What stands in an event `gap`.
#[derive(Debug, Serialize)]
pub(crate) struct GapView<'a> {
    pub(crate) group: &'a str,
}

impl Stream {
    /// The next piece of the body; `None` when every feed has ended.
    async fn next_piece(&mut self) -> Option<Bytes> {
        let mut text = String::new();
        if !std::mem::replace(&mut self.opened, true) {
            self.event(&mut text, None, "");
            return Some(text.into());
        }
        match tokio::time::timeout(ALIVE, poll_fn(|cx| self.poll_items(cx, &mut text))).await {
            Ok(()) if text.is_empty() => None,
            Ok(()) => Some(text.into()),
            Err(_) => {
                // With the cursor, which entries that are not wanted may have moved.
                text.push_str(": alive\n");
                self.event(&mut text, None, "");
                Some(text.into())
            }
        }
    }

    /// Writes what is there; ready when there was something, or nothing can follow.
    fn poll_items(&mut self, cx: &mut Context<'_>, text: &mut String) -> Poll<()> {
        let count = self.feeds.len();
        self.first = self.first.wrapping_add(1);
        for turn in 0..count {
            let at = self.first.wrapping_add(turn) % count.max(1);
            while text.len() < PIECE {
                let Some(feed) = self.feeds.get_mut(at) else { break };
                match feed.poll_front(cx) {
                    Poll::Ready(Some(_)) => {}
                    Poll::Ready(None) | Poll::Pending => break,
                }
                match feed.take() {
                    Some(Next::Entry(entry)) => self.write(at, &entry, text),
                    Some(Next::Gap) => self.write_gap(at, text),
                    None => break,
                }
            }
        }
        if !text.is_empty() || self.feeds.iter().all(|feed| feed.ended) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn write(&self, at: usize, entry: &EntryAt, text: &mut String) {
        let Some(feed) = self.feeds.get(at) else { return };
        let data = match feed.source {
            Source::Inbox => crate::text::json(&entry.inbox_view()),
            Source::Group(_) => crate::text::json(&entry.view(&feed.name, self.cursors())),
        };
        self.app.counters.streamed();
        self.event(text, None, &data.unwrap_or_default());
    }

    fn write_gap(&self, at: usize, text: &mut String) {
        let group = self.feeds.get(at).map(|feed| feed.name.as_str()).unwrap_or_default();
        let data = crate::text::json(&GapView { group }).unwrap_or_default();
        self.event(text, Some("gap"), &data);
    }

    /// The cursors of all feeds.
    fn cursors(&self) -> String {
        cursors_text(self.feeds.iter().map(|feed| feed.cursor))
    }

    fn event(&self, text: &mut String, name: Option<&str>, data: &str) {
        // Writing to a String cannot fail.
        if let Some(name) = name {
            let _ = writeln!(text, "event: {name}");
        }
        let _ = writeln!(text, "id: {}", self.cursors());
        if !data.is_empty() {
            let _ = writeln!(text, "data: {data}");
        }
        text.push('\n');
    }
}
