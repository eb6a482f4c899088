//! What a reader is given of one group, or of the inbox, entry by entry: from where, through which filter, up to where.
//!
//! A feed keeps the cursor that a reader would resume at. It holds one message at a time; what waits beyond that waits
//! in the node, within the window of the subscription.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use crosscast::{Delivery, Entry, Error, Item, LogPos, Refusal, Since, Source, Subscription};
use crosscast_wire::{GroupId, WallMillis};

use crate::server::App;
use crate::since::{Cursor, Start};
use crate::topic::Filters;
use crate::view::{EntryView, InboxView};
use crate::{ApiError, Code, inbox};

/// Most groups of one reader. 64: a person's; whoever serves more opens more streams.
pub(crate) const GROUPS: usize = 64;

/// Payload bytes under way to a reader. 1 MiB: four full messages.
const WINDOW: u32 = 1 << 20;

/// Where each feed of a reader starts.
#[derive(Clone, Debug)]
pub(crate) struct Starts {
    /// Where it ended before, one per feed, as far as known.
    pub(crate) cursors: Vec<Option<Cursor>>,
    /// Where the others start.
    pub(crate) otherwise: Start,
}

impl Starts {
    /// Of several wishes the later one wins; cursors name a place for each of `feeds`.
    pub(crate) fn of(wishes: [Option<Start>; 2], feeds: usize, default: Start) -> Result<Self, ApiError> {
        let mut starts = Self { cursors: Vec::new(), otherwise: default };
        for start in wishes.into_iter().flatten() {
            match start {
                Start::Cursors(given) if given.len() == feeds => starts.cursors = given,
                Start::Cursors(given) => {
                    let cause = format!("{} cursors for {feeds} groups", given.len());
                    return Err(ApiError::new(Code::BadSince, cause));
                }
                Start::After(_) if feeds > 1 => {
                    return Err(ApiError::new(Code::BadSince, "a message id starts a stream of one group"));
                }
                other @ (Start::Now | Start::Oldest | Start::After(_) | Start::Time(_)) => {
                    starts = Self { cursors: Vec::new(), otherwise: other };
                }
            }
        }
        Ok(starts)
    }
}

/// What a feed has for its reader.
#[derive(Debug)]
pub(crate) enum Next {
    /// An entry.
    Entry(Box<EntryAt>),
    /// Messages are missing here.
    Gap,
}

/// An entry and where it stands.
#[derive(Debug)]
pub(crate) struct EntryAt {
    delivery: Arc<Delivery>,
    index: u16,
    entry: Entry,
    /// Where to resume behind it.
    pub(crate) cursor: Cursor,
}

impl EntryAt {
    /// Bytes of its payload.
    pub(crate) fn payload_len(&self) -> usize {
        self.entry.payload.len()
    }

    /// As readers of groups see it.
    pub(crate) fn view(&self, group: &str, cursors: String) -> EntryView {
        EntryView::of(&self.delivery, group, self.index, &self.entry, cursors)
    }

    /// As readers of the inbox see it.
    pub(crate) fn inbox_view(&self) -> InboxView {
        inbox::view(&self.delivery, &self.entry, self.cursor)
    }
}

/// One group, or the inbox, of a reader.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) source: Source,
    /// The GroupId, or `inbox`.
    pub(crate) name: String,
    /// Where to resume; unknown before the first entry of a start that is not a position.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) ended: bool,
    subscription: Subscription,
    filters: Filters,
    /// Entries of the message at this position that were had before.
    had: Option<Cursor>,
    ready: VecDeque<Next>,
}

impl Feed {
    /// Opens the feeds of a reader of groups, or of the inbox when there is none.
    pub(crate) async fn open_all(
        app: &App,
        groups: &[String],
        starts: &Starts,
        filters: &Filters,
    ) -> Result<Vec<Self>, ApiError> {
        if groups.is_empty() {
            let feed = Self::open(app, Source::Inbox, "inbox".to_owned(), starts, 0, Filters::default()).await?;
            return Ok(vec![feed]);
        }
        if groups.len() > GROUPS {
            return Err(ApiError::new(Code::BadRequest, format!("a reader names 1 to {GROUPS} groups")));
        }
        let mut feeds: Vec<Self> = Vec::with_capacity(groups.len());
        for (at, text) in groups.iter().enumerate() {
            let group = app.group(text).await?;
            if feeds.iter().any(|feed| feed.source == Source::Group(group)) {
                let cause = format!("`{}` is named twice", crate::text::shown(text));
                return Err(ApiError::new(Code::BadRequest, cause));
            }
            let (source, name) = (Source::Group(group), group.to_string());
            feeds.push(Self::open(app, source, name, starts, at, filters.clone()).await?);
        }
        Ok(feeds)
    }

    async fn open(
        app: &App,
        source: Source,
        name: String,
        starts: &Starts,
        at: usize,
        filters: Filters,
    ) -> Result<Self, ApiError> {
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
        Ok(Self { source, name, cursor, ended: false, subscription, filters, had, ready: VecDeque::new() })
    }

    /// What comes next, which stays until it is taken; `None` when the feed has ended.
    pub(crate) fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Option<&Next>> {
        while self.ready.is_empty() {
            if self.ended {
                return Poll::Ready(None);
            }
            match self.subscription.poll_next(cx) {
                Poll::Ready(Some(Item::Delivery(delivery))) => self.unpack(&delivery),
                Poll::Ready(Some(Item::Gap)) => self.ready.push_back(Next::Gap),
                Poll::Ready(None) => self.ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(self.ready.front())
    }

    /// Takes what [`Feed::poll_front`] showed; the cursor moves behind it.
    pub(crate) fn take(&mut self) -> Option<Next> {
        let next = self.ready.pop_front()?;
        if let Next::Entry(entry) = &next {
            self.cursor = Some(entry.cursor);
        }
        Some(next)
    }

    /// Lays out the entries that are wanted; what is not wanted is passed.
    fn unpack(&mut self, delivery: &Arc<Delivery>) {
        let (pos, count) = (delivery.cursor.0, delivery.entries.len());
        let had = self.had.take().filter(|had| had.pos == pos).map_or(0, |had| had.index);
        for (index, entry) in delivery.fresh() {
            if index >= had && self.filters.want(entry.meta.topic.as_deref()) {
                let cursor = Cursor::after_entry(pos, index, count);
                let entry = EntryAt { delivery: Arc::clone(delivery), index, entry, cursor };
                self.ready.push_back(Next::Entry(Box::new(entry)));
            }
        }
        if self.ready.is_empty() {
            self.cursor = Some(Cursor::after(pos));
        }
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
