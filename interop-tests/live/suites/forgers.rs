//! Forgers on the topic by which a group's messages cross a foreign node, and whether the honest ones still arrive.
//!
//! Two daemons know one js-libp2p node and nothing of each other's places, and neither lets itself be reached: what one
//! publishes gets to the other only because the js-libp2p node has joined the group's topic of the day. Then forgers
//! join it too. Every honest line must come once, and nothing of what they say.

use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use crosscast_wire::{GroupId, Rendezvous};
use serde_json::{Value, json};

use crate::client::{Publisher, Subscriber, Tally, write_paced};
use crate::craft::now;
use crate::daemon::{Daemon, Plan};
use crate::lab::libp2p::{self, Js};
use crate::lab::net::Net;
use crate::role::Actor;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "carried";

/// How long a carrier may take to be there. 2 min: a node is found, identified, and takes its neighbours in each second.
const MEET: Duration = Duration::from_secs(120);
const ARRIVE: Duration = Duration::from_secs(60);
const DAY_MS: u64 = 86_400_000;

/// What is said until something comes.
const HELLO: &str = "hello";

/// Names under which is forged.
const FORGERS: usize = 6;

/// Lies a second under each.
const RATE: usize = 50;

/// Honest lines a second.
const PACE: usize = 20;

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = Net::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    if let Some(obstacle) = libp2p::obstacle()? {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let [a, b, js, forgers] = ["a", "b", "js", "forgers"].map(|name| net.space(name));
    let (a, b, js, forgers) = (a?, b?, js?, forgers?);
    let [_, _, at_js, _] = net.switch([&a, &b, &js, &forgers])?;
    let mut foreign = Js::start(&at_js)?;
    let near = member(site, "near", &a, &foreign)?;
    let far = member(site, "far", &b, &foreign)?;
    let pair = [near, far];
    share_group(GROUP, &pair)?;
    let [near, far] = &pair;
    let topic = topic(near)?;
    foreign.tell(&format!("subscribe {topic}"))?;
    let reader = far.subscribe(GROUP, "oldest")?;
    met(near, &reader).with_context(|| format!("{}\n{}", near.log_tail(20), far.log_tail(20)))?;
    let lines = size.pick(100, 2_000);
    let quiet = honest("quiet", lines, near, &reader, || Ok(()))?;

    let before = far.rejects(REFUSED)?;
    let role = ["forge", foreign.address(), &topic, &FORGERS.to_string(), &RATE.to_string()];
    let mut liars = Actor::start(Some(&forgers), &role)?;
    liars.hear_of("ready", MEET)?;
    let mut forged = 0;
    until("a forgery comes", MEET, || {
        // What they change they must have heard before.
        near.run(&["pub", GROUP, HELLO])?.text()?;
        forged += lie(&mut liars)?;
        Ok(far.rejects(REFUSED)? > before)
    })?;
    let under_fire = honest("under fire", lines, near, &reader, || {
        forged += lie(&mut liars)?;
        Ok(())
    })?;
    let refused = far.rejects(REFUSED)?.saturating_sub(before);
    let direct = far.peers()?.iter().any(|peer| peer.get("node").and_then(Value::as_str) == Some(near.node()));
    ensure!(!direct, "the two are linked, and nothing was shown");
    let clean = |tally: &Tally| tally.lost + tally.duplicates + tally.disordered + tally.strange == 0;
    let json = |tally: &Tally| json!({ "lost": tally.lost, "duplicates": tally.duplicates, "disordered": tally.disordered, "strange": tally.strange });
    let value = json!({
        "js": libp2p::version()?, "lines": lines, "without_forgers": json(&quiet), "with_forgers": json(&under_fire),
        "forgers": FORGERS, "forged": forged, "refused_by_the_reader": refused,
    });
    Ok(Verdict::of(clean(&quiet) && clean(&under_fire) && refused > 0, value))
}

/// What a reader counts of what forgers say.
const REFUSED: &[&str] = &["malformed", "bad-signature", "bad-payload", "unknown-to", "wrong-lane", "out-of-place"];

/// A daemon that takes part in gossip beside one node, and can be reached by nobody.
fn member(site: &Site, name: &str, space: &str, foreign: &Js) -> Result<Daemon> {
    let attach = [format!("libp2p:{}", foreign.address())];
    let mut daemon = Daemon::plan(site, name, &Plan { netns: Some(space), attach: &attach, ..Plan::default() })?;
    daemon.edit("# relay = true", "relay = false")?;
    daemon.start()?;
    Ok(daemon)
}

/// The group's topic of the day (`docs/spec/libp2p.md`).
fn topic(daemon: &Daemon) -> Result<String> {
    let groups = daemon.json(&["group", "ls"])?;
    let listed = groups.get("groups").and_then(Value::as_array).context("no groups")?;
    let id = listed.iter().find_map(|group| group.get("group").and_then(Value::as_str)).context("no id")?;
    let id: GroupId = id.parse().context("an id")?;
    let name = Rendezvous::of(&id, now().0 / DAY_MS);
    Ok(format!("crosscast/1/{}", name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// Waits until a line gets across.
fn met(near: &Daemon, reader: &Subscriber) -> Result<()> {
    let mut turn = 0;
    until("a line crosses the foreign node", MEET, || {
        turn += 1;
        near.run(&["pub", GROUP, &format!("{HELLO} {turn}")])?.text()?;
        Ok(reader.count() > 0)
    })
}

/// Publishes lines at a pace, with something done each second meanwhile; what came of them.
fn honest(
    name: &str,
    count: usize,
    near: &Daemon,
    reader: &Subscriber,
    mut meanwhile: impl FnMut() -> Result<()>,
) -> Result<Tally> {
    let before = reader.count();
    let lines: Vec<String> = (0..count).map(|number| format!("{name} {number}")).collect();
    let mut command = near.command();
    command.args(["pub", GROUP, "--json", "--wait", "accepted"]);
    let mut publisher = Publisher::start(command)?;
    let (input, text) = (publisher.take_input()?, lines.clone());
    let writer = thread::spawn(move || write_paced(input, &text, PACE));
    while !writer.is_finished() {
        meanwhile()?;
        thread::sleep(Duration::from_millis(100));
    }
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    publisher.finish(ARRIVE)?;
    let wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
    // What was to be said before is counted already.
    let came =
        || reader.payloads().into_iter().skip(before).filter(|line| !line.starts_with(HELLO)).collect::<Vec<_>>();
    // What is still missing then is counted; what comes twice may come late.
    let _ = until("every honest line has come", ARRIVE, || Ok(came().len() >= count));
    thread::sleep(Duration::from_secs(1));
    Ok(Tally::of(&came(), &wanted))
}

fn lie(liars: &mut Actor) -> Result<u64> {
    liars.tell("on")?;
    let said = liars.hear_of("forged", ARRIVE)?;
    Ok(said.get("forged").and_then(Value::as_u64).unwrap_or_default())
}
