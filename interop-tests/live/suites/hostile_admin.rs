//! Whoever answers at a host node's admin socket may lie: what that costs the node that asks, and what it says of it.
//!
//! The daemon is there first and finds nobody at the socket; then one who breaks the rules in one way takes it. What is
//! counted is the most memory that the process had from then on, by the kernel, and the time until status has a word. Some
//! behave in a look; they are asked about other nodes only where this machine has their address, so it gets it meanwhile.

use std::fs;
use std::net::Ipv6Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use crosscast_hosts::{cjdns, yggdrasil};
use serde_json::{Map, Value, json};

use super::attach::network;
use crate::daemon::{Daemon, Plan};
use crate::{Site, Size, Verdict, until};

/// The promises: so many bytes more, and so much time.
const MORE: u64 = 1_000_000;
const WITHIN: Duration = Duration::from_secs(10);

/// A look begins within a second of the one before it, and a machine may be busy.
const LATE: Duration = Duration::from_secs(3);

/// How long a daemon is left alone before it is measured, so that nothing is counted that it does at its start.
const SETTLE: Duration = Duration::from_secs(3);

/// How long it is watched behind its first word: several looks.
const WATCH: Duration = Duration::from_secs(4);

/// What came of one kind of lie.
struct Cost {
    ms: u128,
    bytes: u64,
    said: String,
}

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let every = size.pick(4, 1);
    let (mut pass, mut value) = (true, Map::new());
    let mut worst = (0_u128, 0_u64);
    let mut book = |name: String, behaves: bool, cost: Cost| {
        // Whatever is said, it is not that all is well, unless it looks so, nor that nobody is there.
        let named = !matches!(cost.said.split(": ").next(), Some("up" | "starting" | "")) && !cost.said.ends_with(": ");
        let named = named || (behaves && cost.said == "up: ");
        pass &= named && cost.bytes <= MORE && cost.ms <= (WITHIN + LATE).as_millis();
        worst = (worst.0.max(cost.ms), worst.1.max(cost.bytes));
        value.insert(name, json!([cost.said, cost.ms, cost.bytes]));
    };
    for (turn, how) in yggdrasil::Hostile::ALL.iter().enumerate().filter(|(turn, _)| turn % every == 0) {
        let socket = site.dir().join(format!("admin{turn}.sock"));
        let attach = format!("yggdrasil:{}", socket.display());
        let serve = || yggdrasil::AdminServer::hostile(*how, yggdrasil::At::Unix(socket.clone()));
        let _here = how.behaves_in_a_look().then(|| OnLo::new(yggdrasil::Hostile::ADDRESS));
        book(
            format!("yggdrasil {how:?}"),
            how.behaves_in_a_look(),
            suffered(site, &format!("y{turn}"), "yggdrasil", &attach, serve)?,
        );
    }
    for (turn, how) in cjdns::Hostile::ALL.iter().enumerate().filter(|(turn, _)| turn % every == 0) {
        // Its port is not known before it listens.
        let held = std::net::UdpSocket::bind("127.0.0.1:0")?;
        let address = held.local_addr()?;
        drop(held);
        let serve = || how.start_at(address);
        book(
            format!("cjdns {how:?}"),
            false,
            suffered(site, &format!("c{turn}"), "cjdns", &format!("cjdns:{address}"), serve)?,
        );
    }
    let (ms, bytes) = worst;
    Ok(Verdict::of(pass, json!({ "kinds": value.len(), "worst_ms": ms, "most_bytes_more": bytes, "each": value })))
}

/// An address that this machine has on `lo` until dropped; without the right to that it does without.
struct OnLo(Ipv6Addr);

impl OnLo {
    fn new(address: Ipv6Addr) -> Self {
        Self::change("replace", address);
        Self(address)
    }

    fn change(verb: &str, address: Ipv6Addr) {
        let place = format!("{address}/128");
        let changed = Command::new("ip").args(["-6", "address", verb, &place, "dev", "lo"]).status();
        if !changed.is_ok_and(|status| status.success()) {
            eprintln!("{address} is not on lo, so nobody is asked about other nodes");
        }
    }
}

impl Drop for OnLo {
    fn drop(&mut self) {
        Self::change("delete", self.0);
    }
}

/// Starts a daemon, then the liar.
fn suffered<S>(site: &Site, name: &str, net: &str, attach: &str, serve: impl FnOnce() -> S) -> Result<Cost> {
    let mut daemon = Daemon::plan(site, name, &Plan { attach: &[attach.to_owned()], ..Plan::default() })?;
    daemon.start()?;
    thread::sleep(SETTLE);
    let before = said(&network(&daemon, net)?);
    forget_peak(&daemon)?;
    let resident = daemon.resident()?;
    let start = Instant::now();
    let liar = serve();
    let mut now = String::new();
    let spoke = until("status has a word", WITHIN + LATE, || {
        now = said(&network(&daemon, net)?);
        Ok(now != before)
    });
    let ms = start.elapsed().as_millis();
    if spoke.is_err() {
        eprintln!("{}", daemon.log_tail(20));
    }
    thread::sleep(WATCH);
    let bytes = peak(&daemon)?.saturating_sub(resident);
    let last = said(&network(&daemon, net)?);
    drop(liar);
    daemon.stop()?;
    Ok(Cost { ms, bytes, said: last })
}

fn said(network: &Value) -> String {
    let word = |name: &str| network.get(name).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", word("state"), word("reason"))
}

/// Lets the kernel count the peak of the process's memory anew.
fn forget_peak(daemon: &Daemon) -> Result<()> {
    let pid = daemon.pid().context("it runs")?;
    Ok(fs::write(format!("/proc/{pid}/clear_refs"), "5")?)
}

fn peak(daemon: &Daemon) -> Result<u64> {
    let pid = daemon.pid().context("it runs")?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()?.saturating_mul(1_024))
}
