//! From what a look found to how the network stands: no socket, no clock, only the rules.

use std::net::Ipv6Addr;

use crosscast_stream::overlay::Sighting;
use crosscast_wire::{NetworkReason, NetworkState};

use crate::admin::{Listed, NodeInfo, Peer, PeerState};
use crate::error::CjdnsError;
use crate::interface::Place;

/// Longest explanation, in bytes: the contract's.
const DETAIL_MAX: usize = 200;

/// What is less than it could be: why, and more about that for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: NetworkReason,
    pub(crate) detail: String,
}

impl From<&CjdnsError> for Trouble {
    fn from(error: &CjdnsError) -> Self {
        Self { reason: error.reason(), detail: error.to_string() }
    }
}

/// How a node stands whose address is here.
pub(crate) fn attached(node: &NodeInfo, place: &Place, trouble: Option<Trouble>) -> Sighting {
    let state = if trouble.is_none() { NetworkState::Up } else { NetworkState::Degraded };
    let (reason, detail) = match trouble {
        Some(Trouble { reason, detail }) => (Some(reason), detail),
        None => (None, format!("cjdns of protocol version {}", node.version)),
    };
    sighting(state, Some(place), Some(node), reason, &detail)
}

/// How a node stands that answers and whose address is not here: where the admin port is on this machine, the node has no
/// interface, or has none any more.
pub(crate) fn not_here(node: &NodeInfo, admin_is_here: bool, was_here: bool) -> Sighting {
    let (reason, why) = match (admin_is_here, was_here) {
        (_, true) => (NetworkReason::AddressGone, "this machine has it no more"),
        (true, false) => (NetworkReason::NoInterface, "no interface of this machine has it"),
        (false, false) => (NetworkReason::NotThisMachine, "no interface of this machine has it"),
    };
    let detail = format!("cjdns has the address {}, and {why}", node.address);
    sighting(NetworkState::Down, None, Some(node), Some(reason), &detail)
}

/// How the network stands when no node answers as one should: what the interfaces show is all there is.
pub(crate) fn without_admin(error: &CjdnsError, place: Option<&Place>, seen_before: bool) -> Sighting {
    let Trouble { reason, detail } = error.into();
    if place.is_some() {
        return sighting(NetworkState::Degraded, place, None, Some(reason), &detail);
    }
    let is_gone = seen_before && matches!(reason, NetworkReason::NoAdmin | NetworkReason::HostUnreachable);
    let reason = if is_gone { NetworkReason::AddressGone } else { reason };
    sighting(NetworkState::Down, None, None, Some(reason), &detail)
}

/// What is wrong with the peers of a node, as far as they were listed; nothing, when one of them is up.
pub(crate) fn trouble_with_peers(listed: &Result<Listed<Peer>, CjdnsError>) -> Option<Trouble> {
    let Listed { items: peers, whole } = match listed {
        Ok(listed) => listed,
        Err(error) => return Some(error.into()),
    };
    let some = |state| peers.iter().any(|peer| peer.state == state);
    if some(PeerState::Established) {
        None
    } else if !whole {
        Some((&CjdnsError::Endless).into())
    } else if some(PeerState::Incompatible) {
        let detail = "the peers of cjdns speak another version of its protocol".to_owned();
        Some(Trouble { reason: NetworkReason::VersionMismatch, detail })
    } else {
        let detail = match peers.len() {
            0 => "cjdns has no peers".to_owned(),
            count => format!("cjdns has {count} peers, and none of them is up"),
        };
        Some(Trouble { reason: NetworkReason::NoPeers, detail })
    }
}

/// The address of a peer that is up.
pub(crate) fn established(peer: &Peer) -> Option<Ipv6Addr> {
    (peer.state == PeerState::Established).then_some(peer.node.address)
}

fn sighting(
    state: NetworkState,
    place: Option<&Place>,
    node: Option<&NodeInfo>,
    reason: Option<NetworkReason>,
    detail: &str,
) -> Sighting {
    // What a host node says is escaped where it is read; this is all ASCII.
    let detail = detail.chars().take(DETAIL_MAX).collect();
    let (address, mtu) = (place.map(|place| place.address), place.map(|place| place.mtu));
    Sighting { state, address, key: node.map(|node| node.key), mtu, reason, detail }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::address::{NodeAddr, Path, address_of};

    /// A key that a node can have.
    fn key() -> [u8; 32] {
        (0..u32::MAX)
            .map(|n| {
                let mut key = [0; 32];
                key[..4].copy_from_slice(&n.to_le_bytes());
                key
            })
            .find(|key| address_of(key).is_some())
            .unwrap()
    }

    fn node() -> NodeInfo {
        NodeInfo { key: key(), address: address_of(&key()).unwrap(), version: 22 }
    }

    fn place() -> Place {
        Place { address: node().address, mtu: 1304 }
    }

    fn peers(states: &[PeerState], whole: bool) -> Result<Listed<Peer>, CjdnsError> {
        let node = NodeAddr { version: 22, path: Path(3), key: key(), address: node().address };
        Ok(Listed { items: states.iter().map(|state| Peer { node, state: *state }).collect(), whole })
    }

    #[test]
    fn a_node_here_with_a_peer_is_up() {
        let seen = attached(&node(), &place(), trouble_with_peers(&peers(&[PeerState::Established], false)));
        assert_eq!((seen.state, seen.reason), (NetworkState::Up, None));
        assert_eq!((seen.address, seen.key, seen.mtu), (Some(node().address), Some(key()), Some(1304)));
    }

    #[test]
    fn a_node_without_peers_that_are_up_is_degraded_and_says_why() {
        use PeerState::{Incompatible, Other};
        for (listed, reason) in [
            (peers(&[], true), NetworkReason::NoPeers),
            (peers(&[Other, Other], true), NetworkReason::NoPeers),
            (peers(&[Other, Incompatible], true), NetworkReason::VersionMismatch),
            (peers(&[Other], false), NetworkReason::AdminGarbled),
            (Err(CjdnsError::Silent), NetworkReason::HostUnreachable),
            (Err(CjdnsError::Refused("no".to_owned())), NetworkReason::AdminGarbled),
        ] {
            let seen = attached(&node(), &place(), trouble_with_peers(&listed));
            assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(reason)), "{}", seen.detail);
            assert_eq!(seen.address, Some(node().address));
            assert!(!seen.detail.is_empty());
        }
    }

    #[test]
    fn a_wrong_password_degrades_what_is_up() {
        let seen = attached(&node(), &place(), Some((&CjdnsError::WrongPassword).into()));
        assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::WrongPassword)));
    }

    #[test]
    fn no_interface_another_machine_and_a_vanished_address_are_told_apart() {
        for (admin_is_here, was_here, reason) in [
            (true, false, NetworkReason::NoInterface),
            (false, false, NetworkReason::NotThisMachine),
            (true, true, NetworkReason::AddressGone),
        ] {
            let seen = not_here(&node(), admin_is_here, was_here);
            assert_eq!((seen.state, seen.reason, seen.address), (NetworkState::Down, Some(reason), None));
        }
    }

    #[test]
    fn without_an_admin_port_an_interface_will_do() {
        let seen = without_admin(&CjdnsError::NoAdmin, Some(&place()), true);
        assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::NoAdmin)));
        assert_eq!((seen.address, seen.key, seen.mtu), (Some(node().address), None, Some(1304)));
    }

    #[test]
    fn a_node_that_was_here_is_awaited() {
        for (error, seen_before, reason) in [
            (CjdnsError::NoAdmin, false, NetworkReason::NoAdmin),
            (CjdnsError::NoAdmin, true, NetworkReason::AddressGone),
            (CjdnsError::Silent, true, NetworkReason::AddressGone),
            (CjdnsError::Denied, true, NetworkReason::AdminDenied),
            (CjdnsError::Endless, true, NetworkReason::AdminGarbled),
        ] {
            let seen = without_admin(&error, None, seen_before);
            assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(reason)));
        }
    }

    #[test]
    fn the_longest_refusal_fits() {
        let words: String = [0xff; 40].escape_ascii().to_string();
        let seen = without_admin(&CjdnsError::Refused(words.clone()), None, false);
        assert!(seen.detail.len() <= DETAIL_MAX && seen.detail.ends_with(&words));
    }
}
