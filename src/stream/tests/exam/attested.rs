//! Who is where it says: addresses, host keys, attestations. Every fault is refused by its name, whoever dialled.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crosscast_exam::transport::{Candidate, Station, listening};
use crosscast_port::DialError;
use crosscast_stream::overlay::{Overlay, OverlayConfig, Ownership};
use crosscast_transport::TransportError;
use crosscast_wire::{
    Attestation, AttestationDraft, AttestationFields, Network, PeerFault, RustCrypto, SecretKey, WallMillis,
};

use crate::host::{LoopbackHost, gone, host_secret, node_id, node_secret, up};
use crate::stranger::{STRANGER, Stranger, both_ways, host_key, refusal, victim};
use crate::{Nodes, ON_LOOPBACK, config, host_of};

const DAY: u64 = 24 * 60 * 60 * 1000;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// An attestation that a host node makes for a node, valid from some time on for a day.
fn attested(network: Network, host: &SecretKey, node: u8, not_before: u64) -> Attestation {
    let (not_before, not_after) = (WallMillis(not_before), WallMillis(not_before + DAY));
    let fields = AttestationFields { network, key: host.public(), node: node_id(node), not_before, not_after };
    let draft = AttestationDraft::new(fields).unwrap();
    let signature = sign_plain(host, &draft.host_bytes());
    draft.finish(&signature, &node_secret(node), &RustCrypto).unwrap()
}

/// A host node's signature over bytes as they are.
fn sign_plain(host: &SecretKey, bytes: &[u8]) -> [u8; 64] {
    use ed25519_dalek::Signer as _;
    ed25519_dalek::SigningKey::from_bytes(host.expose()).sign(bytes).to_bytes()
}

fn valid(host: &SecretKey, node: u8) -> Bytes {
    attested(Network::Yggdrasil, host, node, now() - DAY / 2).bytes().clone()
}

async fn refused(fault: PeerFault, make: impl Fn() -> Stranger) {
    assert_eq!(both_ways(make).await, (Err(fault), Err(fault)), "{fault}");
}

async fn welcome(make: impl Fn() -> Stranger) {
    let stranger = Ok(node_id(STRANGER));
    assert_eq!(both_ways(make).await, (stranger, stranger));
}

#[tokio::test]
async fn a_peer_is_welcome_with_its_key_with_an_attestation_or_without_a_key() {
    welcome(Stranger::polite).await;
    let host = host_secret(STRANGER, Ownership::Node);
    welcome(|| Stranger::saying(Some(host.public()), Some(valid(&host, STRANGER)))).await;
    // It claims nothing that its address could contradict, and the hello proves its NodeId as everybody's.
    welcome(|| Stranger::saying(None, None)).await;
}

#[tokio::test]
async fn a_forged_source_or_a_wrong_key_at_the_right_address_is_refused() {
    refused(PeerFault::AddressNotOwned, || Stranger::saying(Some(host_key(Ownership::No)), None)).await;
    // Not even with an honest attestation of that other host node.
    let host = host_secret(STRANGER, Ownership::No);
    refused(PeerFault::AddressNotOwned, || Stranger::saying(Some(host.public()), Some(valid(&host, STRANGER)))).await;
}

#[tokio::test]
async fn who_comes_by_another_network_is_refused_whatever_it_says() {
    let elsewhere = Nodes(|node| {
        let host = host_of(node);
        host.change(|scene| scene.elsewhere = true);
        (host, config(node))
    });
    let (mut station, at) = listening(&elsewhere).await;
    for stranger in [Stranger::polite(), Stranger::saying(None, None)] {
        let _stream = stranger.dial(&at).await;
        assert_eq!(refusal(&mut station).await, PeerFault::AddressNotOwned);
    }
    assert_eq!(station.dial(at).await.unwrap_err(), DialError::BadLocator);
}

#[tokio::test]
async fn an_address_of_a_subnet_needs_the_attestation_of_its_host_node() {
    let host = host_secret(STRANGER, Ownership::Subnet);
    refused(PeerFault::AttestationMissing, || Stranger::saying(Some(host.public()), None)).await;
    welcome(|| Stranger::saying(Some(host.public()), Some(valid(&host, STRANGER)))).await;
}

#[tokio::test]
async fn an_attestation_for_another_node_key_or_network_is_foreign() {
    let host = host_secret(STRANGER, Ownership::Node);
    let foreign = |attestation: Bytes| {
        let key = host.public();
        refused(PeerFault::AttestationForeign, move || Stranger::saying(Some(key), Some(attestation.clone())))
    };
    foreign(valid(&host, 5)).await;
    foreign(valid(&host_secret(6, Ownership::Node), STRANGER)).await;
    foreign(attested(Network::Cjdns, &host, STRANGER, now()).bytes().clone()).await;
}

#[tokio::test]
async fn an_attestation_whose_signatures_do_not_hold_is_forged() {
    let host = host_secret(STRANGER, Ownership::Node);
    let valid = valid(&host, STRANGER);
    let mut cases = vec![Bytes::from_static(b"an attestation"), valid.slice(..valid.len() - 1)];
    // The last byte of each signature: the node's, and the host node's before it.
    for from_end in [1, 65] {
        let mut forged = valid.to_vec();
        let at = forged.len() - from_end;
        forged[at] ^= 1;
        cases.push(forged.into());
    }
    for forged in cases {
        let key = Some(host.public());
        refused(PeerFault::AttestationForged, || Stranger::saying(key, Some(forged.clone()))).await;
    }
}

#[tokio::test]
async fn an_attestation_outside_its_life_is_expired() {
    let host = host_secret(STRANGER, Ownership::Node);
    for not_before in [now() - 2 * DAY, now() + DAY] {
        let bytes = attested(Network::Yggdrasil, &host, STRANGER, not_before).bytes().clone();
        refused(PeerFault::AttestationExpired, || Stranger::saying(Some(host.public()), Some(bytes.clone()))).await;
    }
}

#[tokio::test]
async fn another_node_than_the_one_dialled_is_the_wrong_key_and_learns_nothing_of_this_node() {
    let (mut station, _) = victim().await;
    let (expected, actual) = (node_id(9), node_id(STRANGER));
    let at = Stranger::polite().serve().await.with_node(expected);
    assert_eq!(station.dial(at).await.unwrap_err(), DialError::WrongKey { expected, actual });
    // Where its address is not its own either, that is said instead: its name is worth nothing.
    let at = Stranger::saying(Some(host_key(Ownership::No)), None).serve().await.with_node(expected);
    assert_eq!(station.dial(at).await.unwrap_err(), DialError::Refused(PeerFault::AddressNotOwned));
}

/// Nodes with an attestation, whose host node has loopback in a way and tells its key or not.
fn nodes_with(ownership: Ownership, not_before: u64, tells_key: bool) -> impl Candidate {
    Nodes(move |node| {
        let key = host_secret(node, ownership);
        let host = LoopbackHost::up(key.public());
        if !tells_key {
            host.change(|scene| scene.sighting = up(None));
        }
        let attestation = attested(Network::Yggdrasil, &key, node, not_before).bytes().clone();
        (host, OverlayConfig { attestation: Some(attestation), ..config(node) })
    })
}

#[tokio::test]
async fn a_node_shows_its_attestation_where_it_is_needed_and_only_while_it_holds() {
    for (tells_key, not_before, ownership, fault) in [
        (true, now() - DAY / 2, Ownership::Subnet, None),
        // By the attestation alone it knows its host node's key.
        (false, now() - DAY / 2, Ownership::Subnet, None),
        // An expired one is left out: without a need for it there is a link, with it there is the fault that says so.
        (true, now() - 2 * DAY, Ownership::Node, None),
        (true, now() - 2 * DAY, Ownership::Subnet, Some(PeerFault::AttestationMissing)),
        (true, now() - DAY / 2, Ownership::No, Some(PeerFault::AddressNotOwned)),
    ] {
        let (_listening, at) = listening(&nodes_with(ownership, not_before, tells_key)).await;
        let mut dialler = Station::start(&ON_LOOPBACK, 2);
        let got = dialler.dial(at).await.map(|(_, up)| up.peer);
        let wanted = fault.map_or(Ok(Some(node_id(1))), |fault| Err(DialError::Refused(fault)));
        assert_eq!(got, wanted, "{tells_key} {ownership:?}");
    }
}

#[tokio::test]
async fn an_attestation_of_another_node_or_network_is_a_fault_of_the_configuration() {
    let host = host_secret(1, Ownership::Node);
    let make = |attestation: Bytes| {
        Overlay::new(LoopbackHost::up(host.public()), OverlayConfig { attestation: Some(attestation), ..config(1) })
            .map(|_| ())
    };
    assert_eq!(make(valid(&host, 1)), Ok(()));
    for (wrong, said) in [
        (valid(&host, 2), "another node's"),
        (attested(Network::Cjdns, &host, 1, now()).bytes().clone(), "another network"),
        (Bytes::from_static(b"what"), "attestation"),
    ] {
        let Err(TransportError::Config(words)) = make(wrong) else { panic!("it is taken") };
        assert!(words.contains(said), "{words}");
    }
}

#[tokio::test]
async fn a_node_without_a_host_node_introduces_nothing_and_dials_nobody() {
    let nodes = Nodes(|node| {
        let host = LoopbackHost::up(host_key(Ownership::Node));
        host.change(|scene| scene.sighting = gone());
        (host, config(node))
    });
    let mut station = Station::start(&nodes, 1);
    let at = Stranger::polite().serve().await;
    assert_eq!(station.dial(at).await.unwrap_err(), DialError::NotAttached);
    let error = station.listen(nodes.listen_at(1)).await.unwrap_err();
    assert_eq!(error, crosscast_port::ListenError::NoSuchAddress);
}
