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
use crosscast::{Delivery, Error, Item, LogPos, Refusal, Since, Source, Subscription};
use crosscast_wire::{GroupId, WallMillis};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use crate::params::Params;
use crate::server::{App, Reply, stopped};
use crate::since::{Cursor, Start, cursors_text, parse_start};
use crate::view::EntryView;
use crate::{ApiError, Code, inbox};

/// Groups in one stream. 64: a person's; whoever serves more opens more streams.
const GROUPS: usize = 64;

/// Payload bytes under way to a reader. 1 MiB: four full messages.
const WINDOW: u32 = 1 << 20;

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
    params.only(&["since"])?;
    groups(app, vec![text], &params, &headers).await
}

/// `GET /v1/stream?group=a&group=b`
pub(crate) async fn many_groups(State(app): State<App>, params: Params, headers: HeaderMap) -> Reply {
    params.only(&["since", "group"])?;
    let texts: Vec<String> = params.all("group").map(str::to_owned).collect();
    if texts.is_empty() || texts.len() > GROUPS {
        return Err(ApiError::new(Code::BadRequest, format!("name 1 to {GROUPS} groups: ?group=a&group=b")));
    }
    groups(app, texts, &params, &headers).await
}

/// `GET /v1/inbox/stream`
pub(crate) async fn inbox(State(app): State<App>, params: Params, headers: HeaderMap) -> Reply {
    params.only(&["since"])?;
    let place = app.stream_place()?;
    let starts = Starts::of(&params, &headers, 1, Start::Oldest)?;
    let feed = Feed::open(&app, Source::Inbox, "inbox".to_owned(), &starts, 0).await?;
    Ok(respond(Stream { feeds: vec![feed], first: 0, opened: false, place }, &app))
}

async fn groups(app: App, texts: Vec<String>, params: &Params, headers: &HeaderMap) -> Reply {
    let place = app.stream_place()?;
    let starts = Starts::of(params, headers, texts.len(), Start::Now)?;
    let mut feeds: Vec<Feed> = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let group = app.group(text).await?;
        if feeds.iter().any(|feed| feed.source == Source::Group(group)) {
            return Err(ApiError::new(Code::BadRequest, format!("`{text}` is named twice")));
        }
        feeds.push(Feed::open(&app, Source::Group(group), group.to_string(), &starts, at).await?);
    }
    Ok(respond(Stream { feeds, first: 0, opened: false, place }, &app))
}

/// Where each feed starts.
#[derive(Debug)]
struct Starts {
    cursors: Vec<Option<Cursor>>,
    otherwise: Start,
}

impl Starts {
    /// `Last-Event-ID` goes before `since`, which says where to start what the former does not name.
    fn of(params: &Params, headers: &HeaderMap, feeds: usize, default: Start) -> Result<Self, ApiError> {
        let parse = |text: &str| {
            parse_start(text).ok_or_else(|| ApiError::new(Code::BadSince, format!("`{}`", crate::text::shown(text))))
        };
        let last = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
        let last = last.filter(|text| !text.is_empty()).map(parse).transpose()?;
        let since = params.get("since").map(parse).transpose()?;
        let mut cursors = Vec::new();
        let mut otherwise = default;
        // The later one wins.
        for start in [since, last].into_iter().flatten() {
            match start {
                Start::Cursors(given) if given.len() == feeds => cursors = given,
                Start::Cursors(given) => {
                    let cause = format!("{} cursors for {feeds} groups", given.len());
                    return Err(ApiError::new(Code::BadSince, cause));
                }
                Start::After(_) if feeds > 1 => {
                    return Err(ApiError::new(Code::BadSince, "a message id starts a stream of one group"));
                }
                other @ (Start::Now | Start::Oldest | Start::After(_) | Start::Time(_)) => {
                    otherwise = other;
                    cursors = Vec::new();
                }
            }
        }
        Ok(Self { cursors, otherwise })
    }
}

/// One group, or the inbox, within a stream.
#[derive(Debug)]
struct Feed {
    source: Source,
    name: String,
    subscription: Subscription,
    /// Where to resume; unknown before the first entry of a start that is not a position.
    cursor: Option<Cursor>,
    /// Entries of the message at this position that were had before.
    had: Option<Cursor>,
    ended: bool,
}

impl Feed {
    async fn open(app: &App, source: Source, name: String, starts: &Starts, at: usize) -> Result<Self, ApiError> {
        let cursor = starts.cursors.get(at).copied().flatten();
        let (since, cursor) = match (cursor, &starts.otherwise) {
            (Some(cursor), _) => (Since::After(LogPos(cursor.pos.saturating_sub(1))), Some(cursor)),
            (None, Start::Now) => head(app, source).await?,
            (None, Start::Oldest | Start::Cursors(_)) => (Since::Oldest, None),
            (None, Start::After(id)) => (Since::AfterMessage(*id), None),
            (None, Start::Time(millis)) => (Since::Time(WallMillis(*millis)), None),
        };
        let had = cursor.filter(|cursor| cursor.index > 0);
        let subscription = match app.node.subscribe(source, since, WINDOW).await {
            // What was asked for is the present; that the head was trimmed meanwhile is nobody's loss.
            Err(Error::Refused(Refusal::NoHistory)) if starts.otherwise == Start::Now && starts.cursors.is_empty() => {
                app.node.subscribe(source, Since::Now, WINDOW).await?
            }
            answer => answer?,
        };
        Ok(Self { source, name, subscription, cursor, had, ended: false })
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let item = self.subscription.poll_next(cx);
        self.ended = matches!(item, Poll::Ready(None));
        item
    }
}

/// The present as a position, so that a reader can resume at it.
async fn head(app: &App, source: Source) -> Result<(Since, Option<Cursor>), ApiError> {
    let group: GroupId = match source {
        Source::Group(group) => group,
        Source::Inbox => return Ok((Since::Now, None)),
    };
    let known = app.known(group, true).await?;
    let known = known.ok_or_else(|| ApiError::new(Code::UnknownGroup, format!("{group} is not one of this node's")))?;
    Ok((Since::After(known.head), Some(Cursor::after(known.head.0))))
}

/// The body of an answer as it is pulled.
struct Stream {
    feeds: Vec<Feed>,
    /// The feed that is asked first: each in turn.
    first: usize,
    opened: bool,
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

#[derive(Debug, Serialize)]
struct GapView<'a> {
    group: &'a str,
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
            Err(_) => Some(Bytes::from_static(b": alive\n\n")),
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
                match feed.poll(cx) {
                    Poll::Ready(Some(Item::Delivery(delivery))) => self.write(at, &delivery, text),
                    Poll::Ready(Some(Item::Gap)) => self.write_gap(at, text),
                    Poll::Ready(None) | Poll::Pending => break,
                }
            }
        }
        if !text.is_empty() || self.feeds.iter().all(|feed| feed.ended) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn write(&mut self, at: usize, delivery: &Delivery, text: &mut String) {
        let count = delivery.entries.len();
        let Some(feed) = self.feeds.get_mut(at) else { return };
        let had = feed.had.take().filter(|had| had.pos == delivery.cursor.0).map_or(0, |had| had.index);
        if matches!(feed.source, Source::Inbox) {
            for view in inbox::views(delivery).skip(usize::from(had)) {
                if let Some(feed) = self.feeds.get_mut(at) {
                    feed.cursor = Some(Cursor::after(delivery.cursor.0));
                }
                self.event(text, None, &crate::text::json(&view).unwrap_or_default());
            }
            return;
        }
        for (index, entry) in (0u16..).zip(delivery.entries.iter()).skip(usize::from(had)) {
            let Some(feed) = self.feeds.get_mut(at) else { return };
            feed.cursor = Some(Cursor::after_entry(delivery.cursor.0, index, count));
            let name = std::mem::take(&mut feed.name);
            let view = EntryView::of(delivery, &name, index, &entry, self.cursors());
            self.event(text, None, &crate::text::json(&view).unwrap_or_default());
            if let Some(feed) = self.feeds.get_mut(at) {
                feed.name = name;
            }
        }
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
