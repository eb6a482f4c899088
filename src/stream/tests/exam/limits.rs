//! Limits and deadlines: links, dials that nobody answers, paths that swallow everything.

use std::time::{Duration, Instant};

use crosscast_exam::transport::{Candidate, Pair, Station};
use crosscast_port::{DialError, DownReason, Request};
use crosscast_stream::overlay::{Overlay, OverlayConfig};
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::OnLoopback;
use crate::stranger::{Stranger, listener, listening};

/// Nodes whose configuration a test has changed.
pub(crate) struct Tuned(pub(crate) fn(&mut OverlayConfig));

impl Candidate for Tuned {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let mut config = crate::config(node);
        self.0(&mut config);
        Box::new(Overlay::new(crate::host_of(node), config).unwrap())
    }

    fn listen_at(&self, node: u8) -> Locator {
        OnLoopback.listen_at(node)
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        OnLoopback.key(node)
    }

    fn nowhere(&self) -> Locator {
        OnLoopback.nowhere()
    }
}

/// A TCP proxy in front of a listening station. The hook sees the bytes towards the station and how many went before,
/// may change them, and makes the proxy read no more, without closing, when it returns false.
async fn proxy(
    station: &mut Station,
    mut hook: impl FnMut(&mut [u8], usize) -> bool + Send + 'static,
) -> (Locator, JoinHandle<()>) {
    let at = station.listen(OnLoopback.listen_at(1)).await.unwrap();
    let (front, locator) = listener().await;
    let task = tokio::spawn(async move {
        let (client, _) = front.accept().await.unwrap();
        let server = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let (mut buffer, mut total) = (vec![0; 16 * 1024], 0);
        loop {
            let Ok(bytes @ 1..) = from_client.read(&mut buffer).await else { return };
            if !hook(&mut buffer[..bytes], total) {
                std::future::pending::<()>().await;
            }
            total += bytes;
            if to_server.write_all(&buffer[..bytes]).await.is_err() {
                return;
            }
        }
    });
    (locator, task)
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_dial_its_deadline() {
    let tuned = Tuned(|config| config.timeouts.handshake = Duration::from_millis(300));
    let (_silent, at) = listener().await;
    let start = Instant::now();
    assert_eq!(Station::start(&tuned, 1).dial(at).await.unwrap_err(), DialError::Handshake);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn links_beyond_the_limit_are_refused_on_both_sides() {
    let tuned = Tuned(|config| config.limits.links = 2);
    let (mut station, at) = listening(&tuned).await;
    let mut dialler = Station::start(&tuned, 2);
    for _ in 0..2 {
        let (up, _) = tokio::join!(dialler.dial(at.clone()), station.accept());
        up.unwrap();
    }
    assert_eq!(dialler.dial(at.clone()).await.unwrap_err(), DialError::Full);
    let (mut third, _) = Stranger::polite().dial(&at).await.unwrap();
    assert!(matches!(third.read(&mut [0; 8]).await, Ok(0) | Err(_)), "accepted beyond the limit");
}

#[tokio::test]
async fn a_link_makes_room_when_it_ends() {
    let tuned = Tuned(|config| config.limits.links = 1);
    let (mut station, at) = listening(&tuned).await;
    let mut dialler = Station::start(&tuned, 2);
    for _ in 0..5 {
        let (up, (link_b, _)) = tokio::join!(dialler.dial(at.clone()), station.accept());
        let link = up.unwrap().0;
        dialler.driver.request(Request::Close { link }).unwrap();
        dialler.down(link).await;
        station.down(link_b).await;
    }
}

#[tokio::test]
async fn a_path_that_swallows_everything_stalls_the_link() {
    let tuned = Tuned(|config| config.timeouts.stall = Duration::from_millis(800));
    let mut station = Station::start(&tuned, 1);
    let (front, proxy) = proxy(&mut station, |_, total| total < 100_000).await;
    let mut dialler = Station::start(&tuned, 2);
    let (up, _) = tokio::join!(dialler.dial(front), station.accept());
    let link = up.unwrap().0;
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![0; 50_000].into());
    dialler.send_until_dry(link, &frame, Duration::from_millis(300)).await;
    assert_eq!(dialler.down(link).await, DownReason::Stalled);
    proxy.abort();
}

#[tokio::test]
async fn a_flipped_bit_on_the_way_breaks_the_link() {
    let Pair { mut a, mut b, .. } = Pair::new(&OnLoopback).await;
    let (front, behind) = proxy(&mut b, |bytes: &mut [u8], total: usize| {
        // Past the handshake, within the records of the message.
        if total > 20_000 {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
        true
    })
    .await;
    let (up, (link_b, _)) = tokio::join!(a.dial(front), b.accept());
    let link = up.unwrap().0;
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![0; 60_000].into());
    a.send(link, vec![frame]).await;
    assert_eq!(b.down(link_b).await, DownReason::Broken);
    behind.abort();
}
