//! Messages that a carrier has handed up and that are not judged yet.
//!
//! The node names them by their number. What it does not judge in time is nobody's fault and is not passed on.

use core::time::Duration;
use std::collections::BTreeMap;
use std::time::Instant;

use libp2p::PeerId;
use libp2p::gossipsub::MessageId;

/// Messages of one carrier that may wait for their judgement. 4,096: more than the node takes at once.
const OPEN: usize = 4_096;
/// How long one waits. 30 s: gossipsub itself has forgotten it by then.
const PATIENCE: Duration = Duration::from_secs(30);

/// One message: what gossipsub calls it, the neighbour it came through, and its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) id: MessageId,
    pub(crate) source: PeerId,
    pub(crate) author: PeerId,
}

/// The open messages of one carrier.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    handed: u64,
    open: BTreeMap<u64, (Instant, Origin)>,
}

impl Pending {
    /// Whether one more may be handed up.
    pub(crate) fn has_room(&self) -> bool {
        self.open.len() < OPEN
    }

    /// Numbers a message that is handed up now.
    pub(crate) fn hand(&mut self, origin: Origin, now: Instant) {
        self.handed = self.handed.saturating_add(1);
        self.open.insert(self.handed, (now, origin));
    }

    /// A message is judged; `None` when it was judged already, or too late.
    pub(crate) fn judged(&mut self, number: u64) -> Option<Origin> {
        self.open.remove(&number).map(|(_, origin)| origin)
    }

    /// Takes a message that has waited too long.
    pub(crate) fn take_late(&mut self, now: Instant) -> Option<Origin> {
        let entry = self.open.first_entry()?;
        let late = now.saturating_duration_since(entry.get().0) >= PATIENCE;
        late.then(|| entry.remove().1)
    }

    /// Takes any message that is open.
    pub(crate) fn take_any(&mut self) -> Option<Origin> {
        self.open.pop_first().map(|(_, (_, origin))| origin)
    }

    /// When the next message will have waited too long.
    pub(crate) fn next_late(&self) -> Option<Instant> {
        self.open.first_key_value().and_then(|(_, (since, _))| since.checked_add(PATIENCE))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn origin(number: u8) -> Origin {
        Origin { id: MessageId::from(vec![number]), source: PeerId::random(), author: PeerId::random() }
    }

    #[test]
    fn messages_are_judged_by_number_in_any_order_and_once() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let [a, b, c] = [1, 2, 3].map(origin);
        for one in [&a, &b, &c] {
            pending.hand(one.clone(), now);
        }
        assert_eq!((pending.judged(3), pending.judged(1)), (Some(c), Some(a)));
        assert_eq!((pending.judged(1), pending.judged(4), pending.judged(0)), (None, None, None));
        assert_eq!((pending.judged(2), pending.take_any()), (Some(b), None));
    }

    #[test]
    fn what_is_not_judged_in_time_is_let_go_and_how_much_waits_is_bounded() {
        let (mut pending, now) = (Pending::default(), Instant::now());
        let first = origin(1);
        pending.hand(first.clone(), now);
        pending.hand(origin(2), now + PATIENCE / 2);
        assert_eq!(pending.next_late(), Some(now + PATIENCE));
        assert_eq!((pending.take_late(now + PATIENCE / 2), pending.take_late(now + PATIENCE)), (None, Some(first)));
        assert_eq!(pending.take_late(now + PATIENCE), None);
        while pending.has_room() {
            pending.hand(origin(3), now);
        }
        assert_eq!(pending.open.len(), OPEN);
    }
}
