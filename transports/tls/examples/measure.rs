//! Measures links: `throughput` on loopback, or `serve LOCATOR` here and `ping LOCATOR SECONDS` elsewhere.
//!
//! The word `quic` in front measures QUIC instead of TLS over TCP. `throughput` prints megabytes per second for frames
//! of 64 KiB and 256 KiB in one direction between two nodes of this process. `links` opens many and prints what an idle
//! one keeps in memory. `ping` saturates lane bulk towards a serving node, sends ten PINGs a second on lane control, and
//! prints the round trips' percentiles and the bulk rate; run it over a shaped path to see what a slow link does to
//! control. `loss`, `order` and `moves` put a path between two nodes that loses packets by a seed or moves, and print one
//! JSON object `{value, pass, seed}`: whether lost packets of bulk delay control, and whether a move loses anything.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_exam::transport::loss::{Figures, control_before_bulk, control_beside_bulk, transfer_over_moves};
use crosscast_exam::transport::measure::{Trip, answer_pings, pings_beside_bulk, send_copies};
use crosscast_exam::transport::path::Weather;
use crosscast_exam::transport::{Candidate, Pair, Station};
use crosscast_port::Report;
use crosscast_tls::{Quic, Tls, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame, Scheme, SecretKey};

struct Nodes(Scheme);

impl Candidate for Nodes {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let config = TlsConfig::new(SecretKey::new([node; 32]));
        match self.0 {
            Scheme::Quic => Box::new(Quic::new(config).unwrap()),
            _ => Box::new(Tls::new(config).unwrap()),
        }
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::new(self.0, "127.0.0.1:0", None).unwrap()
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
    let (nodes, words) = match words.split_first() {
        Some((&"quic", rest)) => (Nodes(Scheme::Quic), rest),
        _ => (Nodes(Scheme::Tls), &words[..]),
    };
    match *words {
        [] | ["throughput"] => {
            for (len, count) in [(64 * 1024, 100_000), (256 * 1024, 25_000)] {
                throughput(&nodes, len, count).await;
            }
        }
        ["throughput", kib] => {
            throughput(&nodes, kib.parse::<usize>().unwrap() * 1024, 6_400_000 / kib.parse::<usize>().unwrap()).await
        }
        ["links", count] => links(&nodes, count.parse().unwrap()).await,
        ["serve", locator] => serve(Locator::parse(locator).unwrap()).await,
        ["ping", locator, seconds] => {
            ping(Locator::parse(locator).unwrap(), Duration::from_secs(seconds.parse().unwrap())).await
        }
        ["loss", seconds, seed] => loss(seconds.parse().unwrap(), seed.parse().unwrap()).await,
        ["moves", seconds, seed] => moves(seconds.parse().unwrap(), seed.parse().unwrap()).await,
        ["order", rounds, seed] => order(rounds.parse().unwrap(), seed.parse().unwrap()).await,
        _ => eprintln!(
            "usage: measure [quic] [throughput [KIB] | links COUNT | serve LOCATOR | ping LOCATOR SECONDS]\n       \
             measure quic [loss SECONDS SEED | order ROUNDS SEED | moves SECONDS SEED]"
        ),
    }
}

/// Control beside saturated bulk over 2 MB/s and 40 ms, without and with 2 % of the long packets lost. A repair takes a
/// round trip, and at this rate and loss one is under way nearly all the time: on one ordered stream most control frames
/// would wait for one. Here nine in ten must not notice.
async fn loss(seconds: u64, seed: u64) {
    let clear = Weather { rate: 2_000, queue: 64 * 1024, ..Weather::calm(Duration::from_millis(20)) };
    let lossy = Weather { loss_ppm: 20_000, ..clear };
    let (quic, time) = (Nodes(Scheme::Quic), Duration::from_secs(seconds));
    let before = control_beside_bulk(&quic, clear, seed, time).await;
    let after = control_beside_bulk(&quic, lossy, seed, time).await;
    let told = |figures: &Figures| {
        let [p50, p90, p99] = [50, 90, 99].map(|percent| figures.beside.percentile(percent) / 1000);
        let (trips, lost, full) = (figures.beside.trips.len(), figures.carried.lost, figures.carried.overflowed);
        let kbps = figures.bulk / usize::try_from(time.as_millis()).unwrap();
        format!(
            r#"{{"trips":{trips},"p50_ms":{p50},"p90_ms":{p90},"p99_ms":{p99},"bulk_kB_per_s":{kbps},"lost":{lost},"overflowed":{full}}}"#
        )
    };
    let fewest = before.beside.trips.len().min(after.beside.trips.len());
    let enough = fewest >= usize::try_from(seconds * 20).unwrap();
    let pass = enough && after.carried.lost > 0 && after.beside.percentile(90) <= before.beside.percentile(90) + 10_000;
    let (clear, lossy) = (told(&before), told(&after));
    println!(r#"{{"value":{{"clear":{clear},"lossy":{lossy}}},"pass":{pass},"seed":{seed}}}"#);
}

/// Bulk frames that lose one packet each, and control frames sent after them: control comes first every time, and
/// never when nothing is lost.
async fn order(rounds: u32, seed: u64) {
    let quic = Nodes(Scheme::Quic);
    let clear = control_before_bulk(&quic, seed, rounds, false).await;
    let lossy = control_before_bulk(&quic, seed, rounds, true).await;
    let pass = lossy == rounds && clear == 0;
    println!(
        r#"{{"value":{{"rounds":{rounds},"overtaken_when_lost":{lossy},"overtaken_when_not":{clear}}},"pass":{pass},"seed":{seed}}}"#
    );
}

/// A transfer over a NAT that forgets its mapping three times a second: every frame arrives once and in order.
async fn moves(seconds: u64, seed: u64) {
    let quic = Nodes(Scheme::Quic);
    let moved = transfer_over_moves(&quic, Duration::from_millis(333), Duration::from_secs(seconds), seed).await;
    let (frames, moves) = (moved.frames, moved.moves);
    let pass = u64::from(moves) >= seconds && frames > 0;
    println!(r#"{{"value":{{"frames":{frames},"moves":{moves},"lost":0}},"pass":{pass},"seed":{seed}}}"#);
}

async fn throughput(nodes: &Nodes, len: usize, count: usize) {
    let Pair { mut a, mut b, link_a, link_b, .. } = Pair::new(nodes).await;
    let start = Instant::now();
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, Bytes::from(vec![7; len]));
    let sender = tokio::spawn(async move {
        send_copies(&mut a, link_a, &frame, count).await;
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

/// Opens links between two nodes, carries a long frame over each, and prints the memory of one end.
async fn links(nodes: &Nodes, count: usize) {
    let mut pair = Pair::new(nodes).await;
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
async fn serve(at: Locator) {
    let mut station = Station::start(&Nodes(at.scheme()), 1);
    println!("{}", station.listen(at).await.unwrap());
    answer_pings(station, |_| {}).await;
}

async fn ping(locator: Locator, time: Duration) {
    let mut station = Station::start(&Nodes(locator.scheme()), 2);
    let (link, _) = station.dial(locator).await.unwrap();
    let start = Instant::now();
    let beside = pings_beside_bulk(&mut station, link, Duration::from_millis(100), time).await;
    let lasted = usize::try_from(start.elapsed().as_millis()).unwrap();
    let count = beside.trips.len();
    assert!(count > 0, "no PING was answered");
    let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| beside.percentile(percent) / 1000);
    println!("{count} round trips: p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, max {max} ms");
    for Trip { took, asked } in beside.trips.iter().rev().take(8) {
        println!("slow: {} ms, asked at {} ms", took / 1000, asked / 1000);
    }
    println!("bulk: {} kB/s", beside.sent / lasted);
}
