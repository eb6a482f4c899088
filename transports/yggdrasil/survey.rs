//! Which nodes of the network are asked whether one of ours runs there, and what came of it.
//!
//! They are other people's machines: a node is asked once in [`ASK_AGAIN`], and at most [`ASKED_AN_HOUR`] are asked in an
//! hour. Those the daemon is linked with come first; others only come in where the operator wants them, in the order in
//! which they were heard of.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crosscast_stream::overlay::{HostKey, Neighbour};
use crosscast_wire::WallMillis;
use tokio::time::Instant;

use crate::address::address_of;
use crate::marker::Marker;

/// 64: a few hundred bytes each, spread over an hour, is less than a daemon's own upkeep.
pub(crate) const ASKED_AN_HOUR: usize = 64;

/// 16 at a time, so that an hour's share is not gone with the first look.
pub(crate) const ASKED_AT_ONCE: usize = 16;

/// 1 h: NodeInfo changes only when a daemon is restarted.
const ASK_AGAIN: Duration = Duration::from_secs(60 * 60);

/// 1,024 nodes heard of and not yet asked: sixteen hours' work.
const WAITING_MAX: usize = 1024;

/// 64 neighbours: more than any view of a group holds.
const NEIGHBOURS_MAX: usize = 64;

/// What is known of the neighbourhood.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Who was asked when, within the last hour.
    asked: BTreeMap<HostKey, Instant>,
    /// What they had.
    found: BTreeMap<HostKey, Marker>,
    /// Who was heard of and is not asked yet.
    waiting: VecDeque<HostKey>,
}

impl Survey {
    /// Hears of nodes that may be asked once there is time for it.
    pub(crate) fn hear_of(&mut self, nodes: impl IntoIterator<Item = HostKey>) {
        let mut known: BTreeSet<HostKey> = self.waiting.iter().chain(self.asked.keys()).copied().collect();
        for node in nodes {
            if self.waiting.len() < WAITING_MAX && known.insert(node) {
                self.waiting.push_back(node);
            }
        }
    }

    /// Whom to ask now: linked ones first, then those heard of. They count as asked from here on.
    pub(crate) fn choose(&mut self, now: Instant, own: &HostKey, linked: &[HostKey]) -> Vec<HostKey> {
        self.asked.retain(|_, at| now.duration_since(*at) < ASK_AGAIN);
        let room = ASKED_AN_HOUR.saturating_sub(self.asked.len()).min(ASKED_AT_ONCE);
        let mut chosen = Vec::new();
        let mut linked = linked.iter().copied();
        while chosen.len() < room {
            let Some(node) = linked.next().or_else(|| self.waiting.pop_front()) else { break };
            if node != *own && !self.asked.contains_key(&node) {
                self.asked.insert(node, now);
                chosen.push(node);
            }
        }
        chosen
    }

    /// Notes what a node had; `None` when it had nothing, or nothing that holds.
    pub(crate) fn note(&mut self, node: HostKey, marker: Option<Marker>) {
        match marker {
            // One that is asked once an hour is known to at most an hour's nodes and those that still had one before.
            Some(marker) if self.found.len() < WAITING_MAX || self.found.contains_key(&node) => {
                self.found.insert(node, marker);
            }
            Some(_) => {}
            None => {
                self.found.remove(&node);
            }
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
        survey.hear_of(keys(0..5000));
        let start = Instant::now();
        let mut asked = BTreeSet::new();
        for minute in 0..180 {
            let now = start + Duration::from_secs(60 * minute);
            let chosen = survey.choose(now, &OWN, &[]);
            assert!(chosen.len() <= ASKED_AT_ONCE);
            for node in chosen {
                assert!(asked.insert(node), "asked twice");
            }
            let hours = usize::try_from(minute / 60).unwrap() + 1;
            assert!(asked.len() <= hours * ASKED_AN_HOUR, "{} in {minute} minutes", asked.len());
        }
        assert_eq!(asked.len(), 3 * ASKED_AN_HOUR);
    }

    #[test]
    fn linked_nodes_are_asked_first_and_again_after_an_hour_and_the_own_never() {
        let mut survey = Survey::default();
        let linked = [keys(0..2), vec![OWN]].concat();
        survey.hear_of([keys(1..4), vec![OWN]].concat());
        let now = Instant::now();
        assert_eq!(survey.choose(now, &OWN, &linked), keys(0..4));
        assert_eq!(survey.choose(now + ASK_AGAIN / 2, &OWN, &linked), Vec::<HostKey>::new());
        assert_eq!(survey.choose(now + ASK_AGAIN, &OWN, &linked), keys(0..2));
    }

    #[test]
    fn neighbours_that_say_so_come_with_port_and_key_until_their_word_runs_out() {
        let mut survey = Survey::default();
        let nodes = keys(0..3);
        survey.note(nodes[0], Some(marker(10_000_000)));
        survey.note(nodes[2], Some(marker(20_000_000)));
        let named = |found: &[Neighbour]| found.iter().map(|one| one.port.is_some()).collect::<Vec<_>>();
        assert_eq!(named(&survey.neighbours(WallMillis(1), &nodes[..2])), [true, true, false]);
        assert_eq!(named(&survey.neighbours(WallMillis(15_000_000), &nodes[..2])), [true, false, false]);
        survey.note(nodes[2], None);
        assert_eq!(named(&survey.neighbours(WallMillis(15_000_000), &nodes[..2])), [false, false]);
        assert_eq!(survey.neighbours(WallMillis(1), &keys(0..5000)).len(), NEIGHBOURS_MAX);
    }
}
