//! One group whose members have no network in common: Yggdrasil, Yggdrasil and libp2p, libp2p alone, libp2p and TLS, TLS.
//!
//! Everybody sits in a namespace of their own. The Yggdrasil daemons are real and meet in a fourth one; all that the
//! members on libp2p know of it is one js-libp2p node, which has never heard of us. The two ends publish; the member that
//! joins Yggdrasil to libp2p is killed in the middle, and comes back at the end; another, with both networks too, goes on
//! for it. Every line must be at every other member once, verified, in its sender's order.

use std::collections::{BTreeMap, HashMap};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Fates, Publisher, Subscriber, write_paced};
use crate::daemon::{Daemon, Plan};
use crate::lab::libp2p::{self, Js};
use crate::lab::net::{Net, Plug};
use crate::lab::yggdrasil::{self, Yggdrasil};
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "five";

/// How long members may take to find their neighbours.
const MEET: Duration = Duration::from_secs(90);

/// How long late lines may take. 2 min: two of the longest redial delays.
const ARRIVE: Duration = Duration::from_secs(120);

/// Where members listen on libp2p.
const PORT: u16 = 4101;

/// The members, in order.
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "b2"];
const B: usize = 1;

struct Five {
    _net: Net,
    _lab: Yggdrasil,
    _js: Js,
    members: Vec<Daemon>,
}

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = yggdrasil::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    if let Some(obstacle) = libp2p::obstacle()? {
        return Ok(Verdict::skip(obstacle));
    }
    let start = Instant::now();
    let mut five = Five::build(site)?;
    let built_secs = start.elapsed().as_secs();
    let readers = five.members.iter().map(|member| member.subscribe(GROUP, "oldest"));
    let readers = readers.collect::<Result<Vec<Subscriber>>>()?;
    let (count, pace) = size.pick((300, 60), (10_000, 250));
    let lines = ["a", "e"].map(|who| (0..count).map(|number| format!("{who} says {number}")).collect::<Vec<_>>());
    let killed = five.publish(&readers, &lines, pace)?;
    let senders = [five.member(0)?.node().to_owned(), five.member(4)?.node().to_owned()];
    let complete = |reader: &Subscriber| reader.count() >= count * 2;
    let arrived = until("every line is everywhere", ARRIVE, || Ok(readers.iter().all(complete)));
    if arrived.is_err() {
        five.members.iter().for_each(|member| eprintln!("{}", member.log_tail(30)));
    }
    // What comes twice may come late.
    thread::sleep(Duration::from_secs(1));
    let (mut pass, mut at) = (killed.sent == count * 2, serde_json::Map::new());
    for (name, reader) in NAMES.iter().zip(&readers) {
        let seen = Seen::of(&reader.entries(), &senders, &lines);
        pass &= seen.is_clean() && seen.fits(name);
        at.insert((*name).to_owned(), seen.json());
    }
    let traces = five.traces()?;
    let value = json!({
        "yggdrasil": yggdrasil::version(&yggdrasil::program().context("no yggdrasil")?)?, "js": libp2p::version()?,
        "lines_each": count, "sent": killed.sent, "dead_ms": killed.dead_ms, "came_while_dead": killed.came,
        "members": at, "traces": traces, "built_secs": built_secs, "secs": start.elapsed().as_secs(),
    });
    Ok(Verdict::of(pass && killed.came > 0, value))
}

impl Five {
    fn build(site: &Site) -> Result<Self> {
        let mut net = Net::new();
        // The first daemon is where the others meet; members are on the rest.
        let lab = Yggdrasil::star(&mut net, site.dir(), 4)?;
        let spaces = [1, 2, 3].map(|number| lab.node(number).and_then(|node| Ok(node.space()?.to_owned())));
        let [a, b, b2] = spaces;
        let (a, b, b2) = (a?, b?, b2?);
        let [c, d, e, js] = ["c", "d", "e", "js"].map(|name| net.space(name));
        let (c, d, e, js) = (c?, d?, e?, js?);
        let [at_js, at_b, _, at_d, at_b2] = net.switch([&js, &b, &c, &d, &b2])?;
        let [plug_d, plug_e] = net.cable(&d, &e)?;
        let foreign = Js::start(&at_js)?;
        let known = format!("libp2p:{}", foreign.address());
        let listen = |plug: &Plug| format!("libp2p:/ip4/{}/tcp/{PORT}", plug.address);
        let host =
            |number: usize| Ok::<_, anyhow::Error>(format!("yggdrasil:{}", lab.node(number)?.socket().display()));
        let make = |name: &str, space: &str, listen: &[String], attach: &[String]| -> Result<Daemon> {
            let plan = Plan { netns: Some(space), listen, attach, ..Plan::default() };
            let mut daemon = Daemon::plan(site, name, &plan)?;
            daemon.start()?;
            Ok(daemon)
        };
        let member_b = make("b", &b, &[listen(&at_b)], &[host(2)?, known.clone()])?;
        let member_b2 = make("b2", &b2, &[listen(&at_b2)], &[host(3)?, known.clone()])?;
        let over = |number: usize, daemon: &Daemon| {
            Ok::<_, anyhow::Error>(format!("ygg://[{}]:7700#{}", lab.node(number)?.address(), daemon.node()))
        };
        let member_a = make("a", &a, &[], &[host(1)?, over(2, &member_b)?, over(3, &member_b2)?])?;
        let member_c = make("c", &c, &[], std::slice::from_ref(&known))?;
        let tls = format!("tls://{}:0", plug_d.address);
        let member_d = make("d", &d, &[tls, listen(&at_d)], &[known])?;
        let member_e = make("e", &e, &[format!("tls://{}:0", plug_e.address)], &[member_d.locator()?])?;
        let members = vec![member_a, member_b, member_c, member_d, member_e, member_b2];
        share_group(GROUP, &members)?;
        for member in &members {
            member.wait_neighbours(GROUP, 1)?;
        }
        let five = Self { _net: net, _lab: lab, _js: foreign, members };
        five.wait()?;
        Ok(five)
    }

    fn member(&self, number: usize) -> Result<&Daemon> {
        self.members.get(number).context("no such member")
    }

    /// Waits until a line of each end is at the other.
    fn wait(&self) -> Result<()> {
        for (from, to) in [(0, 4), (4, 0), (0, 2), (4, 2)] {
            let (from, to) = (self.member(from)?, self.member(to)?);
            let reader = to.subscribe(GROUP, "oldest")?;
            from.run(&["pub", GROUP, &format!("hello from {}", from.name())])?.text()?;
            let text = format!("hello from {}", from.name());
            let met = until(&format!("{} hears {}", to.name(), from.name()), MEET, || Ok(reader.has(&text)));
            met.with_context(|| self.members.iter().map(|member| member.log_tail(15)).collect::<Vec<_>>().join("\n"))?;
        }
        Ok(())
    }

    /// Both ends publish; the member between is killed half-way and started again when three quarters have come.
    fn publish(&mut self, readers: &[Subscriber], lines: &[Vec<String>; 2], pace: usize) -> Result<Killed> {
        let publishers = [0, 4].iter().zip(lines).map(|(who, lines)| -> Result<_> {
            let mut command = self.member(*who)?.command();
            command.args(["pub", GROUP, "--json", "--wait", "sent", "--timeout", "5m"]);
            let mut publisher = Publisher::start(command)?;
            let (input, lines) = (publisher.take_input()?, lines.clone());
            Ok((publisher, thread::spawn(move || write_paced(input, &lines, pace))))
        });
        let publishers = publishers.collect::<Result<Vec<_>>>()?;
        let ends = readers.last().context("readers")?;
        let all = lines[0].len() + lines[1].len();
        until("half of the lines have come", ARRIVE, || Ok(ends.count() >= all / 2))?;
        let b = self.members.get_mut(B).context("b")?;
        b.kill()?;
        let (dead, before) = (Instant::now(), far_side(readers)?);
        until("three quarters have come", ARRIVE, || Ok(ends.count() >= all / 4 * 3))?;
        let came = far_side(readers)?.saturating_sub(before);
        b.start()?;
        let dead_ms = dead.elapsed().as_millis();
        let mut sent = 0;
        for (publisher, writer) in publishers {
            writer.join().map_err(|_| anyhow::anyhow!("a writer panicked"))??;
            let fates: Fates = publisher.finish(ARRIVE)?;
            ensure!(fates.code == Some(0), "{}", fates.errors);
            sent += fates.count("sent");
        }
        Ok(Killed { sent, dead_ms, came })
    }

    /// By which networks each member says that the group flows.
    fn traces(&self) -> Result<Value> {
        let mut traces = serde_json::Map::new();
        for member in &self.members {
            traces.insert(member.name().to_owned(), member.json(&["trace", GROUP])?);
        }
        Ok(Value::Object(traces))
    }
}

/// What the member had of the other side that only the other dual-homed one can have brought.
fn far_side(readers: &[Subscriber]) -> Result<usize> {
    let reader = readers.get(2).context("c reads")?;
    let of_a = |payload: &String| payload.starts_with("a ");
    Ok(reader.payloads().iter().filter(|payload| of_a(payload)).count())
}

struct Killed {
    sent: usize,
    dead_ms: u128,
    /// Lines that crossed from Yggdrasil to libp2p while the first dual-homed member was dead.
    came: usize,
}

/// What one member has seen of both senders.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    once: usize,
    lost: usize,
    twice: usize,
    disordered: usize,
    gaps: usize,
    strange: usize,
    /// Entries by the network of the last link; "own" for what was published there.
    networks: BTreeMap<String, usize>,
}

impl Seen {
    fn of(entries: &[Value], senders: &[String; 2], lines: &[Vec<String>; 2]) -> Self {
        let mut seen = Self::default();
        let mut places: HashMap<(&str, &str), (usize, usize)> = HashMap::new();
        for (sender, lines) in senders.iter().zip(lines) {
            places.extend(lines.iter().enumerate().map(|(at, line)| ((sender.as_str(), line.as_str()), (at, 0))));
        }
        let mut last: HashMap<&str, (usize, u64)> = HashMap::new();
        for entry in entries {
            let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
            let (from, payload) = (text("from"), text("payload"));
            if payload.starts_with("hello from ") {
                continue;
            }
            let Some((at, times)) = places.get_mut(&(from, payload)) else {
                seen.strange += 1;
                continue;
            };
            *times += 1;
            let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or_default();
            let (at_before, seq_before) = last.get(from).copied().unwrap_or_default();
            seen.disordered += usize::from(*at < at_before || seq < seq_before);
            last.insert(from, (at_before.max(*at), seq_before.max(seq)));
            seen.gaps += usize::from(entry.get("gap") == Some(&Value::Bool(true)));
            let network = Some(text("network")).filter(|network| !network.is_empty()).unwrap_or("own");
            *seen.networks.entry(network.to_owned()).or_default() += 1;
        }
        for (_, times) in places.values() {
            seen.once += usize::from(*times == 1);
            seen.lost += usize::from(*times == 0);
            seen.twice += times.saturating_sub(1);
        }
        seen
    }

    fn is_clean(&self) -> bool {
        self.lost + self.twice + self.disordered + self.gaps + self.strange == 0
    }

    /// Whether everything came over a network that the member has.
    fn fits(&self, name: &str) -> bool {
        let has: &[&str] = match name {
            "a" => &["own", "yggdrasil"],
            "c" => &["libp2p"],
            "d" => &["libp2p", "tls"],
            "e" => &["own", "tls"],
            _ => &["libp2p", "yggdrasil"],
        };
        self.networks.keys().all(|network| has.contains(&network.as_str()))
    }

    fn json(&self) -> Value {
        json!({
            "once": self.once, "lost": self.lost, "twice": self.twice, "disordered": self.disordered,
            "gaps": self.gaps, "strange": self.strange, "networks": self.networks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_fault_is_counted() {
        let senders = ["x".to_owned(), "y".to_owned()];
        let lines = [vec!["1".to_owned(), "2".to_owned(), "3".to_owned()], vec!["1".to_owned()]];
        let entry = |from: &str, payload: &str, seq: u64| json!({ "from": from, "payload": payload, "seq": seq, "network": "tls" });
        let entries =
            [entry("x", "2", 2), entry("x", "1", 1), entry("x", "1", 3), entry("z", "1", 1), entry("y", "1", 1)];
        let seen = Seen::of(&entries, &senders, &lines);
        assert_eq!((seen.once, seen.lost, seen.twice, seen.disordered, seen.strange), (2, 1, 1, 2, 1));
        assert!(!seen.is_clean() && seen.fits("e") && !seen.fits("c"));
    }
}
