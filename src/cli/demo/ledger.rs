//! The books of the demonstration: what was published, what arrived where, and whether it was what it should be.
//!
//! The speaker's own log says which entry (message id and index) is which line, since one speaker publishes in order. A
//! delivery counts for a line when its place, its speaker and its bytes are that line's; anything else is unverified. A
//! node delivers nothing whose signature and hash did not hold, so this is a second look from outside.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use bytes::Bytes;
use crosscast_api::view::EntryView;
use serde::Serialize;

/// Deliveries that wait for the speaker's own log to name their place. 1 million: beyond, they are unverified at once.
const WAITING: usize = 1_000_000;

/// Where an entry stands: message id and index.
type Place = (String, u16);

/// One delivery of a line at a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// From being handed to the speaker's daemon to being read at the receiver, in microseconds.
    pub(crate) micros: u64,
    /// Links it crossed.
    pub(crate) hops: u8,
}

/// A delivery whose place is not known yet: receiver, time, entry.
type Early = (usize, Instant, Box<EntryView>);

/// What came of an arrival.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Arrival {
    pub(crate) receiver: usize,
    /// Its number, from 0; none when it is no line of ours.
    pub(crate) line: Option<usize>,
    pub(crate) view: Box<EntryView>,
    pub(crate) seen: Seen,
}

#[derive(Debug, Default)]
struct Receiver {
    seen: Vec<Option<Seen>>,
    delivered: u64,
    duplicates: u64,
    unverified: u64,
    relayed: u64,
    misordered: u64,
    last: Option<usize>,
}

/// The books.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: Vec<Bytes>,
    speaker: String,
    handed: Vec<Option<Instant>>,
    places: HashMap<Place, usize>,
    /// Entries in the speaker's own log so far: the next one is this line.
    logged: usize,
    sent: Vec<bool>,
    receivers: Vec<Receiver>,
    waiting: HashMap<Place, Vec<Early>>,
    early: usize,
    networks: BTreeSet<String>,
    strange: u64,
}

/// The object that `--json` ends with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) receivers: u64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) unverified: u64,
    pub(crate) networks: Vec<String>,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
    pub(crate) relayed: u64,
}

impl Ledger {
    /// Opens the books for these lines of this speaker, and this many receivers.
    pub(crate) fn new(lines: Vec<Bytes>, speaker: String, receivers: usize) -> Self {
        let count = lines.len();
        let receiver = || Receiver { seen: vec![None; count], ..Receiver::default() };
        Self {
            lines,
            speaker,
            handed: vec![None; count],
            places: HashMap::new(),
            logged: 0,
            sent: vec![false; count],
            receivers: std::iter::repeat_with(receiver).take(receivers).collect(),
            waiting: HashMap::new(),
            early: 0,
            networks: BTreeSet::new(),
            strange: 0,
        }
    }

    /// Lines `first ..` were handed to the speaker's daemon.
    pub(crate) fn hand(&mut self, first: usize, count: usize, at: Instant) {
        for slot in self.handed.iter_mut().skip(first).take(count) {
            *slot = Some(at);
        }
    }

    /// The next entry of the speaker's own log; returns what had arrived before it.
    pub(crate) fn log(&mut self, view: &EntryView) -> Vec<Arrival> {
        let expected = self.lines.get(self.logged);
        if view.from != self.speaker || view.payload.bytes().as_ref() != expected {
            self.strange = self.strange.saturating_add(1);
        }
        let place = (view.id.clone(), view.index);
        let early = self.waiting.remove(&place).unwrap_or_default();
        self.early = self.early.saturating_sub(early.len());
        self.places.insert(place, self.logged);
        self.logged = self.logged.saturating_add(1);
        early.into_iter().map(|(receiver, at, view)| self.judge(receiver, at, view)).collect()
    }

    /// Entries in the speaker's own log so far.
    pub(crate) const fn logged(&self) -> usize {
        self.logged
    }

    /// A next hop has acknowledged a line.
    pub(crate) fn acknowledge(&mut self, line: usize) {
        if let Some(sent) = self.sent.get_mut(line) {
            *sent = true;
        }
    }

    /// Lines that no next hop has acknowledged.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.sent.iter().filter(|sent| !**sent).count()
    }

    /// Something arrived at a receiver; it is judged as soon as its place is known.
    pub(crate) fn arrive(&mut self, receiver: usize, at: Instant, view: Box<EntryView>) -> Option<Arrival> {
        let place = (view.id.clone(), view.index);
        if self.places.contains_key(&place) || self.early >= WAITING {
            return Some(self.judge(receiver, at, view));
        }
        self.waiting.entry(place).or_default().push((receiver, at, view));
        self.early = self.early.saturating_add(1);
        None
    }

    /// Judges all that still waits: their places are in nobody's log.
    pub(crate) fn close(&mut self) -> Vec<Arrival> {
        let waiting = std::mem::take(&mut self.waiting);
        self.early = 0;
        waiting.into_values().flatten().map(|(receiver, at, view)| self.judge(receiver, at, view)).collect()
    }

    fn judge(&mut self, number: usize, at: Instant, view: Box<EntryView>) -> Arrival {
        let line = self.places.get(&(view.id.clone(), view.index)).copied();
        let line =
            line.filter(|line| view.from == self.speaker && view.payload.bytes().as_ref() == self.lines.get(*line));
        let handed = line.and_then(|line| self.handed.get(line).copied().flatten());
        let micros = handed.map_or(0, |handed| micros(at.saturating_duration_since(handed)));
        let seen = Seen { micros, hops: view.hops };
        self.networks.extend(view.network.clone());
        if let Some(receiver) = self.receivers.get_mut(number) {
            receiver.take(line, seen, &view);
        }
        Arrival { receiver: number, line, view, seen }
    }

    /// A line at all receivers, once it is there.
    pub(crate) fn everywhere(&self, line: usize) -> Option<Vec<Seen>> {
        self.receivers.iter().map(|receiver| receiver.seen.get(line).copied().flatten()).collect()
    }

    /// Lines that arrived, by receiver.
    pub(crate) fn delivered(&self) -> Vec<u64> {
        self.receivers.iter().map(|receiver| receiver.delivered).collect()
    }

    /// Lines handed over.
    pub(crate) fn handed(&self) -> usize {
        self.handed.iter().filter(|handed| handed.is_some()).count()
    }

    /// Whether every line is at every receiver.
    pub(crate) fn is_complete(&self) -> bool {
        let count = self.lines.len() as u64;
        self.receivers.iter().all(|receiver| receiver.delivered == count)
    }

    /// Deliveries that came before one that was published earlier, and entries of the speaker's log out of place.
    pub(crate) fn misordered(&self) -> u64 {
        self.receivers.iter().map(|receiver| receiver.misordered).fold(self.strange, u64::saturating_add)
    }

    /// The sums.
    pub(crate) fn totals(&self) -> Totals {
        let sum = |of: fn(&Receiver) -> u64| self.receivers.iter().map(of).fold(0, u64::saturating_add);
        let (sent, receivers) = (self.lines.len() as u64, self.receivers.len() as u64);
        let delivered = sum(|receiver| receiver.delivered);
        let seen = self.receivers.iter().flat_map(|receiver| receiver.seen.iter().flatten());
        let mut latencies: Vec<u64> = seen.map(|seen| seen.micros).collect();
        latencies.sort_unstable();
        Totals {
            sent,
            receivers,
            delivered,
            lost: sent.saturating_mul(receivers).saturating_sub(delivered),
            duplicates: sum(|receiver| receiver.duplicates),
            unverified: sum(|receiver| receiver.unverified),
            networks: self.networks.iter().cloned().collect(),
            p50_ms: percentile(&latencies, 50),
            p99_ms: percentile(&latencies, 99),
            relayed: sum(|receiver| receiver.relayed),
        }
    }
}

impl Receiver {
    fn take(&mut self, line: Option<usize>, seen: Seen, view: &EntryView) {
        let relay = view.network.as_deref() == Some("relay") || view.path.as_deref() == Some("relayed");
        self.relayed = self.relayed.saturating_add(u64::from(relay));
        let Some((line, slot)) = line.and_then(|line| Some((line, self.seen.get_mut(line)?))) else {
            self.unverified = self.unverified.saturating_add(1);
            return;
        };
        if slot.is_some() {
            self.duplicates = self.duplicates.saturating_add(1);
            return;
        }
        *slot = Some(seen);
        self.delivered = self.delivered.saturating_add(1);
        self.misordered = self.misordered.saturating_add(u64::from(self.last.is_some_and(|last| line < last)));
        self.last = Some(line);
    }
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The value below which `percent` of the sorted values lie (nearest rank), in milliseconds.
fn percentile(sorted: &[u64], percent: usize) -> Option<f64> {
    let rank = sorted.len().saturating_mul(percent).div_ceil(100).max(1);
    sorted.get(rank.saturating_sub(1)).copied().map(crosscast_api::view::millis)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crosscast_api::view::PayloadView;

    fn view(id: &str, index: u16, payload: &str) -> Box<EntryView> {
        Box::new(EntryView {
            id: id.to_owned(),
            index,
            group: "g".to_owned(),
            from: "speaker".to_owned(),
            seq: 1,
            time: 0,
            topic: None,
            payload: PayloadView::of(payload.as_bytes()),
            hops: 1,
            network: Some("tls".to_owned()),
            path: Some("direct".to_owned()),
            order: "fifo".to_owned(),
            trail: Vec::new(),
            gap: false,
            cursor: "1.0".to_owned(),
        })
    }

    fn ledger(lines: &[&'static str], receivers: usize) -> Ledger {
        let mut ledger =
            Ledger::new(lines.iter().map(|line| Bytes::from(*line)).collect(), "speaker".into(), receivers);
        ledger.hand(0, lines.len(), Instant::now());
        ledger
    }

    #[test]
    fn equal_lines_are_told_apart_by_their_place() {
        let mut ledger = ledger(&["same", "same"], 1);
        ledger.log(&view("m", 0, "same"));
        ledger.log(&view("m", 1, "same"));
        ledger.arrive(0, Instant::now(), view("m", 0, "same"));
        assert!(!ledger.is_complete());
        ledger.arrive(0, Instant::now(), view("m", 0, "same"));
        let totals = ledger.totals();
        assert_eq!((totals.delivered, totals.duplicates, totals.lost), (1, 1, 1));
        ledger.arrive(0, Instant::now(), view("m", 1, "same"));
        assert!(ledger.is_complete());
        assert_eq!(ledger.misordered(), 0);
    }

    #[test]
    fn a_delivery_may_be_seen_before_the_log_names_its_place() {
        let mut ledger = ledger(&["a"], 1);
        assert_eq!(ledger.arrive(0, Instant::now(), view("m", 0, "a")), None);
        let arrivals = ledger.log(&view("m", 0, "a"));
        assert_eq!(arrivals.iter().map(|arrival| arrival.line).collect::<Vec<_>>(), [Some(0)]);
        assert!(ledger.is_complete());
    }

    #[test]
    fn what_is_not_the_line_it_claims_to_be_is_unverified_and_not_delivered() {
        let mut ledger = ledger(&["a"], 1);
        ledger.log(&view("m", 0, "a"));
        ledger.arrive(0, Instant::now(), view("m", 0, "b"));
        let mut forged = view("m", 0, "a");
        forged.from = "somebody else".to_owned();
        ledger.arrive(0, Instant::now(), forged);
        ledger.arrive(0, Instant::now(), view("of nobody", 0, "a"));
        assert_eq!(ledger.close().len(), 1);
        let totals = ledger.totals();
        assert_eq!((totals.unverified, totals.delivered, totals.lost), (3, 0, 1));
    }

    #[test]
    fn a_line_that_overtakes_another_is_noticed() {
        let mut ledger = ledger(&["a", "b"], 1);
        ledger.log(&view("m", 0, "a"));
        ledger.log(&view("m", 1, "b"));
        ledger.arrive(0, Instant::now(), view("m", 1, "b"));
        ledger.arrive(0, Instant::now(), view("m", 0, "a"));
        assert!(ledger.is_complete());
        assert_eq!(ledger.misordered(), 1);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).map(|n| n * 1_000).collect();
        assert_eq!((percentile(&hundred, 50), percentile(&hundred, 99)), (Some(50.0), Some(99.0)));
        assert_eq!((percentile(&[], 50), percentile(&[1_500], 99)), (None, Some(1.5)));
    }
}
