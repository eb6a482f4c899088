//! Limits and deadlines: half-open connections, links, stalls, datagrams.

use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_exam::transport::path::{UdpPath, Weather};
use crosscast_exam::transport::{Pair, Station, limits, listening};
use crosscast_port::{DialError, DownReason, ListenError, Report, Request};
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};
use tokio::net::UdpSocket;

use super::stranger::{address, endpoint, visit};
use super::{OverQuic, V4};
use crate::stranger::Stranger;

/// A path that carries everything to the listener and nothing back.
async fn one_way(to: std::net::SocketAddr) -> std::net::SocketAddr {
    let front = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, back) = (front.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok((len, _)) = front.recv_from(&mut buffer).await {
            back.send_to(&buffer[..len], to).await.unwrap();
        }
    });
    at
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_connections_hold_their_eighth_and_a_polite_peer_gets_in_beside_them() {
    let tuned = OverQuic { tune: |config| config.limits.half_open = 16, ..V4 };
    let (mut station, at) = listening(&tuned).await;
    let flood = endpoint(Stranger::polite());
    let mut idle = Vec::new();
    for _ in 0..100 {
        // From an address of its own each, like forged ones; no answer ever reaches them.
        idle.push(flood.connect(one_way(address(&at)).await, "stranger.example").unwrap());
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let start = Instant::now();
    for _ in 0..20 {
        let (polite, _) = tokio::join!(visit(Stranger::polite(), &at), station.accept());
        polite.unwrap();
    }
    // A place is given back after 5 s; none of the twenty had to wait for that.
    assert!(start.elapsed() < Duration::from_secs(4), "it took {:?}", start.elapsed());
    drop(idle);
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_dial_its_deadline() {
    let tuned = OverQuic { tune: |config| config.timeouts.handshake = Duration::from_millis(300), ..V4 };
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let at = Locator::parse(&format!("quic://{}", silent.local_addr().unwrap())).unwrap();
    limits::a_server_that_never_answers_costs_a_dial_its_deadline(&tuned, at, DialError::Timeout).await;
}

#[tokio::test]
async fn links_beyond_the_limit_are_refused_on_both_sides() {
    let tuned = OverQuic { tune: |config| config.limits.links = 2, ..V4 };
    let full = limits::a_dial_beyond_the_limit_of_two_links_is_refused(&tuned).await;
    let third = visit(Stranger::polite(), &full.at).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), third.connection.closed()).await.expect("no place for it");
}

#[tokio::test]
async fn a_link_makes_room_when_it_ends() {
    limits::a_link_makes_room_when_it_ends(&OverQuic { tune: |config| config.limits.links = 1, ..V4 }).await;
}

#[tokio::test]
async fn a_path_that_swallows_everything_stalls_the_link() {
    let tuned = OverQuic { tune: |config| config.timeouts.stall = Duration::from_millis(800), ..V4 };
    let (mut station, at) = listening(&tuned).await;
    let path = UdpPath::to(address(&at), Weather::calm(Duration::ZERO), 1).await;
    let mut dialler = Station::start(&tuned, 2);
    let front = Locator::parse(&format!("quic://{}", path.front)).unwrap();
    let (up, _) = tokio::join!(dialler.dial(front), station.accept());
    let link = up.unwrap().0;
    path.set(Weather { loss_ppm: 1_000_000, long: 0, ..Weather::calm(Duration::ZERO) });
    limits::a_path_that_swallows_everything_stalls_the_link(&mut dialler, link).await;
}

#[tokio::test]
async fn a_listener_that_starts_anew_ends_the_links_of_its_former_life() {
    let (mut former, at) = listening(&V4).await;
    let path = UdpPath::to(address(&at), Weather::calm(Duration::ZERO), 1).await;
    let mut dialler = Station::start(&V4, 2);
    let front = Locator::parse(&format!("quic://{}", path.front)).unwrap();
    let (up, _) = tokio::join!(dialler.dial(front), former.accept());
    let link = up.unwrap().0;
    // It dies without a word that arrives.
    path.set(Weather { loss_ppm: 1_000_000, long: 0, ..Weather::calm(Duration::ZERO) });
    drop(former.driver);
    former.task.await.unwrap().unwrap();
    let mut anew = Station::start(&V4, 1);
    assert_eq!(anew.listen(at.clone()).await, Ok(at));
    path.set(Weather::calm(Duration::ZERO));
    let start = Instant::now();
    dialler.send(link, vec![RawFrame::new(FrameType::PING, Lane::Control, vec![0; 100].into())]).await;
    assert_eq!(dialler.down(link).await, DownReason::Broken);
    assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
}

#[tokio::test]
async fn datagrams_pass_and_one_that_is_too_long_is_only_lost() {
    let mut station = Station::start(&V4, 1);
    let at = station.listen(Locator::parse("quic://127.0.0.1:0").unwrap()).await.unwrap();
    let mut dialler = Station::start(&V4, 2);
    let (up, (link_b, up_b)) = tokio::join!(dialler.dial(at), station.accept());
    let (link, up_a) = up.unwrap();
    for traits in [up_a.traits, up_b.traits] {
        assert!(traits.datagrams && traits.mtu >= 1_000 && traits.ordered && traits.encrypted, "{traits:?}");
    }
    let longest = usize::try_from(up_a.traits.mtu).unwrap();
    for len in [0, 1, longest, 60_000] {
        dialler.driver.request(Request::Datagram { link, bytes: Bytes::from(vec![7; len]) }).unwrap();
    }
    let mut lens = Vec::new();
    for _ in 0..3 {
        let len = |report: &Report| {
            let Report::Datagram { link, bytes } = report else { return None };
            (*link == link_b).then_some(bytes.len())
        };
        lens.push(station.until(len).await);
    }
    lens.sort_unstable();
    assert_eq!(lens, [0, 1, longest]);
    dialler.send(link, vec![RawFrame::new(FrameType::MESSAGE, Lane::Urgent, vec![1].into())]).await;
    assert_eq!(station.receive(link_b, 1).await.len(), 1, "the link lives");
}

#[tokio::test]
async fn what_cannot_be_dialled_or_listened_on_is_said_by_name() {
    let Pair { a: mut station, .. } = Pair::new(&V4).await;
    for (text, error) in
        [("quic://127.0.0.1:0", DialError::BadLocator), ("quic://no-such-host.invalid:443", DialError::NoSuchHost)]
    {
        assert_eq!(station.dial(Locator::parse(text).unwrap()).await.unwrap_err(), error, "{text}");
    }
    for text in ["quic://192.0.2.77:0", "quic://no-such-host.invalid:443"] {
        let listened = station.listen(Locator::parse(text).unwrap()).await;
        assert_eq!(listened, Err(ListenError::NoSuchAddress), "{text}");
    }
}
