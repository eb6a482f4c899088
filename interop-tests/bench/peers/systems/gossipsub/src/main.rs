//! rust-libp2p's gossipsub: strictly signed, Noise, Yamux over TCP; publishers and subscribers know the router only.
//!
//! The router keeps every subscriber in its mesh, so that nobody depends on the gossip of a heartbeat, and messages may
//! wait in its queues for as long as the window lasts: nothing is lost that a larger queue would have kept. Publishers do
//! not subscribe. Each publisher is a swarm of its own, with a key of its own.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use crosscast_bench::{Args, Keep, Lane, Publisher, Router, System, run};
use futures_util::StreamExt as _;
use libp2p::gossipsub::{
    Behaviour, ConfigBuilder, Event, IdentTopic, MessageAuthenticity, PublishError, TopicHash, ValidationMode,
};
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::mpsc;

fn main() -> Result<()> {
    run::<Gossipsub>()
}

struct Gossipsub;

struct Publishing(Vec<mpsc::Sender<Bytes>>);

impl Publisher for Publishing {
    async fn publish(&mut self, who: usize, payload: Bytes) -> Result<()> {
        self.0.get(who).context("no such publisher")?.send(payload).await.map_err(|_| anyhow!("a publisher ended"))
    }
}

fn topic() -> IdentTopic {
    IdentTopic::new("bench")
}

/// A swarm of a fresh key.
fn swarm(mesh: usize) -> Result<Swarm<Behaviour>> {
    let mut config = ConfigBuilder::default();
    config
        .validation_mode(ValidationMode::Strict)
        .mesh_n(mesh)
        .mesh_n_low(mesh.min(5))
        .mesh_n_high(mesh * 2 + 12)
        .mesh_outbound_min(0)
        .connection_handler_queue_len(1 << 16)
        .publish_queue_duration(Duration::from_secs(60))
        .forward_queue_duration(Duration::from_secs(60));
    let config = config.build()?;
    let behaviour = |key: &Keypair| {
        Behaviour::new(MessageAuthenticity::Signed(key.clone()), config)
            .map_err(Box::<dyn std::error::Error + Send + Sync>::from)
    };
    Ok(SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)?
        .with_behaviour(behaviour)?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(3600)))
        .build())
}

/// Drives a swarm until its router is subscribed.
async fn meet(swarm: &mut Swarm<Behaviour>, router: &str) -> Result<()> {
    swarm.dial(router.parse::<Multiaddr>()?)?;
    let wait = async {
        while let Some(event) = swarm.next().await {
            match event {
                SwarmEvent::Behaviour(Event::Subscribed { .. }) => return Ok(()),
                SwarmEvent::OutgoingConnectionError { error, .. } => return Err(anyhow!("{error}")),
                _ => {}
            }
        }
        Err(anyhow!("the swarm ended"))
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.context("the router does not answer")?
}

impl System for Gossipsub {
    type Opening = ();
    type Publisher = Publishing;

    async fn open(_args: &Args) -> Result<((), String)> {
        Ok(((), String::new()))
    }

    async fn link((): (), args: &Args) -> Result<Publishing> {
        let mut senders = Vec::new();
        for _ in 0..args.publishers.max(1) {
            let mut swarm = swarm(6)?;
            meet(&mut swarm, &args.router).await?;
            let (sender, messages) = mpsc::channel(1024);
            tokio::spawn(publisher(swarm, messages));
            senders.push(sender);
        }
        Ok(Publishing(senders))
    }

    async fn router(args: &Args) -> Result<Router> {
        let mut swarm = swarm(args.fanout.max(6))?;
        swarm.behaviour_mut().subscribe(&topic())?;
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse()?)?;
        let address = loop {
            if let Some(SwarmEvent::NewListenAddr { address, .. }) = swarm.next().await {
                break address.to_string();
            }
        };
        tokio::spawn(async move {
            while let Some(event) = swarm.next().await {
                if let SwarmEvent::Behaviour(Event::SlowPeer { failed_messages, .. }) = event {
                    eprintln!("gossipsub's router dropped messages for a slow peer: {failed_messages:?}");
                }
            }
        });
        Ok(Router { address, pid: None, keep: Box::new(()) })
    }

    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep> {
        let mut swarm = swarm(6)?;
        swarm.behaviour_mut().subscribe(&topic())?;
        meet(&mut swarm, &args.router).await?;
        let hash = topic().hash();
        let meshed = async {
            while swarm.behaviour().mesh_peers(&hash).next().is_none() {
                swarm.select_next_some().await;
            }
            // The router takes this subscriber into its mesh when its graft arrives.
            let _ = tokio::time::timeout(Duration::from_millis(50), drive(&mut swarm)).await;
        };
        tokio::time::timeout(Duration::from_secs(20), meshed).await.context("not taken into the mesh")?;
        tokio::spawn(async move {
            while let Some(event) = swarm.next().await {
                if let SwarmEvent::Behaviour(Event::Message { message, .. }) = event {
                    lane.book(&message.data);
                }
            }
        });
        Ok(Box::new(()))
    }
}

async fn drive(swarm: &mut Swarm<Behaviour>) {
    while swarm.next().await.is_some() {}
}

/// Publishes what comes; when the queue to the router is full, waits for it.
async fn publisher(mut swarm: Swarm<Behaviour>, mut messages: mpsc::Receiver<Bytes>) {
    let topic: TopicHash = topic().hash();
    let mut held: Option<Bytes> = None;
    loop {
        tokio::select! {
            _ = swarm.next() => {}
            message = messages.recv(), if held.is_none() => match message {
                Some(message) => held = Some(message),
                None => return,
            },
            () = tokio::time::sleep(Duration::from_millis(1)), if held.is_some() => {}
        }
        while let Some(message) = held.take() {
            match swarm.behaviour_mut().publish(topic.clone(), message.to_vec()) {
                Ok(_) => held = messages.try_recv().ok(),
                Err(PublishError::AllQueuesFull(_)) => {
                    held = Some(message);
                    break;
                }
                Err(error) => {
                    eprintln!("gossipsub does not publish: {error}");
                    std::process::exit(1);
                }
            }
        }
    }
}
