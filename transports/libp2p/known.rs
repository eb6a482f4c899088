//! Addresses that peers have named as theirs.
//!
//! Kept for a bounded number of peers, those that named one last; an address here is a claim, and what dials it finds out.

use std::collections::{HashMap, VecDeque};

use libp2p::{Multiaddr, PeerId};

use crate::address::{is_link_local, is_relayed};
use crate::limits::{ADDRESSES_PER_PEER, PEERS_KEPT};

/// Claimed addresses by peer.
#[derive(Debug, Default)]
pub(crate) struct Known {
    of_peer: HashMap<PeerId, Vec<Multiaddr>>,
    order: VecDeque<PeerId>,
}

impl Known {
    /// Notes an address that a peer names.
    pub(crate) fn note(&mut self, peer: PeerId, address: &Multiaddr) {
        if is_link_local(address) {
            return;
        }
        if !self.of_peer.contains_key(&peer) {
            self.order.push_back(peer);
            if self.order.len() > PEERS_KEPT
                && let Some(oldest) = self.order.pop_front()
            {
                self.of_peer.remove(&oldest);
            }
        }
        let addresses = self.of_peer.entry(peer).or_default();
        if addresses.len() < ADDRESSES_PER_PEER && !addresses.contains(address) {
            addresses.push(address.clone());
        }
    }

    /// The first address that leads to a peer itself, else through a relay.
    pub(crate) fn first(&self, peer: PeerId) -> Option<&Multiaddr> {
        let addresses = self.of_peer.get(&peer)?;
        addresses.iter().find(|address| !is_relayed(address)).or_else(|| addresses.first())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_peer_is_known_by_a_direct_address_before_a_circuit() {
        let (mut known, peer) = (Known::default(), PeerId::random());
        let circuit = format!("/ip4/192.0.2.1/tcp/1/p2p/{}/p2p-circuit", PeerId::random()).parse().unwrap();
        known.note(peer, &"/ip6/fe80::1/tcp/1".parse().unwrap());
        assert_eq!(known.first(peer), None);
        known.note(peer, &circuit);
        assert_eq!(known.first(peer), Some(&circuit));
        let direct = "/ip4/192.0.2.2/tcp/1".parse().unwrap();
        known.note(peer, &direct);
        assert_eq!(known.first(peer), Some(&direct));
    }

    #[test]
    fn peers_and_their_addresses_are_bounded() {
        let mut known = Known::default();
        let first = PeerId::random();
        known.note(first, &"/ip4/192.0.2.1/tcp/1".parse().unwrap());
        for _ in 0..PEERS_KEPT {
            let peer = PeerId::random();
            for port in 1..40 {
                known.note(peer, &format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap());
            }
        }
        assert_eq!((known.of_peer.len(), known.order.len(), known.first(first)), (PEERS_KEPT, PEERS_KEPT, None));
        assert!(known.of_peer.values().all(|addresses| addresses.len() <= ADDRESSES_PER_PEER));
    }
}
