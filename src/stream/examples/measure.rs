//! Measures links over a host node's network against plain TCP copies on the same path: `serve ADDRESS` at one end and
//! `send OWN PEER MIB PAIRS` at the other, each with the address that its host node has there. `[::1]` both times is
//! loopback.
//!
//! Each pair is one plain copy and one link, in frames of 64 KiB; the last line is one JSON object with the median ratio.
//! `ping OWN PEER SECONDS` saturates lane bulk and prints how long PINGs on lane control take beside it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_exam::transport::measure::{answer_pings, pings_beside_bulk, send_copies};
use crosscast_exam::transport::{Candidate, Station};
use crosscast_port::{DownReason, LinkId, Report, Request};
use crosscast_stream::overlay::{Host, HostKey, Neighbour, Overlay, OverlayConfig, Ownership, Sighting};
use crosscast_transport::{BoxFuture, Transport};
use crosscast_wire::{FrameType, Lane, Locator, Network, NetworkState, NodeId, RawFrame, Scheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LEN: usize = 64 * 1024;

/// Where plain copies go; links go to the next port.
const COPY_PORT: u16 = 7798;

/// A host node of which only the address is known.
struct Fixed(Ipv6Addr);

impl Host for Fixed {
    fn scheme(&self) -> Scheme {
        Scheme::Ygg
    }

    fn network(&self) -> Network {
        Network::Yggdrasil
    }

    fn look(&self) -> BoxFuture<'_, Sighting> {
        let (state, address) = (NetworkState::Degraded, Some(self.0));
        Box::pin(async move { Sighting { state, address, key: None, mtu: None, reason: None, detail: String::new() } })
    }

    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>> {
        Box::pin(async { Vec::new() })
    }

    fn is_address(&self, _address: Ipv6Addr) -> bool {
        true
    }

    fn address_of(&self, _key: &HostKey) -> Option<Ipv6Addr> {
        None
    }

    fn owns(&self, _key: &HostKey, _address: Ipv6Addr) -> Ownership {
        Ownership::No
    }
}

struct At(Ipv6Addr);

impl Candidate for At {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let config = OverlayConfig { port: 0, ..OverlayConfig::new(NodeId::new([node; 32])) };
        Box::new(Overlay::new(Fixed(self.0), config).unwrap())
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse(&format!("ygg://[{}]:{}", self.0, COPY_PORT + 1)).unwrap()
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        self.listen_at(0)
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *words {
        ["serve", own] => serve(own.parse().unwrap()).await,
        ["send", own, peer, mib, pairs] => {
            send(own.parse().unwrap(), peer.parse().unwrap(), mib.parse().unwrap(), pairs.parse().unwrap()).await;
        }
        ["ping", own, peer, seconds] => {
            ping(own.parse().unwrap(), peer.parse().unwrap(), Duration::from_secs(seconds.parse().unwrap())).await;
        }
        _ => eprintln!("usage: measure serve ADDRESS | send OWN PEER MIB PAIRS | ping OWN PEER SECONDS"),
    }
}

/// Takes copies and links, and says so when a byte of either has arrived for every byte that was announced.
async fn serve(own: Ipv6Addr) {
    let listener = TcpListener::bind((own, COPY_PORT)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut left, mut buffer) = (stream.read_u64().await.unwrap(), vec![0; 4 * LEN]);
                while left > 0 {
                    left -= u64::try_from(stream.read(&mut buffer).await.unwrap()).unwrap();
                }
                let _ = stream.write_all(&[1]).await;
            });
        }
    });
    let candidate = At(own);
    let mut station = Station::start(&candidate, 1);
    println!("{}", station.listen(candidate.listen_at(1)).await.unwrap());
    // A frame that asks for an answer gets it: the last of a copy, or a PING beside it.
    answer_pings(station, |_| {}).await;
}

async fn send(own: Ipv6Addr, peer: Ipv6Addr, mib: usize, pairs: usize) {
    let mut ratios = Vec::new();
    for pair in 0..pairs {
        let (mut copied, mut linked) = (0.0, 0.0);
        for turn in 0..2 {
            if (pair + turn) % 2 == 0 {
                copied = copy(peer, mib).await;
            } else {
                linked = link(own, peer, mib).await;
            }
        }
        println!("copy {copied:.0} MB/s, link {linked:.0} MB/s, ratio {:.2}", linked / copied);
        ratios.push(linked / copied);
    }
    ratios.sort_by(f64::total_cmp);
    println!(r#"{{"mib":{mib},"pairs":{pairs},"median_ratio":{:.3}}}"#, ratios[ratios.len() / 2]);
}

async fn copy(peer: Ipv6Addr, mib: usize) -> f64 {
    let mut stream = TcpStream::connect((peer, COPY_PORT)).await.unwrap();
    let (total, buffer) = (mib << 20, vec![7; LEN]);
    let start = Instant::now();
    stream.write_u64(total.try_into().unwrap()).await.unwrap();
    for _ in 0..total / LEN {
        stream.write_all(&buffer).await.unwrap();
    }
    assert_eq!(stream.read_u8().await.unwrap(), 1);
    rate(total, start)
}

fn rate(bytes: usize, start: Instant) -> f64 {
    f64::from(u32::try_from(bytes >> 10).unwrap()) * 1024.0 / 1e6 / start.elapsed().as_secs_f64()
}

async fn linked(own: Ipv6Addr, peer: Ipv6Addr) -> (Station, LinkId) {
    let mut station = Station::start(&At(own), 2);
    let (link, _) = station.dial(At(peer).listen_at(1)).await.unwrap();
    (station, link)
}

/// Frames of 64 KiB on lane normal, and a PING on the same lane whose answer says that all have arrived.
async fn link(own: Ipv6Addr, peer: Ipv6Addr, mib: usize) -> f64 {
    let (mut station, link) = linked(own, peer).await;
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, Bytes::from(vec![7; LEN]));
    let start = Instant::now();
    send_copies(&mut station, link, &frame, (mib << 20) / LEN).await;
    last(&mut station, link).await;
    let rate = rate(mib << 20, start);
    station.driver.request(Request::Close { link }).unwrap();
    assert_eq!(station.down(link).await, DownReason::Requested);
    rate
}

/// Sends a PING behind everything as soon as the grant has room, and waits for its answer.
async fn last(station: &mut Station, link: LinkId) {
    let ping = RawFrame::new(FrameType::PING, Lane::Normal, Bytes::from_static(b"all"));
    let mut reports = Vec::new();
    while station.driver.request(Request::Send { link, frames: vec![ping.clone()] }).is_err() {
        station.driver.recv(&mut reports).await;
    }
    while !reports.drain(..).any(|report| matches!(report, Report::Frames { .. })) {
        station.driver.recv(&mut reports).await;
    }
}

async fn ping(own: Ipv6Addr, peer: Ipv6Addr, time: Duration) {
    let (mut station, link) = linked(own, peer).await;
    let beside = pings_beside_bulk(&mut station, link, Duration::from_millis(50), time).await;
    let count = beside.trips.len();
    assert!(count > 0, "no PING was answered");
    let [p50, p99] = [50, 99].map(|percent| beside.percentile(percent) / 1000);
    let kb = beside.sent / usize::try_from(time.as_millis()).unwrap();
    println!(r#"{{"trips":{count},"p50_ms":{p50},"p99_ms":{p99},"bulk_kB_per_s":{kb}}}"#);
}
