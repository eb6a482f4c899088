//! iroh-gossip on iroh: QUIC, relays and discovery off, addresses given directly; payloads not signed.
//!
//! Publishers and subscribers know the router only. Its gossip would introduce its neighbours to each other, so the
//! router is the one that joins: each node tells it over a port of its own where it is, and then nobody forwards a join.
//! The router's view holds all of them. The event queues are large; all else is as iroh-gossip has it by default.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use crosscast_bench::{Args, Keep, Lane, Publisher, Router, System, run};
use futures_util::StreamExt as _;
use iroh::address_lookup::memory::MemoryLookup;
use iroh::endpoint::presets;
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode};
use iroh_gossip::api::{Event, GossipReceiver, GossipSender, JoinOptions};
use iroh_gossip::net::Gossip;
use iroh_gossip::proto::{HyparviewConfig, TopicId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const TOPIC: TopicId = TopicId::from_bytes(*b"publish and subscribe, benched..");

fn main() -> Result<()> {
    run::<Iroh>()
}

struct Iroh;

/// A node that takes part; ends when dropped.
struct Node {
    protocols: iroh::protocol::Router,
    known: MemoryLookup,
    sender: GossipSender,
    receiver: GossipReceiver,
}

struct Publishing {
    sender: GossipSender,
    _protocols: iroh::protocol::Router,
}

impl Publisher for Publishing {
    async fn publish(&mut self, _who: usize, payload: Bytes) -> Result<()> {
        self.sender.broadcast(payload).await.map_err(|error| anyhow!("{error}"))
    }
}

async fn node(neighbours: usize) -> Result<Node> {
    let known = MemoryLookup::new();
    let endpoint = Endpoint::builder(presets::Minimal)
        .relay_mode(RelayMode::Disabled)
        .clear_address_lookup()
        .address_lookup(known.clone())
        .clear_ip_transports()
        .bind_addr("127.0.0.1:0")?
        .bind()
        .await?;
    let membership = HyparviewConfig { active_view_capacity: neighbours.max(5), ..HyparviewConfig::default() };
    let gossip = Gossip::builder().max_message_size(64 << 10).membership_config(membership).spawn(endpoint.clone());
    let protocols = iroh::protocol::Router::builder(endpoint).accept(iroh_gossip::ALPN, gossip.clone()).spawn();
    let options = JoinOptions { subscription_capacity: 1 << 16, ..JoinOptions::with_bootstrap([]) };
    let (sender, receiver) = gossip.subscribe_with_opts(TOPIC, options).await?.split();
    Ok(Node { protocols, known, sender, receiver })
}

impl Node {
    /// Tells the router where this node is, and waits until it is its neighbour.
    async fn meet(&mut self, router: &str) -> Result<()> {
        let endpoint = self.protocols.endpoint();
        let address = endpoint.bound_sockets().first().copied().context("no address")?;
        let mut stream = TcpStream::connect(router).await?;
        stream.write_all(format!("{} {address}", endpoint.id()).as_bytes()).await?;
        stream.shutdown().await?;
        let joined = tokio::time::timeout(Duration::from_secs(20), self.receiver.joined());
        joined.await.context("the router does not join")?.map_err(|error| anyhow!("{error}"))
    }
}

impl System for Iroh {
    type Opening = ();
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<((), String)> {
        Ok(((), String::new()))
    }

    async fn link((): (), args: &Args) -> Result<Publishing> {
        let mut node = node(1).await?;
        node.meet(&args.router).await?;
        let mut receiver = node.receiver;
        tokio::spawn(async move { while receiver.next().await.is_some() {} });
        Ok(Publishing { sender: node.sender, _protocols: node.protocols })
    }

    async fn router(args: &Args) -> Result<Router> {
        let Node { protocols, known, sender, mut receiver } = node(args.fanout + 1).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        tokio::spawn(async move { while receiver.next().await.is_some() {} });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Err(error) = introduce(stream, &known, &sender).await {
                    eprintln!("a node was not introduced: {error:#}");
                }
            }
        });
        Ok(Router { address, pid: None, keep: Box::new(protocols) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let mut node = node(1).await?;
        node.meet(&args.router).await?;
        let Node { protocols, known, sender, mut receiver } = node;
        tokio::spawn(async move {
            while let Some(event) = receiver.next().await {
                match event {
                    Ok(Event::Received(message)) => lane.book(&message.content),
                    Ok(Event::Lagged) => lane.lost("iroh-gossip's receiver lagged"),
                    Ok(Event::NeighborUp(_) | Event::NeighborDown(_)) => {}
                    Err(error) => return lane.lost(&error.to_string()),
                }
            }
        });
        Ok(Box::new((protocols, known, sender)))
    }
}

async fn introduce(mut stream: TcpStream, known: &MemoryLookup, sender: &GossipSender) -> Result<()> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let (id, address) = text.split_once(' ').context("not an introduction")?;
    let id: EndpointId = id.parse()?;
    known.add_endpoint_info(EndpointAddr::new(id).with_ip_addr(address.parse()?));
    sender.join_peers(vec![id]).await.map_err(|error| anyhow!("{error}"))
}
