//! Measures what a link costs over a bare stream: `copy MIB [tcp|quic]` copies so many MiB on loopback, by turns over a
//! stream of `libp2p-stream` and over a link, and prints megabytes per second and the median ratio.
//!
//! Both have swarms of their own with the same transports, and write pieces of 64 KiB. `serve MULTIADDR` and
//! `send MULTIADDR MIB` are the bare copy between two processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]

use std::time::Instant;

use bytes::Bytes;
use crosscast_exam::transport::{Candidate, Pair};
use crosscast_libp2p::{Libp2p, Libp2pConfig, Multiaddr};
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame, SecretKey};
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};

const PIECE: usize = 64 * 1024;
const COPY: StreamProtocol = StreamProtocol::new("/copy/1");
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve", at] => {
            let (swarm, at) = listen(at.parse().unwrap()).await;
            println!("{at}");
            Bare::serve(swarm).run().await;
        }
        ["send", to, mib] => {
            let speed = send(to.parse().unwrap(), mib.parse().unwrap()).await;
            println!("{speed:.0} MB/s");
        }
        [mib, rest @ ..] => compare(mib.parse().unwrap(), rest.contains(&"quic")).await,
        [] => println!("copy MIB [tcp|quic] | serve MULTIADDR | send MULTIADDR MIB"),
    }
}

async fn compare(mib: usize, quic: bool) {
    let place = if quic { "/ip4/127.0.0.1/udp/0/quic-v1" } else { "/ip4/127.0.0.1/tcp/0" };
    let (swarm, at) = listen(place.parse().unwrap()).await;
    tokio::spawn(Bare::serve(swarm).run());
    let mut pair = Pair::new(&Loopback(place)).await;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let bare = send(at.clone(), mib).await;
        let link = over_a_link(&mut pair, mib).await;
        println!("bare {bare:.0} MB/s, link {link:.0} MB/s");
        ratios.push(link / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3}", ratios[ROUNDS / 2]);
}

fn swarm() -> Swarm<libp2p_stream::Behaviour> {
    SwarmBuilder::with_existing_identity(Keypair::generate_ed25519())
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_quic()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .build()
}

async fn listen(at: Multiaddr) -> (Swarm<libp2p_stream::Behaviour>, Multiaddr) {
    let mut swarm = swarm();
    swarm.listen_on(at).unwrap();
    loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            let peer = *swarm.local_peer_id();
            return (swarm, address.with(Protocol::P2p(peer)));
        }
    }
}

struct Bare {
    swarm: Swarm<libp2p_stream::Behaviour>,
    incoming: libp2p_stream::IncomingStreams,
}

impl Bare {
    fn serve(swarm: Swarm<libp2p_stream::Behaviour>) -> Self {
        let incoming = swarm.behaviour().new_control().accept(COPY).unwrap();
        Self { swarm, incoming }
    }

    /// Reads every stream to its end and answers with one byte.
    async fn run(mut self) {
        tokio::spawn(async move { while self.swarm.next().await.is_some() {} });
        while let Some((_, mut stream)) = self.incoming.next().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; PIECE];
                while stream.read(&mut buffer).await.unwrap() > 0 {}
                stream.write_all(&[1]).await.unwrap();
                stream.close().await.unwrap();
            });
        }
    }
}

/// Copies over a bare stream; megabytes per second.
async fn send(to: Multiaddr, mib: usize) -> f64 {
    let mut swarm = swarm();
    let Some(Protocol::P2p(peer)) = to.iter().last() else { panic!("whose address is it?") };
    swarm.add_peer_address(peer, to.clone());
    swarm.dial(to).unwrap();
    while !swarm.is_connected(&peer) {
        swarm.select_next_some().await;
    }
    let mut control = swarm.behaviour().new_control();
    let driven = tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let mut stream = control.open_stream(peer, COPY).await.unwrap();
    let piece = vec![7; PIECE];
    let start = Instant::now();
    for _ in 0..mib * 1024 * 1024 / PIECE {
        stream.write_all(&piece).await.unwrap();
    }
    stream.close().await.unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).await.unwrap();
    let speed = speed(mib, start);
    driven.abort();
    speed
}

/// Copies over a link; megabytes per second.
async fn over_a_link(pair: &mut Pair, mib: usize) -> f64 {
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, Bytes::from(vec![7; PIECE]));
    let count = mib * 1024 * 1024 / PIECE;
    let start = Instant::now();
    let (link_a, link_b) = (pair.link_a, pair.link_b);
    let (a, b) = (&mut pair.a, &mut pair.b);
    tokio::join!(a.send(link_a, vec![frame; count]), b.receive(link_b, count));
    speed(mib, start)
}

fn speed(mib: usize, start: Instant) -> f64 {
    (mib * 1024 * 1024) as f64 / 1e6 / start.elapsed().as_secs_f64()
}

struct Loopback(&'static str);

impl Candidate for Loopback {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        Box::new(Libp2p::new(Libp2pConfig::new(SecretKey::new([node; 32]))).unwrap())
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse(&format!("libp2p:{}", self.0)).unwrap()
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        self.listen_at(0)
    }
}
