//! Publishing without the right, at the first honest router of a closed group: nothing gets past it.
//!
//! A subscriber lies behind two routers; a publisher with the right and one more peer made of the format alone are heard
//! all the time. At the first router hostile peers publish under every pretext there is, each message signed by its
//! sender and each judged: they keep so few under way that no budget refuses in place of the rights. What the router
//! passes on is read from its next hops' own books, and frame by frame by a member that is linked to it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ChildStdin;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use crosscast_wire::{Chain, Frame, NodeId, RawFrame, Rights, frame};
use serde_json::{Value, json};

use crate::client::{Publisher, Subscriber};
use crate::craft::{draft, id, local, number, runtime, secret, signed};
use crate::daemon::Daemon;
use crate::foe::Foe;
use crate::owned::{KINDS, Kind, Owned};
use crate::{Site, Size, Verdict, until};

/// The group's local name everywhere.
const GROUP: &str = "owned";
const WITHIN: Duration = Duration::from_secs(30);
/// Messages of one link that wait for their verdict. 60: fewer than may wait for a chain, so that each waits its 2 s.
const UNDER_WAY: u64 = 60;
/// Who may be heard publishes a line as often.
const PACE: Duration = Duration::from_millis(50);

/// Routers, subscriber and publisher.
struct Scene {
    owned: Owned,
    /// First router, second router, subscriber, publisher.
    daemons: [Daemon; 4],
    at: SocketAddr,
}

impl Scene {
    fn build(site: &Site) -> Result<Self> {
        let owned = Owned::new(0);
        let mut first = Daemon::make(site, "first", "127.0.0.1", &[])?;
        // Local prefixes have no more than any other.
        first.edit("[limits]", "[limits]\nlan_budget = 1")?;
        first.start()?;
        let mut second = Daemon::make(site, "second", "127.0.0.1", &[first.locator()?])?;
        second.start()?;
        let mut subscriber = Daemon::make(site, "subscriber", "127.0.0.1", &[second.locator()?])?;
        subscriber.start()?;
        let mut publisher = Daemon::make(site, "publisher", "127.0.0.1", &[first.locator()?])?;
        publisher.start()?;
        let at = first.place()?.trim_start_matches("tls://").parse().context("an address")?;
        let daemons = [first, second, subscriber, publisher];
        let may = [Rights::RELAY | Rights::SUBSCRIBE, Rights::RELAY | Rights::SUBSCRIBE, Rights::SUBSCRIBE];
        let may = may.into_iter().chain([Rights::PUBLISH | Rights::SUBSCRIBE]);
        for ((daemon, rights), place) in daemons.iter().zip(may).zip(0..) {
            daemon.json(&["group", "join", &owned.ticket(place, rights)?])?;
        }
        for (daemon, neighbours) in daemons.iter().zip([2, 2, 1, 1]) {
            daemon.wait_neighbours(GROUP, neighbours)?;
            daemon.ensure_links(usize::try_from(neighbours)?)?;
        }
        Ok(Self { owned, daemons, at })
    }

    fn shown(&self, field: &str) -> Result<Vec<Value>> {
        let show = |daemon: &Daemon| daemon.json(&["group", "show", GROUP])?.get(field).cloned().context("no field");
        self.daemons.iter().map(show).collect()
    }

    /// The group's key takes back what was given, and everybody hears of it.
    fn revoke(&self) -> Result<u64> {
        let floor = self.owned.next_floor()?;
        let number = floor.fields().number;
        runtime()?.block_on(async {
            let mut peer = Foe::link(self.at, local(7, 1), secret(42, 0)).await?;
            peer.send(vec![frame::floor(&floor, None)])?;
            peer.take(Duration::from_millis(500)).await;
            anyhow::Ok(())
        })?;
        until("everybody knows what is revoked", WITHIN, || {
            Ok(self.shown("floor")?.iter().all(|held| *held == json!(number)))
        })?;
        Ok(number)
    }
}

/// What a member that is linked to the first router was sent by it.
#[derive(Default)]
struct Seen {
    chains: Vec<Chain>,
    messages: BTreeMap<NodeId, u64>,
}

type Watch = Mutex<Seen>;

fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch(scene: &Scene, seen: &Watch, ends: &AtomicBool) -> Result<()> {
    runtime()?.block_on(async {
        let key = secret(41, 0);
        let chain = scene.owned.entitled(&key, Rights::SUBSCRIBE)?;
        let mut link = Foe::link(scene.at, local(5, 1), key).await?;
        let mut frames = vec![frame::chain(&chain), frame::subscribe(&scene.owned.group, true, Some(&chain.hash()))];
        frames.extend(frame::resume(&scene.owned.group, []));
        link.send(frames)?;
        while !ends.load(Ordering::Relaxed) {
            ensure!(!link.down, "the member's link ended");
            for frame in link.take(Duration::from_millis(50)).await {
                if let Frame::Message { message, .. } = &frame {
                    *lock(seen).messages.entry(message.header().from).or_default() += 1;
                }
                if let Frame::Chain(chain) = frame {
                    lock(seen).chains.push(*chain);
                }
            }
        }
        Ok(())
    })
}

/// Publishes by hand, as the hostile peers do but with the right to; returns the lines.
fn same_way(scene: &Scene, ends: &AtomicBool) -> Result<Vec<String>> {
    runtime()?.block_on(async {
        let key = secret(40, 0);
        let chain = scene.owned.entitled(&key, Rights::PUBLISH)?;
        let mut link = Foe::link(scene.at, local(6, 1), key.clone()).await?;
        link.send(vec![frame::chain(&chain)])?;
        let mut lines = Vec::new();
        while !ends.load(Ordering::Relaxed) {
            let line = format!("same way {}", lines.len());
            let mut draft = draft(&key, scene.owned.group, lines.len() as u64 + 1);
            draft.chain = Some(chain.hash());
            if link.push_within(signed(draft, &key, &line)?)? {
                lines.push(line);
            }
            let pause = Instant::now();
            while pause.elapsed() < PACE {
                let frames = link.take(PACE).await;
                let refused = frames.iter().find(|frame| matches!(frame, Frame::Refuse { .. }));
                ensure!(refused.is_none(), "refused with the right: {refused:?}");
            }
        }
        // What is on its way is not cut off.
        link.take(Duration::from_millis(500)).await;
        Ok(lines)
    })
}

/// Writes lines at a pace until the phase is the last one; returns them.
fn say(mut input: ChildStdin, phase: &AtomicU8) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let word = match phase.load(Ordering::Relaxed) {
            0 => "before",
            1 => "during",
            2 => "after",
            _ => return Ok(lines),
        };
        let line = format!("{word} {}", lines.len());
        writeln!(input, "{line}").context("the publisher reads no more")?;
        lines.push(line);
        thread::sleep(PACE);
    }
}

/// What became of one kind of attempts.
#[derive(Default)]
struct Tally {
    /// Messages that came over links that lasted, and were answered.
    refused: BTreeMap<String, u64>,
    sent: u64,
    /// How the links ended over which a pretext came that ends links.
    ended: BTreeMap<String, u64>,
}

impl Tally {
    fn answered(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Reads verdicts until at most so many are missing.
    async fn settle(&mut self, link: &mut Foe, missing: u64) -> Result<()> {
        let start = Instant::now();
        while self.sent - self.answered() > missing {
            ensure!(!link.down && start.elapsed() < WITHIN, "a verdict is missing: {:?}", self.refused);
            for frame in link.take(Duration::from_millis(100)).await {
                if let Frame::Refuse { code, .. } = frame {
                    *self.refused.entry(code.to_string()).or_default() += 1;
                }
            }
        }
        Ok(())
    }

    async fn push(&mut self, link: &mut Foe, frame: &RawFrame) -> Result<()> {
        self.settle(link, UNDER_WAY - 1).await?;
        let start = Instant::now();
        while !link.push_within(frame.clone())? {
            ensure!(!link.down && start.elapsed() < WITHIN, "the router takes nothing more");
            self.settle(link, (self.sent - self.answered()).saturating_sub(1)).await?;
        }
        self.sent += 1;
        Ok(())
    }
}

/// Tries one kind so many times over one link, and over one more each where the pretext ends it.
fn attack(scene: &Scene, place: u8, kind: &Kind, count: u64, seen: &Chain) -> Result<Tally> {
    runtime()?
        .block_on(async {
            let mut link = Foe::link(scene.at, local(20 + place, 1), secret(21, place.into())).await?;
            let mut tally = Tally::default();
            for turn in 0..count {
                let pretext = scene.owned.pretext(kind, turn, seen)?;
                let mut draft = draft(&pretext.sender, scene.owned.group, turn + 1);
                draft.chain = pretext.chain;
                // Each of its own instance of its sender, so that no number is another kind's.
                draft.instance = crosscast_wire::Instance::new(1, u32::from(place) + 2);
                let message = signed(draft, &pretext.sender, "unauthorised")?;
                if kind.ends.is_some() {
                    let index = u64::from(place) * count + turn;
                    let word = end_a_link(scene.at, index, pretext.frames, message.clone()).await?;
                    *tally.ended.entry(word).or_default() += 1;
                } else if !pretext.frames.is_empty() {
                    link.send(pretext.frames)?;
                }
                tally.push(&mut link, &message).await?;
            }
            tally.settle(&mut link, 0).await?;
            anyhow::Ok(tally)
        })
        .with_context(|| kind.name)
}

/// Shows what no router forgives, with the message behind it, over a link from a prefix of its own.
async fn end_a_link(at: SocketAddr, index: u64, frames: Vec<RawFrame>, message: RawFrame) -> Result<String> {
    let (second, third) = (60 + (index / 250 % 190) as u8, (index % 250) as u8);
    let from = IpAddr::V4(Ipv4Addr::new(127, second, third, 1));
    let mut link = Foe::link(at, from, secret(22, index)).await?;
    link.send(frames)?;
    link.push(message)?;
    let start = Instant::now();
    while start.elapsed() < WITHIN {
        for frame in link.take(Duration::from_millis(100)).await {
            if let Frame::Close { text, .. } = frame {
                return Ok(text);
            }
        }
        if link.down {
            return Ok("down".to_owned());
        }
    }
    bail!("the link goes on")
}

/// All kinds at once; nobody of them is let in.
fn attack_all(scene: &Scene, count: u64, seen: &Chain) -> Result<Vec<Tally>> {
    thread::scope(|scope| {
        let kinds = KINDS.iter().zip(0..);
        let threads: Vec<_> =
            kinds.map(|(kind, place)| scope.spawn(move || attack(scene, place, kind, count, seen))).collect();
        let done = threads.into_iter().map(|thread| thread.join().map_err(|_| anyhow::anyhow!("panicked"))?);
        done.collect()
    })
}

/// What was said with the right, and what became of what was said without.
struct Story {
    lines: Vec<String>,
    same_way: usize,
    tallies: Vec<Tally>,
    floor: u64,
    before: Value,
}

fn tell(scene: &Scene, size: Size, reader: &Subscriber, seen: &Watch) -> Result<Story> {
    let [first, _, _, publisher] = &scene.daemons;
    let (author, mut command) = (NodeId::parse(publisher.node())?, publisher.command());
    command.args(["pub", GROUP, "--json", "--wait", "sent", "--timeout", "10m"]);
    let mut publisher = Publisher::start(command)?;
    let (input, phase, ends) = (publisher.take_input()?, AtomicU8::new(0), AtomicBool::new(false));
    let attempts = number("CROSSCAST_UNAUTHORISED", size.pick(10 * KINDS.len() as u64, 10_000));
    let work = || -> Result<(u64, Value, Vec<Tally>)> {
        until("what may be said is heard before", WITHIN, || Ok(reader.count() >= 20))?;
        let stolen = lock(seen).chains.iter().find(|chain| chain.subject() == author).cloned();
        let stolen = stolen.context("the publisher's chain did not go by")?;
        let floor = scene.revoke()?;
        let before = rejects(first)?;
        phase.store(1, Ordering::Relaxed);
        let tallies = attack_all(scene, attempts.div_ceil(KINDS.len() as u64), &stolen)?;
        phase.store(2, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
        Ok((floor, before, tallies))
    };
    let (done, lines, others) = thread::scope(|scope| {
        let lines = scope.spawn(|| say(input, &phase));
        let others = scope.spawn(|| same_way(scene, &ends));
        let done = work();
        phase.store(3, Ordering::Relaxed);
        ends.store(true, Ordering::Relaxed);
        (done, lines.join(), others.join())
    });
    let panicked = |_| anyhow::anyhow!("a publisher panicked");
    let (mut lines, others) = (lines.map_err(panicked)??, others.map_err(panicked)??);
    let (floor, before, tallies) = done?;
    let fates = publisher.finish(WITHIN)?;
    ensure!(fates.count("sent") == lines.len(), "not all was sent: {}", fates.errors);
    let same_way = others.len();
    lines.extend(others);
    Ok(Story { lines, same_way, tallies, floor, before })
}

fn rejects(daemon: &Daemon) -> Result<Value> {
    daemon.json(&["status"])?.get("rejects").cloned().context("status names no rejects")
}

/// How often each reason was counted since.
fn since(now: &Value, before: &Value) -> BTreeMap<String, u64> {
    let of = |value: &Value, word: &str| value.get(word).and_then(Value::as_u64).unwrap_or_default();
    let words = now.as_object().into_iter().flat_map(|map| map.keys());
    words.map(|word| (word.clone(), of(now, word) - of(before, word))).filter(|(_, count)| *count > 0).collect()
}

/// What the first router should have counted: each refusal for its reason, and each bad pretext.
fn expected(story: &Story) -> BTreeMap<String, u64> {
    let mut expected = BTreeMap::new();
    for (kind, tally) in KINDS.iter().zip(&story.tallies) {
        *expected.entry(kind.code.to_owned()).or_default() += tally.sent;
        if let Some(word) = kind.ends {
            *expected.entry(word.to_owned()).or_default() += tally.sent;
        }
        if kind.name.starts_with("an older floor") {
            *expected.entry("old-floor".to_owned()).or_default() += tally.sent;
        }
        if kind.name == "a floor from the future" {
            *expected.entry("too-new".to_owned()).or_default() += tally.sent;
        }
    }
    expected
}

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let start = Instant::now();
    let scene = Scene::build(site)?;
    let [first, second, subscriber, publisher] = &scene.daemons;
    let reader = subscriber.subscribe(GROUP, "oldest")?;
    let (seen, ends) = (Watch::default(), AtomicBool::new(false));
    let (story, watched) = thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&scene, &seen, &ends));
        let story = tell(&scene, size, &reader, &seen);
        if let Ok(story) = &story {
            let wanted: Vec<&str> = story.lines.iter().map(String::as_str).collect();
            // What is missing after that is lost, and what else there is has come by then.
            let _ = until("every line is there", WITHIN, || Ok(reader.tally(&wanted).lost == 0));
            thread::sleep(Duration::from_secs(1));
        }
        ends.store(true, Ordering::Relaxed);
        (story, watcher.join())
    });
    watched.map_err(|_| anyhow::anyhow!("the member panicked"))??;
    let story = story.with_context(|| first.log_tail(20))?;
    let wanted: Vec<&str> = story.lines.iter().map(String::as_str).collect();
    let tally = reader.tally(&wanted);
    let delivered = reader.payloads().iter().filter(|payload| *payload == "unauthorised").count();

    let mut passed_on = std::mem::take(&mut lock(&seen).messages);
    let may = [NodeId::parse(publisher.node())?, id(&secret(40, 0))];
    let authorised: u64 = may.iter().filter_map(|node| passed_on.remove(node)).sum();
    let forwarded: u64 = passed_on.values().sum();
    let kept = scene.shown("messages")?;
    let same_books = kept.iter().all(|kept| *kept == json!(authorised));
    let held = scene.shown("floor")?.iter().all(|held| *held == json!(story.floor));
    let inbox = subscriber.json(&["inbox"])?.get("messages").and_then(Value::as_array).map_or(0, Vec::len);
    let behind = [rejects(second)?, rejects(subscriber)?];
    let counted = since(&rejects(first)?, &story.before);
    let expected = expected(&story);

    let mut kinds = serde_json::Map::new();
    let (mut attempts, mut judged, mut ended) = (0, 0, 0);
    for (kind, tally) in KINDS.iter().zip(&story.tallies) {
        attempts += tally.sent;
        judged += tally.refused.get(kind.code).copied().unwrap_or_default();
        let lost: u64 = tally.ended.values().sum();
        ended += lost;
        kinds.insert(kind.name.to_owned(), json!({ "refused": tally.refused, "links_ended": tally.ended }));
    }
    let right_ends = KINDS.iter().zip(&story.tallies).all(|(kind, tally)| {
        kind.ends.map_or(tally.ended.is_empty(), |word| tally.ended.get(word) == Some(&tally.sent))
    });
    let quiet = behind.iter().all(|rejects| *rejects == json!({}));
    let heard = tally.lost + tally.duplicates + tally.strange == 0 && story.same_way > 0;
    let nothing = delivered == 0 && forwarded == 0 && inbox == 0;
    let all_judged = judged == attempts && right_ends && counted_as(&counted, &expected);
    let pass = nothing && heard && same_books && held && quiet && all_judged;
    let value = json!({
        "attempts": attempts, "judged": judged, "delivered": delivered, "forwarded": forwarded, "kinds": kinds,
        "links_ended": ended, "counted_by_first": counted, "expected": expected, "rejects_behind": behind,
        "messages_with_the_right": authorised, "messages_kept": kept, "floor_holds": held, "in_inbox": inbox,
        "lines": story.lines.len(), "same_way": story.same_way, "lost": tally.lost, "duplicates": tally.duplicates,
        "strange": tally.strange, "secs": start.elapsed().as_secs(),
    });
    Ok(Verdict::of(pass, value))
}

/// A message behind a pretext that ends its link may be judged before the link is at its end, or not at all.
fn counted_as(counted: &BTreeMap<String, u64>, expected: &BTreeMap<String, u64>) -> bool {
    let more = |word: &str| ["not-allowed", "no-chain"].contains(&word);
    counted.keys().all(|word| expected.contains_key(word))
        && expected.iter().all(|(word, count)| {
            let found = counted.get(word).copied().unwrap_or_default();
            if more(word) { found >= *count } else { found == *count }
        })
}
