//! The transport sits the transports' exam beside one host node, and links nodes beside two.
#![allow(clippy::wildcard_enum_match_arm)] // a look picks one kind of report out of many

use std::net::{Ipv6Addr, TcpListener};
use std::sync::Mutex;

use crosscast_cjdns::address::{address_of, key_text};
use crosscast_cjdns::{CjdnsConfig, transport};
use crosscast_exam::transport::{self as exam, Candidate, Station};
use crosscast_hosts::cjdns::{Identity, PASSWORD, Replay, Server};
use crosscast_port::{DialError, ListenError, Report};
use crosscast_transport::Transport;
use crosscast_wire::{
    AttestationDraft, AttestationFields, Locator, Network, NetworkReason, NetworkState, NodeId, RustCrypto, SecretKey,
    WallMillis,
};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::{address, config, full_text, node_id, nth_node, on_lo};

/// Nodes beside so many host nodes: node 1 beside the first, and so on in turns.
struct Beside {
    hosts: Vec<(Identity, Ipv6Addr)>,
    servers: Mutex<Vec<Server>>,
}

impl Beside {
    /// The candidate, where its addresses can be had.
    fn hosts(count: usize) -> Option<Self> {
        let hosts: Vec<_> = (0..count).map(nth_node).collect();
        let ready = hosts.iter().all(|(_, address)| on_lo(*address));
        ready.then(|| Self { hosts, servers: Mutex::default() })
    }

    fn host(&self, node: u8) -> &(Identity, Ipv6Addr) {
        &self.hosts[usize::from(node - 1) % self.hosts.len()]
    }

    fn config(&self, node: u8, identity: &Identity) -> CjdnsConfig {
        let (server, config) = beside(node, identity);
        self.servers.lock().unwrap().push(server);
        config
    }
}

/// A host node, and the configuration of a node beside it.
fn beside(node: u8, identity: &Identity) -> (Server, CjdnsConfig) {
    let server = Replay { identity: identity.clone(), ..Replay::default() }.start();
    let mut config = config(&server, Some(PASSWORD));
    (config.node, config.port) = (node_id(node), 0);
    (server, config)
}

impl Candidate for Beside {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        transport(self.config(node, &self.host(node).0)).unwrap()
    }

    fn listen_at(&self, node: u8) -> Locator {
        Locator::parse(&format!("cjdns://[{}]:0", self.host(node).1)).unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(node_id(node))
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = TcpListener::bind((self.hosts[0].1, 0)).unwrap().local_addr().unwrap();
        Locator::parse(&format!("cjdns://{free}")).unwrap()
    }
}

mod beside_one_host_node {
    use super::*;
    crosscast_exam::sit_transport_exam!(match Beside::hosts(1) {
        Some(candidate) => candidate,
        None => return,
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_work_between_two_host_nodes() {
    let Some(candidate) = Beside::hosts(2) else { return };
    exam::both_ends_of_a_link_know_each_other(&candidate).await;
    exam::frames_keep_their_order_within_each_lane(&candidate).await;
    exam::a_dial_that_asks_for_another_key_fails(&candidate).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_node_hears_how_the_network_stands_and_whom_the_host_node_knows() {
    let Some(candidate) = Beside::hosts(1) else { return };
    let mut station = Station::start(&candidate, 1);
    let report = station
        .until(|report| match report {
            Report::Network(report) if report.state != NetworkState::Starting => Some(report.clone()),
            _ => None,
        })
        .await;
    assert_eq!((report.state, report.reason), (NetworkState::Up, None), "{}", report.detail);
    assert_eq!(report.address, Some(candidate.hosts[0].1.to_string()));
    // The port is any free one here, so a neighbour is looked for on the usual one.
    let peer = Locator::parse(&format!("cjdns://[{}]:7700", address(crate::N1))).unwrap();
    let found = station.until(|report| match report {
        Report::Found { locator } => Some(locator.clone()),
        _ => None,
    });
    assert_eq!(found.await, peer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_on_this_network_is_not_dialled_or_listened_on() {
    let Some(candidate) = Beside::hosts(1) else { return };
    let mut station = Station::start(&candidate, 1);
    for elsewhere in ["cjdns://[::1]:7700", "cjdns://[200::1]:7700", "cjdns://127.0.0.1:7700"] {
        let locator = Locator::parse(elsewhere).unwrap();
        assert_eq!(station.dial(locator).await.unwrap_err(), DialError::BadLocator, "{elsewhere}");
    }
    let loopback = Locator::parse("cjdns://[::1]:0").unwrap();
    assert_eq!(station.listen(loopback).await, Err(ListenError::NoSuchAddress));
}

/// A host node that shows another's key with its own address: nobody believes it, so nothing is attached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_a_borrowed_key_is_not_attached_to() {
    let Some(candidate) = Beside::hosts(2) else { return };
    let [(first, _), (second, _)] = [candidate.host(1), candidate.host(2)];
    let borrowed = Identity { key: first.key.clone(), address: second.address.clone() };
    let mut station = start(transport(candidate.config(2, &borrowed)).unwrap());
    let report = station
        .until(|report| match report {
            Report::Network(report) if report.state != NetworkState::Starting => Some(report.clone()),
            _ => None,
        })
        .await;
    assert_eq!((report.state, report.reason), (NetworkState::Down, Some(NetworkReason::AdminGarbled)));
}

/// A node with this transport.
fn start(transport: Box<dyn Transport>) -> Station {
    struct Given(Mutex<Option<Box<dyn Transport>>>);
    impl Candidate for Given {
        fn transport(&self, _node: u8) -> Box<dyn Transport> {
            self.0.lock().unwrap().take().unwrap()
        }

        fn listen_at(&self, _node: u8) -> Locator {
            unreachable!("it is asked for its transport only")
        }

        fn key(&self, _node: u8) -> Option<NodeId> {
            None
        }

        fn nowhere(&self) -> Locator {
            self.listen_at(0)
        }
    }
    Station::start(&Given(Mutex::new(Some(transport))), 1)
}

/// The n-th host node that can sign: its Ed25519 key, and the X25519 key and address that follow from it.
fn signing_host(n: usize) -> (SigningKey, [u8; 32], Ipv6Addr) {
    let keys = (0_u32..).map(|number| {
        let mut seed = [7; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        SigningKey::from_bytes(&seed)
    });
    let hosts = keys.filter_map(|key| {
        let host_key = key.verifying_key().to_montgomery().to_bytes();
        Some((key, host_key, address_of(&host_key)?))
    });
    hosts.take(n + 1).last().unwrap()
}

/// A node's attestation by its host node, valid for an hour.
fn attestation(node: u8, host: &SigningKey) -> bytes::Bytes {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = u64::try_from(now.as_millis()).unwrap();
    let fields = AttestationFields {
        network: Network::Cjdns,
        key: host.verifying_key().to_bytes(),
        node: node_id(node),
        not_before: WallMillis(now),
        not_after: WallMillis(now + 3_600_000),
    };
    let draft = AttestationDraft::new(fields).unwrap();
    let signature = host.sign(&draft.host_bytes()).to_bytes();
    draft.finish(&signature, &SecretKey::new([node; 32]), &RustCrypto).unwrap().bytes().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_their_host_nodes_attest_link_and_a_borrowed_attestation_is_no_configuration() {
    let hosts = [signing_host(0), signing_host(1)];
    if !hosts.iter().all(|(_, _, address)| on_lo(*address)) {
        return;
    }
    let mut stations = Vec::new();
    let mut servers = Vec::new();
    for (node, (host, host_key, address)) in (1..).zip(&hosts) {
        let identity = Identity { key: key_text(host_key), address: full_text(*address) };
        let (server, mut config) = beside(node, &identity);
        config.attestation = Some(attestation(node % 2 + 1, host));
        assert!(transport(config.clone()).is_err(), "it names another node");
        config.attestation = Some(attestation(node, host));
        stations.push(start(transport(config).unwrap()));
        servers.push(server);
    }
    let at = Locator::parse(&format!("cjdns://[{}]:0", hosts[1].2)).unwrap();
    let [a, b] = &mut stations[..] else { unreachable!() };
    let at = b.listen(at).await.unwrap();
    let (up_a, (_, up_b)) = tokio::join!(a.dial(at), b.accept());
    assert_eq!((up_a.unwrap().1.peer, up_b.peer), (Some(node_id(2)), Some(node_id(1))));
}
