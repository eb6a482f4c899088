//! A bare copy over a stream of libp2p: what libp2p carries when nothing of ours stands between two programs.
//!
//! `stream sink ADDRESS` takes one stream after the other and says how many bytes each brought; `stream source ADDRESS`
//! sends as many 64 KiB pieces as each line of its input says. Both ends are swarms as the transport's own is: TCP, Noise
//! and Yamux, and the stream protocol of libp2p-stream.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, multiaddr::Protocol, noise, tcp, yamux};
use libp2p_stream::Behaviour;
use serde_json::json;

use super::{answer, lines};

const PROTOCOL: StreamProtocol = StreamProtocol::new("/crosscast-live/copy/1");

/// Bytes of a piece: as many as an entry holds.
const PIECE: usize = 64 << 10;

pub(super) fn play(args: &[String]) -> Result<()> {
    let [side, address] = args else { bail!("stream sink|source MULTIADDR") };
    let address: Multiaddr = address.parse().context("a multiaddr")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match side.as_str() {
        "sink" => runtime.block_on(sink(address)),
        "source" => runtime.block_on(source(address)),
        other => bail!("stream as `{other}`"),
    }
}

fn swarm() -> Result<Swarm<Behaviour>> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|_| Behaviour::new())?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    Ok(swarm)
}

async fn sink(address: Multiaddr) -> Result<()> {
    let mut swarm = swarm()?;
    let mut streams = swarm.behaviour().new_control().accept(PROTOCOL)?;
    let own = *swarm.local_peer_id();
    swarm.listen_on(address)?;
    tokio::spawn(async move {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                let address = address.with(Protocol::P2p(own));
                if answer(&json!({ "listens": address.to_string() })).is_err() {
                    return;
                }
            }
        }
    });
    let mut input = lines();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let (_, mut stream) = tokio::select! {
            stream = streams.next() => stream.context("the swarm ended")?,
            None = input.recv() => return Ok(()),
        };
        let mut taken = 0_usize;
        while let read @ 1.. = stream.read(&mut buffer).await? {
            taken = taken.saturating_add(read);
        }
        answer(&json!({ "taken": taken }))?;
    }
}

async fn source(address: Multiaddr) -> Result<()> {
    let peer = address.iter().find_map(|part| if let Protocol::P2p(peer) = part { Some(peer) } else { None });
    let peer: PeerId = peer.context("a multiaddr with a name")?;
    let mut swarm = swarm()?;
    let mut control = swarm.behaviour().new_control();
    swarm.dial(address)?;
    while !swarm.is_connected(&peer) {
        swarm.next().await;
    }
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    answer(&json!({ "ready": true }))?;
    let piece = vec![0x78; PIECE];
    let mut input = lines();
    while let Some(line) = input.recv().await {
        let pieces: usize = line.trim().parse().context("a number of pieces")?;
        let mut stream = control.open_stream(peer, PROTOCOL).await?;
        for _ in 0..pieces {
            stream.write_all(&piece).await?;
        }
        stream.close().await?;
        answer(&json!({ "given": pieces.saturating_mul(PIECE) }))?;
    }
    Ok(())
}
