//! The host node comes and goes: what is told of it, and what heals by itself.

use std::time::Duration;

use crosscast_exam::transport::{Candidate, Station};
use crosscast_port::{DialError, NetworkReport, Report};
use crosscast_stream::overlay::{Neighbour, OverlayConfig, Ownership};
use crosscast_wire::{FrameType, Lane, Locator, NetworkReason, NetworkState, RawFrame};
use tokio::time::sleep;

use crate::host::{LoopbackHost, gone, host_secret, node_id, up};
use crate::stranger::is_well;
use crate::{Nodes, ON_LOOPBACK, config};

/// Nodes of one host node, which a test holds.
fn nodes_of(host: &LoopbackHost, port: u16) -> impl Candidate + use<> {
    let host = host.clone();
    Nodes(move |node| (host.clone(), OverlayConfig { port, ..config(node) }))
}

fn key() -> [u8; 32] {
    host_secret(1, Ownership::Node).public()
}

fn attached(port: u16) -> (LoopbackHost, Station) {
    let host = LoopbackHost::up(key());
    let station = Station::start(&nodes_of(&host, port), 1);
    (host, station)
}

/// A port that is free now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap().port()
}

async fn network(station: &mut Station) -> NetworkReport {
    station
        .until(|report| match report {
            Report::Network(report) => Some(report.as_ref().clone()),
            _ => None,
        })
        .await
}

async fn listening(station: &mut Station) -> Locator {
    station
        .until(|report| match report {
            Report::Listening { locator, .. } => Some(locator.clone()),
            _ => None,
        })
        .await
}

async fn unlistened(station: &mut Station) -> Locator {
    station
        .until(|report| match report {
            Report::Unlistened { locator } => Some(locator.clone()),
            _ => None,
        })
        .await
}

#[tokio::test]
async fn a_node_listens_on_its_own_port_unasked_and_answers_when_it_is_asked_for_it() {
    let port = free_port();
    let (_host, mut station) = attached(port);
    let at = Locator::parse(&format!("ygg://[::1]:{port}")).unwrap();
    assert_eq!(listening(&mut station).await, at);
    is_well(&mut station, &at).await;
    assert_eq!(station.listen(at.clone()).await, Ok(at));
}

#[tokio::test]
async fn the_network_is_reported_when_it_changes_and_not_otherwise() {
    let (host, mut station) = attached(0);
    let first = network(&mut station).await;
    assert_eq!((first.state, first.address), (NetworkState::Starting, None));
    let there = network(&mut station).await;
    assert_eq!((there.state, there.address.as_deref(), there.meets), (NetworkState::Up, Some("::1"), false));
    let looks = host.looks();
    while host.looks() < looks + 10 {
        sleep(Duration::from_millis(10)).await;
    }
    host.change(|scene| scene.sighting = gone());
    let gone = network(&mut station).await;
    assert_eq!((gone.state, gone.reason), (NetworkState::Down, Some(NetworkReason::AddressGone)));
    assert_eq!((gone.address, gone.detail.as_str()), (None, "awaited"));
}

#[tokio::test]
async fn a_restart_of_the_host_node_heals_on_the_same_port_and_links_live_on() {
    let (host, mut station) = attached(0);
    let at = listening(&mut station).await;
    let extra = station.listen(ON_LOOPBACK.listen_at(1)).await.unwrap();
    let mut other = Station::start(&ON_LOOPBACK, 2);
    let (up_there, (link, _)) = tokio::join!(other.dial(at.clone()), station.accept());
    let far = up_there.unwrap().0;

    host.change(|scene| scene.sighting = gone());
    let mut lost = [unlistened(&mut station).await, unlistened(&mut station).await];
    let mut both = [at.clone(), extra];
    lost.sort();
    both.sort();
    assert_eq!(lost, both);
    assert_eq!(other.dial(at.clone()).await.unwrap_err(), DialError::Unreachable);
    assert_eq!(station.dial(at.clone()).await.unwrap_err(), DialError::NotAttached);

    host.change(|scene| scene.sighting = up(Some(key())));
    let mut back = [listening(&mut station).await, listening(&mut station).await];
    back.sort();
    assert_eq!(back, both);
    is_well(&mut station, &at).await;
    // The link that was there before is still there.
    station.send(link, vec![RawFrame::new(FrameType::MESSAGE, Lane::Urgent, vec![7; 9].into())]).await;
    assert_eq!(other.receive(far, 1).await[0].tail, [7; 9][..]);
}

#[tokio::test]
async fn a_node_that_starts_before_its_host_node_listens_once_that_is_there() {
    let host = LoopbackHost::up(key());
    host.change(|scene| scene.sighting = gone());
    let mut station = Station::start(&nodes_of(&host, 0), 1);
    while network(&mut station).await.state != NetworkState::Down {}
    host.change(|scene| scene.sighting = up(Some(key())));
    let at = listening(&mut station).await;
    is_well(&mut station, &at).await;
}

#[tokio::test]
async fn a_taken_port_is_said_and_had_once_it_is_free() {
    let squatter = std::net::TcpListener::bind("[::1]:0").unwrap();
    let port = squatter.local_addr().unwrap().port();
    let (_host, mut station) = attached(port);
    let taken = loop {
        let report = network(&mut station).await;
        if report.reason.is_some() {
            break report;
        }
    };
    assert_eq!((taken.state, taken.reason), (NetworkState::Degraded, Some(NetworkReason::PortTaken)));
    assert!(taken.detail.contains(&port.to_string()), "{}", taken.detail);
    let at = Locator::parse(&format!("ygg://[::1]:{port}")).unwrap();
    assert_eq!(station.listen(at.clone()).await, Err(crosscast_port::ListenError::AddressInUse));
    // Links can be made all the same.
    let (mut other, elsewhere) = crate::stranger::victim().await;
    let (up, _) = tokio::join!(station.dial(elsewhere), other.accept());
    assert!(up.is_ok());
    drop(squatter);
    assert_eq!(listening(&mut station).await, at);
    assert_eq!(network(&mut station).await.state, NetworkState::Up);
    is_well(&mut station, &at).await;
}

#[tokio::test]
async fn neighbours_are_found_once_and_only_on_the_network() {
    let (host, mut station) = attached(7701);
    let neighbour = |address: &str, port, node| Neighbour { address: address.parse().unwrap(), port, node };
    host.change(|scene| {
        scene.neighbours = vec![
            neighbour("200::1", None, None),
            neighbour("200::2", Some(9), Some(node_id(5))),
            neighbour("fe80::1", None, None),
            // Itself.
            neighbour("::1", None, None),
        ];
    });
    let found = |report: &Report| match report {
        Report::Found { locator } => Some(locator.to_string()),
        _ => None,
    };
    let both = [station.until(found).await, station.until(found).await];
    assert_eq!(both, ["ygg://[200::1]:7701".to_owned(), format!("ygg://[200::2]:9#{}", node_id(5))]);
    host.change(|scene| scene.neighbours.push(neighbour("200::3", None, None)));
    assert_eq!(station.until(found).await, "ygg://[200::3]:7701", "the others are not repeated");
}
