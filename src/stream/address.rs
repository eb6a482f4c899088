//! Socket addresses in the words of the port: as locators, and as reasons for a path.

use std::net::{IpAddr, SocketAddr};

use crosscast_wire::{Locator, PathReason, Scheme};

/// The locator of a socket address; every one of them is a host, in brackets where it has to be, and a port.
#[must_use]
pub fn at(scheme: Scheme, address: SocketAddr) -> Option<Locator> {
    let address = match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    };
    Locator::new(scheme, &address.to_string(), None).ok()
}

/// Why an address is reached the way it is: by what kind of address it is.
#[must_use]
pub fn reason(address: IpAddr) -> PathReason {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 6598: the inside of a carrier's network.
            let shared = a == 100 && b & 0xc0 == 64;
            if v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared {
                PathReason::Lan
            } else {
                PathReason::PublicV4
            }
        }
        IpAddr::V6(v6) => {
            let [a, ..] = v6.octets();
            // Yggdrasil's 200::/7 and cjdns's fc00::/8: the address is made from a key.
            if a & 0xfe == 0x02 || a == 0xfc {
                PathReason::Overlay
            } else if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() {
                PathReason::Lan
            } else {
                PathReason::PublicV6
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_address_says_why_it_is_reached_directly() {
        for (address, expected) in [
            ("127.0.0.1", PathReason::Lan),
            ("10.1.2.3", PathReason::Lan),
            ("100.64.0.1", PathReason::Lan),
            ("169.254.1.1", PathReason::Lan),
            ("100.128.0.1", PathReason::PublicV4),
            ("192.0.2.1", PathReason::PublicV4),
            ("::1", PathReason::Lan),
            ("fe80::1", PathReason::Lan),
            ("fd00::1", PathReason::Lan),
            ("fc00::1", PathReason::Overlay),
            ("200::1", PathReason::Overlay),
            ("301:2::1", PathReason::Overlay),
            ("2001:db8::1", PathReason::PublicV6),
        ] {
            assert_eq!(reason(address.parse().unwrap()), expected, "{address}");
        }
    }
}
