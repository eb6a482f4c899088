//! Publishing: one entry, a batch, or lines as they come.
//!
//! A body that says it is JSON is `{payload|payload_b64, topic?, content_type?, key?}`, an array of them, or
//! `{"entries": [..]}`; any other body is one entry as it is. `batch=lines` cuts a whole body at newlines, `stream=lines`
//! does so as it arrives and answers in JSON Lines.

use std::time::Instant;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use bytes::Bytes;
use crosscast::{PublishOptions, Tracked};
use crosscast_wire::limits::{CONTENT_TYPE_MAX, ENTRIES_MAX, ENTRY_MAX};
use crosscast_wire::{Class, Entry, GroupId};
use serde::{Deserialize, Serialize};

use crate::lines::{Line, Lines};
use crate::params::{Params, parse_entry_key};
use crate::server::{App, Body, Reply, ok, parse};
use crate::settle::{Patience, Settled, Settler};
use crate::view::{PayloadView, PublishedView};
use crate::{ApiError, Code, upload};

/// Most bytes of entries in one message, framing included. 240 KiB: what the node takes as one message.
const MESSAGE_BYTES: usize = 240 << 10;

/// Most entries in one batch. 16,384: 64 full messages; more goes by stream.
const BATCH_ENTRIES: usize = 16_384;

/// An entry in JSON.
#[derive(Debug, Deserialize)]
struct EntryIn {
    #[serde(flatten)]
    payload: PayloadView,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum JsonBody {
    Many(Vec<EntryIn>),
    Wrapped { entries: Vec<EntryIn> },
    One(EntryIn),
}

/// What holds for every entry of a request.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    topic: Option<String>,
    content_type: Option<String>,
    pub(crate) options: PublishOptions,
}

impl Common {
    fn of(params: &Params, headers: &HeaderMap) -> Result<Self, ApiError> {
        let header = headers.get("idempotency-key").map(|value| parse_entry_key(value.to_str().unwrap_or("?")));
        let entry_key = params.entry_key()?.or(header.transpose()?);
        let life = params.millis("life_ms")?;
        let class: Class = params.class()?;
        let topic = params.get("topic").map(str::to_owned);
        let content_type = params.get("content_type").map(str::to_owned);
        check_words(topic.as_deref(), content_type.as_deref())?;
        Ok(Self { topic, content_type, options: PublishOptions { class, life, entry_key } })
    }

    /// Of several entries none can have the key of the request.
    fn check_no_key(&self) -> Result<(), ApiError> {
        match self.options.entry_key {
            None => Ok(()),
            Some(_) => Err(ApiError::new(Code::BadEntryKey, "a key for several entries; give each its own in JSON")),
        }
    }

    /// An entry with these bytes.
    pub(crate) fn entry(&self, payload: Bytes) -> Entry {
        let mut entry = Entry::new(payload);
        entry.meta.topic.clone_from(&self.topic);
        entry.meta.content_type.clone_from(&self.content_type);
        entry
    }

    fn json_entry(&self, given: EntryIn) -> Result<Entry, ApiError> {
        check_words(given.topic.as_deref(), given.content_type.as_deref())?;
        let payload = given.payload.bytes();
        let cause = "an entry has either `payload` (text) or `payload_b64` (padded base64)";
        let mut entry = self.entry(payload.ok_or_else(|| ApiError::new(Code::BadRequest, cause))?);
        entry.meta.topic = given.topic.or(entry.meta.topic);
        entry.meta.content_type = given.content_type.or(entry.meta.content_type);
        entry.meta.key = given.key.as_deref().map(parse_entry_key).transpose()?;
        Ok(entry)
    }
}

pub(crate) fn check_words(topic: Option<&str>, content_type: Option<&str>) -> Result<(), ApiError> {
    let fits = |text: Option<&str>, max: usize| text.is_none_or(|text| (1..=max).contains(&text.len()));
    topic.map_or(Ok(()), crate::topic::check)?;
    if !fits(content_type, CONTENT_TYPE_MAX) {
        return Err(ApiError::new(Code::BadRequest, format!("a content type has 1 to {CONTENT_TYPE_MAX} bytes")));
    }
    Ok(())
}

/// `POST /v1/groups/{g}/messages`
pub(crate) async fn publish(
    State(app): State<App>,
    Path(text): Path<String>,
    params: Params,
    headers: HeaderMap,
    body: Body,
) -> Reply {
    params.only(&["wait", "timeout_ms", "life_ms", "class", "topic", "content_type", "key", "batch", "stream"])?;
    let patience = Patience::of(&params)?;
    let common = Common::of(&params, &headers)?;
    let group = app.group(&text).await?;
    let settler = Settler::new(app.clone(), group, patience);
    if params.get("stream").or(params.get("batch")).is_some() {
        common.check_no_key()?;
    }
    match (params.get("stream"), params.get("batch")) {
        (Some("lines"), None) => upload::lines(app, group, common, settler, body).await,
        (None, Some("lines")) => {
            let lines = split(&common, &body.bytes().await?)?;
            many(&app, group, &common, settler, lines).await
        }
        (None, None) if body.is_json() => match parse(&body.bytes().await?)? {
            JsonBody::One(entry) => one(&app, group, &common, settler, common.json_entry(entry)?).await,
            JsonBody::Many(entries) | JsonBody::Wrapped { entries } => {
                common.check_no_key()?;
                let entries = entries.into_iter().map(|entry| common.json_entry(entry)).collect::<Result<_, _>>()?;
                many(&app, group, &common, settler, entries).await
            }
        },
        (None, None) => {
            let entry = common.entry(body.bytes().await?);
            one(&app, group, &common, settler, entry).await
        }
        _ => Err(ApiError::new(Code::BadRequest, "either `stream=lines` or `batch=lines`")),
    }
}

fn split(common: &Common, body: &Bytes) -> Result<Vec<Entry>, ApiError> {
    let (mut cutter, mut lines) = (Lines::new(ENTRY_MAX), Vec::new());
    cutter.push(body, &mut lines);
    lines.extend(cutter.finish());
    let entry = |(at, line): (usize, Line)| match line {
        Line::Whole(payload) => Ok(common.entry(payload)),
        Line::TooLong(len) => Err(too_long(at.saturating_add(1) as u64, len)),
    };
    lines.into_iter().enumerate().map(entry).collect()
}

/// The failure of a line that no entry can hold.
pub(crate) fn too_long(line: u64, len: u64) -> ApiError {
    ApiError::new(Code::TooLarge, format!("line {line} has {len} bytes; an entry holds {ENTRY_MAX}"))
}

fn check_size(entry: &Entry) -> Result<(), ApiError> {
    match entry.payload.len() {
        0..=ENTRY_MAX => Ok(()),
        len => Err(ApiError::new(Code::TooLarge, format!("{len} bytes; an entry holds {ENTRY_MAX}"))),
    }
}

async fn one(app: &App, group: GroupId, common: &Common, mut settler: Settler, entry: Entry) -> Reply {
    check_size(&entry)?;
    app.counters.published(1);
    let since = Instant::now();
    let mut tracked = app.node.publish_tracked(group, vec![entry], common.options).await?;
    let settled = settler.settle(&mut tracked, since).await;
    ok(&view(&tracked, 0, settled))
}

#[derive(Debug, Serialize)]
struct Results {
    results: Vec<PublishedView>,
}

async fn many(app: &App, group: GroupId, common: &Common, mut settler: Settler, entries: Vec<Entry>) -> Reply {
    if entries.is_empty() {
        return Err(ApiError::new(Code::Empty, "the batch holds no entry"));
    }
    if entries.len() > BATCH_ENTRIES {
        return Err(ApiError::new(Code::TooLarge, format!("a batch holds at most {BATCH_ENTRIES} entries")));
    }
    entries.iter().try_for_each(check_size)?;
    let mut under_way = Vec::new();
    for chunk in chunks(entries) {
        let (count, since) = (chunk.len(), Instant::now());
        app.counters.published(count);
        under_way.push((app.node.publish_tracked(group, chunk, common.options).await?, count, since));
    }
    let mut results = Vec::new();
    for (mut tracked, count, since) in under_way {
        let settled = settler.settle(&mut tracked, since).await;
        results.extend((0..count).map(|at| view(&tracked, at, settled)));
    }
    ok(&Results { results })
}

/// Cuts entries into what fits one message each; every entry fits one. An entry with a key stands alone, since it may
/// have gone out before in another message.
pub(crate) fn chunks(entries: Vec<Entry>) -> Vec<Vec<Entry>> {
    let mut chunks: Vec<Vec<Entry>> = Vec::new();
    let mut bytes = 0usize;
    for entry in entries {
        let (cost, has_key) = (entry.encoded_len_max(), entry.meta.key.is_some());
        bytes = bytes.saturating_add(cost);
        let fits = |chunk: &Vec<Entry>| {
            chunk.len() < ENTRIES_MAX
                && bytes <= MESSAGE_BYTES
                && !has_key
                && chunk.first().is_none_or(|first| first.meta.key.is_none())
        };
        match chunks.last_mut() {
            Some(chunk) if fits(chunk) => chunk.push(entry),
            Some(_) | None => {
                chunks.push(vec![entry]);
                bytes = cost;
            }
        }
    }
    chunks
}

/// What to say of entry `at` of a call whose entries are tracked together.
pub(crate) fn view(tracked: &Tracked, at: usize, settled: Settled) -> PublishedView {
    let published = tracked.published();
    PublishedView {
        id: published.id.to_string(),
        index: published.index.saturating_add(u16::try_from(at).unwrap_or(u16::MAX)),
        state: settled.state.word().to_owned(),
        links: settled.links,
        cores: 0,
        repeated: published.repeated,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn entries_are_cut_into_messages_that_hold_them() {
        let entries = |count: usize, len: usize| vec![Entry::new(Bytes::from(vec![b'x'; len])); count];
        let counts = |entries| chunks(entries).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(counts(entries(0, 0)), Vec::<usize>::new());
        assert_eq!(counts(entries(600, 0)), [256, 256, 88]);
        assert_eq!(counts(entries(8, ENTRY_MAX)), [3, 3, 2]);
        let mut some = entries(5, 1);
        some[2].meta.key = Some([1; 16]);
        assert_eq!(counts(some), [2, 1, 2]);
    }

    #[test]
    fn a_json_body_is_one_entry_an_array_or_a_list() {
        let kind = |text: &str| match parse::<JsonBody>(text.as_bytes()) {
            Ok(JsonBody::One(entry)) => format!("one {:?}", entry.payload.bytes()),
            Ok(JsonBody::Many(entries)) => format!("many {}", entries.len()),
            Ok(JsonBody::Wrapped { entries }) => format!("wrapped {}", entries.len()),
            Err(error) => error.code.word().to_owned(),
        };
        assert_eq!(kind(r#"{"payload":"a"}"#), r#"one Some(b"a")"#);
        assert_eq!(kind(r#"{"payload_b64":"/w=="}"#), r#"one Some(b"\xff")"#);
        assert_eq!(kind(r#"[{"payload":"a"},{"payload":""}]"#), "many 2");
        assert_eq!(kind(r#"{"entries":[{"payload":"a"}]}"#), "wrapped 1");
        assert_eq!(kind(r#"{"payload":"a","payload_b64":"YQ=="}"#), "one None");
        assert_eq!(kind(r#"{"#), "bad_request");
    }
}
