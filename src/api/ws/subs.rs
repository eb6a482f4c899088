//! The subscriptions of one socket: each within the credit that its application has granted.
//!
//! Credit is counted in entries, in bytes of payload (at least one per entry), or in both; what was never granted is not
//! counted, but without any grant nothing is sent. Who has none left is told once what waits.

use std::collections::BTreeMap;
use std::task::{Context, Poll};

use axum::extract::ws::Message;
use crosscast::{Node, Source};

use super::form::Form;
use super::words::{Say, Subscribe};
use crate::feed::{Feed, Next, Starts};
use crate::server::App;
use crate::since::{Cursor, Start, cursors_text, parse_start};
use crate::topic::Filters;
use crate::{ApiError, Code, inbox, stream};

/// Most subscriptions of a socket. 64: each may name 64 groups.
pub(super) const SUBSCRIPTIONS: usize = 64;

/// Text that is gathered before it is handed over, in bytes. 64 KiB: large enough that bulk costs few calls.
const PIECE: usize = 64 << 10;

/// What may still be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Credit {
    entries: Option<u64>,
    bytes: Option<u64>,
}

impl Credit {
    fn grant(&mut self, entries: Option<u64>, bytes: Option<u64>) {
        let add = |have: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *have = Some(have.unwrap_or_default().saturating_add(more));
            }
        };
        add(&mut self.entries, entries);
        add(&mut self.bytes, bytes);
    }

    fn covers(&self, bytes: u64) -> bool {
        let granted = self.entries.is_some() || self.bytes.is_some();
        granted && self.entries.is_none_or(|left| left > 0) && self.bytes.is_none_or(|left| left >= bytes)
    }

    fn spend(&mut self, bytes: u64) {
        self.entries = self.entries.map(|left| left.saturating_sub(1));
        self.bytes = self.bytes.map(|left| left.saturating_sub(bytes));
    }
}

/// One subscription.
#[derive(Debug)]
struct Sub {
    number: u64,
    form: Form,
    name: Option<String>,
    feeds: Vec<Feed>,
    /// The feed that is asked first: each in turn.
    first: usize,
    credit: Credit,
    /// Whether it was told that something waits.
    starved: bool,
    /// The cursor it was told last.
    told: String,
}

impl Sub {
    fn cursor(&self) -> String {
        cursors_text(self.feeds.iter().map(|feed| feed.cursor))
    }

    /// What to say next within the credit.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Say> {
        let (sub, count) = (self.number, self.feeds.len());
        let mut waiting = None;
        self.first = self.first.wrapping_add(1);
        for turn in 0..count {
            let at = self.first.wrapping_add(turn) % count.max(1);
            let Some(feed) = self.feeds.get_mut(at) else { continue };
            match feed.poll_front(cx) {
                Poll::Ready(Some(Next::Gap)) => {
                    feed.take();
                    return Poll::Ready(Say::Gap { sub, group: feed.name.clone() });
                }
                Poll::Ready(Some(Next::Entry(entry))) => {
                    let bytes = (entry.payload_len() as u64).max(1);
                    if !self.credit.covers(bytes) {
                        waiting = waiting.max(Some(bytes));
                        continue;
                    }
                    let (source, name) = (feed.source, feed.name.clone());
                    let Some(Next::Entry(entry)) = feed.take() else { continue };
                    self.credit.spend(bytes);
                    self.told = self.cursor();
                    return Poll::Ready(match source {
                        Source::Inbox => Say::Message { sub, message: Box::new(entry.inbox_view()) },
                        Source::Group(_) => Say::Entry { sub, entry: Box::new(entry.view(&name, self.told.clone())) },
                    });
                }
                Poll::Ready(None) | Poll::Pending => {}
            }
        }
        match waiting {
            Some(bytes) if !std::mem::replace(&mut self.starved, true) => Poll::Ready(Say::Starved { sub, bytes }),
            Some(_) | None => Poll::Pending,
        }
    }

    /// The place that an application has acknowledged; never behind what it was given.
    fn acknowledged(&self, text: &str) -> Result<Vec<Option<Cursor>>, ApiError> {
        let wrong = |what: &str| ApiError::new(Code::BadSince, format!("`{}`: {what}", crate::text::shown(text)));
        let Some(Start::Cursors(cursors)) = parse_start(text) else { return Err(wrong("not a cursor")) };
        if cursors.len() != self.feeds.len() {
            return Err(wrong("a cursor of another subscription"));
        }
        let ahead = self.feeds.iter().zip(&cursors).any(|(feed, cursor)| *cursor > feed.cursor);
        if ahead { Err(wrong("behind it is more than was sent")) } else { Ok(cursors) }
    }
}

/// All subscriptions of a socket.
#[derive(Debug, Default)]
pub(super) struct Subs {
    subs: BTreeMap<u64, Sub>,
    /// The subscription that was served last.
    last: u64,
}

impl Subs {
    /// Begins a subscription.
    pub(super) async fn subscribe(&mut self, app: &App, form: Form, ask: Subscribe) -> Result<Say, ApiError> {
        if self.subs.contains_key(&ask.sub) {
            return Err(ApiError::new(Code::BadRequest, "a subscription with this number is open"));
        }
        if self.subs.len() >= SUBSCRIPTIONS {
            return Err(ApiError::new(Code::Limit, format!("a socket has at most {SUBSCRIPTIONS} subscriptions")));
        }
        if ask.groups.is_empty() != ask.inbox {
            return Err(ApiError::new(Code::BadRequest, "either `groups` or `\"inbox\": true`"));
        }
        let filters = Filters::parse(ask.topics.iter().map(String::as_str))?;
        let since = ask.since.as_deref().map(stream::start).transpose()?;
        let kept = match &ask.name {
            Some(name) if !ask.reset => kept_cursors(app, name, &ask.groups).await?,
            Some(_) | None => None,
        };
        // The kept cursor goes before `since`, which says where to start what the former does not name.
        let default = if ask.inbox { Start::Oldest } else { Start::Now };
        let starts = Starts::of([since, kept.map(Start::Cursors)], ask.groups.len().max(1), default)?;
        let feeds = Feed::open_all(app, &ask.groups, &starts, &filters).await?;
        let mut credit = Credit::default();
        credit.grant(ask.entries, ask.bytes);
        let mut sub =
            Sub { number: ask.sub, form, name: ask.name, feeds, first: 0, credit, starved: false, told: String::new() };
        sub.told = sub.cursor();
        let cursor = sub.told.clone();
        self.subs.insert(ask.sub, sub);
        Ok(Say::Subscribed { sub: ask.sub, cursor })
    }

    /// Adds credit.
    pub(super) fn credit(&mut self, sub: u64, entries: Option<u64>, bytes: Option<u64>) -> Result<(), ApiError> {
        let sub = self.subs.get_mut(&sub).ok_or_else(unknown)?;
        sub.credit.grant(entries, bytes);
        sub.starved = false;
        Ok(())
    }

    /// Keeps a cursor for good.
    pub(super) async fn acknowledge(&mut self, node: &Node, sub: u64, text: &str) -> Result<Say, ApiError> {
        let state = self.subs.get(&sub).ok_or_else(unknown)?;
        let cursors = state.acknowledged(text)?;
        match (&state.name, state.feeds.first().map(|feed| feed.source)) {
            (_, Some(Source::Inbox)) => node.acknowledge_inbox(inbox::taken(text)?).await?,
            (Some(name), _) => {
                let pairs = state.feeds.iter().zip(cursors);
                let pairs = pairs.filter_map(|(feed, cursor)| Some(format!("{}={}", feed.name, cursor?)));
                node.keep_cursor(name, pairs.collect::<Vec<_>>().join(",")).await?;
            }
            (None, _) => {
                let cause = "nothing is kept for a subscription without a `name`: resume it with `since`";
                return Err(ApiError::new(Code::BadRequest, cause));
            }
        }
        Ok(Say::Acked { sub, cursor: text.to_owned() })
    }

    /// Ends a subscription.
    pub(super) fn unsubscribe(&mut self, sub: u64) -> Result<Say, ApiError> {
        let state = self.subs.remove(&sub).ok_or_else(unknown)?;
        Ok(Say::Unsubscribed { sub, cursor: state.cursor() })
    }

    /// Writes what there is to say; ready when there was something.
    pub(super) fn poll(&mut self, app: &App, cx: &mut Context<'_>, out: &mut Vec<Message>) -> Poll<()> {
        let mut bytes = 0usize;
        // Each in turn, beginning behind the one that was served last.
        let after: Vec<u64> = self.subs.range(self.last.saturating_add(1)..).map(|(number, _)| *number).collect();
        let before: Vec<u64> = self.subs.range(..=self.last).map(|(number, _)| *number).collect();
        for number in after.into_iter().chain(before) {
            let Some(sub) = self.subs.get_mut(&number) else { continue };
            while bytes < PIECE {
                let Poll::Ready(say) = sub.poll(cx) else { break };
                if matches!(say, Say::Entry { .. } | Say::Message { .. }) {
                    app.counters.streamed();
                }
                let message = sub.form.write(&say);
                bytes = bytes.saturating_add(len(&message));
                out.push(message);
                self.last = number;
            }
        }
        if out.is_empty() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Where subscriptions stand that have moved on without an entry.
    pub(super) fn positions(&mut self) -> Vec<Message> {
        let moved = self.subs.values_mut().filter_map(|sub| {
            let cursor = sub.cursor();
            let is_new = sub.told != cursor;
            sub.told.clone_from(&cursor);
            is_new.then(|| sub.form.write(&Say::Position { sub: sub.number, cursor }))
        });
        moved.collect()
    }
}

fn unknown() -> ApiError {
    ApiError::new(Code::BadRequest, "no subscription has this number")
}

fn len(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

/// The cursors that are kept under a name, for these groups.
async fn kept_cursors(app: &App, name: &str, groups: &[String]) -> Result<Option<Vec<Option<Cursor>>>, ApiError> {
    let Some(kept) = app.node.cursor(name).await? else { return Ok(None) };
    let kept = String::from_utf8_lossy(&kept);
    let kept: BTreeMap<&str, &str> = kept.split(',').filter_map(|pair| pair.split_once('=')).collect();
    let mut cursors = Vec::with_capacity(groups.len());
    for text in groups {
        let group = app.group(text).await?.to_string();
        cursors.push(kept.get(group.as_str()).and_then(|cursor| Cursor::parse(cursor)));
    }
    Ok(cursors.iter().any(Option::is_some).then_some(cursors))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn without_a_grant_nothing_is_covered_and_what_was_never_granted_is_not_counted() {
        let mut credit = Credit::default();
        assert!(!credit.covers(1));
        credit.grant(Some(2), None);
        assert!(credit.covers(1 << 40));
        credit.spend(1 << 40);
        credit.spend(1);
        assert!(!credit.covers(1));
        credit.grant(Some(10), Some(5));
        assert!(credit.covers(5) && !credit.covers(6));
        credit.spend(5);
        assert!(!credit.covers(1));
        credit.grant(None, Some(u64::MAX));
        credit.grant(None, Some(u64::MAX));
        assert!(credit.covers(u64::MAX));
    }
}
