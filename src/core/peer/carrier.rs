//! What a carrier still has to do: messages that wait their turn to be put on it, and what it handed up.
//!
//! A carrier reaches everybody who meets under one name, and knows nobody of them: no hello, no credit, no acknowledgement.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_wire::{GroupId, MessageId};

use crate::peer::incoming::Arrival;
use crate::{Instant, limits};

/// What is known of the chain that came beside a message. Its hash does not cover its signatures, so that anybody can lay
/// out a message anew beside a chain of the same name; what is laid out so is not passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Beside {
    /// None came, or the very one that is known.
    #[default]
    Sound,
    /// One that nobody has checked yet.
    Unchecked,
    /// None that belongs here, or another than the one that is known by this name.
    Other,
}

/// One carrier of one group.
pub(crate) struct Carrier {
    pub(crate) group: GroupId,
    /// MESSAGE frames handed up so far.
    handed: u64,
    /// Those that are not judged yet, by what they are booked as; with whether the chain beside is checked.
    open: BTreeMap<Arrival, (u64, Beside)>,
    /// The chain that came last, for the message behind it.
    beside: Beside,
    /// Messages that came over other links and are put on the carrier when their time comes.
    waiting: BTreeSet<(Instant, MessageId)>,
    due: BTreeMap<MessageId, Instant>,
    /// Messages that were not put on the carrier, for want of room.
    pub(crate) dropped: u64,
}

impl Carrier {
    pub(crate) fn new(group: GroupId) -> Self {
        Self {
            group,
            handed: 0,
            open: BTreeMap::new(),
            beside: Beside::Sound,
            waiting: BTreeSet::new(),
            due: BTreeMap::new(),
            dropped: 0,
        }
    }

    /// Numbers a frame that was handed up.
    pub(crate) const fn number(&mut self) -> u64 {
        self.handed = self.handed.saturating_add(1);
        self.handed
    }

    /// Books a frame as waiting for its judgement; credit bounds how many do.
    pub(crate) fn opened(&mut self, arrival: Arrival, number: u64, beside: Beside) {
        self.open.insert(arrival, (number, beside));
    }

    /// Notes what came before a message.
    pub(crate) const fn came_beside(&mut self, beside: Beside) {
        self.beside = beside;
    }

    /// What came before the message that comes now.
    pub(crate) const fn take_beside(&mut self) -> Beside {
        core::mem::replace(&mut self.beside, Beside::Sound)
    }

    /// Whether a message that waits for its judgement came beside a chain that nobody has checked.
    pub(crate) fn is_unchecked(&self, arrival: &Arrival) -> bool {
        self.open.get(arrival).is_some_and(|(_, beside)| *beside != Beside::Sound)
    }

    /// The number of a frame that is judged now.
    pub(crate) fn judged(&mut self, arrival: &Arrival) -> Option<u64> {
        self.open.remove(arrival).map(|(number, _)| number)
    }

    /// Lets a message wait; false when too many do.
    pub(crate) fn wait(&mut self, id: MessageId, until: Instant) -> bool {
        if self.due.len() >= limits::CARRIER_WAITING {
            return false;
        }
        self.heard(&id);
        self.due.insert(id, until);
        self.waiting.insert((until, id));
        true
    }

    /// Somebody has put this message on the carrier.
    pub(crate) fn heard(&mut self, id: &MessageId) {
        if let Some(until) = self.due.remove(id) {
            self.waiting.remove(&(until, *id));
        }
    }

    /// Takes a message whose time has come.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<MessageId> {
        let (until, id) = self.waiting.first().copied().filter(|(until, _)| *until <= now)?;
        self.waiting.remove(&(until, id));
        self.due.remove(&id);
        Some(id)
    }

    /// When the next message's time comes.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_heard_meanwhile_is_not_put_on_the_carrier() {
        let mut carrier = Carrier::new(GroupId::new([1; 32]));
        let (one, two) = (MessageId::new([1; 32]), MessageId::new([2; 32]));
        assert!(carrier.wait(one, Instant(10)) && carrier.wait(two, Instant(5)));
        carrier.heard(&one);
        assert_eq!((carrier.next_due(), carrier.take_due(Instant(4))), (Some(Instant(5)), None));
        assert_eq!((carrier.take_due(Instant(20)), carrier.take_due(Instant(20))), (Some(two), None));
    }
}
