//! Some groups are groups of capabilities: who is let in how, whose rights are taken back.
//!
//! Drawn from a stream of their own, behind everything else, so that the rest of a scenario is the same with and without
//! them.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_wire::Policy;

use super::{Entry, PUBLISH_FROM, RightsPlan, Scenario};
use crate::agenda::SECOND;
use crate::prng::{PPM, Prng};
use crate::world::HostId;

/// Most links between the owner and a member: a request may take as many.
const HOPS: u64 = 8;
/// Life of a capability that is renewed during a run and does not run out in it, whatever the clocks say, in milliseconds.
const SHORT_LIFE_MS: (u64, u64) = (230_000, 300_000);
/// When rights are taken back: this long before the faults are over at the latest, so that everybody has heard.
const REVOKED_BEFORE_QUIET: u64 = 2 * SECOND;

impl Scenario {
    /// Turns a third of the open groups into groups of capabilities, where that can be done.
    pub(super) fn close_groups(&mut self) {
        let mut prng = Prng::new(self.seed ^ 0x0c10_5ed0);
        for number in 0..self.groups.len() {
            let closed = prng.chance(PPM / 3);
            let mut prng = prng.fork(number as u64);
            let plan = self.groups.get(number).filter(|plan| closed && plan.policy == Policy::Open);
            let Some((owner, members)) = plan.map(|plan| (plan.owner, plan.members.clone())) else { continue };
            let twin = |host: &HostId| self.twins.is_some_and(|(a, b)| *host == a || *host == b);
            let reached = self.reach(owner, &members);
            // A key that two machines have is let in once and revoked once: that is for the core's own tests.
            if members.iter().any(twin) || reached.len() < members.len() || reached.values().any(|hops| *hops > HOPS) {
                continue;
            }
            let rights = self.rights_plan(&mut prng, owner, &members);
            if let Some(plan) = self.groups.get_mut(number) {
                plan.policy = Policy::Capability;
                plan.rights = Some(rights);
            }
        }
    }

    fn rights_plan(&self, prng: &mut Prng, owner: HostId, members: &BTreeSet<HostId>) -> RightsPlan {
        let mut plan = RightsPlan::default();
        for host in members.iter().filter(|host| **host != owner) {
            let entry = match prng.below(3) {
                0 => Entry::Invite,
                1 => Entry::Offline,
                _ => Entry::Key,
            };
            plan.entries.insert(*host, entry);
        }
        plan.life_ms = prng.chance(PPM / 2).then(|| prng.range(SHORT_LIFE_MS.0, SHORT_LIFE_MS.1));
        let mut stay = members.clone();
        for _ in 0..prng.below(3) {
            let others: Vec<HostId> = stay.iter().copied().filter(|host| *host != owner).collect();
            let Some(host) = prng.pick(&others).copied() else { break };
            let mut rest = stay.clone();
            rest.remove(&host);
            let reached = self.reach(owner, &rest);
            if rest.len() > 1 && reached.len() == rest.len() && reached.values().all(|hops| *hops <= HOPS) {
                let last = self.quiet_from.saturating_sub(REVOKED_BEFORE_QUIET);
                plan.revoked.insert(host, prng.range(PUBLISH_FROM + 5 * SECOND, last));
                stay = rest;
            }
        }
        plan
    }

    /// Those that a host reaches over these hosts alone, with the number of links.
    fn reach(&self, from: HostId, over: &BTreeSet<HostId>) -> BTreeMap<HostId, u64> {
        let mut reached = BTreeMap::from([(from, 0_u64)]);
        let mut edge = vec![from];
        while let Some(host) = edge.pop() {
            let hops = reached.get(&host).copied().unwrap_or(0).saturating_add(1);
            for other in self.neighbours(host).intersection(over) {
                if reached.get(other).is_none_or(|known| *known > hops) {
                    reached.insert(*other, hops);
                    edge.push(*other);
                }
            }
        }
        reached
    }
}
