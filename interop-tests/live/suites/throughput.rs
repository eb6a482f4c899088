//! What a network carries of a group, beside a plain copy over the same way: in pairs, one after the other, so that both
//! see the same machine.
//!
//! The sender and the receiver of the group are nodes of the library, each a process of its own with its store in memory:
//! what is measured is the way through the node and the transport, not the disk and the shell. Every entry is sealed,
//! signed in its message, verified and opened. A round ends when its last byte has arrived.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::craft::number;
use crate::lab::net::Net;
use crate::lab::yggdrasil::{self, Yggdrasil};
use crate::role::Actor;
use crate::{Site, Size, Verdict};

/// Bytes of an entry of the group and of a piece of the copy.
const ENTRY: usize = 64 << 10;

/// The promise: as much of the copy's speed.
const SHARE: f64 = 0.7;

/// How long a round may take at most.
const ROUND: Duration = Duration::from_secs(600);

/// How long nodes may take to find each other.
const LINK: Duration = Duration::from_secs(60);

/// The two kinds of transfer over one way.
struct Way {
    /// Sender and receiver of the plain copy.
    copy: [Actor; 2],
    /// Sender and receiver of the group.
    flow: [Actor; 2],
}

/// Over Yggdrasil, from one end of a line of three to the other.
pub(super) fn yggdrasil(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = yggdrasil::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let lab = Yggdrasil::line(&mut net, site.dir(), 3)?;
    let [near, far] = [lab.node(0)?, lab.node(2)?];
    let sink = Actor::start(Some(far.space()?), &["copy", "sink", &format!("[{}]:7800", far.address())])?;
    sink.hear_of("listens", LINK)?;
    let source = Actor::start(Some(near.space()?), &["copy", "source", &format!("[{}]:7800", far.address())])?;
    let network = |node: &yggdrasil::Node| format!("yggdrasil:{}", node.socket().display());
    let listen = format!("ygg://[{}]:7700", near.address());
    let flow = flow([(near.space()?, &network(near)), (far.space()?, &network(far))], &listen)?;
    Way { copy: [source, sink], flow }.measure(size)
}

/// Over a stream of libp2p, between two that share a cable.
pub(super) fn libp2p(_site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = Net::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let (near, far) = (net.space("near")?, net.space("far")?);
    let [here, there] = net.cable(&near, &far)?;
    let sink = Actor::start(Some(&far), &["stream", "sink", &format!("/ip4/{}/tcp/7800", there.address)])?;
    let listens = sink.hear_of("listens", LINK)?;
    let address = listens.get("listens").and_then(Value::as_str).context("an address")?;
    let source = Actor::start(Some(&near), &["stream", "source", address])?;
    source.hear_of("ready", LINK)?;
    let listen = format!("libp2p:/ip4/{}/tcp/7801", here.address);
    let flow = flow([(&near, "libp2p"), (&far, "libp2p")], &listen)?;
    Way { copy: [source, sink], flow }.measure(size)
}

/// Links two nodes of the library.
fn flow(ends: [(&str, &str); 2], listen: &str) -> Result<[Actor; 2]> {
    let [(near, near_network), (far, far_network)] = ends;
    let source = Actor::start(Some(near), &["flow", "source", near_network, listen])?;
    let made = source.hear_of("ticket", LINK)?;
    let text = |name: &str| made.get(name).and_then(Value::as_str).with_context(|| format!("no {name}"));
    let sink = Actor::start(Some(far), &["flow", "sink", far_network, text("locator")?, text("ticket")?])?;
    source.hear_of("linked", LINK)?;
    sink.hear_of("linked", LINK)?;
    Ok([source, sink])
}

impl Way {
    fn measure(mut self, size: Size) -> Result<Verdict> {
        let mib = usize::try_from(number("CROSSCAST_MIB", size.pick(64, 1_024)))?;
        let pairs = size.pick(3, 5);
        let pieces = mib.saturating_mul(1 << 20) / ENTRY;
        // The first bytes of either find cold caches and short windows.
        let warm = pieces.min(256);
        self.copied(warm)?;
        self.flowed(warm)?;
        let (mut copies, mut flows, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..pairs {
            let (copied, flowed) = (self.copied(pieces)?, self.flowed(pieces)?);
            copies.push(rounded(copied));
            flows.push(rounded(flowed));
            ratios.push(flowed / copied);
        }
        ratios.sort_by(f64::total_cmp);
        let median = ratios.get(ratios.len() / 2).copied().context("pairs")?;
        let ratios: Vec<f64> = ratios.into_iter().map(|ratio| (ratio * 1e3).round() / 1e3).collect();
        let value = json!({
            "mib": mib, "pairs": pairs, "copy_mb_s": copies, "group_mb_s": flows, "ratios": ratios,
            "median": (median * 1e3).round() / 1e3, "optimised": !cfg!(debug_assertions),
        });
        // The speed of what was not optimised says nothing.
        Ok(Verdict::of(median >= SHARE || cfg!(debug_assertions), value))
    }

    /// Megabytes a second of a plain copy.
    fn copied(&mut self, pieces: usize) -> Result<f64> {
        let [source, sink] = &mut self.copy;
        let start = Instant::now();
        source.tell(&pieces.to_string())?;
        let taken = sink.hear_of("taken", ROUND)?;
        speed(&taken, pieces, start)
    }

    /// Megabytes a second of the group.
    fn flowed(&mut self, pieces: usize) -> Result<f64> {
        let [source, sink] = &mut self.flow;
        sink.tell(&pieces.to_string())?;
        let start = Instant::now();
        source.tell(&pieces.to_string())?;
        let taken = sink.hear_of("taken", ROUND)?;
        let speed = speed(&taken, pieces, start)?;
        source.hear_of("given", ROUND)?;
        Ok(speed)
    }
}

fn speed(taken: &Value, pieces: usize, start: Instant) -> Result<f64> {
    let secs = start.elapsed().as_secs_f64();
    let bytes = taken.get("taken").and_then(Value::as_u64).context("no count")?;
    ensure!(bytes == (pieces * ENTRY) as u64, "{bytes} bytes of {} arrived", pieces * ENTRY);
    Ok(bytes as f64 / 1e6 / secs)
}

fn rounded(speed: f64) -> f64 {
    (speed * 10.0).round() / 10.0
}
