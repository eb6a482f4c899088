//! How much is taken from whom: budgets of bytes and messages, by propagation source and, within it, by author.
//!
//! The author is who gossipsub's own signature names, the source is the neighbour it came through. A foreign neighbour
//! passes on in good faith what is forged, so blame goes to authors (`docs/adr/0021`). An author whose messages held has a
//! budget of its own, which grows; all that are not known share one, so that no number of new names crowds out a known one;
//! within it each source has a share, so that one that floods does not speak for those behind the others.

use core::time::Duration;
use std::collections::HashMap;
use std::time::Instant;

use crosscast_port::Judgement;
use libp2p::PeerId;

/// Bytes and messages a second, and as many seconds' worth at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate {
    bytes: u64,
    messages: u64,
    burst_secs: u64,
}

/// One neighbour. 4 MiB and 2,000 messages a second: what a node verifies beside its other work.
const SOURCE: Rate = Rate { bytes: 4 << 20, messages: 2_000, burst_secs: 2 };
/// All unknown authors. A sixteenth of a neighbour's: who is new says little, and streams repair what is not taken.
const STRANGERS: Rate = Rate { bytes: 512 << 10, messages: 128, burst_secs: 4 };
/// The unknown authors behind one neighbour: a quarter of all.
const STRANGERS_OF_SOURCE: Rate = Rate { bytes: 128 << 10, messages: 32, burst_secs: 4 };
/// A known author at first; twice as much at each level.
const AUTHOR: Rate = Rate { bytes: 256 << 10, messages: 64, burst_secs: 4 };
/// Highest level: 4 MiB and 1,024 messages a second.
const LEVEL_MAX: u32 = 4;
/// Messages that held before the first step up; twice as many before the next.
const HELD_FOR_LEVEL: u32 = 8;

/// Bad messages after which an author is not heard. 20: as many as a link may cost.
const BAD_MAX: u32 = 20;
/// How long it takes to forgive one.
const FORGIVEN: Duration = Duration::from_secs(60);
/// How long an author is not heard.
const BANNED: Duration = Duration::from_secs(600);

/// Neighbours remembered. 1,024: more than may be connected.
const SOURCES: usize = 1_024;
/// Known authors remembered, and as many bad ones. 2,048 each, about 400 KiB.
const AUTHORS: usize = 2_048;

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Its author has sent too many that were bad.
    Banned,
    /// Its neighbour has sent too much.
    Source,
    /// Its author has sent too much.
    Author,
    /// Unknown authors have sent too much.
    Strangers,
}

/// Every budget.
#[derive(Debug)]
pub(crate) struct Budgets {
    sources: HashMap<PeerId, Source>,
    good: HashMap<PeerId, Author>,
    bad: HashMap<PeerId, Culprit>,
    strangers: Bucket,
}

#[derive(Debug)]
struct Source {
    all: Bucket,
    strangers: Bucket,
    seen: Instant,
}

#[derive(Debug)]
struct Author {
    held: u32,
    level: u32,
    bucket: Bucket,
    seen: Instant,
}

#[derive(Debug)]
struct Culprit {
    count: u32,
    seen: Instant,
    banned_until: Option<Instant>,
}

impl Budgets {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            sources: HashMap::new(),
            good: HashMap::new(),
            bad: HashMap::new(),
            strangers: Bucket::new(STRANGERS, now),
        }
    }

    /// Takes a message's cost from every budget that has to bear it, or from none.
    pub(crate) fn admit(&mut self, source: PeerId, author: PeerId, bytes: usize, now: Instant) -> Result<(), Refused> {
        if self.bad.get(&author).is_some_and(|culprit| culprit.banned_until.is_some_and(|until| until > now)) {
            return Err(Refused::Banned);
        }
        make_room(&mut self.sources, source, SOURCES, |source| source.seen);
        let source = self.sources.entry(source).or_insert_with(|| Source::new(now));
        source.seen = now;
        if !source.all.has(bytes, now) {
            return Err(Refused::Source);
        }
        if let Some(author) = self.good.get_mut(&author) {
            author.seen = now;
            if !author.bucket.has(bytes, now) {
                return Err(Refused::Author);
            }
            author.bucket.take(bytes);
        } else {
            if !source.strangers.has(bytes, now) || !self.strangers.has(bytes, now) {
                return Err(Refused::Strangers);
            }
            source.strangers.take(bytes);
            self.strangers.take(bytes);
        }
        source.all.take(bytes);
        Ok(())
    }

    /// What became of a message of an author.
    pub(crate) fn judged(&mut self, author: PeerId, judgement: Judgement, now: Instant) {
        match judgement {
            Judgement::Accept => self.held(author, now),
            Judgement::Reject => self.blamed(author, now),
            Judgement::Ignore => {}
        }
    }

    fn held(&mut self, author: PeerId, now: Instant) {
        make_room(&mut self.good, author, AUTHORS, |author| author.seen);
        let author = self.good.entry(author).or_insert_with(|| Author::new(now));
        author.seen = now;
        author.held = author.held.saturating_add(1);
        if author.level < LEVEL_MAX && author.held >= HELD_FOR_LEVEL << author.level {
            author.set_level(author.level.saturating_add(1), now);
        }
    }

    fn blamed(&mut self, author: PeerId, now: Instant) {
        match self.good.get_mut(&author) {
            Some(known) if known.level > 0 => known.set_level(known.level.saturating_sub(1), now),
            Some(_) => drop(self.good.remove(&author)),
            None => {}
        }
        make_room(&mut self.bad, author, AUTHORS, |culprit| culprit.seen);
        let culprit = self.bad.entry(author).or_insert(Culprit { count: 0, seen: now, banned_until: None });
        let forgiven =
            now.saturating_duration_since(culprit.seen).as_secs().checked_div(FORGIVEN.as_secs()).unwrap_or(0);
        culprit.count = culprit.count.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX)).saturating_add(1);
        culprit.seen = now;
        if culprit.count >= BAD_MAX {
            culprit.count = 0;
            culprit.banned_until = now.checked_add(BANNED);
            self.good.remove(&author);
        }
    }
}

/// Lets go of whom nothing was heard from for longest, when a new one would be too many.
fn make_room<V>(known: &mut HashMap<PeerId, V>, new: PeerId, most: usize, seen: impl Fn(&V) -> Instant) {
    if known.len() >= most && !known.contains_key(&new) {
        let oldest = known.iter().min_by_key(|(_, value)| seen(value)).map(|(peer, _)| *peer);
        if let Some(oldest) = oldest {
            known.remove(&oldest);
        }
    }
}

impl Source {
    fn new(now: Instant) -> Self {
        Self { all: Bucket::new(SOURCE, now), strangers: Bucket::new(STRANGERS_OF_SOURCE, now), seen: now }
    }
}

impl Author {
    fn new(now: Instant) -> Self {
        Self { held: 0, level: 0, bucket: Bucket::new(AUTHOR, now), seen: now }
    }

    fn set_level(&mut self, level: u32, now: Instant) {
        self.bucket.has(0, now);
        self.level = level;
        // A step down has to be earned again.
        self.held = if level == 0 { 0 } else { self.held.min(HELD_FOR_LEVEL << level) };
        self.bucket.rate =
            Rate { bytes: AUTHOR.bytes << level, messages: AUTHOR.messages << level, burst_secs: AUTHOR.burst_secs };
    }
}

/// A bucket of bytes and messages; a message may overdraw the bytes once.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// In millionths, so that short times count.
    bytes: u64,
    messages: u64,
    filled: Instant,
}

const MILLION: u64 = 1_000_000;

impl Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        let full = |per_sec: u64| per_sec.saturating_mul(rate.burst_secs).saturating_mul(MILLION);
        Self { rate, bytes: full(rate.bytes), messages: full(rate.messages), filled: now }
    }

    /// Fills the bucket up to now; whether it has enough.
    fn has(&mut self, bytes: usize, now: Instant) -> bool {
        let micros = now.saturating_duration_since(self.filled).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.filled = self.filled.max(now);
        let fill = |level: u64, per_sec: u64| {
            let most = per_sec.saturating_mul(self.rate.burst_secs).saturating_mul(MILLION);
            level.saturating_add(per_sec.saturating_mul(micros)).min(most)
        };
        self.bytes = fill(self.bytes, self.rate.bytes);
        self.messages = fill(self.messages, self.rate.messages);
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(MILLION);
        self.bytes >= cost && self.messages >= MILLION
    }

    fn take(&mut self, bytes: usize) {
        let cost = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(MILLION);
        self.bytes = self.bytes.saturating_sub(cost);
        self.messages = self.messages.saturating_sub(MILLION);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    /// How many messages of a length are taken at once.
    fn taken(budgets: &mut Budgets, source: PeerId, author: PeerId, bytes: usize, now: Instant) -> usize {
        (0..100_000).take_while(|_| budgets.admit(source, author, bytes, now).is_ok()).count()
    }

    fn known(budgets: &mut Budgets, author: PeerId, messages: u32, now: Instant) {
        (0..messages).for_each(|_| budgets.judged(author, Judgement::Accept, now));
    }

    #[test]
    fn a_forger_of_many_names_does_not_crowd_out_a_known_author() {
        let now = Instant::now();
        let mut budgets = Budgets::new(now);
        let (host, honest) = (PeerId::random(), PeerId::random());
        known(&mut budgets, honest, 1, now);
        let forged = (0..10_000).filter(|_| budgets.admit(host, PeerId::random(), 1_000, now).is_ok()).count();
        assert_eq!(forged, 128, "the share of one neighbour");
        assert_eq!(budgets.admit(host, PeerId::random(), 1_000, now), Err(Refused::Strangers));
        assert_eq!(budgets.admit(host, honest, 60_000, now), Ok(()));
        // Behind another neighbour one may still be new.
        assert_eq!(budgets.admit(PeerId::random(), PeerId::random(), 1_000, now), Ok(()));
        // But not behind any number of them.
        let forged = (0..10_000).filter(|_| budgets.admit(PeerId::random(), PeerId::random(), 10, now).is_ok()).count();
        assert_eq!(forged, 512 - 129);
        assert_eq!(budgets.admit(host, honest, 60_000, now), Ok(()));
        assert!(budgets.sources.len() <= SOURCES);
    }

    #[test]
    fn an_author_whose_messages_hold_earns_more_and_loses_it_by_bad_ones() {
        let (now, source, author) = (Instant::now(), PeerId::random(), PeerId::random());
        let mut budgets = Budgets::new(now);
        let mut later = now;
        let mut at_once = |budgets: &mut Budgets| {
            later += Duration::from_secs(60);
            taken(budgets, source, author, 10, later)
        };
        assert_eq!(at_once(&mut budgets), 128);
        known(&mut budgets, author, 1, now);
        assert_eq!(at_once(&mut budgets), 256);
        known(&mut budgets, author, 7, now);
        assert_eq!(at_once(&mut budgets), 512);
        known(&mut budgets, author, 200, now);
        assert_eq!(at_once(&mut budgets), 4_000, "a neighbour's all");
        for (bad, expected) in [(1, 2048), (2, 512), (1, 256), (1, 128)] {
            (0..bad).for_each(|_| budgets.judged(author, Judgement::Reject, now));
            assert_eq!(at_once(&mut budgets), expected, "after {bad} more");
        }
    }

    #[test]
    fn after_twenty_bad_messages_an_author_is_not_heard_for_ten_minutes() {
        let (now, source, author) = (Instant::now(), PeerId::random(), PeerId::random());
        let mut budgets = Budgets::new(now);
        known(&mut budgets, author, 1_000, now);
        (0..19).for_each(|_| budgets.judged(author, Judgement::Reject, now));
        assert_eq!(budgets.admit(source, author, 10, now), Ok(()));
        budgets.judged(author, Judgement::Reject, now);
        assert_eq!(budgets.admit(source, author, 10, now), Err(Refused::Banned));
        // What was under way is judged well meanwhile, and changes nothing.
        budgets.judged(author, Judgement::Accept, now);
        assert_eq!(budgets.admit(source, author, 10, now + BANNED / 2), Err(Refused::Banned));
        assert_eq!(budgets.admit(source, author, 10, now + BANNED), Ok(()));
    }

    #[test]
    fn bad_messages_are_forgiven_one_a_minute() {
        let (mut now, source, author) = (Instant::now(), PeerId::random(), PeerId::random());
        let mut budgets = Budgets::new(now);
        for _ in 0..200 {
            budgets.judged(author, Judgement::Reject, now);
            now += FORGIVEN;
        }
        assert_eq!(budgets.admit(source, author, 10, now), Ok(()));
    }

    #[test]
    fn budgets_come_back_with_time_and_tables_are_bounded() {
        let now = Instant::now();
        let (mut budgets, source) = (Budgets::new(now), PeerId::random());
        let author = PeerId::random();
        known(&mut budgets, author, 1, now);
        assert_eq!(taken(&mut budgets, source, author, 64 << 10, now), 16);
        assert_eq!(taken(&mut budgets, source, author, 64 << 10, now + Duration::from_millis(500)), 2);
        for _ in 0..2 * AUTHORS {
            budgets.judged(PeerId::random(), Judgement::Accept, now);
            budgets.judged(PeerId::random(), Judgement::Reject, now);
        }
        assert_eq!((budgets.good.len(), budgets.bad.len()), (AUTHORS, AUTHORS));
        assert!(budgets.good.contains_key(&author), "who was heard last goes last");
    }
}
