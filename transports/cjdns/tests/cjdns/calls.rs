//! Every call, asked of the recorded node.

use std::net::Ipv6Addr;
use std::sync::Mutex;

use crosscast_cjdns::address::{NodeAddr, Path, address_of, key_text, parse_key};
use crosscast_cjdns::admin::{Admin, PeerState};
use crosscast_cjdns::{CjdnsError, NodeSignature, sign};
use crosscast_hosts::cjdns::{Answer, Identity, KEY, PASSWORD, Replay, Server};

use crate::{N0, N1, N2, address, config};

const N2_KEY: &str = "kmq1fkr0nqbunt5wu6s4rf3k1074nufzz25dl492qur8x4s29bz0.k";
/// What was signed while recording.
const MESSAGE: &str = "a1fafd4eb6a80bafebea149ef2f935eaf5f3b27b8924b3aeb34262ddf9176215";

async fn admin(server: &Server) -> Admin {
    Admin::of(&config(server, Some(PASSWORD))).await.unwrap()
}

fn addresses(nodes: &[NodeAddr]) -> Vec<Ipv6Addr> {
    nodes.iter().map(|node| node.address).collect()
}

#[tokio::test]
async fn what_needs_no_password_is_answered_without_one() {
    let server = Replay::default().start();
    let mut admin = Admin::open(server.address, None).await.unwrap();
    admin.ping().await.unwrap();
    let node = admin.node_info().await.unwrap();
    assert_eq!((key_text(&node.key).as_str(), node.address, node.version), (KEY, address(N0), 22));
    let peers = admin.peers(|_| false).await.unwrap();
    assert!(peers.whole);
    assert_eq!(peers.items.len(), 1);
    assert_eq!((peers.items[0].node.address, peers.items[0].state), (address(N1), PeerState::Established));
    let known = admin.known_nodes().await.unwrap();
    assert_eq!(addresses(&known.items), [address(N0), address(N2), address(N1)]);
    assert_eq!(known.items.iter().map(|node| node.path).collect::<Vec<_>>(), [Path::SELF, Path(0x153), Path(0x13)]);
    assert!(!server.asked().contains(&"cookie".to_owned()));
}

#[tokio::test]
async fn nodes_are_known_by_their_address() {
    let server = Replay::default().start();
    let mut admin = Admin::open(server.address, None).await.unwrap();
    let near = admin.stored_node(address(N1)).await.unwrap().unwrap();
    assert_eq!((address_of(&near.key), near.path), (Some(address(N1)), Path(0x13)));
    let far = admin.stored_node(address(N2)).await.unwrap().unwrap();
    assert_eq!((key_text(&far.key).as_str(), far.path), (N2_KEY, Path(0x153)));
    assert_eq!(admin.stored_node(address("fc00::1")).await, Ok(None));
}

#[tokio::test]
async fn sessions_tell_the_full_key_behind_an_address() {
    let server = Replay::default().start();
    let mut admin = admin(&server).await;
    let handles = admin.session_handles().await.unwrap();
    assert_eq!(handles, [26578, 26576]);
    let first = admin.session(handles[0]).await.unwrap().unwrap();
    assert!(first.established);
    assert_eq!(admin.session_with(address(N2)).await.unwrap(), Some(first));
    assert_eq!(Some(first.node.key), parse_key(N2_KEY.as_bytes()));
    assert_eq!(admin.session(1).await, Ok(None));
    assert_eq!(admin.session_with(address("fc00::1")).await, Ok(None));
}

#[tokio::test]
async fn other_nodes_are_asked_for_their_peers() {
    let server = Replay::default().start();
    let mut admin = admin(&server).await;
    assert_eq!(addresses(&admin.peers_of(Path(0x13)).await.unwrap()), [address(N1), address(N0), address(N2)]);
    assert_eq!(addresses(&admin.peers_of(Path(0x153)).await.unwrap()), [address(N2), address(N1)]);
    assert_eq!(admin.peers_of(Path(0x1fff)).await, Ok(Vec::new()));
}

#[tokio::test]
async fn the_node_signs_and_the_signature_leads_back_to_it() {
    let server = Replay::default().start();
    let (key, signature) = sign(&config(&server, Some(PASSWORD)), MESSAGE).await.unwrap();
    let signature = NodeSignature { key, signature };
    assert_eq!(signature.signer_of(MESSAGE.as_bytes()), parse_key(KEY.as_bytes()));
    let mut admin = Admin::open(server.address, None).await.unwrap();
    assert_eq!(admin.check_signature(MESSAGE, &signature).await, Ok(parse_key(KEY.as_bytes())));
    let other = "5126719fdd26243bea3b4298b72b3f5fae539f2fe941aebefab08a6be4dfaf1a";
    assert_eq!(admin.check_signature(other, &signature).await, Ok(None));
}

#[tokio::test]
async fn a_signature_of_another_node_is_not_taken_for_the_host_node_s() {
    // The same replies, but the node says that it is n2.
    let address = "fc3c:263a:2904:d7ba:5086:06ab:03d8:d815".to_owned();
    let server = Replay { identity: Identity { key: N2_KEY.to_owned(), address }, ..Replay::default() }.start();
    assert_eq!(sign(&config(&server, Some(PASSWORD)), MESSAGE).await, Err(CjdnsError::Forged));
}

#[tokio::test]
async fn what_cannot_be_signed_is_not_sent() {
    let server = Replay::default().start();
    let config_with = config(&server, Some(PASSWORD));
    for message in [&format!("{MESSAGE}0"), "", "caf\u{e9}", "a\0b"] {
        assert_eq!(sign(&config_with, message).await, Err(CjdnsError::Argument), "{message:?}");
    }
    assert!(!server.asked().contains(&"Sign_sign".to_owned()));
}

#[tokio::test]
async fn without_a_password_the_one_of_a_generated_configuration_is_tried() {
    let server = Replay::default().start();
    assert_eq!(sign(&config(&server, None), MESSAGE).await, Err(CjdnsError::NoPassword));
    let server = Replay { password: "NONE", ..Replay::default() }.start();
    assert!(sign(&config(&server, None), MESSAGE).await.is_ok());
}

#[tokio::test]
async fn a_wrong_password_is_tried_twice_and_named() {
    let server = Replay::default().start();
    let mut admin = Admin::of(&config(&server, Some("wrong-password"))).await.unwrap();
    assert_eq!(admin.check_password().await, Err(CjdnsError::WrongPassword));
    assert_eq!(server.asked(), ["cookie", "Core_pid", "cookie", "Core_pid"]);
    assert_eq!(sign(&config(&server, Some("wrong-password")), MESSAGE).await, Err(CjdnsError::WrongPassword));
}

#[tokio::test]
async fn an_expired_cookie_is_not_taken_for_a_wrong_password() {
    let server = Replay { expired_cookies: 1, ..Replay::default() }.start();
    assert_eq!(admin(&server).await.check_password().await, Ok(()));
    assert_eq!(server.asked(), ["cookie", "Core_pid", "cookie", "Core_pid"]);
}

#[tokio::test]
async fn a_lost_datagram_is_sent_again_under_the_same_txid() {
    let first: Mutex<Option<Vec<u8>>> = Mutex::new(None);
    let server = Server::start(move |request| {
        let mut first = first.lock().unwrap();
        match first.as_ref() {
            None => {
                *first = Some(request.txid.clone());
                Vec::new()
            }
            Some(txid) if *txid == request.txid => vec![Answer::once(request.reply("1:q4:pong"))],
            Some(_) => Vec::new(),
        }
    });
    assert_eq!(Admin::open(server.address, None).await.unwrap().ping().await, Ok(()));
}
