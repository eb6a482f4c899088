//! Addresses of Yggdrasil, made of keys: the same in 0.4 and 0.5.
//!
//! With the key's bits inverted: the address is `0x02`, the number of leading ones as a byte, and the 112 bits behind
//! the first zero. The subnet is its first 64 bits with the lowest bit of the first byte set. An address shows at most
//! 240 bits of the key and no hash of the rest, so whoever names a key for an address can be checked and never computed;
//! a subnet shows even less, and says only behind which node somebody is.

use std::net::Ipv6Addr;

use crosscast_stream::overlay::{HostKey, Ownership};

/// First byte of every node's address.
const NODE_BYTE: u128 = 0x02;

/// What tells a subnet from an address: a bit of the first byte.
const SUBNET_BIT: u128 = 1 << 120;

/// Bits of an address that name a subnet, and of a subnet that its node chooses.
const SUBNET_BITS: u32 = 64;

/// The address of a node; `None` for a key with more than 127 leading zeros, which nobody can make on purpose.
#[must_use]
pub fn address_of(key: &HostKey) -> Option<Ipv6Addr> {
    let (high, low) = key.split_first_chunk::<16>()?;
    let (high, low) = (u128::from_be_bytes(*high), u128::from_be_bytes(*low.first_chunk()?));
    let ones = high.leading_zeros();
    if ones == u128::BITS {
        return None;
    }
    // What follows the ones and the zero behind them, at the top of 128 bits.
    let behind = ones.checked_add(1)?;
    let from_high = (!high).checked_shl(behind).unwrap_or(0);
    let from_low = (!low).checked_shr(u128::BITS.checked_sub(behind)?).unwrap_or(0);
    Some(Ipv6Addr::from_bits(NODE_BYTE << 120 | u128::from(ones) << 112 | (from_high | from_low) >> 16))
}

/// The subnet that a node routes: its first address, of a /64.
#[must_use]
pub fn subnet_of(key: &HostKey) -> Option<Ipv6Addr> {
    let node = address_of(key)?.to_bits();
    Some(Ipv6Addr::from_bits((node >> SUBNET_BITS) << SUBNET_BITS | SUBNET_BIT))
}

/// Whether an address is one of the network, a node's or one in a node's subnet: 200::/7.
#[must_use]
pub const fn is_address(address: Ipv6Addr) -> bool {
    address.to_bits() >> 121 == NODE_BYTE >> 1
}

/// How an address belongs to a node's key.
#[must_use]
pub fn owns(key: &HostKey, address: Ipv6Addr) -> Ownership {
    let (Some(node), Some(subnet)) = (address_of(key), subnet_of(key)) else { return Ownership::No };
    if address == node {
        Ownership::Node
    } else if address.to_bits() >> SUBNET_BITS == subnet.to_bits() >> SUBNET_BITS {
        Ownership::Subnet
    } else {
        Ownership::No
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn key(hex: &str) -> HostKey {
        crate::hex::read(hex).unwrap()
    }

    /// The rule read letter by letter from a string of bits.
    fn slowly(key: &HostKey) -> Option<Ipv6Addr> {
        let inverted: String = key.iter().map(|byte| format!("{:08b}", !byte)).collect();
        let ones = inverted.find('0').unwrap_or(256);
        let rest = inverted.get(ones + 1..ones + 113)?;
        (ones < 128).then(|| {
            let bits = format!("00000010{ones:08b}{rest}");
            Ipv6Addr::from_bits(u128::from_str_radix(&bits, 2).unwrap())
        })
    }

    #[test]
    fn addresses_and_subnets_are_those_that_real_nodes_have() {
        for (of, address, subnet) in [
            (
                "0a36b32425eb6902bb9ced2b19692267cf39b445631f1548303c83860a7473b8",
                "204:b929:9b7b:4292:dfa8:8c62:5a9c:d2db",
                "304:b929:9b7b:4292::",
            ),
            (
                "7c51f6a9f79a6921ca91bddeb88ad34f5e215df598d6eff96e335c8067efbbd2",
                "201:eb8:2558:2196:5b78:d5b9:885:1dd4",
                "301:eb8:2558:2196::",
            ),
            (
                "d5ce09aac2a2797a93264159282fa728d866e2a05e285012dd4567f230b031d7",
                "200:5463:ecaa:7abb:d0a:d9b3:7d4d:afa0",
                "300:5463:ecaa:7abb::",
            ),
            (
                "113b94c6f7e317a7469c4f23c5bbb1d03934f158df69c4ab9bad71aad27bb597",
                "203:ec46:b390:81ce:858b:963b:dc3:a444",
                "303:ec46:b390:81ce::",
            ),
        ] {
            assert_eq!(address_of(&key(of)).unwrap().to_string(), address);
            assert_eq!(subnet_of(&key(of)).unwrap().to_string(), subnet);
        }
    }

    #[test]
    fn keys_at_the_bounds_have_the_address_that_the_rule_gives() {
        for zeros in 0..=256 {
            let mut of = [0; 32];
            for bit in zeros..256 {
                of[bit / 8] |= 1 << (7 - bit % 8);
            }
            assert_eq!(address_of(&of), slowly(&of), "{zeros} zeros, then ones");
            let mut lone = [0; 32];
            if zeros < 256 {
                lone[zeros / 8] |= 1 << (7 - zeros % 8);
            }
            assert_eq!(address_of(&lone), slowly(&lone), "{zeros} zeros, a one, then zeros");
        }
        assert_eq!(address_of(&[0; 32]), None);
        assert_eq!(subnet_of(&[0; 32]), None);
        assert_eq!(owns(&[0; 32], "200::1".parse().unwrap()), Ownership::No);
        assert_eq!(address_of(&[0xff; 32]), Some("200::".parse().unwrap()));
    }

    #[test]
    fn the_network_is_200_7_and_nothing_beside_it() {
        for (text, inside) in [
            ("200::", true),
            ("3ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true),
            ("1ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false),
            ("400::", false),
            ("2000::1", false),
            ("fc00::1", false),
            ("::1", false),
        ] {
            assert_eq!(is_address(text.parse().unwrap()), inside, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_key_has_the_address_that_the_rule_gives(of: HostKey, zeros in 0_usize..=140) {
            let mut of = of;
            for bit in 0..zeros {
                of[bit / 8] &= !(1 << (7 - bit % 8));
            }
            prop_assert_eq!(address_of(&of), slowly(&of));
        }

        #[test]
        fn a_key_owns_its_address_and_its_subnet_and_no_neighbour_of_them(of: HostKey, host: u64, bit in 0_u32..64) {
            let (node, subnet) = (address_of(&of).unwrap(), subnet_of(&of).unwrap());
            prop_assert!(is_address(node) && is_address(subnet));
            prop_assert_eq!(owns(&of, node), Ownership::Node);
            let inside = Ipv6Addr::from_bits(subnet.to_bits() | u128::from(host));
            prop_assert_eq!(owns(&of, inside), Ownership::Subnet);
            let beside = Ipv6Addr::from_bits(inside.to_bits() ^ 1 << (64 + bit));
            prop_assert_eq!(owns(&of, beside), if beside == node { Ownership::Node } else { Ownership::No });
            let other_node = Ipv6Addr::from_bits(node.to_bits() ^ 1 << bit);
            prop_assert_eq!(owns(&of, other_node), Ownership::No);
        }
    }
}
