//! Where others can dial this node: the locators it listens on, with a listener on every address replaced by the
//! addresses this machine would use.
//!
//! The operating system is asked by connecting a datagram socket to a documentation address (RFC 5737, RFC 3849): that
//! picks a route and a source address and sends nothing. A machine without a route has its loopback address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crosscast_wire::{Locator, NodeId};

/// Somewhere outside, in the blocks kept for documentation.
const OUTSIDE_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OUTSIDE_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// What a ticket should name for these listeners.
pub(crate) fn dialable(listen: &[Locator], node: NodeId) -> Vec<Locator> {
    listen.iter().flat_map(concrete).map(|locator| locator.with_node(node)).collect()
}

/// A locator as it is, or, for a listener on every address of a family, the one this machine is reached by.
fn concrete(locator: &Locator) -> Vec<Locator> {
    let everywhere = locator.host_port().and_then(|(host, port)| {
        let host = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
        host.is_unspecified().then_some((host, port))
    });
    let Some((host, port)) = everywhere else { return vec![locator.clone()] };
    let (outside, loopback) = match host {
        IpAddr::V4(_) => (OUTSIDE_V4, IpAddr::V4(Ipv4Addr::LOCALHOST)),
        IpAddr::V6(_) => (OUTSIDE_V6, IpAddr::V6(Ipv6Addr::LOCALHOST)),
    };
    let source = source_towards(outside).unwrap_or(loopback);
    Locator::new(locator.scheme(), &SocketAddr::new(source, port).to_string(), None).into_iter().collect()
}

/// The address this machine would send from.
fn source_towards(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_unspecified()).then_some(source)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_named_by_addresses_one_can_dial() {
        let node = NodeId::new([1; 32]);
        let listen = ["tls://0.0.0.0:7700", "tls://[::]:7701"].map(|text| Locator::parse(text).unwrap());
        let named = dialable(&listen, node);
        assert!(named.len() >= 2);
        for locator in named {
            let (host, port) = locator.host_port().unwrap();
            let host: IpAddr = host.trim_start_matches('[').trim_end_matches(']').parse().unwrap();
            assert!(!host.is_unspecified() && (7700..=7701).contains(&port));
            assert_eq!(locator.node(), Some(node));
        }
    }

    #[test]
    fn a_named_address_stays_as_it_is() {
        let listen = [Locator::parse("tls://host.example:7700").unwrap()];
        let named = dialable(&listen, NodeId::new([1; 32]));
        assert_eq!(named.first().map(Locator::address), Some("host.example:7700"));
    }
}
