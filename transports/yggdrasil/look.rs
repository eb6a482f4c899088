//! From what a look found to how the network stands: no socket, no clock, only the rules.

use crosscast_stream::overlay::{Ownership, Sighting};
use crosscast_wire::{NetworkReason, NetworkState};

use crate::address::owns;
use crate::admin::AdminError;
use crate::admin::place::AdminAddress;
use crate::admin::reply::{OwnNode, Peer, Tun, Version};
use crate::interfaces::Interface;

/// 200 bytes of explanation, the contract's.
const DETAIL_MAX: usize = 200;

/// What the daemon said, and whether its address is on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Findings<'a> {
    /// Where it was asked.
    pub(crate) place: &'a AdminAddress,
    /// Which daemon it is.
    pub(crate) version: Version,
    /// Its key and address.
    pub(crate) own: OwnNode,
    /// Its interface; `None` when it does not say.
    pub(crate) tun: Option<Tun>,
    /// Its peers.
    pub(crate) peers: Result<Vec<Peer>, AdminError>,
    /// Whether its address is on this machine.
    pub(crate) here: bool,
}

/// That no daemon answered, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Where; `None` when there is nothing at any of the usual places.
    pub(crate) place: Option<AdminAddress>,
    /// Why not.
    pub(crate) error: AdminError,
    /// Which group may use the socket.
    pub(crate) group: Option<String>,
}

/// How the network stands by what the daemon said.
pub(crate) fn attached(found: &Findings<'_>) -> Sighting {
    let Findings { place, version, own, tun, peers, here } = found;
    let tun = tun.unwrap_or_default();
    let down = |reason, detail| sighting(NetworkState::Down, None, Some(reason), detail);
    match owns(&own.key, own.address) {
        Ownership::Node => {}
        Ownership::Subnet | Ownership::No => {
            let detail = format!("{place} names an address that its key does not have: {}", own.address);
            return down(NetworkReason::AdminGarbled, detail);
        }
    }
    if tun.enabled == Some(false) {
        let detail = format!("{version} at {place} runs without an interface (IfName none)");
        return down(NetworkReason::NoInterface, detail);
    }
    if !here {
        let reason = if tun.enabled.is_some() { NetworkReason::NotThisMachine } else { NetworkReason::AddressGone };
        return down(reason, format!("{version} at {place} has the address {}, this machine has not", own.address));
    }
    let (state, reason, detail) = match peers {
        Ok(peers) if peers.iter().any(|peer| peer.up) => (NetworkState::Up, None, format!("{version} at {place}")),
        Ok(peers) => {
            let (reason, detail) = no_peer_is_up(peers);
            (NetworkState::Degraded, Some(reason), detail)
        }
        Err(error) => (NetworkState::Degraded, Some(error.reason()), format!("asked for peers, {place}: {error}")),
    };
    let up = sighting(state, Some(own.address), reason, detail);
    Sighting { key: Some(own.key), mtu: tun.mtu, ..up }
}

/// How the network stands when no daemon answers: by the interface, if there is one.
pub(crate) fn without_admin(failure: &Failure, interface: Option<Interface>, seen_before: bool) -> Sighting {
    let Failure { place, error, group } = failure;
    let mut detail = match (place, group) {
        (Some(place), Some(group)) => format!("{place}: {error}; it is for the group {group}"),
        (Some(place), None) => format!("{place}: {error}"),
        (None, _) => "none of the usual admin sockets is there".to_owned(),
    };
    if let Some(Interface { name, address, mtu }) = interface {
        detail.push_str("; the address is that of ");
        detail.push_str(&name);
        let found = sighting(NetworkState::Degraded, Some(address), Some(error.reason()), detail);
        return Sighting { mtu, ..found };
    }
    let gone = seen_before && matches!(error, AdminError::Absent | AdminError::Refused);
    let reason = if gone { NetworkReason::AddressGone } else { error.reason() };
    sighting(NetworkState::Down, None, Some(reason), detail)
}

/// Why none of the peers is up. Who runs another version of the network gets no further than the handshake, and the
/// daemon says so; 0.4 lists no peer that is not up.
fn no_peer_is_up(peers: &[Peer]) -> (NetworkReason, String) {
    let mut errors = peers.iter().filter_map(|peer| peer.last_error.as_ref().map(|error| (&peer.remote, error)));
    let first = errors.clone().next();
    let mismatched = first.is_some() && errors.all(|(_, error)| error.to_ascii_lowercase().contains("version"));
    let reason = if mismatched { NetworkReason::VersionMismatch } else { NetworkReason::NoPeers };
    let detail = match first {
        Some((Some(remote), error)) => format!("{remote}: {error}"),
        Some((None, error)) => error.clone(),
        None => "the daemon has no peer that is up".to_owned(),
    };
    (reason, detail)
}

fn sighting(
    state: NetworkState,
    address: Option<std::net::Ipv6Addr>,
    reason: Option<NetworkReason>,
    detail: String,
) -> Sighting {
    Sighting { state, address, key: None, mtu: None, reason, detail: fit(&detail) }
}

/// Plain text of at most [`DETAIL_MAX`] bytes: a path of the configuration may hold anything.
fn fit(text: &str) -> String {
    let shown = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    text.chars().map(shown).take(DETAIL_MAX).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::address::address_of;

    const KEY: [u8; 32] = [0x55; 32];

    fn check(change: impl FnOnce(&mut Findings<'_>)) -> (NetworkState, Option<NetworkReason>, Sighting) {
        let place = AdminAddress::parse("/run/yggdrasil.sock").unwrap();
        let mut found = Findings {
            place: &place,
            version: Version::V05,
            own: OwnNode { key: KEY, address: address_of(&KEY).unwrap() },
            tun: Some(Tun { enabled: Some(true), mtu: Some(65535) }),
            peers: Ok(vec![peer(true, None)]),
            here: true,
        };
        change(&mut found);
        let seen = attached(&found);
        assert!(seen.detail.len() <= DETAIL_MAX && !seen.detail.is_empty());
        assert_eq!(seen.address.is_some(), seen.state != NetworkState::Down);
        (seen.state, seen.reason, seen)
    }

    fn peer(up: bool, error: Option<&str>) -> Peer {
        Peer {
            up,
            key: up.then_some(KEY),
            remote: Some("tls://10.0.0.1:1".to_owned()),
            last_error: error.map(str::to_owned),
        }
    }

    #[test]
    fn a_daemon_with_an_address_here_and_a_peer_is_up() {
        let (state, reason, seen) = check(|_| {});
        assert_eq!((state, reason), (NetworkState::Up, None));
        assert_eq!((seen.address, seen.key, seen.mtu), (address_of(&KEY), Some(KEY), Some(65535)));
        assert_eq!(seen.detail, "Yggdrasil 0.5 at /run/yggdrasil.sock");
        let (state, _, seen) = check(|found| found.tun = None);
        assert_eq!((state, seen.mtu), (NetworkState::Up, None));
    }

    #[test]
    fn an_address_that_is_not_the_keys_is_garbled() {
        let (state, reason, _) = check(|found| found.own.key = [0x54; 32]);
        assert_eq!((state, reason), (NetworkState::Down, Some(NetworkReason::AdminGarbled)));
        let subnet = crate::address::subnet_of(&KEY).unwrap();
        let (state, reason, _) = check(|found| found.own.address = subnet);
        assert_eq!((state, reason), (NetworkState::Down, Some(NetworkReason::AdminGarbled)));
    }

    #[test]
    fn no_interface_another_machine_and_a_vanished_address_are_told_apart() {
        let none = Some(Tun { enabled: Some(false), mtu: None });
        let (state, reason, _) = check(|found| (found.tun, found.here) = (none, false));
        assert_eq!((state, reason), (NetworkState::Down, Some(NetworkReason::NoInterface)));
        let (state, reason, _) = check(|found| found.here = false);
        assert_eq!((state, reason), (NetworkState::Down, Some(NetworkReason::NotThisMachine)));
        let (state, reason, _) = check(|found| (found.tun, found.here) = (None, false));
        assert_eq!((state, reason), (NetworkState::Down, Some(NetworkReason::AddressGone)));
    }

    #[test]
    fn a_daemon_without_peers_that_are_up_is_degraded_and_says_why() {
        let mismatch = "invalid handshake length, possible version mismatch";
        let refused = "dial tcp 10.77.1.2:9: connect: connection refused";
        for (peers, reason) in [
            (vec![], NetworkReason::NoPeers),
            (vec![peer(false, None)], NetworkReason::NoPeers),
            (vec![peer(false, Some(refused))], NetworkReason::NoPeers),
            (vec![peer(false, Some(mismatch)), peer(false, Some(refused))], NetworkReason::NoPeers),
            (vec![peer(false, Some(mismatch))], NetworkReason::VersionMismatch),
            (vec![peer(false, Some(mismatch)), peer(false, None)], NetworkReason::VersionMismatch),
        ] {
            let (state, found, seen) = check(|found| found.peers = Ok(peers));
            assert_eq!((state, found), (NetworkState::Degraded, Some(reason)), "{}", seen.detail);
        }
        let (state, reason, _) = check(|found| found.peers = Err(AdminError::TooLong));
        assert_eq!((state, reason), (NetworkState::Degraded, Some(NetworkReason::AdminGarbled)));
    }

    #[test]
    fn without_a_daemon_an_interface_will_do() {
        let place = AdminAddress::parse("/run/yggdrasil.sock").ok();
        let failure =
            |error, group: Option<&str>| Failure { place: place.clone(), error, group: group.map(Into::into) };
        let address = address_of(&KEY).unwrap();
        let interface = Some(Interface { name: "ygg0".to_owned(), address, mtu: Some(1280) });

        let denied = failure(AdminError::Denied, Some("yggdrasil"));
        let seen = without_admin(&denied, interface.clone(), false);
        assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::AdminDenied)));
        assert_eq!((seen.address, seen.key, seen.mtu), (Some(address), None, Some(1280)));
        assert!(seen.detail.contains("group yggdrasil") && seen.detail.contains("ygg0"), "{}", seen.detail);

        for (error, before, reason) in [
            (AdminError::Absent, false, NetworkReason::NoAdmin),
            (AdminError::Refused, false, NetworkReason::HostUnreachable),
            (AdminError::Silent, false, NetworkReason::HostUnreachable),
            (AdminError::TooLong, true, NetworkReason::AdminGarbled),
            (AdminError::Absent, true, NetworkReason::AddressGone),
            (AdminError::Refused, true, NetworkReason::AddressGone),
        ] {
            let seen = without_admin(&failure(error, None), None, before);
            assert_eq!((seen.state, seen.reason, seen.address), (NetworkState::Down, Some(reason), None));
        }
    }

    #[test]
    fn what_is_shown_is_plain_and_short() {
        let place = AdminAddress::Unix(format!("/\u{1b}[31m\u{e9}{}", "x".repeat(300)).into());
        let failure = Failure { place: Some(place), error: AdminError::Absent, group: None };
        let detail = without_admin(&failure, None, false).detail;
        assert!(detail.starts_with("/?[31m?xxx") && detail.len() == DETAIL_MAX, "{detail}");
    }
}
