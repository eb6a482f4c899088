//! Forgers on a group's topic: swarms of gossipsub that say there what is not so, as fast as they are told.
//!
//! `forge MULTIADDR TOPIC COUNT RATE` dials a node under as many names and joins the topic; each line of its input lets them
//! go on for a second. What they hear of honest ones they say again with its last byte changed, and between that they say
//! what is nothing at all; until they have heard something they say nothing, since whoever says nothing of use is soon not
//! heard any more. The answer tells how much was said.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures_util::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, interval};

use super::{answer, lines};

/// How long a line lets them go on.
const TURN: Duration = Duration::from_secs(1);

/// Messages that are kept to be changed.
const HEARD: usize = 64;

/// How what is nothing at all begins.
const NOTHING: &str = "nothing at all";

pub(super) fn play(args: &[String]) -> Result<()> {
    let [host, topic, count, rate] = args else { bail!("forge MULTIADDR TOPIC COUNT RATE") };
    let (host, count, rate) = (host.parse().context("a multiaddr")?, count.parse()?, rate.parse()?);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(forge(host, topic, count, rate))
}

async fn forge(host: Multiaddr, topic: &str, count: usize, rate: u32) -> Result<()> {
    let (go, until) = watch::channel(Instant::now());
    let (told, mut said) = mpsc::channel(count.max(1));
    for _ in 0..count {
        let forger = Forger { swarm: swarm()?, topic: IdentTopic::new(topic), heard: Vec::new(), said: 0 };
        tokio::spawn(forger.run(host.clone(), rate, until.clone(), told.clone()));
    }
    answer(&json!({ "ready": count }))?;
    let mut input = lines();
    while input.recv().await.is_some() {
        let end = Instant::now() + TURN;
        go.send_replace(end);
        tokio::time::sleep_until(end).await;
        let mut sum = 0;
        while let Ok(more) = said.try_recv() {
            sum += more;
        }
        answer(&json!({ "forged": sum }))?;
    }
    Ok(())
}

fn swarm() -> Result<Swarm<gossipsub::Behaviour>> {
    let config = gossipsub::ConfigBuilder::default().validation_mode(ValidationMode::Permissive).build()?;
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| {
            let gossip = gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config);
            gossip.map_err(Box::<dyn std::error::Error + Send + Sync>::from)
        })?
        .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
        .build();
    Ok(swarm)
}

struct Forger {
    swarm: Swarm<gossipsub::Behaviour>,
    topic: IdentTopic,
    heard: Vec<Vec<u8>>,
    said: u64,
}

impl Forger {
    async fn run(mut self, host: Multiaddr, rate: u32, until: watch::Receiver<Instant>, told: mpsc::Sender<u64>) {
        if self.swarm.dial(host).is_err() || self.swarm.behaviour_mut().subscribe(&self.topic).is_err() {
            return;
        }
        let mut beat = interval(TURN / rate.max(1));
        let mut told_of = 0;
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.heard(event),
                _ = beat.tick() => {
                    if Instant::now() < *until.borrow() {
                        self.lie();
                    }
                }
            }
            if self.said > told_of && told.try_send(self.said - told_of).is_ok() {
                told_of = self.said;
            }
        }
    }

    fn heard(&mut self, event: SwarmEvent<gossipsub::Event>) {
        if let SwarmEvent::Behaviour(gossipsub::Event::Message { message, .. }) = event
            && !message.data.starts_with(NOTHING.as_bytes())
        {
            if self.heard.len() >= HEARD {
                self.heard.remove(0);
            }
            self.heard.push(message.data);
        }
    }

    fn lie(&mut self) {
        let (turn, Some(heard)) = (self.said, self.heard.last()) else { return };
        let mut lie = if turn.is_multiple_of(2) { heard.clone() } else { format!("{NOTHING}, {turn}").into_bytes() };
        if let Some(last) = lie.last_mut() {
            *last = last.wrapping_add(u8::try_from(turn % 255).unwrap_or_default()).wrapping_add(1);
        }
        // Where nobody listens yet, or the same was said before, nothing is said.
        self.said += u64::from(self.swarm.behaviour_mut().publish(self.topic.clone(), lie).is_ok());
    }
}
