//! Interfaces of this machine, as far as they show a Yggdrasil node when its daemon does not.
//!
//! Linux only: `/proc/net/if_inet6` has the addresses, `/sys/class/net` what kind of interface has them.

use std::fs::File;
use std::io::Read as _;
use std::net::{Ipv6Addr, UdpSocket};

use crate::address::is_address;

/// The prefix that the daemon gives its interface: the whole network's.
const PREFIX_LEN: u32 = 7;

/// What tells an interface between two ends from one with a link layer (`IFF_POINTOPOINT`, netdevice(7)).
const POINT_TO_POINT: u32 = 0x10;

/// 256 KiB: some four thousand addresses.
const LIST_MAX: u64 = 256 * 1024;

/// An interface that must be a Yggdrasil node's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its name.
    pub(crate) name: String,
    /// The node's address.
    pub(crate) address: Ipv6Addr,
    /// Its MTU in bytes.
    pub(crate) mtu: Option<u32>,
}

/// The first interface of this machine that must be a Yggdrasil node's.
pub(crate) fn find() -> Option<Interface> {
    let (name, address) = candidates(&read("/proc/net/if_inet6")?)
        // Where the folder is of another network namespace, the prefix has to do.
        .find(|(name, _)| flags(name).is_none_or(|flags| flags & POINT_TO_POINT != 0))?;
    let mtu = read(&format!("/sys/class/net/{name}/mtu")).and_then(|mtu| mtu.trim().parse().ok());
    Some(Interface { name, address, mtu })
}

/// Whether an address is one of this machine's that sockets can have now.
pub(crate) fn is_here(address: Ipv6Addr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Names and addresses of interfaces whose address is a node's, with the whole network as its prefix.
fn candidates(list: &str) -> impl Iterator<Item = (String, Ipv6Addr)> {
    list.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let address = Ipv6Addr::from_bits(u128::from_str_radix(fields.next()?, 16).ok()?);
        let prefix = u32::from_str_radix(fields.nth(1)?, 16).ok()?;
        let name = fields.nth(2)?;
        let is_node = is_address(address) && address.octets().first() == Some(&2) && prefix == PREFIX_LEN;
        is_node.then(|| (name.to_owned(), address))
    })
}

fn flags(name: &str) -> Option<u32> {
    let text = read(&format!("/sys/class/net/{name}/flags"))?;
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

fn read(path: &str) -> Option<String> {
    let mut text = String::new();
    File::open(path).ok()?.take(LIST_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const LIST: &str = "\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000a8bbccfffe000001 02 40 20 80     eth0
20010db8000000000000000000000001 02 40 00 80     eth0
03010eb8255821960000000000000005 01 80 00 80       lo
02010eb82558219600000000000000ff 01 80 00 80       lo
02010eb8255821965b78d5b908851dd4 04 07 00 80     ygg0
020054630000000000000000000000aa 05 07 00 80    tun99
";

    #[test]
    fn a_node_is_known_by_its_address_and_the_prefix_of_the_whole_network() {
        let found: Vec<_> = candidates(LIST).map(|(name, address)| (name, address.to_string())).collect();
        assert_eq!(
            found,
            [
                ("ygg0".to_owned(), "201:eb8:2558:2196:5b78:d5b9:885:1dd4".to_owned()),
                ("tun99".to_owned(), "200:5463::aa".to_owned())
            ]
        );
        assert_eq!(candidates("\nx\n00 00\nzz 01 07 00 80 ygg0\n").count(), 0);
    }

    #[test]
    fn an_address_of_this_machine_is_here_and_another_is_not() {
        assert!(is_here(Ipv6Addr::LOCALHOST));
        assert!(!is_here("201:eb8:2558:2196:5b78:d5b9:885:1dd5".parse().unwrap()));
    }
}
