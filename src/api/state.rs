//! What the handlers share: the node, the names of its groups, and the little that is remembered between requests.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crosscast::{LogPos, Node, Notice, PeerView};
use crosscast_wire::{GroupId, Network, NodeId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::view::ReloadView;
use crate::{ApiError, Code};

/// Streams at once. 256: as many as connections.
const STREAMS: usize = 256;

/// How long streams may take to end when the daemon stops. 1 s: as long as its links have for the same.
const GOODBYE: Duration = Duration::from_secs(1);

/// Peers whose last error is remembered. 1,024: as many as links.
const ERRORS: usize = 1_024;

/// How old the view of the groups may be where it only informs. 200 ms: a waiting publisher looks at it.
const FRESH: Duration = Duration::from_millis(200);

/// Shortest time over which a rate is measured. A second: shorter ones jump.
const RATE_SPAN: Duration = Duration::from_secs(1);

/// What the status says beyond the node's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Version of the program.
    pub version: String,
    /// Program and version, as shown to peers.
    pub agent: String,
    /// Role bits shown to peers.
    pub roles: u64,
    /// The networks this build and configuration can use.
    pub networks: Vec<Network>,
}

/// What the last reading of the configuration came to; shared with whoever reads it.
#[derive(Clone, Debug, Default)]
pub struct Reloads(Arc<Mutex<Option<ReloadView>>>);

impl Reloads {
    /// Tells of a reading.
    pub fn tell(&self, reload: ReloadView) {
        *lock(&self.0) = Some(reload);
    }

    /// The last reading.
    #[must_use]
    pub fn last(&self) -> Option<ReloadView> {
        lock(&self.0).clone()
    }
}

/// What went through the API in this run.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    published: AtomicU64,
    streamed: AtomicU64,
}

impl Counters {
    /// Entries were given to the node.
    pub(crate) fn published(&self, entries: usize) {
        self.published.fetch_add(entries as u64, Ordering::Relaxed);
    }

    /// An entry was given to a reader.
    pub(crate) fn streamed(&self) {
        self.streamed.fetch_add(1, Ordering::Relaxed);
    }

    /// Entries published and streamed.
    pub(crate) fn read(&self) -> (u64, u64) {
        (self.published.load(Ordering::Relaxed), self.streamed.load(Ordering::Relaxed))
    }
}

/// Shared by all requests.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) node: Node,
    pub(crate) about: About,
    pub(crate) started: Instant,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) counters: Counters,
    pub(crate) reloads: Reloads,
    streams: Arc<Semaphore>,
    groups: Mutex<GroupCache>,
    rates: Mutex<BTreeMap<RateKey, Rate>>,
    errors: Mutex<BTreeMap<NodeId, String>>,
}

type RateKey = (NodeId, u64, String);

#[derive(Debug, Default)]
struct GroupCache {
    read: Option<Instant>,
    by_name: HashMap<String, GroupId>,
    by_id: HashMap<GroupId, Known>,
}

/// What is remembered of a group.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) neighbours: u32,
    pub(crate) head: LogPos,
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    since: Instant,
    counted: (u64, u64),
    shown: (u64, u64),
}

impl Shared {
    pub(crate) fn new(node: Node, about: About, reloads: Reloads, stop: watch::Receiver<bool>) -> Self {
        Self {
            node,
            about,
            started: Instant::now(),
            stop,
            counters: Counters::default(),
            reloads,
            streams: Arc::new(Semaphore::new(STREAMS)),
            groups: Mutex::default(),
            rates: Mutex::default(),
            errors: Mutex::default(),
        }
    }

    /// Waits until every stream and WebSocket has ended, for at most [`GOODBYE`]: the server itself forgets a WebSocket
    /// as soon as it is one.
    pub(crate) async fn streams_ended(&self) {
        let all = u32::try_from(STREAMS).unwrap_or(u32::MAX);
        // Whoever takes no goodbye within that time gets none.
        let _ = tokio::time::timeout(GOODBYE, self.streams.acquire_many(all)).await;
    }

    /// A place among the streams.
    pub(crate) fn stream_place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = Arc::clone(&self.streams).try_acquire_owned();
        place.map_err(|_| ApiError::new(Code::Limit, format!("{STREAMS} streams are open")))
    }

    /// How many streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        STREAMS.saturating_sub(self.streams.available_permits())
    }

    /// The group with this local name or GroupId.
    pub(crate) async fn group(&self, text: &str) -> Result<GroupId, ApiError> {
        if let Ok(group) = GroupId::parse(text) {
            return Ok(group);
        }
        if let Some(group) = lock(&self.groups).by_name.get(text) {
            return Ok(*group);
        }
        self.read_groups().await?;
        let found = lock(&self.groups).by_name.get(text).copied();
        found.ok_or_else(|| ApiError::new(Code::UnknownGroup, format!("no group here is called `{text}`")))
    }

    /// What is known of a group, at most a moment old.
    pub(crate) async fn known(&self, group: GroupId, fresh: bool) -> Result<Option<Known>, ApiError> {
        let recent = lock(&self.groups).read.is_some_and(|read| read.elapsed() < FRESH);
        if fresh || !recent {
            self.read_groups().await?;
        }
        Ok(lock(&self.groups).by_id.get(&group).cloned())
    }

    /// Forgets the names, after a group was made, joined or left.
    pub(crate) fn forget_groups(&self) {
        *lock(&self.groups) = GroupCache::default();
    }

    async fn read_groups(&self) -> Result<(), ApiError> {
        let views = self.node.groups().await?;
        let mut cache = GroupCache { read: Some(Instant::now()), ..GroupCache::default() };
        for view in views {
            cache.by_name.insert(view.name.clone(), view.group);
            cache.by_id.insert(view.group, Known { name: view.name, neighbours: view.neighbours, head: view.head });
        }
        *lock(&self.groups) = cache;
        Ok(())
    }

    /// Bytes received and sent a second by each of these peers, measured since they were last asked for.
    pub(crate) fn rates(&self, peers: &[PeerView]) -> Vec<(u64, u64)> {
        let now = Instant::now();
        let mut rates = lock(&self.rates);
        // Only what is linked is remembered, so that the table stays as small as the list of peers.
        let mut kept = BTreeMap::new();
        let shown = peers.iter().map(|peer| {
            let key = (peer.node, peer.instance.0, peer.locator.to_string());
            let counted = (peer.rx_bytes, peer.tx_bytes);
            let mut rate = rates.remove(&key).unwrap_or(Rate { since: now, counted, shown: (0, 0) });
            let span = now.duration_since(rate.since);
            if span >= RATE_SPAN {
                rate.shown = per_second(rate.counted, counted, span);
                (rate.since, rate.counted) = (now, counted);
            }
            kept.insert(key, rate);
            rate.shown
        });
        let shown = shown.collect();
        *rates = kept;
        shown
    }

    /// Why the last link to a peer ended, or the last dial failed.
    pub(crate) fn last_error(&self, node: &NodeId) -> Option<String> {
        lock(&self.errors).get(node).cloned()
    }

    /// Remembers what a notice says of a peer.
    pub(crate) fn note(&self, notice: &Notice) {
        let (node, words) = match notice {
            Notice::PeerDown { node, code, .. } => (*node, (*code).to_owned()),
            Notice::DialFailed { locator, error } => match locator.node() {
                Some(node) => (node, crate::inspect::dial_words(error)),
                None => return,
            },
            Notice::PeerUp { .. }
            | Notice::Listening { .. }
            | Notice::ListenFailed { .. }
            | Notice::PeerMoved { .. }
            | Notice::Network(_)
            | Notice::PeerRefused { .. }
            | Notice::Unlistened { .. }
            | Notice::Pinned { .. }
            | Notice::ClockSkew { .. }
            | Notice::Equivocated { .. }
            | Notice::RightsLost { .. }
            | Notice::NotFound { .. }
            | Notice::StoreFailed { .. } => return,
            // The enum is open; what it gains speaks of other things until somebody looks.
            _ => return,
        };
        let mut errors = lock(&self.errors);
        if errors.len() >= ERRORS && !errors.contains_key(&node) {
            errors.pop_first();
        }
        errors.insert(node, words);
    }
}

fn per_second(before: (u64, u64), now: (u64, u64), span: Duration) -> (u64, u64) {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = |before: u64, now: u64| now.saturating_sub(before).saturating_mul(1_000) / millis;
    (rate(before.0, now.0), rate(before.1, now.1))
}

/// A panic while a lock was held leaves whole values behind here, so the lock is taken anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
