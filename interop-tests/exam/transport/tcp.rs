//! A TCP path on loopback whose bytes a test sees and changes, and the questions about it: for transports over TCP.

use std::time::{Duration, Instant};

use crosscast_port::{DialError, DownReason};
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::station::listening;
use super::{Candidate, Pair, Station, limits};

/// A listener without a node behind it, where the candidate's nodes listen, and its locator.
pub async fn listener(candidate: &dyn Candidate) -> (TcpListener, Locator) {
    let asked = candidate.listen_at(1);
    let listener = TcpListener::bind(asked.host_port().expect("host and port")).await.unwrap();
    let at = Locator::new(asked.scheme(), &listener.local_addr().unwrap().to_string(), None).unwrap();
    (listener, at)
}

/// Links nodes 1 and 2 over a path, which is where the listener seems to be. The hook sees the bytes towards it and how
/// many went before, may change them, and makes the path read no more, without closing, when it returns false.
async fn pair_over(candidate: &dyn Candidate, hook: impl FnMut(&mut [u8], usize) -> bool + Send + 'static) -> Pair {
    let (mut b, behind) = listening(candidate).await;
    let (front, at) = listener(candidate).await;
    tokio::spawn(carry(front, behind, hook));
    let mut a = Station::start(candidate, 2);
    let (up, accepted) = tokio::join!(a.dial(at.clone()), b.accept());
    Pair { a, b, at, link_a: up.expect("the dial succeeds").0, link_b: accepted.0 }
}

/// Carries the first connection until one of its ends is gone.
async fn carry(front: TcpListener, to: Locator, mut hook: impl FnMut(&mut [u8], usize) -> bool) {
    let (client, _) = front.accept().await.unwrap();
    let server = TcpStream::connect(to.host_port().unwrap()).await.unwrap();
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
}

/// [`limits::a_server_that_never_answers_costs_a_dial_its_deadline`], where the server takes the connection.
pub async fn a_server_that_never_answers_costs_a_dial_its_deadline(candidate: &dyn Candidate) {
    let (_silent, at) = listener(candidate).await;
    limits::a_server_that_never_answers_costs_a_dial_its_deadline(candidate, at, DialError::Handshake).await;
}

/// Connections that send the first byte of a handshake and say no more hold their places until the deadline, and no
/// longer: a polite peer gets in behind them, and all of them are cut. The node has eight places for half-open
/// connections and gives a handshake 600 ms. Returns how many were cut.
pub async fn slow_handshakes_are_cut_and_hold_a_place_only_that_long<T>(
    (station, at): (&mut Station, &Locator),
    first: u8,
    polite: impl Future<Output = std::io::Result<T>>,
) -> usize {
    let start = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..12 {
        let mut stream = TcpStream::connect(at.host_port().unwrap()).await.unwrap();
        stream.write_all(&[first]).await.unwrap();
        idle.push(stream);
    }
    let (polite, _) = tokio::join!(polite, station.accept());
    polite.unwrap();
    assert!(start.elapsed() >= Duration::from_millis(550), "every place was taken");
    assert!(start.elapsed() < Duration::from_secs(4), "it took {:?}", start.elapsed());
    for stream in &mut idle {
        assert!(matches!(stream.read(&mut [0; 64]).await, Ok(0) | Err(_)));
    }
    idle.len()
}

/// [`limits::a_path_that_swallows_everything_stalls_the_link`], from the middle of what is sent on.
pub async fn a_path_that_swallows_everything_stalls_the_link(candidate: &dyn Candidate) {
    let mut pair = pair_over(candidate, |_, total| total < 100_000).await;
    limits::a_path_that_swallows_everything_stalls_the_link(&mut pair.a, pair.link_a).await;
}

/// Where the bytes of a link are protected, one that is changed on the way breaks it.
pub async fn a_flipped_bit_on_the_way_breaks_the_link(candidate: &dyn Candidate) {
    let flip = |bytes: &mut [u8], total: usize| {
        // Past the handshake, within the records of the message.
        if total > 20_000 {
            bytes[bytes.len() / 2] ^= 1;
        }
        true
    };
    let mut pair = pair_over(candidate, flip).await;
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![0; 60_000].into());
    pair.a.send(pair.link_a, vec![frame]).await;
    assert_eq!(pair.b.down(pair.link_b).await, DownReason::Broken);
}
