//! The recorded node as the transport's host: how it stands and whom it names.

use crosscast_cjdns::CjdnsHost;
use crosscast_cjdns::address::parse_key;
use crosscast_hosts::cjdns::{Hostile, KEY, PASSWORD, Replay, Server};
use crosscast_stream::overlay::{Host as _, Neighbour, Ownership, Sighting};
use crosscast_wire::{Network, NetworkReason, NetworkState, Scheme};

use crate::{N0, N1, N2, address, config, nth_node, on_lo};

fn at(text: &str) -> Neighbour {
    Neighbour { address: address(text), port: None, node: None }
}

#[tokio::test]
async fn direct_peers_are_named_always_and_others_only_when_asked_for() {
    let server = Replay::default().start();
    let host = CjdnsHost::new(&config(&server, Some(PASSWORD)));
    assert_eq!(host.neighbours().await, [at(N1)]);
    assert_eq!(server.asked(), ["Core_nodeInfo", "InterfaceController_peerStats"]);

    let mut config = config(&server, Some(PASSWORD));
    config.discover = true;
    let host = CjdnsHost::new(&config);
    assert_eq!(host.neighbours().await, [at(N1), at(N2)]);
    assert!(server.asked().contains(&"RouterModule_getPeers".to_owned()));
}

#[tokio::test]
async fn nobody_is_bothered_twice_within_an_hour() {
    let server = Replay::default().start();
    let mut config = config(&server, Some(PASSWORD));
    config.discover = true;
    let host = CjdnsHost::new(&config);
    host.neighbours().await;
    let asked = |server: &Server| server.asked().iter().filter(|function| *function == "RouterModule_getPeers").count();
    assert_eq!(asked(&server), 2);
    // The direct peer is there still; who was found beyond it has been named.
    assert_eq!(host.neighbours().await, [at(N1)]);
    assert_eq!(asked(&server), 2);
}

#[tokio::test]
async fn without_a_password_the_node_store_is_still_read() {
    let server = Replay::default().start();
    let mut config = config(&server, None);
    config.discover = true;
    assert_eq!(CjdnsHost::new(&config).neighbours().await, [at(N1), at(N2)]);
    assert!(!server.asked().iter().any(|function| function == "RouterModule_getPeers"));
}

#[test]
fn an_address_is_a_node_s_own_or_not_of_its_key() {
    let host = CjdnsHost::new(&config(&Replay::default().start(), None));
    let key = parse_key(KEY.as_bytes()).unwrap();
    assert_eq!((host.scheme(), host.network()), (Scheme::Cjdns, Network::Cjdns));
    assert_eq!(host.address_of(&key), Some(address(N0)));
    assert_eq!(host.address_of(&[7; 32]), None);
    assert_eq!(host.owns(&key, address(N0)), Ownership::Node);
    assert_eq!(host.owns(&key, address(N1)), Ownership::No);
    assert!(host.is_address(address(N1)) && !host.is_address(address("200::1")));
}

/// How a node stands whose address is on this machine.
async fn look_here(start: impl FnOnce(crosscast_hosts::cjdns::Identity) -> Server, password: &str) -> Option<Sighting> {
    let (identity, address) = nth_node(0);
    if !on_lo(address) {
        return None;
    }
    let key = parse_key(identity.key.as_bytes());
    let server = start(identity);
    let seen = CjdnsHost::new(&config(&server, Some(password))).look().await;
    assert_eq!((seen.address, seen.key), (Some(address), key));
    Some(seen)
}

#[tokio::test]
async fn a_node_here_with_a_peer_is_up() {
    let start = |identity| Replay { identity, ..Replay::default() }.start();
    let Some(seen) = look_here(start, PASSWORD).await else { return };
    assert_eq!((seen.state, seen.reason), (NetworkState::Up, None));
    // The loopback's own, here.
    assert_eq!(seen.mtu, Some(65_536));
}

#[tokio::test]
async fn a_node_here_without_peers_is_degraded_whatever_the_password() {
    let start = |identity| Replay { identity, without_peers: true, ..Replay::default() }.start();
    let Some(seen) = look_here(start, "wrong-password").await else { return };
    assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::NoPeers)));
}

#[tokio::test]
async fn a_wrong_password_degrades_and_is_named() {
    let start = |identity| Replay { identity, ..Replay::default() }.start();
    let Some(seen) = look_here(start, "wrong-password").await else { return };
    assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::WrongPassword)));
    let Some(seen) = look_here(|identity| Hostile::NoPasswordIsRight.start_as(&identity), PASSWORD).await else {
        return;
    };
    assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::WrongPassword)));
}

#[tokio::test]
async fn peers_without_end_are_garbled() {
    for kind in [Hostile::EndlessPages, Hostile::LongPages] {
        let Some(seen) = look_here(|identity| kind.start_as(&identity), PASSWORD).await else { return };
        assert_eq!((seen.state, seen.reason), (NetworkState::Degraded, Some(NetworkReason::AdminGarbled)), "{kind:?}");
    }
}

#[tokio::test]
async fn a_node_that_stops_is_awaited() {
    let (identity, address) = nth_node(3);
    if !on_lo(address) {
        return;
    }
    let server = Replay { identity, ..Replay::default() }.start();
    let host = CjdnsHost::new(&config(&server, None));
    assert_eq!(host.look().await.state, NetworkState::Up);
    drop(server);
    // Nothing on `lo` is taken for cjdns's interface, so with the admin port all of it is gone.
    let seen = host.look().await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::AddressGone)));
}
