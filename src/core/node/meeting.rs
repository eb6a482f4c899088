//! Where the members of a group meet on foreign networks: under a name made of group and day, one for each network.
//!
//! Around midnight (UTC) both days' names hold, so that clocks may differ. What a network finds under a name is a place
//! to dial, and in the best case a carrier.

use std::collections::BTreeMap;

use crosscast_port::Request;
use crosscast_wire::{GroupId, Rendezvous, Scheme};

use crate::Node;

/// 10 min on either side of midnight: more than clocks differ, and long enough to find each other under the new name.
const OVERLAP_MS: u64 = 600_000;
const DAY_MS: u64 = 86_400_000;

/// Names under which this node meets others, with the group of each.
pub(super) type Meetings = BTreeMap<(Scheme, Rendezvous), GroupId>;

impl Node {
    /// The group that meets under a name.
    pub(super) fn met_group(&self, scheme: Scheme, rendezvous: &Rendezvous) -> Option<GroupId> {
        self.meetings.get(&(scheme, *rendezvous)).copied()
    }

    /// Meets for every group on every network that can, under the names of now, and nowhere else.
    pub(super) fn tend_meetings(&mut self) {
        let schemes = self.networks.values().filter(|network| network.meets).map(|network| network.scheme);
        let days = days(self.now.wall.0);
        let mut wanted = Meetings::new();
        for scheme in schemes {
            for group in self.groups.keys() {
                wanted.extend(days.iter().map(|day| ((scheme, Rendezvous::of(group, *day)), *group)));
            }
        }
        if wanted == self.meetings {
            return;
        }
        let before = std::mem::replace(&mut self.meetings, wanted.clone());
        for (scheme, rendezvous) in before.keys().filter(|place| !wanted.contains_key(place)) {
            self.request(Request::Part { scheme: *scheme, rendezvous: *rendezvous });
        }
        for (scheme, rendezvous) in wanted.keys().filter(|place| !before.contains_key(place)) {
            self.request(Request::Meet { scheme: *scheme, rendezvous: *rendezvous });
        }
    }
}

/// The days whose names hold.
fn days(wall_ms: u64) -> Vec<u64> {
    let early = wall_ms.saturating_sub(OVERLAP_MS) / DAY_MS;
    let late = wall_ms.saturating_add(OVERLAP_MS) / DAY_MS;
    if early == late { vec![early] } else { vec![early, late] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_days_hold_around_midnight() {
        assert_eq!(days(5 * DAY_MS + DAY_MS / 2), [5]);
        assert_eq!(days(6 * DAY_MS - 1), [5, 6]);
        assert_eq!(days(6 * DAY_MS + OVERLAP_MS - 1), [5, 6]);
        assert_eq!(days(6 * DAY_MS + OVERLAP_MS), [6]);
    }
}
