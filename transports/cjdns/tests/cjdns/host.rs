//! The recorded node as the transport's host: how it stands and whom it names.

use crosscast_cjdns::CjdnsHost;
use crosscast_cjdns::address::parse_key;
use crosscast_hosts::cjdns::{KEY, PASSWORD, Replay};
use crosscast_stream::overlay::{Host as _, Neighbour, Ownership};
use crosscast_wire::{Network, Scheme};

use crate::calls::{N0, N1, N2, address, config};

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
    let asked = |server: &crosscast_hosts::cjdns::Server| {
        server.asked().iter().filter(|function| *function == "RouterModule_getPeers").count()
    };
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
    assert!(!server.asked().iter().any(|function| function == "cookie" || function == "RouterModule_getPeers"));
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
