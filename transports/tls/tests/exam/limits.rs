//! Limits and deadlines: half-open connections, links, stalls.

use std::time::{Duration, Instant};

use crosscast_exam::transport::{Candidate, Station};
use crosscast_port::{DialError, DownReason, Request};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::OnLoopback;
use crate::stranger::{Stranger, listening};

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

/// A TCP proxy in front of a listening station. The hook sees the bytes towards the station and how many went before,
/// may change them, and makes the proxy read no more, without closing, when it returns false.
pub(crate) async fn proxy(
    station: &mut Station,
    mut hook: impl FnMut(&mut [u8], usize) -> bool + Send + 'static,
) -> (Locator, JoinHandle<()>) {
    let at = station.listen(Locator::parse("tls://127.0.0.1:0").unwrap()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = Locator::parse(&format!("tls://{}", listener.local_addr().unwrap())).unwrap();
    let task = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
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
    (front, task)
}

#[tokio::test]
async fn slow_handshakes_are_cut_and_hold_a_place_only_that_long() {
    let tuned = Tuned(|config| {
        config.limits.half_open = 8;
        config.timeouts.handshake = Duration::from_millis(600);
    });
    let (mut station, at) = listening(&tuned).await;
    let start = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
        // The first byte of a handshake record, and then nothing.
        stream.write_all(&[0x16]).await.unwrap();
        idle.push(stream);
    }
    let (polite, _) = tokio::join!(Stranger::polite().connect(&at), station.accept());
    polite.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(550), "every place was taken");
    assert!(start.elapsed() < Duration::from_secs(4), "it took {:?}", start.elapsed());
    for mut stream in idle {
        assert!(matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_a_dial_its_deadline() {
    let tuned = Tuned(|config| config.timeouts.handshake = Duration::from_millis(300));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = Locator::parse(&format!("tls://{}", listener.local_addr().unwrap())).unwrap();
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
    let mut third = Stranger::polite().connect(&at).await.unwrap();
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
