//! What one reader got, over all runs of its host.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::{Delivery, ReaderId};
use crosscast_port::LogPos;
use crosscast_wire::{MessageId, Seq};

use super::{Broken, Sender};
use crate::agenda::Micros;
use crate::violation::Rule;

/// One reader.
#[derive(Debug)]
pub(crate) struct Chain {
    /// Since when it reads.
    pub(crate) since: Micros,
    has_begun: bool,
    /// The present subscription.
    pub(crate) reader: Option<ReaderId>,
    /// Where to resume.
    pub(crate) cursor: Option<LogPos>,
    /// What stands there.
    pub(crate) last_id: Option<MessageId>,
    window: u32,
    outstanding: u64,
    /// Everything it ever got.
    seen: BTreeSet<MessageId>,
    /// What it must not be given again.
    settled: BTreeSet<MessageId>,
    /// Inbox: what lies at which position and was not acknowledged yet.
    open: BTreeMap<LogPos, MessageId>,
    last: BTreeMap<Sender, u64>,
    skipped: BTreeMap<Sender, Vec<(u64, u64)>>,
    /// How often it was told that it fell behind what is kept.
    pub(crate) falls: u64,
}

impl Chain {
    pub(super) const fn new(since: Micros) -> Self {
        Self {
            since,
            has_begun: false,
            reader: None,
            cursor: None,
            last_id: None,
            window: 0,
            outstanding: 0,
            seen: BTreeSet::new(),
            settled: BTreeSet::new(),
            open: BTreeMap::new(),
            last: BTreeMap::new(),
            skipped: BTreeMap::new(),
            falls: 0,
        }
    }

    pub(super) fn subscribe(&mut self, _now: Micros, window: u32, anew: bool) {
        self.window = window;
        self.outstanding = 0;
        self.reader = None;
        if anew {
            self.settled.clear();
            self.last.clear();
            self.cursor = None;
            self.open.clear();
        }
    }

    /// Its first subscription is answered: from now on it is owed what is published.
    pub(crate) const fn began(&mut self, now: Micros) {
        if !self.has_begun {
            self.has_begun = true;
            self.since = now;
        }
    }

    /// Inbox: only what was acknowledged must not come again.
    pub(crate) fn reopen(&mut self) {
        let open: BTreeSet<MessageId> = std::mem::take(&mut self.open).into_values().collect();
        self.settled.retain(|id| !open.contains(id));
        self.cursor = None;
    }

    /// Inbox: everything up to a position was acknowledged and kept so.
    pub(crate) fn acknowledged(&mut self, through: LogPos) {
        self.open.retain(|pos, _| *pos > through);
    }

    pub(crate) const fn consumed(&mut self, bytes: u32) {
        self.outstanding = self.outstanding.saturating_sub(bytes as u64);
    }

    /// The reader was told that it fell behind: what comes next need not follow what was last.
    pub(crate) fn fell_behind(&mut self) {
        self.falls = self.falls.saturating_add(1);
        self.last.clear();
    }

    pub(super) fn deliver(&mut self, delivery: &Delivery, fifo: bool, given_up_early: bool) -> Result<(), Broken> {
        if !self.settled.insert(delivery.id) {
            return Err((Rule::Duplicate, "delivered twice".into()));
        }
        self.seen.insert(delivery.id);
        self.open.insert(delivery.cursor, delivery.id);
        if let Some(cursor) = self.cursor.filter(|cursor| *cursor >= delivery.cursor) {
            return Err((Rule::Order, format!("cursor {} after {}", delivery.cursor.0, cursor.0)));
        }
        self.cursor = Some(delivery.cursor);
        self.last_id = Some(delivery.id);
        if self.outstanding > 0 && self.outstanding >= u64::from(self.window) {
            let what = format!("{} bytes are under way in a window of {}", self.outstanding, self.window);
            return Err((Rule::Window, what));
        }
        self.outstanding = self.outstanding.saturating_add(u64::from(delivery.weight));
        if fifo { self.follow(delivery, given_up_early) } else { Ok(()) }
    }

    /// Whether it follows its sender's last.
    fn follow(&mut self, delivery: &Delivery, given_up_early: bool) -> Result<(), Broken> {
        let (sender, Seq(seq)) = ((delivery.from, delivery.instance), delivery.seq);
        let last = self.last.insert(sender, seq);
        let Some(last) = last else {
            // The first that it gets of a sender: what came before may be history that nobody keeps.
            if delivery.gap && seq > 1 {
                self.skipped.entry(sender).or_default().push((1, seq.saturating_sub(1)));
            }
            return Ok(());
        };
        if seq <= last {
            return Err((Rule::Order, format!("after number {last}")));
        }
        let follows = seq == last.saturating_add(1);
        match (follows, delivery.gap) {
            (true, false) => Ok(()),
            (true, true) => Err((Rule::Gap, format!("marked, and nothing is missing after {last}"))),
            (false, false) => Err((Rule::Gap, format!("after number {last}, and the gap is not marked"))),
            (false, true) if given_up_early => Err((Rule::Gap, format!("after number {last}, given up too early"))),
            (false, true) => {
                let missing = (last.saturating_add(1), seq.saturating_sub(1));
                self.skipped.entry(sender).or_default().push(missing);
                Ok(())
            }
        }
    }

    pub(crate) fn has(&self, id: &MessageId) -> bool {
        self.seen.contains(id)
    }

    /// Whether a number was passed over behind a marked gap.
    pub(crate) fn passed_over(&self, sender: Sender, seq: Seq) -> bool {
        let within = |(first, last): &(u64, u64)| (*first..=*last).contains(&seq.0);
        self.skipped.get(&sender).is_some_and(|ranges| ranges.iter().any(within))
    }

    pub(super) fn skipped(&self) -> u64 {
        let ranges = self.skipped.values().flatten();
        ranges.map(|(first, last)| last.saturating_sub(*first).saturating_add(1)).fold(0, u64::saturating_add)
    }
}
