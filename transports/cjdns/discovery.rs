//! Which nodes beyond the direct peers are tried, and how often anyone is asked.
//!
//! cjdns has nothing by which a node tells what runs on it: whoever looks for others of ours has to knock at their port.
//! Those are other people's machines. So it happens only where the operator wants it, and within what is counted here.

use core::time::Duration;
use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use tokio::time::Instant;

use crate::address::{NodeAddr, Path};

/// How long what is counted here counts.
const HOUR: Duration = Duration::from_secs(3600);

/// Nodes beyond the direct peers that are named in an hour, each once. 64: about one knock a minute.
const NAMED_MAX: usize = 64;

/// Nodes that are asked for their peers in an hour, each once. 64, as above.
const ASKED_MAX: usize = 64;

/// Nodes that are asked for their peers at a time. 4: each may take two seconds, and a look ends after ten.
const ASKED_AT_ONCE: usize = 4;

/// What was done in the running hour.
#[derive(Debug)]
pub(crate) struct Discovery {
    since: Instant,
    named: BTreeSet<Ipv6Addr>,
    asked: BTreeSet<Ipv6Addr>,
}

impl Discovery {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { since: now, named: BTreeSet::new(), asked: BTreeSet::new() }
    }

    /// Whether anyone may still be named in this hour.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= HOUR {
            *self = Self::new(now);
        }
        self.named.len() < NAMED_MAX
    }

    /// Picks nodes with a known way to ask for their peers, none of them twice in an hour.
    pub(crate) fn pick_to_ask(&mut self, known: &[NodeAddr]) -> Vec<Path> {
        let mut paths = Vec::new();
        for node in known.iter().filter(|node| node.path != Path::NONE) {
            if paths.len() < ASKED_AT_ONCE && self.asked.len() < ASKED_MAX && self.asked.insert(node.address) {
                paths.push(node.path);
            }
        }
        paths
    }

    /// Picks those of the found nodes that are named now, none of them twice in an hour.
    pub(crate) fn pick_to_name(&mut self, found: impl IntoIterator<Item = Ipv6Addr>) -> Vec<Ipv6Addr> {
        found.into_iter().filter(|address| self.named.len() < NAMED_MAX && self.named.insert(*address)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn address(number: u16) -> Ipv6Addr {
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, number)
    }

    fn node(number: u16) -> NodeAddr {
        NodeAddr { version: 22, path: Path(number.into()), key: [0; 32], address: address(number) }
    }

    #[test]
    fn at_most_64_nodes_are_named_in_an_hour_and_none_of_them_twice() {
        let start = Instant::now();
        let mut discovery = Discovery::new(start);
        assert_eq!(discovery.pick_to_name([address(1), address(1), address(2)]), [address(1), address(2)]);
        assert_eq!(discovery.pick_to_name((1..1000).map(address)).len(), 62);
        assert!(!discovery.is_open(start + HOUR - Duration::from_secs(1)));
        assert!(discovery.pick_to_name([address(2000)]).is_empty());
        assert!(discovery.is_open(start + HOUR));
        assert_eq!(discovery.pick_to_name([address(1)]), [address(1)]);
    }

    #[test]
    fn nobody_is_asked_for_peers_twice_in_an_hour() {
        let mut discovery = Discovery::new(Instant::now());
        let known: Vec<NodeAddr> = (1..=100).map(node).collect();
        assert_eq!(discovery.pick_to_ask(&known[..3]), [Path(1), Path(2), Path(3)]);
        let mut asked = 3;
        for _ in 0..100 {
            let paths = discovery.pick_to_ask(&known);
            assert!(paths.len() <= ASKED_AT_ONCE);
            asked += paths.len();
        }
        assert_eq!(asked, ASKED_MAX);
    }

    #[test]
    fn who_cannot_be_reached_is_not_asked() {
        let mut discovery = Discovery::new(Instant::now());
        assert!(discovery.pick_to_ask(&[NodeAddr { path: Path::NONE, ..node(1) }]).is_empty());
    }
}
