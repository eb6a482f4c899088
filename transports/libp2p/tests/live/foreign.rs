//! Beside a js-libp2p node, which has never heard of us: it is attached to, relays, keeps the DHT, and passes messages on.

use std::time::{Duration, Instant};

use crosscast_exam::transport::Station;
use crosscast_port::{LinkId, LinkUp, Report, Request, Role};
use crosscast_wire::{FrameType, Lane, Locator, NetworkState, PathKind, PathReason, RawFrame, Rendezvous, Scheme};

use super::js::Js;
use super::{Attached, found, standing};

const NAME: Rendezvous = Rendezvous::new([0x5a; 32]);

fn meet(station: &mut Station) {
    station.driver.request(Request::Meet { scheme: Scheme::Libp2p, rendezvous: NAME }).unwrap();
}

/// The next address that this node has.
fn listening(report: &Report) -> Option<Locator> {
    match report {
        Report::Listening { locator, .. } => Some(locator.clone()),
        _ => None,
    }
}

/// The next link, whoever asked for it.
fn up(report: &Report) -> Option<(LinkId, LinkUp)> {
    match report {
        Report::Up { link, up } => Some((*link, up.as_ref().clone())),
        _ => None,
    }
}

pub(crate) async fn attached(js: &Js, node: u8) -> Station {
    let mut station = Station::start(&Attached(vec![js.address.clone()]), node);
    while station.until(standing).await.0 != NetworkState::Up {}
    station
}

fn is_circuit(locator: &Locator) -> bool {
    locator.address().contains("/p2p-circuit/p2p/")
}

fn message() -> Vec<RawFrame> {
    vec![RawFrame::new(FrameType::MESSAGE, Lane::Normal, vec![7; 2_000].into())]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_foreign_node_is_attached_to_again_when_it_comes_back_under_another_name() {
    let Some(mut js) = Js::start(0).await else { return };
    let mut node = Station::start(&Attached(vec![format!("/ip4/127.0.0.1/tcp/{}", js.port()).parse().unwrap()]), 1);
    assert_eq!(node.until(standing).await, (NetworkState::Starting, true));
    assert_eq!(node.until(standing).await, (NetworkState::Up, true));
    let seen = js.until(|event| event["ev"] == "identify").await;
    assert!(seen["agent"].as_str().unwrap().starts_with("crosscast/"));
    let (port, name) = (js.port(), js.address.clone());
    js.kill().await;
    assert_eq!(node.until(standing).await, (NetworkState::Degraded, true));
    let js = Js::start(port).await.unwrap();
    assert_ne!(js.address, name);
    assert_eq!(node.until(standing).await, (NetworkState::Up, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_listen_nowhere_meet_in_its_dht_and_are_linked_through_its_relay() {
    let Some(js) = Js::start(0).await else { return };
    let (mut a, mut b) = (attached(&js, 1).await, attached(&js, 2).await);
    for station in [&mut a, &mut b] {
        let at = station.until(listening).await;
        assert!(is_circuit(&at), "{at}");
        meet(station);
    }
    let (to_b, to_a) = tokio::join!(a.until(found), b.until(found));
    assert!(is_circuit(&to_b) && is_circuit(&to_a), "{to_b} {to_a}");
    let (dialled, (link, far)) = tokio::join!(a.dial(to_b), b.accept());
    let (near_link, near) = dialled.unwrap();
    for up in [&near, &far] {
        assert!(up.traits.relayed && (up.path, up.reason) == (PathKind::Relayed, PathReason::RelayOnly));
    }
    assert_eq!(near.binding, far.binding);
    a.send(near_link, message()).await;
    assert_eq!(b.receive(link, 1).await, message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_through_its_relay_moves_to_a_direct_connection() {
    let Some(js) = Js::start(0).await else { return };
    let (mut a, mut b) = (attached(&js, 1).await, attached(&js, 2).await);
    for station in [&mut a, &mut b] {
        station.listen(Locator::parse("libp2p:/ip4/127.0.0.1/tcp/0").unwrap()).await.unwrap();
    }
    let mut at = b.until(listening).await;
    while !is_circuit(&at) {
        at = b.until(listening).await;
    }
    let (_, asked) = a.dial(at).await.unwrap();
    assert_eq!(asked.path, PathKind::Relayed);
    // Nobody asks for the second link: the side that dialled the first opens it when there is a better way.
    let (near_link, near) = a.until(up).await;
    // At the other end the better way may be the faster one.
    let (mut far_link, mut far) = b.until(up).await;
    if far.traits.relayed {
        (far_link, far) = b.until(up).await;
    }
    assert_eq!((near.role, near.dial, far.role), (Role::Dialer, None, Role::Listener));
    for up in [&near, &far] {
        assert!(!up.traits.relayed && up.path != PathKind::Relayed && !is_circuit(&up.locator), "{up:?}");
    }
    assert_eq!(near.binding, far.binding);
    a.send(near_link, message()).await;
    assert_eq!(b.receive(far_link, 1).await, message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_its_relay_lets_pass_waits_and_does_not_break_the_link() {
    let Some(js) = Js::start(0).await else { return };
    let (mut a, mut b) = (attached(&js, 1).await, attached(&js, 2).await);
    let at = b.until(listening).await;
    let (dialled, (link, _)) = tokio::join!(a.dial(at), b.accept());
    let near = dialled.unwrap().0;
    // Far more than the relay's limit is waiting.
    let bulk = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![7; 10_000].into());
    let sent = a.send_until_dry(near, &bulk, Duration::from_secs(1)).await;
    assert!(sent > 20, "{sent}");
    let control = RawFrame::new(FrameType::PING, Lane::Control, vec![1; 9].into());
    a.send(near, vec![control.clone()]).await;
    let start = Instant::now();
    let mut got = Vec::new();
    while got.last() != Some(&control) {
        got.extend(b.receive(link, 1).await);
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!((1..=4).contains(&(got.len() - 1)), "{} frames before control", got.len() - 1);
}
