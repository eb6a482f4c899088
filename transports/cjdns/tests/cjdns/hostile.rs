//! Whatever sits at the admin port, a look ends in time and says what is wrong.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use crosscast_cjdns::admin::Admin;
use crosscast_cjdns::{CjdnsError, CjdnsHost, sign};
use crosscast_hosts::cjdns::{Hostile, Identity, PASSWORD, Replay, Server};
use crosscast_stream::overlay::{Host as _, Sighting};
use crosscast_wire::{NetworkReason, NetworkState};
use tokio::task::JoinSet;

use crate::{address, config};

/// A look may take ten seconds; the rest is for a busy machine.
const LOOK: Duration = Duration::from_secs(12);

async fn look(server: &Server) -> Sighting {
    let start = Instant::now();
    let mut config = config(server, Some(PASSWORD));
    config.discover = true;
    let seen = CjdnsHost::new(&config).look().await;
    assert!(start.elapsed() < LOOK, "{:?}", start.elapsed());
    assert!(seen.detail.len() <= 200, "{}", seen.detail);
    assert_ne!(seen.state, NetworkState::Up, "{}", seen.detail);
    seen
}

/// Does something beside each kind of hostile program, all at once.
async fn beside_each<F: Future<Output = ()> + Send + 'static>(act: impl Fn(Hostile, Server) -> F) {
    let mut tasks = JoinSet::new();
    for kind in Hostile::ALL {
        tasks.spawn(act(*kind, kind.start()));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn every_hostile_admin_port_is_called_by_its_name() {
    beside_each(|kind, server| async move {
        let expected = match kind {
            Hostile::Silent => NetworkReason::HostUnreachable,
            Hostile::Garbage
            | Hostile::WrongKinds
            | Hostile::NotText
            | Hostile::Overflow
            | Hostile::Deep
            | Hostile::OtherTxid
            | Hostile::Flood
            | Hostile::FloodOfOthers
            | Hostile::EmptyFlood => NetworkReason::AdminGarbled,
            // They say that they are the recorded node, whose address is not on this machine.
            Hostile::EndlessPages | Hostile::LongPages | Hostile::FullPages | Hostile::NoPasswordIsRight => {
                NetworkReason::NoInterface
            }
        };
        assert_eq!(look(&server).await.reason, Some(expected), "{kind:?}");
    })
    .await;
}

#[tokio::test]
async fn nor_do_neighbours_wait_for_them() {
    beside_each(|kind, server| async move {
        let start = Instant::now();
        let mut config = config(&server, Some(PASSWORD));
        config.discover = true;
        let neighbours = CjdnsHost::new(&config).neighbours().await;
        assert!(neighbours.len() <= 2, "{kind:?}: {neighbours:?}");
        assert!(start.elapsed() < LOOK, "{kind:?}: {:?}", start.elapsed());
    })
    .await;
}

#[tokio::test]
async fn nor_does_signing_or_believe_them() {
    beside_each(|kind, server| async move {
        let start = Instant::now();
        let error = sign(&config(&server, Some(PASSWORD)), "abc").await.unwrap_err();
        if kind == Hostile::NoPasswordIsRight {
            assert_eq!(error, CjdnsError::WrongPassword);
        }
        assert!(start.elapsed() < LOOK, "{kind:?}: {:?}", start.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_list_without_end_is_cut_and_said_to_be() {
    let server = Hostile::EndlessPages.start();
    let mut admin = Admin::open(server.address, None).await.unwrap();
    let peers = admin.peers(|_| false).await.unwrap();
    assert!(!peers.whole && peers.items.len() == 64);
    let server = Hostile::LongPages.start();
    let mut admin = Admin::open(server.address, None).await.unwrap();
    assert_eq!(admin.peers(|_| false).await, Err(CjdnsError::Endless));
    // 17 pages of 60,000 bytes are the megabyte.
    assert_eq!(server.asked().len(), 18);
}

#[tokio::test]
async fn a_flood_ends_the_conversation_when_its_megabyte_is_used_up() {
    for (kind, error) in [(Hostile::FloodOfOthers, CjdnsError::Endless), (Hostile::EmptyFlood, CjdnsError::Endless)] {
        let server = kind.start();
        let mut admin = Admin::open(server.address, None).await.unwrap();
        let start = Instant::now();
        let mut outcome = admin.ping().await;
        // The kernel drops most of a flood, so it may take a few questions until a megabyte has come through.
        while !matches!(outcome, Err(CjdnsError::Endless)) && start.elapsed() < LOOK {
            outcome = admin.ping().await;
        }
        assert_eq!(outcome, Err(error), "{kind:?}");
    }
}

#[tokio::test]
async fn nobody_at_the_port_is_no_admin_and_known_at_once() {
    let free = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut config = config(&Replay::default().start(), None);
    config.admin = free;
    let start = Instant::now();
    let seen = CjdnsHost::new(&config).look().await;
    assert_eq!(seen.reason, Some(NetworkReason::NoAdmin));
    assert_eq!(seen.key, None);
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_node_whose_address_does_not_follow_from_its_key_is_not_believed() {
    let of_another = "fcb8:80f2:4593:6494:048e:3fea:9f65:4b7d".to_owned();
    let identity = Identity { address: of_another, ..Identity::default() };
    let server = Replay { identity, ..Replay::default() }.start();
    let seen = look(&server).await;
    assert_eq!(seen.reason, Some(NetworkReason::AdminGarbled));
    assert!(seen.address != Some(address(crate::N1)) && seen.key.is_none());
}

#[tokio::test]
async fn a_node_elsewhere_is_told_from_one_without_an_interface() {
    let server = Replay::default().start();
    let seen = look(&server).await;
    assert_eq!((seen.state, seen.reason), (NetworkState::Down, Some(NetworkReason::NoInterface)));
    assert_eq!(seen.address, None);
}

#[tokio::test]
async fn a_flood_takes_no_more_memory_than_it_may_have_bytes() {
    if std::env::var_os("NEXTEST").is_none() {
        crosscast_exam::skip("memory is measured in a process of its own, as cargo-nextest gives it");
        return;
    }
    for kind in [Hostile::FloodOfOthers, Hostile::LongPages, Hostile::FullPages, Hostile::Deep] {
        let server = kind.start();
        let mut config = config(&server, Some(PASSWORD));
        config.discover = true;
        let _profiler = dhat::Profiler::builder().testing().build();
        let host = CjdnsHost::new(&config);
        tokio::join!(host.look(), host.neighbours());
        // The server's own is counted too: two datagrams of the longest.
        let most = dhat::HeapStats::get().max_bytes;
        assert!(most < 1_000_000, "{kind:?}: {most} bytes");
    }
}
