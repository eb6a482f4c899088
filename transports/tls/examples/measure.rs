//! Measures links: `throughput` on loopback, or `serve ADDRESS` here and `ping LOCATOR SECONDS` elsewhere.
//!
//! `throughput` prints megabytes per second for frames of 64 KiB and 256 KiB in one direction between two nodes of this
//! process. `links` opens many and prints what an idle one keeps in memory. `ping` saturates lane bulk towards a serving node, sends ten PINGs a second on lane control, and prints the
//! round trips' percentiles and the bulk rate; run it over a shaped path to see what a slow link does to control.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_exam::transport::{Candidate, Pair, Station};
use crosscast_port::{LinkId, Report, Request};
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame, SecretKey};
use tokio::time::{MissedTickBehavior, interval, timeout};

struct Nodes;

impl Candidate for Nodes {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        Box::new(Tls::new(TlsConfig::new(SecretKey::new([node; 32]))).unwrap())
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse("tls://127.0.0.1:0").unwrap()
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
    match words[..] {
        [] | ["throughput"] => {
            for (len, count) in [(64 * 1024, 100_000), (256 * 1024, 25_000)] {
                throughput(len, count).await;
            }
        }
        ["throughput", kib] => {
            throughput(kib.parse::<usize>().unwrap() * 1024, 6_400_000 / kib.parse::<usize>().unwrap()).await
        }
        ["links", count] => links(count.parse().unwrap()).await,
        ["serve", address] => serve(address).await,
        ["ping", locator, seconds] => ping(locator, Duration::from_secs(seconds.parse().unwrap())).await,
        _ => eprintln!("usage: measure [throughput [KIB] | links COUNT | serve ADDRESS | ping LOCATOR SECONDS]"),
    }
}

async fn throughput(len: usize, count: usize) {
    let Pair { mut a, mut b, link_a, link_b, .. } = Pair::new(&Nodes).await;
    let start = Instant::now();
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, Bytes::from(vec![7; len]));
    let sender = tokio::spawn(async move {
        let mut balance = i64::from(u32::try_from(a.balance(link_a).normal).unwrap());
        let (mut left, mut reports) = (count, Vec::new());
        loop {
            let mut frames = Vec::new();
            while balance > 0 && left > 0 {
                balance -= i64::try_from(len).unwrap();
                left -= 1;
                frames.push(frame.clone());
            }
            if !frames.is_empty() {
                a.driver.request(Request::Send { link: link_a, frames }).unwrap();
            }
            if left == 0 {
                break;
            }
            a.driver.recv(&mut reports).await;
            balance += granted(&reports, link_a, Lane::Normal);
            reports.clear();
        }
        a
    });
    let (mut got, mut reports) = (0, Vec::new());
    while got < count {
        b.driver.recv(&mut reports).await;
        for report in reports.drain(..) {
            if let Report::Frames { link, frames } = report {
                assert_eq!(link, link_b);
                got += frames.len();
            }
        }
    }
    let (bytes, time) = (count * len, start.elapsed());
    println!("{} KiB frames: {} MB/s", len / 1024, bytes / usize::try_from(time.as_micros()).unwrap());
    drop(sender.await);
}

fn granted(reports: &[Report], of: LinkId, on: Lane) -> i64 {
    let grant = |report: &Report| match report {
        Report::Writable { link, lane, bytes } if *link == of && *lane == on => i64::from(*bytes),
        _ => 0,
    };
    reports.iter().map(grant).sum()
}

/// Opens links between two nodes, carries a long frame over each, and prints the memory of one end.
async fn links(count: usize) {
    let mut pair = Pair::new(&Nodes).await;
    let before = resident_kib();
    for _ in 0..count {
        let (up, (link_b, _)) = tokio::join!(pair.a.dial(pair.at.clone()), pair.b.accept());
        let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, Bytes::from(vec![7; 100_000]));
        let link = up.unwrap().0;
        tokio::join!(pair.a.send(link, vec![frame]), pair.b.receive(link_b, 1));
    }
    println!("{} KiB for each end of a link", (resident_kib() - before) / (2 * count));
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Answers every PING on every link.
async fn serve(address: &str) {
    let mut station = Station::start(&Nodes, 1);
    println!("{}", station.listen(Locator::parse(&format!("tls://{address}")).unwrap()).await.unwrap());
    let mut reports = Vec::new();
    loop {
        station.driver.recv(&mut reports).await;
        for report in reports.drain(..) {
            if let Report::Frames { link, frames } = report {
                let pings = frames.into_iter().filter(|frame| frame.frame_type == FrameType::PING);
                let frames: Vec<_> = pings.map(|ping| RawFrame { frame_type: FrameType::PONG, ..ping }).collect();
                station.driver.request(Request::Send { link, frames }).unwrap();
            }
        }
    }
}

async fn ping(locator: &str, time: Duration) {
    let mut station = Station::start(&Nodes, 2);
    let (link, _) = station.dial(Locator::parse(locator).unwrap()).await.unwrap();
    let bulk = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, Bytes::from(vec![7; 64 * 1024]));
    let (start, mut ticks) = (Instant::now(), interval(Duration::from_millis(100)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut trips, mut sent, mut balance) = (Vec::new(), 0_usize, station.balance(link).bulk);
    let mut reports = Vec::new();
    while start.elapsed() < time {
        while balance > 0 {
            balance -= i64::try_from(bulk.body_len()).unwrap();
            sent += bulk.body_len();
            station.driver.request(Request::Send { link, frames: vec![bulk.clone()] }).unwrap();
        }
        tokio::select! {
            _ = ticks.tick() => {
                let now = u64::try_from(start.elapsed().as_micros()).unwrap();
                let body = Bytes::copy_from_slice(&now.to_be_bytes());
                let frames = vec![RawFrame::new(FrameType::PING, Lane::Control, body)];
                station.driver.request(Request::Send { link, frames }).unwrap();
            }
            _ = timeout(Duration::from_secs(1), station.driver.recv(&mut reports)) => {}
        }
        balance += granted(&reports, link, Lane::Bulk);
        for report in reports.drain(..) {
            if let Report::Frames { frames, .. } = report {
                let now = u64::try_from(start.elapsed().as_micros()).unwrap();
                let asked = frames.iter().map(|pong| u64::from_be_bytes(pong.tail[..].try_into().unwrap()));
                trips.extend(asked.map(|asked| (now - asked, asked)));
            }
        }
    }
    trips.sort_unstable();
    let at = |percent: usize| trips[(trips.len() * percent / 100).min(trips.len() - 1)].0 / 1000;
    println!(
        "{} round trips: p50 {} ms, p90 {} ms, p99 {} ms, max {} ms",
        trips.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
    for (trip, asked) in trips.iter().rev().take(8) {
        println!("slow: {} ms, asked at {} ms", trip / 1000, asked / 1000);
    }
    println!("bulk: {} kB/s", sent / usize::try_from(start.elapsed().as_millis()).unwrap());
}
