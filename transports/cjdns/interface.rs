//! The network interfaces of this machine, as Linux shows them: which has an address, and which looks like cjdns's.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv6Addr, UdpSocket};

use crate::address::is_address;

/// The MTU that cjdns gives its interface, for when it cannot be read.
const MTU: u32 = 1304;

/// Most bytes of the list of addresses that are read: about a thousand addresses.
const LIST_MAX: u64 = 64 * 1024;

/// The bit of an interface's flags that says it has one other end (`IFF_POINTOPOINT` of Linux).
const POINT_TO_POINT: u32 = 0x10;

/// The length of the prefix that cjdns gives its interface: all of fc00::/8 lies behind it. Other tunnels with private
/// addresses have longer ones.
const PREFIX_LEN: u8 = 8;

/// An address of this machine, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The address.
    pub(crate) address: Ipv6Addr,
    /// Its interface's MTU.
    pub(crate) mtu: u32,
}

/// The place of an address, when it is one of this machine.
pub(crate) fn find(address: Ipv6Addr) -> Option<Place> {
    let known = list();
    let entry = known.as_deref().and_then(|known| known.iter().find(|entry| entry.address == address));
    // A machine can be set to let programs bind addresses that it does not have; then only the list knows.
    let is_there = is_local(address.into()) && (known.is_none() || entry.is_some());
    is_there.then(|| Place { address, mtu: entry.and_then(Entry::mtu).unwrap_or(MTU) })
}

/// The first address that looks like a cjdns node's, for when there is no admin port to ask.
pub(crate) fn scan() -> Option<Place> {
    let entry = list()?.into_iter().find(|entry| entry.may_be_cjdns() && entry.is_tunnel())?;
    let mtu = entry.mtu().unwrap_or(MTU);
    is_local(entry.address.into()).then_some(Place { address: entry.address, mtu })
}

/// Whether programs of this machine can have an address.
pub(crate) fn is_local(address: IpAddr) -> bool {
    match UdpSocket::bind((address, 0)) {
        Ok(_) => true,
        // Whatever else went wrong, it is not for want of the address.
        Err(error) => error.kind() != io::ErrorKind::AddrNotAvailable,
    }
}

/// A line of the list of IPv6 addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    address: Ipv6Addr,
    prefix_len: u8,
    interface: String,
}

impl Entry {
    /// Reads `fc010e84..95be 05 08 00 80 cjd0`: address, index, length of the prefix, scope, flags, interface.
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let address = Ipv6Addr::from(u128::from_str_radix(words.next()?, 16).ok()?);
        let prefix_len = u8::from_str_radix(words.nth(1)?, 16).ok()?;
        let interface = words.nth(2)?.to_owned();
        // It becomes part of a path below.
        let is_name = !interface.contains('/') && !interface.starts_with('.');
        is_name.then_some(Self { address, prefix_len, interface })
    }

    fn may_be_cjdns(&self) -> bool {
        is_address(self.address) && self.prefix_len == PREFIX_LEN
    }

    fn is_tunnel(&self) -> bool {
        let flags = self.property("flags").and_then(|text| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok());
        flags.is_some_and(|flags| flags & POINT_TO_POINT != 0) && self.property("tun_flags").is_some()
    }

    fn mtu(&self) -> Option<u32> {
        self.property("mtu")?.parse().ok()
    }

    fn property(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(format!("/sys/class/net/{}/{name}", self.interface)).ok()?;
        Some(text.trim_end().to_owned())
    }
}

/// All IPv6 addresses of this machine; `None` where the system does not show them.
fn list() -> Option<Vec<Entry>> {
    let mut text = String::new();
    File::open("/proc/net/if_inet6").ok()?.take(LIST_MAX).read_to_string(&mut text).ok()?;
    Some(text.lines().filter_map(Entry::parse).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_system_s_list_is_read_line_by_line() {
        let entry = Entry::parse("fc010e849af208f9713984bb192e95be 05 08 00 80     cjd0").unwrap();
        let address = "fc01:e84:9af2:8f9:7139:84bb:192e:95be".parse().unwrap();
        assert_eq!(entry, Entry { address, prefix_len: 8, interface: "cjd0".to_owned() });
        assert!(entry.may_be_cjdns());
        for other in [
            "00000000000000000000000000000001 01 80 10 80       lo",
            "fc010e849af208f9713984bb192e95be 05 40 00 80     tun0",
            "fd010e849af208f9713984bb192e95be 05 08 00 80     tun0",
        ] {
            assert!(!Entry::parse(other).unwrap().may_be_cjdns(), "{other}");
        }
        for bad in ["", "fc01", "zz 05 08 00 80 lo", "fc01 05 08 00 80", "fc01 05 08 00 80 ../../etc"] {
            assert_eq!(Entry::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_loopback_address_is_found_and_a_foreign_one_is_not() {
        if is_local(Ipv6Addr::LOCALHOST.into()) {
            assert_eq!(find(Ipv6Addr::LOCALHOST).unwrap().address, Ipv6Addr::LOCALHOST);
        }
        assert_eq!(find("2001:db8::1".parse().unwrap()), None);
    }
}
