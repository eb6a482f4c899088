//! Who is linked with whom, who is away, and who reaches whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::prng::Prng;
use crate::world::HostId;

/// Who is linked with whom, who is away.
pub(super) struct Map {
    pub(super) dials: BTreeMap<HostId, BTreeSet<HostId>>,
    pub(super) links: BTreeMap<HostId, BTreeSet<HostId>>,
    pub(super) away: BTreeSet<HostId>,
}

impl Map {
    /// A connected mesh in which every node has dialled three others, or as many as came before it.
    pub(super) fn draw(prng: &mut Prng, nodes: u32) -> Self {
        let mut map = Self { dials: BTreeMap::new(), links: BTreeMap::new(), away: BTreeSet::new() };
        for node in 1..nodes {
            for _ in 0..3 {
                let other = u32::try_from(prng.below(u64::from(node))).unwrap_or(0);
                map.link(HostId(node), HostId(other));
            }
        }
        let mut others: Vec<HostId> = (2..nodes).map(HostId).collect();
        prng.shuffle(&mut others);
        map.away = others.into_iter().take(usize::try_from(nodes / 4).unwrap_or(1)).collect();
        map
    }

    fn link(&mut self, dialer: HostId, listener: HostId) {
        self.dials.entry(dialer).or_default().insert(listener);
        self.links.entry(dialer).or_default().insert(listener);
        self.links.entry(listener).or_default().insert(dialer);
    }

    /// Those that a host reaches over others for whom `passes` holds, with the number of links.
    pub(super) fn reach(&self, from: HostId, passes: impl Fn(HostId) -> bool) -> BTreeMap<HostId, u64> {
        let mut reached = BTreeMap::from([(from, 0_u64)]);
        let mut edge = vec![from];
        while !edge.is_empty() {
            let mut next = Vec::new();
            for host in edge {
                let hops = reached.get(&host).copied().unwrap_or(0).saturating_add(1);
                for other in self.links.get(&host).into_iter().flatten() {
                    if passes(*other) && !reached.contains_key(other) {
                        reached.insert(*other, hops);
                        next.push(*other);
                    }
                }
            }
            edge = next;
        }
        reached
    }
}

/// Whether the mesh of those who stay holds together without a host.
pub(super) fn cuts_none(map: &Map, from: HostId, host: HostId) -> bool {
    let stays = |other: HostId| !map.away.contains(&other);
    let with = map.reach(from, stays).len();
    with == map.reach(from, |other| stays(other) && other != host).len().saturating_add(1)
}
