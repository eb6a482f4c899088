//! A daemon with nothing to do: how soon it is ready, and how much memory it holds.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::{Site, Size, Verdict, until};

/// Ready within this many milliseconds of the start of the process, in the middle of ten starts.
const READY_MS: u128 = 500;

/// Resident memory of an idle daemon, in bytes.
const RESIDENT: u64 = 40 << 20;

pub(super) fn ready_time(site: &Site, _size: Size) -> Result<Verdict> {
    let mut daemon = Daemon::make(site, "ready", "127.0.0.1", &[])?;
    let mut times = Vec::new();
    for _ in 0..10 {
        daemon.start()?;
        times.push(daemon.ready_in().as_millis());
        daemon.stop()?;
    }
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied().context("ten times")?;
    let value = json!({ "median_ms": median, "worst_ms": times.last(), "starts": times.len() });
    Ok(Verdict::of(median <= READY_MS, value))
}

pub(super) fn memory(site: &Site, size: Size) -> Result<Verdict> {
    let mut lonely = Daemon::make(site, "lonely", "127.0.0.1", &[])?;
    lonely.start()?;
    let mut hub = Daemon::make(site, "hub", "127.0.0.1", &[])?;
    hub.start()?;
    let mut peers = [
        Daemon::make(site, "left", "127.0.0.1", &[hub.locator()?])?,
        Daemon::make(site, "right", "127.0.0.1", &[hub.locator()?])?,
    ];
    peers.iter_mut().try_for_each(Daemon::start)?;
    until("both peers are linked", Duration::from_secs(10), || Ok(hub.peers()?.len() == 2))?;
    let secs = size.pick(10, 30);
    thread::sleep(Duration::from_secs(secs));
    let (alone, linked) = (lonely.resident()?, hub.resident()?);
    let said = hub.json(&["status"])?.get("rss_bytes").and_then(Value::as_u64);
    let mib = |bytes: u64| (bytes as f64 / 1024.0 / 10.24).round() / 100.0;
    let value = json!({
        "without_peers_mib": mib(alone), "with_two_peers_mib": mib(linked), "status_says_mib": said.map(mib),
        "after_secs": secs,
    });
    Ok(Verdict::of(alone.max(linked) <= RESIDENT, value))
}

/// What joined groups may add to a daemon's resident memory, in bytes: 20 MB for 1,000.
const PER_GROUP: u64 = 20_000;

pub(super) fn groups(site: &Site, size: Size) -> Result<Verdict> {
    let mut maker = Daemon::make(site, "maker", "127.0.0.1", &[])?;
    maker.start()?;
    let mut joiner = Daemon::make(site, "joiner", "127.0.0.1", &[maker.locator()?])?;
    joiner.start()?;
    until("they are linked", Duration::from_secs(10), || Ok(joiner.peers()?.len() == 1))?;
    let before = joiner.resident()?;
    let groups = size.pick(100_u64, 1_000);
    for number in 0..groups {
        let made = maker.json(&["group", "create", &format!("group {number}")])?;
        let ticket = made.get("ticket").and_then(Value::as_str).context("no ticket")?;
        joiner.json(&["group", "join", ticket])?;
    }
    thread::sleep(Duration::from_secs(3));
    let added = joiner.resident()?.saturating_sub(before);
    let value = json!({ "groups": groups, "added_bytes": added, "a_group": added / groups });
    // What a process takes when it first does something is not the groups'.
    let first = size.pick(4_u64 << 20, 0);
    Ok(Verdict::of(added <= groups * PER_GROUP + first, value))
}
