//! Limits and deadlines: half-open connections, links, stalls.

use std::time::Duration;

use crosscast_exam::transport::{Candidate, Station, limits, listening, tcp};
use crosscast_port::DialError;
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};
use tokio::io::AsyncReadExt;

use crate::OnLoopback;
use crate::stranger::Stranger;

/// Nodes whose configuration a test has changed.
struct Tuned(fn(&mut TlsConfig));

impl Candidate for Tuned {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let mut config = TlsConfig::new(crate::secret(node));
        self.0(&mut config);
        Box::new(Tls::new(config).unwrap())
    }

    fn listen_at(&self, node: u8) -> Locator {
        OnLoopback("127.0.0.1").listen_at(node)
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(crate::node_id(node))
    }

    fn nowhere(&self) -> Locator {
        OnLoopback("127.0.0.1").nowhere()
    }
}

#[tokio::test]
async fn slow_handshakes_are_cut_and_hold_a_place_only_that_long() {
    let tuned = Tuned(|config| {
        config.limits.half_open = 8;
        config.timeouts.handshake = Duration::from_millis(600);
    });
    let (mut station, at) = listening(&tuned).await;
    let polite = Stranger::polite().connect(&at);
    // 0x16: a handshake record.
    tcp::slow_handshakes_are_cut_and_hold_a_place_only_that_long((&mut station, &at), 0x16, polite).await;
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_dial_its_deadline() {
    let tuned = Tuned(|config| config.timeouts.handshake = Duration::from_millis(300));
    tcp::a_server_that_never_answers_costs_a_dial_its_deadline(&tuned).await;
}

#[tokio::test]
async fn links_beyond_the_limit_are_refused_on_both_sides() {
    let tuned = Tuned(|config| config.limits.links = 2);
    let full = limits::a_dial_beyond_the_limit_of_two_links_is_refused(&tuned).await;
    let mut third = Stranger::polite().connect(&full.at).await.unwrap();
    assert!(matches!(third.read(&mut [0; 8]).await, Ok(0) | Err(_)), "accepted beyond the limit");
}

#[tokio::test]
async fn a_link_makes_room_when_it_ends() {
    limits::a_link_makes_room_when_it_ends(&Tuned(|config| config.limits.links = 1)).await;
}

#[tokio::test]
async fn a_path_that_swallows_everything_stalls_the_link() {
    let tuned = Tuned(|config| config.timeouts.stall = Duration::from_millis(800));
    tcp::a_path_that_swallows_everything_stalls_the_link(&tuned).await;
}

#[tokio::test]
async fn what_cannot_be_dialled_is_said_by_name() {
    let mut station = Station::start(&OnLoopback("127.0.0.1"), 1);
    for (text, error) in
        [("tls://127.0.0.1:0", DialError::BadLocator), ("tls://no-such-host.invalid:443", DialError::NoSuchHost)]
    {
        assert_eq!(station.dial(Locator::parse(text).unwrap()).await.unwrap_err(), error, "{text}");
    }
}

#[tokio::test]
async fn what_cannot_be_listened_on_is_said_by_name() {
    use crosscast_port::ListenError;
    let mut station = Station::start(&OnLoopback("127.0.0.1"), 1);
    for (text, error) in [
        ("tls://192.0.2.77:0", ListenError::NoSuchAddress),
        ("tls://no-such-host.invalid:443", ListenError::NoSuchAddress),
    ] {
        assert_eq!(station.listen(Locator::parse(text).unwrap()).await, Err(error), "{text}");
    }
}
