//! What flows: lines into the first node, entries out of every node, as happenings for the books.
//!
//! The publisher keeps a bounded number of lines under way. When the first node dies, it waits for it, asks its log how
//! far it had got, and goes on from there. Readers resume at their cursors by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{BufMut as _, Bytes, BytesMut};
use crosscast_api::view::{EntryView, GroupJson};
use crosscast_api::{Code, parse_start};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::client::{Client, Occurrence, Watch, escaped, pieces};
use crate::demo::Happening;
use crate::demo::child::Place;
use crate::failure::Failure;
use crate::publish::{Fate, Upload};

/// Lines under way that no next hop has acknowledged. 1,024: four full messages keep every node busy.
const UNDER_WAY: u32 = 1_024;

/// Lines and bytes handed over at once. A quarter of what may be under way; 64 KiB.
const PIECE: (usize, usize) = (256, 64 << 10);

/// Of up to this many lines each is handed over by itself, so that each travels as a message of its own. 256: a person
/// follows them; more are a load, and go as batches.
const SINGLY: usize = 256;

/// Pause between lines that go singly. 4 ms: a second for all of them.
const PACE: Duration = Duration::from_millis(4);

/// How long a line may wait for an acknowledgement, in milliseconds. 20 s: a killed neighbour is back within two.
const PATIENCE_MS: u32 = 20_000;

/// Pause between looks at a node that is coming back.
const LOOK: Duration = Duration::from_millis(50);

/// How far the first node's log has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Entries.
    pub(crate) entries: usize,
    /// The cursor behind them.
    pub(crate) cursor: String,
}

/// Reads one node's group until the demonstration is over.
pub(crate) async fn read(place: Place, group: String, to: mpsc::Sender<Happening>) {
    let Err(failure) = follow(&place, &group, &to).await else { return };
    let cause = format!("reading at node {}: {}", place.name, failure.cause);
    // Nobody listens any more when the demonstration is over.
    let _ = to.send(Happening::Failed(Failure { cause, ..failure })).await;
}

async fn follow(place: &Place, group: &str, to: &mpsc::Sender<Happening>) -> Result<(), Failure> {
    let node = place.number;
    let path = format!("/v1/groups/{}/stream?since=oldest", escaped(group));
    let mut watch = Watch::open(place.client(), path).await?;
    let _ = to.send(Happening::Reading).await;
    loop {
        let happening = match watch.next().await? {
            Occurrence::Data(data) => {
                let view: EntryView = serde_json::from_str(&data)
                    .map_err(|_| Failure::new(Code::Internal, "an entry of the daemon does not parse"))?;
                Happening::Entry { node, at: Instant::now(), view: Box::new(view) }
            }
            Occurrence::Gap(_) => Happening::Gap { node },
            Occurrence::Lost | Occurrence::Back => continue,
        };
        if to.send(happening).await.is_err() {
            return Ok(());
        }
    }
}

/// Publishes all lines through the first node, through its deaths.
pub(crate) async fn publish(
    place: Place,
    group: String,
    lines: Arc<Vec<Bytes>>,
    logged: watch::Receiver<Logged>,
    to: mpsc::Sender<Happening>,
) {
    let client = place.client();
    let mut next = 0;
    loop {
        match upload(&client, &group, &lines, next, &to).await {
            Ok(()) => break,
            Err(failure) if failure.is(Code::ConnectionLost) || failure.is(Code::NoDaemon) => {}
            Err(failure) if failure.is(Code::ShuttingDown) => {}
            Err(failure) => {
                let cause = format!("publishing at node {}: {}", place.name, failure.cause);
                let _ = to.send(Happening::Failed(Failure { cause, ..failure })).await;
                return;
            }
        }
        next = caught_up(&client, &group, &logged).await;
        if next >= lines.len() {
            break;
        }
    }
    let _ = to.send(Happening::Published).await;
}

/// Waits until the node is back and its log has been read to its end; returns how many entries that are.
async fn caught_up(client: &Client, group: &str, logged: &watch::Receiver<Logged>) -> usize {
    loop {
        tokio::time::sleep(LOOK).await;
        let Ok(view) = client.get::<GroupJson>(&format!("/v1/groups/{}", escaped(group))).await else { continue };
        let Logged { entries, cursor } = logged.borrow().clone();
        let empty = entries == 0 && view.messages == 0;
        if empty || (parse_start(&cursor).is_some() && cursor == view.head) {
            return entries;
        }
    }
}

async fn upload(
    client: &Client,
    group: &str,
    lines: &Arc<Vec<Bytes>>,
    first: usize,
    to: &mpsc::Sender<Happening>,
) -> Result<(), Failure> {
    let (feed, body) = mpsc::channel(1);
    let room = Arc::new(Semaphore::new(UNDER_WAY as usize));
    let feeding = tokio::spawn(feed_lines(Arc::clone(lines), first, feed, Arc::clone(&room), to.clone()));
    let path = format!("/v1/groups/{}/messages?stream=lines&timeout_ms={PATIENCE_MS}", escaped(group));
    let mut answers = Upload::start(client, &path, pieces(body));
    let mut line = first;
    let done = loop {
        let fates = match answers.next().await {
            Ok(Some(fates)) => fates,
            Ok(None) if line >= lines.len() => break Ok(()),
            Ok(None) => break Err(Failure::new(Code::ConnectionLost, "the answer ended early")),
            Err(failure) => break Err(failure),
        };
        room.add_permits(fates.len());
        for fate in fates {
            let happening = match fate {
                Fate::Published(view) => Happening::Fate { line, acknowledged: view.state != "accepted" },
                Fate::Failed { error, .. } => {
                    feeding.abort();
                    return Err(Failure::answered(error));
                }
            };
            let _ = to.send(happening).await;
            line = line.saturating_add(1);
        }
    };
    feeding.abort();
    done
}

/// Hands lines over as fast as they are acknowledged.
async fn feed_lines(
    lines: Arc<Vec<Bytes>>,
    first: usize,
    feed: mpsc::Sender<Bytes>,
    room: Arc<Semaphore>,
    to: mpsc::Sender<Happening>,
) {
    let mut next = first;
    let at_once = if lines.len() <= SINGLY { 1 } else { PIECE.0 };
    while next < lines.len() {
        if at_once == 1 {
            tokio::time::sleep(PACE).await;
        }
        let mut piece = BytesMut::new();
        let mut count = 0u32;
        for line in lines.iter().skip(next).take(at_once) {
            if count > 0 && piece.len().saturating_add(line.len()) > PIECE.1 {
                break;
            }
            piece.extend_from_slice(line);
            piece.put_u8(b'\n');
            count = count.saturating_add(1);
        }
        let Ok(permits) = room.acquire_many(count).await else { return };
        permits.forget();
        let handed = Happening::Handed { first: next, count: count as usize, at: Instant::now() };
        if to.send(handed).await.is_err() || feed.send(piece.freeze()).await.is_err() {
            return;
        }
        next = next.saturating_add(count as usize);
    }
}
