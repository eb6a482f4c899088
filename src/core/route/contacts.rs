//! Whom this node knows, and the box for those it does not.
//!
//! A stranger may leave a few messages a day; all strangers together fill no more than a small box, and no neighbour
//! through which they come more than a quarter of it. Their messages lie in the inbox's log and are counted here until
//! they are taken or their sender is accepted: by an answer, or in so many words.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_port::LogPos;
use crosscast_wire::{NodeId, WallMillis};

use crate::{Reject, limits};

/// A stranger's message in the inbox.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    from: NodeId,
    /// The neighbour it came through; not known after a restart.
    through: Option<NodeId>,
    len: u64,
}

/// What a stranger has left today.
#[derive(Clone, Copy, Debug)]
struct Day {
    since: WallMillis,
    count: u32,
    bytes: u64,
}

/// Known nodes, and the messages of others.
#[derive(Debug, Default)]
pub(crate) struct Contacts {
    known: BTreeSet<NodeId>,
    waiting: BTreeMap<LogPos, Waiting>,
    days: BTreeMap<NodeId, Day>,
}

impl Contacts {
    pub(crate) fn knows(&self, node: &NodeId) -> bool {
        self.known.contains(node)
    }

    /// Accepts a node; its messages are no requests any more. Returns whether that is new and has to be kept.
    pub(crate) fn accept(&mut self, node: NodeId) -> bool {
        let room = self.known.len() < limits::CORRESPONDENTS;
        let new = room && self.known.insert(node);
        if new {
            self.waiting.retain(|_, message| message.from != node);
            self.days.remove(&node);
        }
        new
    }

    /// Whether a stranger may leave a message of this length; reads only.
    ///
    /// # Errors
    /// [`Reject::StrangerRate`] when it has left its share for the day, [`Reject::RequestsFull`] when the box or the
    /// share of the neighbour it came through is full.
    pub(crate) fn check(&self, from: &NodeId, through: NodeId, len: u64, now: WallMillis) -> Result<(), Reject> {
        if let Some(day) = self.days.get(from).filter(|day| day.is_running(now))
            && (day.count >= limits::STRANGER_MESSAGES || day.bytes.saturating_add(len) > limits::STRANGER_BYTES)
        {
            return Err(Reject::StrangerRate);
        }
        let (count, bytes) = weigh(self.waiting.values());
        let (shared, share_bytes) =
            weigh(self.waiting.values().filter(|message| message.through.is_some_and(|other| other == through)));
        let full = count >= limits::CONTACT_MESSAGES || bytes.saturating_add(len) > limits::CONTACT_BYTES;
        let share_full =
            shared >= limits::CONTACT_MESSAGES / 4 || share_bytes.saturating_add(len) > limits::CONTACT_BYTES / 4;
        if len > limits::STRANGER_BYTES {
            return Err(Reject::StrangerRate);
        }
        if full || share_full { Err(Reject::RequestsFull) } else { Ok(()) }
    }

    /// Books a stranger's message.
    pub(crate) fn add(&mut self, pos: LogPos, from: NodeId, through: Option<NodeId>, len: u64, now: WallMillis) {
        self.waiting.insert(pos, Waiting { from, through, len });
        if self.days.len() >= limits::STRANGERS && !self.days.contains_key(&from) {
            let oldest = self.days.iter().map(|(node, day)| (day.since, *node)).min();
            if let Some((_, oldest)) = oldest {
                self.days.remove(&oldest);
            }
        }
        let fresh = Day { since: now, count: 0, bytes: 0 };
        let day = self.days.entry(from).or_insert(fresh);
        if !day.is_running(now) {
            *day = fresh;
        }
        day.count = day.count.saturating_add(1);
        day.bytes = day.bytes.saturating_add(len);
    }

    /// Everything up to here has been taken by the application.
    pub(crate) fn taken_through(&mut self, through: LogPos) {
        self.waiting.retain(|pos, _| *pos > through);
    }

    /// Forgets the days that are over.
    pub(crate) fn expire(&mut self, now: WallMillis) {
        self.days.retain(|_, day| day.is_running(now));
    }
}

impl Day {
    const fn is_running(&self, now: WallMillis) -> bool {
        now.0.saturating_sub(self.since.0) < limits::STRANGER_DAY_MS
    }
}

fn weigh<'a>(messages: impl Iterator<Item = &'a Waiting>) -> (usize, u64) {
    messages.fold((0, 0), |(count, bytes), message| {
        (usize::saturating_add(count, 1), u64::saturating_add(bytes, message.len))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallMillis = WallMillis(1_700_000_000_000);
    const DOOR: NodeId = NodeId::new([0xdd; 32]);

    fn node(number: usize) -> NodeId {
        let mut key = [0; 32];
        key.iter_mut().zip((number as u64).to_be_bytes()).for_each(|(byte, from)| *byte = from);
        NodeId::new(key)
    }

    #[test]
    fn a_stranger_leaves_eight_messages_a_day() {
        let mut contacts = Contacts::default();
        for number in 0..u64::from(limits::STRANGER_MESSAGES) {
            assert_eq!(contacts.check(&node(1), DOOR, 10, NOW), Ok(()));
            contacts.add(LogPos(number), node(1), Some(DOOR), 10, NOW);
        }
        assert_eq!(contacts.check(&node(1), DOOR, 10, NOW), Err(Reject::StrangerRate));
        contacts.taken_through(LogPos(100));
        assert_eq!(contacts.check(&node(1), DOOR, 10, NOW), Err(Reject::StrangerRate), "taking them is no invitation");
        let tomorrow = WallMillis(NOW.0 + limits::STRANGER_DAY_MS);
        assert_eq!(contacts.check(&node(1), DOOR, 10, tomorrow), Ok(()));
    }

    #[test]
    fn a_stranger_leaves_sixty_four_kilobytes_a_day() {
        let mut contacts = Contacts::default();
        contacts.add(LogPos(1), node(1), Some(DOOR), limits::STRANGER_BYTES - 5, NOW);
        assert_eq!(contacts.check(&node(1), DOOR, 5, NOW), Ok(()));
        assert_eq!(contacts.check(&node(1), DOOR, 6, NOW), Err(Reject::StrangerRate));
    }

    #[test]
    fn one_neighbour_fills_a_quarter_of_the_box_and_all_together_no_more_than_the_box() {
        let mut contacts = Contacts::default();
        let mut pos = 0;
        for door in 0..10 {
            let through = node(1_000 + door);
            while contacts.check(&node(2_000 + pos), through, 100, NOW).is_ok() {
                contacts.add(LogPos(pos as u64 + 1), node(2_000 + pos), Some(through), 100, NOW);
                pos += 1;
            }
            let most = ((door + 1) * limits::CONTACT_MESSAGES / 4).min(limits::CONTACT_MESSAGES);
            assert_eq!(pos, most);
        }
        contacts.taken_through(LogPos(1));
        assert_eq!(contacts.check(&node(1), node(9_999), 100, NOW), Ok(()));
    }

    #[test]
    fn who_is_accepted_is_a_stranger_no_more() {
        let mut contacts = Contacts::default();
        contacts.add(LogPos(1), node(1), Some(DOOR), 10, NOW);
        assert!(contacts.accept(node(1)) && !contacts.accept(node(1)));
        assert!(contacts.knows(&node(1)) && contacts.waiting.is_empty());
    }

    #[test]
    fn a_crowd_of_strangers_is_remembered_within_bounds() {
        let mut contacts = Contacts::default();
        for number in 0..limits::STRANGERS + 10 {
            contacts.add(LogPos(1), node(number), None, 1, WallMillis(NOW.0 + number as u64));
        }
        assert_eq!(contacts.days.len(), limits::STRANGERS);
        assert!(!contacts.days.contains_key(&node(0)), "the oldest went");
    }
}
