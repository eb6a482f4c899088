//! Lines published as they arrive, answered in JSON Lines in the same order while the upload goes on.
//!
//! One task reads and publishes, the answer's body waits for what becomes of each message. Between them is a bounded
//! queue, so that a caller who does not read the answers is slowed down rather than served from memory.

use std::time::Instant;

use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use crosscast::Tracked;
use crosscast_wire::limits::ENTRY_MAX;
use crosscast_wire::{Entry, GroupId};
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::error::ErrorBody;
use crate::lines::{Line, Lines};
use crate::messages::{Common, chunks, too_long, view};
use crate::server::{App, Body, Reply};
use crate::settle::Settler;
use crate::{ApiError, Code};

/// Messages published and not yet reported. 256: at most 64 MiB under way, and the node's own bounds come first.
const UNDER_WAY: usize = 256;

/// What the answer is told, in order.
enum News {
    /// A message holds this many of the next lines.
    Published { tracked: Box<Tracked>, lines: usize, since: Instant },
    /// This many of the next lines were not published, from line `first` on.
    Failed { error: ApiError, first: u64, lines: usize },
}

/// A line that was not published.
#[derive(Debug, Serialize)]
struct FailedLine {
    line: u64,
    #[serde(flatten)]
    error: ErrorBody,
}

/// Publishes the lines of a body and answers with a line of JSON for each.
pub(crate) async fn lines(app: App, group: GroupId, common: Common, settler: Settler, body: Body) -> Reply {
    let (to, news) = mpsc::channel(UNDER_WAY);
    tokio::spawn(Box::pin(Upload { app, group, common, to, line: 0 }.run(body)));
    let answers = futures_util::stream::unfold((settler, news), |(mut settler, mut news)| async {
        let chunk = answer(&mut settler, news.recv().await?).await;
        Some((Ok::<Bytes, std::convert::Infallible>(chunk), (settler, news)))
    });
    let body = axum::body::Body::from_stream(answers);
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn answer(settler: &mut Settler, news: News) -> Bytes {
    let mut text = String::new();
    let mut push = |line: Result<String, serde_json::Error>| {
        text.push_str(&line.unwrap_or_default());
        text.push('\n');
    };
    match news {
        News::Published { mut tracked, lines, since } => {
            let settled = settler.settle(&mut tracked, since).await;
            (0..lines).for_each(|at| push(crate::text::json(&view(&tracked, at, settled))));
        }
        News::Failed { error, first, lines } => {
            for line in (first..).take(lines) {
                push(crate::text::json(&FailedLine { line, error: error.body() }));
            }
        }
    }
    text.into()
}

/// The reading and publishing side.
struct Upload {
    app: App,
    group: GroupId,
    common: Common,
    to: mpsc::Sender<News>,
    /// Lines seen.
    line: u64,
}

/// The other side is gone: nobody waits for answers any more.
struct Gone;

impl Upload {
    async fn run(mut self, body: Body) {
        let mut chunks = body.into_stream();
        let (mut cutter, mut lines) = (Lines::new(ENTRY_MAX), Vec::new());
        while let Some(chunk) = chunks.next().await {
            // An upload that breaks off has said nothing about its last, unfinished line.
            let Ok(chunk) = chunk else { return };
            cutter.push(&chunk, &mut lines);
            if self.take(&mut lines).await.is_err() {
                return;
            }
        }
        lines.extend(cutter.finish());
        // Nobody is left to tell when the other side is gone.
        let _ = self.take(&mut lines).await;
    }

    async fn take(&mut self, lines: &mut Vec<Line>) -> Result<(), Gone> {
        let mut run = Vec::new();
        for line in lines.drain(..) {
            match line {
                Line::Whole(payload) => run.push(self.common.entry(payload)),
                Line::TooLong(len) => {
                    self.publish(std::mem::take(&mut run)).await?;
                    let first = self.line.saturating_add(1);
                    self.tell(News::Failed { error: too_long(first, len), first, lines: 1 }, 1).await?;
                }
            }
        }
        self.publish(run).await
    }

    async fn publish(&mut self, entries: Vec<Entry>) -> Result<(), Gone> {
        for chunk in chunks(entries) {
            let (lines, since) = (chunk.len(), Instant::now());
            self.app.counters.published(lines);
            let news = match self.app.node.publish_tracked(self.group, chunk, self.common.options).await {
                Ok(tracked) => News::Published { tracked: Box::new(tracked), lines, since },
                Err(error) => News::Failed { error: error.into(), first: self.line.saturating_add(1), lines },
            };
            let fatal = matches!(&news, News::Failed { error, .. } if error.code != Code::TooLarge);
            self.tell(news, lines).await?;
            if fatal {
                // The next line would fare no better; the caller sees where it ended.
                return Err(Gone);
            }
        }
        Ok(())
    }

    async fn tell(&mut self, news: News, lines: usize) -> Result<(), Gone> {
        self.line = self.line.saturating_add(lines as u64);
        self.to.send(news).await.map_err(|_| Gone)
    }
}
