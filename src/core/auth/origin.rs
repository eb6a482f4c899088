//! Where a link comes from, as budgets see it: a network prefix, since NodeIds cost nothing.
//!
//! An address is text here. Its first three bytes (IPv4) or first six (IPv6) are one origin, because whoever has one
//! address of such a prefix may well have them all. Networks whose addresses are free of charge, or that show none, are
//! one origin each.

use crosscast_port::{LinkUp, Role};
use crosscast_wire::{Locator, PathReason, Scheme};

/// What budgets are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Prefix {
    /// An IPv4 /24.
    V4([u8; 3]),
    /// An IPv6 /48.
    V6([u16; 3]),
    /// Everything of a scheme without addresses that mean anything.
    Scheme(Scheme),
}

impl Prefix {
    /// Of where a link comes from.
    pub(crate) fn of(locator: &Locator) -> Self {
        let host = locator.host_port().map_or("", |(host, _)| host).trim_matches(['[', ']']);
        if let Some([a, b, c, _]) = v4(host) {
            return Self::V4([a, b, c]);
        }
        match v6(host) {
            // An IPv4 address in IPv6 clothes.
            Some([0, 0, 0, 0, 0, 0xffff, high, low]) => {
                let ([a, b], [c, _]) = (high.to_be_bytes(), low.to_be_bytes());
                Self::V4([a, b, c])
            }
            Some([a, b, c, ..]) => Self::V6([a, b, c]),
            None => Self::Scheme(locator.scheme()),
        }
    }
}

fn v4(host: &str) -> Option<[u8; 4]> {
    let mut parts = host.split('.').map(|part| part.parse::<u8>().ok());
    let all = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn v6(host: &str) -> Option<[u16; 8]> {
    let host = host.split('%').next().unwrap_or(host);
    let (head, tail) = match host.split_once("::") {
        Some((head, tail)) => (groups(head)?, Some(groups(tail)?)),
        None => (groups(host)?, None),
    };
    let mut all = [0; 8];
    match tail {
        None if head.len() != 8 => return None,
        Some(tail) if head.len().saturating_add(tail.len()) > 7 => return None,
        None => {}
        Some(tail) => all.iter_mut().rev().zip(tail.iter().rev()).for_each(|(place, group)| *place = *group),
    }
    all.iter_mut().zip(&head).for_each(|(place, group)| *place = *group);
    Some(all)
}

/// Groups of four hexadecimal digits; the last may be an IPv4 address.
fn groups(text: &str) -> Option<Vec<u16>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let mut all = Vec::with_capacity(8);
    for part in text.split(':') {
        match v4(part) {
            Some([a, b, c, d]) => all.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]),
            None => all.push(u16::from_str_radix(part, 16).ok()?),
        }
    }
    (all.len() <= 8).then_some(all)
}

/// Where a link comes from and how far that is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) prefix: Prefix,
    pub(crate) scheme: Scheme,
    /// How many times an ordinary budget it has.
    pub(crate) factor: u64,
    /// This node chose to go there: no stranger.
    pub(crate) dialled: bool,
}

impl Origin {
    /// Of a fresh link; `lan_budget` is how many times an ordinary budget a local prefix has.
    pub(crate) fn of(up: &LinkUp, lan_budget: u32) -> Self {
        Self {
            prefix: Prefix::of(&up.locator),
            scheme: up.scheme,
            factor: if up.reason == PathReason::Lan { u64::from(lan_budget.max(1)) } else { 1 },
            dialled: up.role == Role::Dialer,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(text: &str) -> Prefix {
        Prefix::of(&Locator::parse(text).unwrap())
    }

    #[test]
    fn a_prefix_is_the_first_three_bytes_of_v4_and_the_first_six_of_v6() {
        assert_eq!(of("tls://192.0.2.7:5"), Prefix::V4([192, 0, 2]));
        assert_eq!(of("tls://192.0.2.7:5"), of("tls://192.0.2.200:80"));
        assert_eq!(of("tls://[2001:db8:1:2::3]:5"), Prefix::V6([0x2001, 0xdb8, 1]));
        assert_eq!(of("tls://[2001:db8::1]:5"), Prefix::V6([0x2001, 0xdb8, 0]));
        assert_eq!(of("tls://[::1:2:3:4:5:6:7]:5"), Prefix::V6([0, 1, 2]));
        assert_eq!(of("tls://[::ffff:192.0.2.9]:5"), Prefix::V4([192, 0, 2]), "the same address in other clothes");
        assert_eq!(of("tls://[::1]:5"), Prefix::V6([0, 0, 0]));
    }

    #[test]
    fn what_is_no_address_counts_as_one_origin_for_each_scheme() {
        assert_eq!(of("memory:a"), of("memory:b"));
        assert_eq!(of("tls://peer.example:1"), Prefix::Scheme(Scheme::Tls));
    }
}
