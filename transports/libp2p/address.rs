//! Locators and multiaddrs: what a locator asks for, where a connection leads, why it leads there that way.
//!
//! A locator is `libp2p:` and a multiaddr. It ends in `/p2p/PEERID` when the PeerId that must answer is known; one that is
//! nothing but `/p2p/PEERID` is dialled over whatever connection or address the swarm has for it.

use crosscast_stream::address;
use crosscast_wire::{Locator, PathReason, Scheme};
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// What a locator asks to be dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Who must answer, when that is known.
    pub(crate) peer: Option<PeerId>,
    /// Where; empty when only the peer is named.
    pub(crate) address: Multiaddr,
    /// Whether a relay leads there.
    pub(crate) relayed: bool,
}

impl Target {
    /// Reads a locator; `None` when no swarm could dial it.
    pub(crate) fn of(locator: &Locator) -> Option<Self> {
        if locator.scheme() != Scheme::Libp2p {
            return None;
        }
        Self::at(locator.address().parse().ok()?)
    }

    /// The same for a multiaddr.
    pub(crate) fn at(mut address: Multiaddr) -> Option<Self> {
        let peer = last_peer(&address);
        let relayed = is_relayed(&address);
        if relayed && peer.is_none() {
            return None;
        }
        if peer.is_some() && address.iter().count() == 1 {
            address = Multiaddr::empty();
        }
        (peer.is_some() || !address.is_empty()).then_some(Self { peer, address, relayed })
    }
}

/// The peer that an address ends in.
pub(crate) fn last_peer(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        Some(_) | None => None,
    }
}

/// Whether an address leads through a relay.
pub(crate) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The relay that an address leads through.
pub(crate) fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address.iter() {
        if part == Protocol::P2pCircuit {
            return last;
        }
        if let Protocol::P2p(peer) = part {
            last = Some(peer);
        }
    }
    None
}

/// An address with the peer at its end.
pub(crate) fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    // One that ends in another peer is no address of this one; the peer alone still says whom to ask for.
    address.with_p2p(peer).unwrap_or_else(|_| Multiaddr::from(Protocol::P2p(peer)))
}

/// The locator of a peer's address; `None` for one that a locator cannot hold.
pub(crate) fn locator(address: &Multiaddr, peer: PeerId) -> Option<Locator> {
    Locator::new(Scheme::Libp2p, &with_peer(address.clone(), peer).to_string(), None).ok()
}

/// Where the other end of a connection is.
pub(crate) fn remote(endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address.clone(),
        // The far side of a circuit has no address but the relay's.
        ConnectedPoint::Listener { local_addr, send_back_addr } => {
            if endpoint.is_relayed() {
                local_addr.clone()
            } else {
                send_back_addr.clone()
            }
        }
    }
}

/// Why a direct connection leads where it does: by what kind of address it is.
pub(crate) fn reason(of: &Multiaddr) -> PathReason {
    match of.iter().next() {
        Some(Protocol::Ip4(v4)) => address::reason(v4.into()),
        Some(Protocol::Ip6(v6)) => address::reason(v6.into()),
        Some(Protocol::Dns6(_)) => PathReason::PublicV6,
        // A name says nothing of the network behind it; the public one is the likely one.
        Some(_) | None => PathReason::PublicV4,
    }
}

/// From how far away an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// From the same machine.
    Machine,
    /// From the same network.
    Lan,
    /// From everywhere.
    Public,
}

/// From how far away an address can be reached.
pub(crate) fn reach(address: &Multiaddr) -> Reach {
    let loopback = match address.iter().next() {
        Some(Protocol::Ip4(v4)) => v4.is_loopback(),
        Some(Protocol::Ip6(v6)) => v6.is_loopback(),
        Some(_) | None => false,
    };
    match reason(address) {
        _ if loopback => Reach::Machine,
        PathReason::Lan => Reach::Lan,
        PathReason::Overlay
        | PathReason::PublicV6
        | PathReason::PublicV4
        | PathReason::Reverse
        | PathReason::Mapped
        | PathReason::Punched
        | PathReason::RelayOnly
        | PathReason::PunchFailed
        | PathReason::Policy => Reach::Public,
    }
}

/// Whether an address needs to be told which interface it is on, and so is of no use to others.
pub(crate) fn is_link_local(address: &Multiaddr) -> bool {
    address.iter().any(|part| {
        matches!(&part, Protocol::Ip6zone(_))
            || matches!(&part, Protocol::Ip6(v6) if v6.is_unicast_link_local())
            || matches!(&part, Protocol::Ip4(v4) if v4.is_link_local())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const A: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";
    const B: &str = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";

    fn target(text: &str) -> Option<Target> {
        Target::of(&Locator::parse(text).unwrap())
    }

    #[test]
    fn a_locator_says_where_to_and_who_must_answer() {
        let plain = target("libp2p:/ip4/192.0.2.1/tcp/4001").unwrap();
        assert_eq!((plain.peer, plain.relayed), (None, false));
        let named = target(&format!("libp2p:/dns4/host.example/udp/4001/quic-v1/p2p/{A}")).unwrap();
        assert_eq!((named.peer, named.relayed), (Some(A.parse().unwrap()), false));
        let circuit = target(&format!("libp2p:/ip4/192.0.2.1/tcp/4001/p2p/{A}/p2p-circuit/p2p/{B}")).unwrap();
        assert_eq!((circuit.peer, circuit.relayed), (Some(B.parse().unwrap()), true));
        assert_eq!((relay_of(&circuit.address), relay_of(&named.address)), (Some(A.parse().unwrap()), None));
        let alone = target(&format!("libp2p:/p2p/{A}")).unwrap();
        assert_eq!((alone.peer, alone.address), (Some(A.parse().unwrap()), Multiaddr::empty()));
    }

    #[test]
    fn what_no_swarm_could_dial_is_no_target() {
        for text in [
            "libp2p:/",
            "libp2p:/ip4/192.0.2.1/tcp/70000",
            "libp2p:/nonsense",
            "libp2p:/ip4/192.0.2.1/tcp/1/p2p/nobody",
            &format!("libp2p:/ip4/192.0.2.1/tcp/4001/p2p/{A}/p2p-circuit"),
            "tls://host:1",
        ] {
            assert_eq!(target(text), None, "{text}");
        }
    }

    #[test]
    fn a_locator_ends_in_the_peer_it_leads_to() {
        let (a, b): (PeerId, PeerId) = (A.parse().unwrap(), B.parse().unwrap());
        let plain: Multiaddr = "/ip4/192.0.2.1/tcp/4001".parse().unwrap();
        let text = format!("libp2p:/ip4/192.0.2.1/tcp/4001/p2p/{A}");
        assert_eq!(locator(&plain, a).unwrap().to_string(), text);
        assert_eq!(locator(&with_peer(plain.clone(), a), a).unwrap().to_string(), text);
        assert_eq!(locator(&with_peer(plain, a), b).unwrap().to_string(), format!("libp2p:/p2p/{B}"));
        let long: Multiaddr = format!("/dns4/{}/tcp/1", "a".repeat(300)).parse().unwrap();
        assert_eq!(locator(&long, a), None);
    }

    #[test]
    fn an_address_says_from_where_it_can_be_reached() {
        for (address, expected) in [
            ("/ip4/127.0.0.1/tcp/1", Reach::Machine),
            ("/ip6/::1/udp/1/quic-v1", Reach::Machine),
            ("/ip4/10.1.2.3/tcp/1", Reach::Lan),
            ("/ip4/192.0.2.1/tcp/1", Reach::Public),
            ("/dns4/host.example/tcp/1", Reach::Public),
        ] {
            assert_eq!(reach(&address.parse().unwrap()), expected, "{address}");
        }
        assert!(is_link_local(&"/ip6/fe80::1/tcp/1".parse().unwrap()));
        assert!(!is_link_local(&"/ip6/fd00::1/tcp/1".parse().unwrap()));
    }

    #[test]
    fn an_address_says_why_it_is_reached_directly() {
        for (address, expected) in [
            ("/ip4/127.0.0.1/tcp/1", PathReason::Lan),
            ("/ip4/100.64.0.1/udp/1/quic-v1", PathReason::Lan),
            ("/ip4/192.0.2.1/tcp/1", PathReason::PublicV4),
            ("/ip6/fd00::1/tcp/1", PathReason::Lan),
            ("/ip6/fc00::1/tcp/1", PathReason::Overlay),
            ("/ip6/201::1/tcp/1", PathReason::Overlay),
            ("/ip6/2001:db8::1/tcp/1", PathReason::PublicV6),
            ("/dns4/host.example/tcp/1", PathReason::PublicV4),
            ("/dns6/host.example/tcp/1", PathReason::PublicV6),
        ] {
            assert_eq!(reason(&address.parse().unwrap()), expected, "{address}");
        }
    }
}
