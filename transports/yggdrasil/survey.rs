//! Which nodes of the network are asked whether one of ours runs there, and what came of it.
//!
//! They are other people's machines: a node that answered is asked again after [`ASK_AGAIN`], one that did not after
//! [`TRY_AGAIN`] and then more rarely, and [`ASKED_AN_HOUR`] bounds all of it. Those the daemon is linked with come first;
//! others only come in where the operator wants them, in the order in which they were heard of.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crosscast_stream::overlay::{HostKey, Neighbour};
use crosscast_wire::WallMillis;
use tokio::time::Instant;

use crate::address::address_of;
use crate::marker::Marker;

/// 64: a few hundred bytes each, spread over an hour, is less than a daemon's own upkeep.
const ASKED_AN_HOUR: usize = 64;

/// 1 h: NodeInfo changes only when a daemon is restarted.
const ASK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// 5 min, doubled with each silence: the way to a node is often not there in a daemon's first minutes.
const TRY_AGAIN: Duration = Duration::from_secs(5 * 60);

/// 1,024 nodes heard of and not yet asked: sixteen hours' work.
const WAITING_MAX: usize = 1024;

/// 64 neighbours: more than any view of a group holds.
const NEIGHBOURS_MAX: usize = 64;

/// What a node that was asked came out with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It did not answer.
    Silent,
    /// It has no marker, or none that holds.
    Nothing,
    /// One of ours runs there.
    Marked(Marker),
}

/// What is known of the neighbourhood.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// When somebody was asked, within the last hour.
    share: VecDeque<Instant>,
    /// Who was asked.
    asked: BTreeMap<HostKey, Asked>,
    /// What they had.
    found: BTreeMap<HostKey, Marker>,
    /// Who was heard of and is not asked yet.
    waiting: VecDeque<HostKey>,
}

/// A node that was asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    /// How often in a row it was silent.
    silences: u32,
}

impl Asked {
    /// Whether it was left alone for long enough.
    fn is_due(&self, now: Instant) -> bool {
        let pause = match self.silences.checked_sub(1) {
            None => ASK_AGAIN,
            Some(before) => TRY_AGAIN.saturating_mul(2_u32.saturating_pow(before)).min(ASK_AGAIN),
        };
        now.saturating_duration_since(self.at) >= pause
    }
}

impl Survey {
    /// Hears of nodes that may be asked once there is time for it.
    pub(crate) fn hear_of(&mut self, now: Instant, nodes: impl IntoIterator<Item = HostKey>) {
        let mut known: BTreeSet<HostKey> = self.waiting.iter().copied().collect();
        for node in nodes {
            if self.waiting.len() < WAITING_MAX && self.is_due(now, &node) && known.insert(node) {
                self.waiting.push_back(node);
            }
        }
    }

    /// Whom to ask next, if there is one and the hour's share is not used up: linked ones first, then those heard of. It
    /// counts as asked from here on.
    pub(crate) fn next(&mut self, now: Instant, own: &HostKey, linked: &[HostKey]) -> Option<HostKey> {
        let since = |at: Instant| now.saturating_duration_since(at);
        while self.share.front().is_some_and(|at| since(*at) >= ASK_AGAIN) {
            self.share.pop_front();
        }
        if self.share.len() >= ASKED_AN_HOUR {
            return None;
        }
        // Twice as long as anybody is left alone, so that silences are counted.
        self.asked.retain(|_, asked| since(asked.at) < ASK_AGAIN.saturating_mul(2));
        let mut next = linked.iter().copied().find(|node| node != own && self.is_due(now, node));
        while next.is_none() {
            next = Some(self.waiting.pop_front()?).filter(|node| node != own && self.is_due(now, node));
        }
        if let Some(node) = next {
            self.share.push_back(now);
            let silences = self.asked.get(&node).map_or(0, |asked| asked.silences);
            // Silent until it answers.
            self.asked.insert(node, Asked { at: now, silences: silences.saturating_add(1) });
        }
        next
    }

    fn is_due(&self, now: Instant, node: &HostKey) -> bool {
        self.asked.get(node).is_none_or(|asked| asked.is_due(now))
    }

    /// Notes what a node had.
    pub(crate) fn note(&mut self, node: HostKey, outcome: Outcome) {
        if let (Some(asked), Outcome::Nothing | Outcome::Marked(_)) = (self.asked.get_mut(&node), outcome) {
            asked.silences = 0;
        }
        match outcome {
            Outcome::Silent => {}
            Outcome::Nothing => drop(self.found.remove(&node)),
            Outcome::Marked(marker) if self.found.len() < WAITING_MAX || self.found.contains_key(&node) => {
                self.found.insert(node, marker);
            }
            Outcome::Marked(_) => {}
        }
    }

    /// Where one of ours may answer: those that say so, then the rest of the linked ones.
    pub(crate) fn neighbours(&mut self, wall: WallMillis, linked: &[HostKey]) -> Vec<Neighbour> {
        self.found.retain(|_, marker| marker.lasts(wall));
        let marked = self.found.iter().filter_map(|(key, marker)| {
            let address = address_of(key)?;
            Some(Neighbour { address, port: Some(marker.port), node: Some(marker.node) })
        });
        let bare = linked.iter().filter(|key| !self.found.contains_key(*key)).filter_map(|key| {
            let address = address_of(key)?;
            Some(Neighbour { address, port: None, node: None })
        });
        marked.chain(bare).take(NEIGHBOURS_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use crosscast_wire::NodeId;

    use super::*;

    const OWN: HostKey = [0xff; 32];

    fn keys(range: core::ops::Range<u16>) -> Vec<HostKey> {
        range
            .map(|number| {
                let mut key = [1; 32];
                key[30..].copy_from_slice(&number.to_be_bytes());
                key
            })
            .collect()
    }

    fn marker(until: u64) -> Marker {
        Marker { node: NodeId::new([7; 32]), port: 7700, until: WallMillis(until) }
    }

    #[test]
    fn at_most_an_hours_share_is_asked_in_an_hour_and_nobody_twice() {
        let mut survey = Survey::default();
        let start = Instant::now();
        survey.hear_of(start, keys(0..5000));
        let mut asked = BTreeSet::new();
        for minute in 0..180 {
            let now = start + Duration::from_secs(60 * minute);
            for node in all(&mut survey, now, &[]) {
                assert!(asked.insert(node), "asked twice");
                survey.note(node, Outcome::Nothing);
            }
            let hours = usize::try_from(minute / 60).unwrap() + 1;
            assert!(asked.len() <= hours * ASKED_AN_HOUR, "{} in {minute} minutes", asked.len());
        }
        assert_eq!(asked.len(), 3 * ASKED_AN_HOUR);
    }

    /// Everybody who is asked at once.
    fn all(survey: &mut Survey, at: Instant, linked: &[HostKey]) -> Vec<HostKey> {
        core::iter::from_fn(|| survey.next(at, &OWN, linked)).collect()
    }

    #[test]
    fn linked_nodes_are_asked_first_and_again_after_an_hour_and_the_own_never() {
        let mut survey = Survey::default();
        let linked = [keys(0..2), vec![OWN]].concat();
        let now = Instant::now();
        survey.hear_of(now, [keys(1..4), vec![OWN]].concat());
        assert_eq!(all(&mut survey, now, &linked), keys(0..4));
        for node in keys(0..4) {
            survey.note(node, Outcome::Nothing);
        }
        survey.hear_of(now, keys(1..4));
        assert_eq!(survey.waiting.len(), 0, "those who answered are not waited for");
        assert_eq!(all(&mut survey, now + ASK_AGAIN / 2, &linked), Vec::<HostKey>::new());
        assert_eq!(all(&mut survey, now + ASK_AGAIN, &linked), keys(0..2));
    }

    #[test]
    fn a_silent_node_is_tried_again_ever_more_rarely_and_keeps_what_it_had() {
        let mut survey = Survey::default();
        let linked = keys(0..1);
        let start = Instant::now();
        assert_eq!(all(&mut survey, start, &linked), linked);
        survey.note(linked[0], Outcome::Marked(marker(u64::MAX)));
        let mut tried = Vec::new();
        for minute in 0..300 {
            if !all(&mut survey, start + Duration::from_secs(60 * minute), &linked).is_empty() {
                tried.push(minute);
                survey.note(linked[0], Outcome::Silent);
            }
        }
        assert_eq!(tried, [60, 65, 75, 95, 135, 195, 255]);
        assert_eq!(survey.neighbours(WallMillis(1), &linked)[0].port, Some(7700));
    }

    #[test]
    fn neighbours_that_say_so_come_with_port_and_key_until_their_word_runs_out() {
        let mut survey = Survey::default();
        let nodes = keys(0..3);
        survey.note(nodes[0], Outcome::Marked(marker(10_000_000)));
        survey.note(nodes[2], Outcome::Marked(marker(20_000_000)));
        let named = |found: &[Neighbour]| found.iter().map(|one| one.port.is_some()).collect::<Vec<_>>();
        assert_eq!(named(&survey.neighbours(WallMillis(1), &nodes[..2])), [true, true, false]);
        assert_eq!(named(&survey.neighbours(WallMillis(15_000_000), &nodes[..2])), [true, false, false]);
        survey.note(nodes[2], Outcome::Nothing);
        assert_eq!(named(&survey.neighbours(WallMillis(15_000_000), &nodes[..2])), [false, false]);
        assert_eq!(survey.neighbours(WallMillis(1), &keys(0..5000)).len(), NEIGHBOURS_MAX);
    }
}
