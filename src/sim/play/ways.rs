//! Who had a message to single hosts in hand, and whether there was a way on from there.
//!
//! Whoever passes a message on for others keeps it for a while and no longer. What is lost on the way is excused only
//! where some host that had been given it had, for all that time, no way to the recipient: over connections that held
//! and carried, no more of them than a message may cross, past no host that had passed it on already. What is sent is
//! overheard, and the connections are looked at once a second.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_wire::{Destination, Hop, Message, MessageId, NodeId, RawFrame};

use crate::agenda::{Micros, SECOND};
use crate::world::HostId;

/// How often the connections are looked at.
const LOOK_EVERY: Micros = SECOND;
/// How long a message that is passed on is kept: the core's own word.
const KEPT: Micros = 30 * SECOND;

/// Links that a message may cross.
const HOPS: u8 = 8;

/// A connection and the hosts at its ends.
pub(super) type Way = (u64, HostId, HostId);

/// A copy on its way from one host to another.
#[derive(Clone, Copy, Debug)]
struct Given {
    at: Micros,
    from: HostId,
    to: HostId,
    /// Links that it has crossed when it arrives.
    crossed: u8,
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Ways {
    looks: Vec<BTreeSet<Way>>,
    /// By message and recipient.
    given: BTreeMap<(MessageId, NodeId), Vec<Given>>,
}

impl Ways {
    /// Whether it is time to look at the connections.
    pub(super) fn is_due(&self, now: Micros) -> bool {
        now >= LOOK_EVERY.saturating_mul(self.looks.len() as u64)
    }

    /// Notes which connections carry now.
    pub(super) fn look(&mut self, now: Micros, open: &BTreeSet<Way>) {
        while self.is_due(now) {
            self.looks.push(open.clone());
        }
    }

    /// Notes for whom messages were sent to a host.
    pub(super) fn sent(&mut self, at: Micros, from: HostId, to: HostId, frames: &[RawFrame]) {
        for frame in frames {
            let bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat();
            let Ok((hop, message)) = Hop::split(&bytes.into()) else { continue };
            let Ok(message) = Message::parse(message) else { continue };
            let header = message.header();
            let Destination::Unicast(single) = header.to else { continue };
            let everyone = if header.recipients.is_empty() { vec![single] } else { header.recipients.clone() };
            let bits = hop.remaining.filter(|_| !header.recipients.is_empty()).unwrap_or(u32::MAX);
            let named = (0_u32..).zip(everyone).filter(|(place, _)| bits.checked_shr(*place).unwrap_or(0) & 1 == 1);
            let given = Given { at, from, to, crossed: hop.hops.saturating_add(1) };
            for (_, node) in named {
                self.given.entry((message.id(), node)).or_default().push(given);
            }
        }
    }

    /// Messages and recipients to whom, for as long as it is kept, no way led from some host that it was given to.
    pub(super) fn strayed(&self, host_of: impl Fn(&NodeId) -> Option<HostId>) -> BTreeSet<(MessageId, HostId)> {
        let mut steady = BTreeMap::new();
        let mut strayed = BTreeSet::new();
        for ((id, node), given) in &self.given {
            let Some(recipient) = host_of(node) else { continue };
            let lost = given.iter().any(|copy| {
                let before = given.iter().take_while(|other| other.at <= copy.at);
                let passed: BTreeSet<HostId> = before.map(|other| other.from).collect();
                // Whoever gets back what it has passed on does not keep it.
                let keeps = copy.to != recipient && !passed.contains(&copy.to);
                let since = usize::try_from(copy.at / LOOK_EVERY).unwrap_or(usize::MAX);
                keeps && !leads(steady.entry(since).or_insert_with(|| self.held(since)), copy, recipient, &passed)
            });
            if lost {
                strayed.insert((*id, recipient));
            }
        }
        strayed
    }

    /// Connections that carried for as long as a message is kept.
    fn held(&self, since: usize) -> BTreeSet<Way> {
        let looks = usize::try_from(KEPT / LOOK_EVERY).unwrap_or(usize::MAX);
        let mut looks = self.looks.iter().skip(since).take(looks.saturating_add(1));
        let first = looks.next().cloned().unwrap_or_default();
        looks.fold(first, |held, look| held.intersection(look).copied().collect())
    }
}

/// Whether a copy could get to its recipient past nobody who has passed it on.
fn leads(steady: &BTreeSet<Way>, copy: &Given, recipient: HostId, passed: &BTreeSet<HostId>) -> bool {
    let mut reached = BTreeSet::from([copy.to]);
    for _ in copy.crossed..HOPS {
        let further = |(_, a, b): &Way| match (reached.contains(a), reached.contains(b)) {
            (true, false) => Some(*b),
            (false, true) => Some(*a),
            (true, true) | (false, false) => None,
        };
        let more: Vec<HostId> = steady.iter().filter_map(further).filter(|host| !passed.contains(host)).collect();
        reached.extend(more);
    }
    reached.contains(&recipient)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    const ROW: [Way; 3] = [(1, HostId(0), HostId(1)), (2, HostId(2), HostId(1)), (3, HostId(2), HostId(3))];

    fn leads_from(to: u32, crossed: u8, passed: &[u32]) -> bool {
        let copy = Given { at: 0, from: HostId(9), to: HostId(to), crossed };
        let passed = passed.iter().map(|host| HostId(*host)).collect();
        leads(&BTreeSet::from(ROW), &copy, HostId(3), &passed)
    }

    #[test]
    fn a_way_leads_over_no_more_links_than_a_message_may_cross() {
        assert!(leads_from(0, 5, &[9]) && leads_from(2, 7, &[9]));
        assert!(!leads_from(0, 6, &[9]) && !leads_from(2, 8, &[9]));
    }

    #[test]
    fn a_way_leads_past_nobody_who_has_passed_it_on() {
        assert!(leads_from(1, 1, &[0, 9]));
        assert!(!leads_from(1, 1, &[2, 9]));
    }

    #[test]
    fn a_connection_that_did_not_hold_is_no_way() {
        let mut ways = Ways::default();
        ways.look(10 * SECOND, &BTreeSet::from(ROW));
        ways.look(11 * SECOND, &BTreeSet::from([ROW[0], ROW[1], (4, HostId(2), HostId(3))]));
        ways.look(60 * SECOND, &BTreeSet::from(ROW));
        assert_eq!(ways.held(0), BTreeSet::from([ROW[0], ROW[1]]));
        assert_eq!(ways.held(12), BTreeSet::from(ROW));
    }
}
