//! Two daemons that are linked over two networks at once, and what becomes of their traffic when the one that carries it
//! breaks: its connection closed, or swallowed by a black hole, under load and when nothing is said.
//!
//! Lines flow at a steady pace all the while. What is measured is the longest pause between two that arrive, from the
//! moment of the break on; at the end every line must have come once and in order. Whichever network carries the lines
//! is the one that is broken, so the networks take turns.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::client::{Publisher, Subscriber};
use crate::daemon::{Daemon, Plan};
use crate::lab::net::{self, Net, Plug, Silence};
use crate::lab::yggdrasil::{self, Yggdrasil};
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "failover";

/// Where daemons listen on libp2p.
const LIBP2P_PORT: u16 = 4101;

/// Between two lines: 200 a second.
const PACE: Duration = Duration::from_millis(5);

/// Calm before a break.
const CALM: Duration = Duration::from_secs(2);

/// What is watched after a break.
const WATCH: Duration = Duration::from_secs(5);

/// How long a network may take to come back as a standby.
const BACK: Duration = Duration::from_secs(60);

/// How long late lines may take.
const ARRIVE: Duration = Duration::from_secs(30);

/// The promises, in milliseconds.
const CLOSED_MS: u128 = 500;
const HOLE_MS: u128 = 2_000;
const IDLE_MS: u128 = 10_000;

/// One of the two networks, and how it is broken.
pub(super) struct Route {
    /// Its word in JSON.
    pub(super) network: &'static str,
    /// Where its packets come in, at both ends.
    pub(super) ends: [(String, String); 2],
    /// What `ss` finds its connections by, at the first end.
    pub(super) filter: Vec<String>,
}

/// Daemons at both ends.
pub(super) struct Pair {
    pub(super) near: Daemon,
    pub(super) far: Daemon,
    pub(super) routes: [Route; 2],
}

/// How a network is broken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Break {
    Closed,
    Hole,
}

/// TLS over a cable, and Yggdrasil over a middle.
pub(super) fn yggdrasil(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = yggdrasil::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let lab = Yggdrasil::line(&mut net, site.dir(), 3)?;
    let [here, there] = [lab.node(0)?, lab.node(2)?];
    let [near, far] = [here.space()?, there.space()?];
    let [plug, away] = net.cable(near, far)?;
    let daemon = |name, space, attach: &[String], address: &str| -> Result<Daemon> {
        let listen = [format!("tls://{address}:0")];
        let mut daemon =
            Daemon::plan(site, name, &Plan { netns: Some(space), listen: &listen, attach, ..Plan::default() })?;
        daemon.start()?;
        Ok(daemon)
    };
    let host = |node: &yggdrasil::Node| format!("yggdrasil:{}", node.socket().display());
    let far_daemon = daemon("far", far, &[host(there)], &away.address.to_string())?;
    let over = format!("ygg://[{}]:7700#{}", there.address(), far_daemon.node());
    let attach = [host(here), over, far_daemon.locator()?];
    let near_daemon = daemon("near", near, &attach, &plug.address.to_string())?;
    let device = |device: &str| [(near.to_owned(), device.to_owned()), (far.to_owned(), device.to_owned())];
    let to = |address: String| vec!["dst".to_owned(), address];
    let routes = [
        Route { network: "tls", ends: device(&plug.device), filter: to(away.address.to_string()) },
        Route { network: "yggdrasil", ends: device(yggdrasil::DEVICE), filter: to(format!("[{}]", there.address())) },
    ];
    Pair { near: near_daemon, far: far_daemon, routes }.run(size)
}

/// TLS and a stream of libp2p, each over a cable of its own.
pub(super) fn libp2p(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = Net::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let (near, far) = (net.space("near")?, net.space("far")?);
    let [tls_here, tls_there] = net.cable(&near, &far)?;
    let [here, there] = net.cable(&near, &far)?;
    let daemon = |name, tls: &Plug, libp2p: &Plug, attach: &[String]| -> Result<Daemon> {
        let listen = [format!("tls://{}:0", tls.address), format!("libp2p:/ip4/{}/tcp/{LIBP2P_PORT}", libp2p.address)];
        let plan = Plan { netns: Some(&tls.space), listen: &listen, attach, ..Plan::default() };
        let mut daemon = Daemon::plan(site, name, &plan)?;
        daemon.start()?;
        Ok(daemon)
    };
    let far_daemon = daemon("far", &tls_there, &there, &[])?;
    let over = format!("libp2p:/ip4/{}/tcp/{LIBP2P_PORT}#{}", there.address, far_daemon.node());
    let attach = [over, far_daemon.locator()?];
    let near_daemon = daemon("near", &tls_here, &here, &attach)?;
    let route = |network, here: &Plug, there: &Plug| Route {
        network,
        ends: [here, there].map(|plug| (plug.space.clone(), plug.device.clone())),
        filter: vec!["dst".to_owned(), there.address.to_string()],
    };
    let routes = [route("tls", &tls_here, &tls_there), route("libp2p", &here, &there)];
    Pair { near: near_daemon, far: far_daemon, routes }.run(size)
}

impl Pair {
    /// Breaks networks in turn, and judges.
    pub(super) fn run(self, size: Size) -> Result<Verdict> {
        let daemons = [self.near, self.far];
        share_group(GROUP, &daemons)?;
        let [near, far] = daemons;
        let pair = Self { near, far, routes: self.routes };
        pair.near.wait_neighbours(GROUP, 1)?;
        let reader = pair.far.subscribe(GROUP, "oldest")?;
        let flow = Flow::start(&pair.near)?;
        let turns = size.pick(2, 10);
        let mut under_load = Vec::new();
        for how in [Break::Closed, Break::Hole] {
            for _ in 0..turns {
                under_load.push(pair.broken(&reader, how)?);
            }
        }
        let lines = flow.stop()?;
        let mut idle = Vec::new();
        for _ in 0..size.pick(1, 4) {
            idle.push(pair.idle(&reader)?);
        }
        let more = Flow::start_at(&pair.near, lines.len())?;
        thread::sleep(CALM);
        let all: Vec<String> = lines.into_iter().chain(more.stop()?).collect();
        let wanted: Vec<&str> = all.iter().map(String::as_str).collect();
        // What is still missing then is counted below; what comes twice may come late.
        let _ = until("every line has come", ARRIVE, || Ok(reader.count() >= wanted.len()));
        thread::sleep(Duration::from_secs(1));
        let tally = reader.tally(&wanted);
        let worst = |how: Break| under_load.iter().filter(|pause| pause.how == how).map(|pause| pause.ms).max();
        let (closed, hole) = (worst(Break::Closed).context("breaks")?, worst(Break::Hole).context("breaks")?);
        let quiet = idle.iter().map(|(_, ms)| *ms).max().context("idle breaks")?;
        let once = tally.lost + tally.duplicates + tally.disordered + tally.strange == 0;
        let pass = closed < CLOSED_MS && hole < HOLE_MS && quiet < IDLE_MS && once;
        if !pass {
            eprintln!("{}\n{}", pair.near.log_tail(40), pair.far.log_tail(40));
        }
        let broken: Vec<Value> = under_load.iter().map(Pause::json).collect();
        let idle: Vec<Value> = idle.iter().map(|(network, ms)| json!({ "network": network, "ms": ms })).collect();
        let value = json!({
            "closed_ms": closed, "black_hole_ms": hole, "idle_ms": quiet, "breaks": broken, "idle_breaks": idle,
            "lines": wanted.len(), "lost": tally.lost, "duplicates": tally.duplicates, "disordered": tally.disordered,
            "strange": tally.strange,
        });
        Ok(Verdict::of(pass, value))
    }

    /// Waits until both networks are there; the one that carries what the near daemon sends.
    fn calm(&self) -> Result<&Route> {
        let mut carries = String::new();
        let both = until("both networks are linked", BACK, || {
            let peers = self.near.peers()?;
            let peer = peers.iter().find(|peer| text(peer, "node") == self.far.node());
            carries = peer.map(|peer| text(peer, "network").to_owned()).unwrap_or_default();
            let standby = peer.and_then(|peer| peer.get("standby")?.as_array()).is_some_and(|links| !links.is_empty());
            Ok(standby)
        });
        both.with_context(|| format!("{}\n{}", self.near.log_tail(30), self.far.log_tail(30)))?;
        self.routes.iter().find(|route| route.network == carries).with_context(|| format!("`{carries}` carries"))
    }

    /// Breaks the network that carries the lines; the longest pause behind that.
    fn broken(&self, reader: &Subscriber, how: Break) -> Result<Pause> {
        self.calm()?;
        thread::sleep(CALM);
        let route = self.calm()?;
        let arrived = reader.last().map(|entry| text(&entry, "network").to_owned()).unwrap_or_default();
        let at = Instant::now();
        let hole = match how {
            Break::Closed => {
                route.close()?;
                None
            }
            Break::Hole => Some(route.silence()?),
        };
        thread::sleep(WATCH);
        let arrivals = reader.arrivals();
        let over = reader.last().map(|entry| text(&entry, "network").to_owned()).unwrap_or_default();
        hole.map_or(Ok(()), Silence::mend)?;
        Ok(Pause { how, ms: longest(&arrivals, at)?, from: arrived, to: over })
    }

    /// Swallows the network that leads when nothing is said; how long the near daemon counts on it.
    fn idle(&self, reader: &Subscriber) -> Result<(&'static str, u128)> {
        self.calm()?;
        thread::sleep(CALM);
        let route = self.calm()?;
        let (before, at) = (reader.count(), Instant::now());
        let hole = route.silence()?;
        until("the dead link is given up", Duration::from_secs(30), || {
            let peers = self.near.peers()?;
            let peer = peers.iter().find(|peer| text(peer, "node") == self.far.node());
            Ok(peer.is_none_or(|peer| text(peer, "network") != route.network))
        })?;
        let ms = at.elapsed().as_millis();
        hole.mend()?;
        if reader.count() != before {
            bail!("lines came while nothing was said");
        }
        Ok((route.network, ms))
    }
}

impl Route {
    fn close(&self) -> Result<()> {
        let filter: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        let [(space, _), _] = &self.ends;
        let closed = net::cut(space, &filter)?;
        if closed == 0 { bail!("{} has no connection to cut", self.network) } else { Ok(()) }
    }

    fn silence(&self) -> Result<Silence> {
        let [(near, a), (far, b)] = &self.ends;
        Silence::on(&[(near, a), (far, b)])
    }
}

/// The longest pause after a break.
struct Pause {
    how: Break,
    ms: u128,
    from: String,
    to: String,
}

impl Pause {
    fn json(&self) -> Value {
        let how = match self.how {
            Break::Closed => "closed",
            Break::Hole => "black hole",
        };
        json!({ "break": how, "from": self.from, "to": self.to, "ms": self.ms })
    }
}

/// The longest time between two arrivals, of those that end behind a moment.
fn longest(arrivals: &[Instant], at: Instant) -> Result<u128> {
    let pauses = arrivals.iter().zip(arrivals.iter().skip(1));
    let pauses = pauses.filter(|(_, after)| **after >= at).map(|(before, after)| after.duration_since(*before));
    let last = arrivals.last().context("nothing came")?;
    // What has not come yet pauses still.
    Ok(pauses.chain([last.elapsed().saturating_sub(PACE)]).max().unwrap_or_default().as_millis())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Lines that are published at a steady pace until it is stopped.
struct Flow {
    stop: Arc<AtomicBool>,
    writer: thread::JoinHandle<Result<Vec<String>>>,
    publisher: Publisher,
}

impl Flow {
    fn start(from: &Daemon) -> Result<Self> {
        Self::start_at(from, 0)
    }

    fn start_at(from: &Daemon, first: usize) -> Result<Self> {
        let mut command = from.command();
        command.args(["pub", GROUP, "--json", "--wait", "accepted"]);
        let mut publisher = Publisher::start(command)?;
        let (mut input, stop) = (publisher.take_input()?, Arc::<AtomicBool>::default());
        let stopped = Arc::clone(&stop);
        let writer = thread::spawn(move || {
            let (start, mut lines) = (Instant::now(), Vec::new());
            for turn in 0_u32.. {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let line = format!("line {}", first + lines.len());
                writeln!(input, "{line}").context("the publisher reads no more")?;
                lines.push(line);
                thread::sleep(PACE.saturating_mul(turn.saturating_add(1)).saturating_sub(start.elapsed()));
            }
            Ok(lines)
        });
        Ok(Self { stop, writer, publisher })
    }

    /// Ends it; what was published.
    fn stop(self) -> Result<Vec<String>> {
        self.stop.store(true, Ordering::Relaxed);
        let lines = self.writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        let fates = self.publisher.finish(ARRIVE)?;
        if fates.states.len() != lines.len() {
            bail!("{} of {} lines answered: {}", fates.states.len(), lines.len(), fates.errors);
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pauses_that_end_behind_the_break_count() {
        let start = Instant::now() - Duration::from_secs(60);
        let arrivals: Vec<Instant> = [0, 10, 15, 16, 59].map(|secs| start + Duration::from_secs(secs)).to_vec();
        let at = start + Duration::from_secs(12);
        assert_eq!(longest(&arrivals[..4], at).unwrap() / 1_000, 43, "it pauses still");
        assert_eq!(longest(&arrivals, at).unwrap() / 1_000, 43);
        assert_eq!(longest(&arrivals, start + Duration::from_secs(59)).unwrap() / 1_000, 43);
    }
}
