//! The connections of the swarm, as far as links need to know them.
//!
//! A link is a stream of a connection, and of several connections to one peer a direct one carries better than a circuit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crosscast_port::Role;
use crosscast_wire::{PathKind, PathReason};
use libp2p::core::ConnectedPoint;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use tokio::sync::Semaphore;

use crate::address::{Target, reason, remote};
use crate::circuit::Budget;
use crate::limits::LINKS_PER_CONNECTION;

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) peer: PeerId,
    pub(crate) remote: Multiaddr,
    pub(crate) relayed: bool,
    /// Whether this side dialled it.
    pub(crate) dialled: bool,
    /// Whether a hole was punched for it.
    pub(crate) punched: bool,
    /// Whether the other side says that it speaks our protocol.
    pub(crate) speaks: bool,
    /// Whether this side has opened a link over it.
    pub(crate) opened: bool,
    /// Whether it was to relieve a circuit: a connection is asked once.
    pub(crate) asked: bool,
    /// The places of its links.
    places: Arc<Semaphore>,
    /// What it may carry, if it is a circuit.
    pub(crate) budget: Option<Arc<Budget>>,
}

impl Connection {
    fn new(peer: PeerId, endpoint: &ConnectedPoint, places: Arc<Semaphore>) -> Self {
        let relayed = endpoint.is_relayed();
        Self {
            peer,
            remote: remote(endpoint),
            relayed,
            dialled: endpoint.is_dialer(),
            punched: false,
            speaks: false,
            opened: false,
            asked: false,
            places,
            budget: relayed.then(|| Arc::new(Budget::new(Instant::now()))),
        }
    }

    /// Whether it carries a link now.
    fn is_linked(&self) -> bool {
        self.places.available_permits() < LINKS_PER_CONNECTION
    }

    /// How the peer is reached over it, and why that way.
    pub(crate) fn path(&self) -> (PathKind, PathReason) {
        if self.relayed {
            (PathKind::Relayed, PathReason::RelayOnly)
        } else if self.punched {
            (PathKind::Punched, PathReason::Punched)
        } else {
            (PathKind::Direct, reason(&self.remote))
        }
    }
}

/// All connections; bounded by what the swarm's owner lets be established.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    all: HashMap<ConnectionId, Connection>,
    /// Places of connections that are not established yet.
    fresh: HashMap<ConnectionId, Arc<Semaphore>>,
    of_peer: HashMap<PeerId, Vec<ConnectionId>>,
}

impl Connections {
    /// Makes the places of a connection that may be established next.
    pub(crate) fn prepare(&mut self, id: ConnectionId) -> Arc<Semaphore> {
        let places = Arc::new(Semaphore::new(LINKS_PER_CONNECTION));
        self.fresh.insert(id, Arc::clone(&places));
        places
    }

    /// The connection was refused by somebody else.
    pub(crate) fn failed(&mut self, id: ConnectionId) {
        self.fresh.remove(&id);
    }

    pub(crate) fn insert(&mut self, id: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        let places = self.fresh.remove(&id).unwrap_or_else(|| Arc::new(Semaphore::new(LINKS_PER_CONNECTION)));
        self.all.insert(id, Connection::new(peer, endpoint, places));
        self.of_peer.entry(peer).or_default().push(id);
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let gone = self.all.remove(&id)?;
        if let Some(ids) = self.of_peer.get_mut(&gone.peer) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.of_peer.remove(&gone.peer);
            }
        }
        Some(gone)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.all.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.all.get_mut(&id)
    }

    /// The connections to a peer, oldest first.
    pub(crate) fn of(&self, peer: PeerId) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        self.of_peer.get(&peer).into_iter().flatten().filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    /// The connection that a link to a target goes over, if there is one: a direct one, or a circuit where the target
    /// asks for no better.
    pub(crate) fn towards(&self, target: &Target) -> Option<ConnectionId> {
        let any = target.relayed || target.address.is_empty();
        let fit = self.of(target.peer?).filter(|(_, connection)| any || !connection.relayed);
        fit.min_by_key(|(_, connection)| connection.relayed).map(|(id, _)| id)
    }

    /// The connection to which a link to a peer could move that this side has opened over a circuit.
    pub(crate) fn relief(&self, peer: PeerId) -> Option<ConnectionId> {
        let held = |old: &Connection| old.relayed && old.opened && old.is_linked();
        if self.is_linked_directly(peer) || !self.of(peer).any(|(_, old)| held(old)) {
            return None;
        }
        self.of(peer).find(|(_, new)| !new.relayed && !new.asked).map(|(id, _)| id)
    }

    /// Whether a link leads straight to a peer.
    pub(crate) fn is_linked_directly(&self, peer: PeerId) -> bool {
        self.of(peer).any(|(_, connection)| !connection.relayed && connection.is_linked())
    }
}

/// Which side of a link this node is: that of the stream, whoever dialled the connection under it.
pub(crate) const fn role(opened_here: bool) -> Role {
    if opened_here { Role::Dialer } else { Role::Listener }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::PortUse;

    fn dialled(address: &str) -> ConnectedPoint {
        let address = address.parse().unwrap();
        ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
    }

    fn circuit() -> ConnectedPoint {
        dialled(&format!("/ip4/192.0.2.9/tcp/1/p2p/{}/p2p-circuit", PeerId::random()))
    }

    #[test]
    fn a_link_goes_over_a_direct_connection_where_there_is_one() {
        let (peer, mut connections) = (PeerId::random(), Connections::default());
        let (relayed, direct) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        let to = |relayed, address: &str| Target { peer: Some(peer), address: address.parse().unwrap(), relayed };
        let direct_target = to(false, "/ip4/192.0.2.1/tcp/1");
        assert_eq!(connections.towards(&direct_target), None);
        connections.insert(relayed, peer, &circuit());
        assert_eq!(connections.towards(&direct_target), None);
        assert_eq!(connections.towards(&to(true, "/ip4/192.0.2.9/tcp/1/p2p-circuit")), Some(relayed));
        let alone = Target { peer: Some(peer), address: Multiaddr::empty(), relayed: false };
        assert_eq!(connections.towards(&alone), Some(relayed));
        connections.insert(direct, peer, &dialled("/ip4/192.0.2.1/tcp/1"));
        for target in [direct_target, alone, to(true, "/ip4/192.0.2.9/tcp/1/p2p-circuit")] {
            assert_eq!(connections.towards(&target), Some(direct));
        }
        assert!(connections.remove(direct).is_some() && connections.remove(relayed).is_some());
        assert!(connections.of_peer.is_empty() && connections.remove(relayed).is_none());
    }

    #[test]
    fn only_a_link_of_ours_over_a_circuit_is_worth_moving() {
        let (peer, mut connections) = (PeerId::random(), Connections::default());
        let (relayed, direct) = (ConnectionId::new_unchecked(1), ConnectionId::new_unchecked(2));
        connections.insert(relayed, peer, &circuit());
        connections.insert(direct, peer, &dialled("/ip4/192.0.2.1/tcp/1"));
        assert_eq!(connections.relief(peer), None);
        let places = Arc::clone(&connections.get(relayed).unwrap().places);
        let link = places.try_acquire_owned().unwrap();
        assert_eq!(connections.relief(peer), None, "the other side has opened it");
        connections.get_mut(relayed).unwrap().opened = true;
        assert_eq!(connections.relief(peer), Some(direct));
        assert!(!connections.is_linked_directly(peer));
        let next = ConnectionId::new_unchecked(3);
        connections.insert(next, peer, &dialled("/ip4/192.0.2.1/tcp/2"));
        connections.get_mut(direct).unwrap().asked = true;
        assert_eq!(connections.relief(peer), Some(next));
        let moved = Arc::clone(&connections.get(direct).unwrap().places).try_acquire_owned().unwrap();
        assert_eq!(connections.relief(peer), None, "it has moved");
        drop((moved, link));
        assert_eq!(connections.relief(peer), None, "it has ended");
        assert_eq!(connections.get(relayed).unwrap().path(), (PathKind::Relayed, PathReason::RelayOnly));
    }
}
