//! Floods against a real daemon: bad messages, half-open connections, slow readers, fresh keys, while it has honest work.
//!
//! The honest work is a publisher with a fixed rate and a subscriber, each on a link of its own; what is measured is what
//! arrives and how long it takes. Attackers come from loopback addresses that stand for prefixes, and local prefixes are
//! set to have no more than any other. All of it runs on this machine: the attackers' work competes with the daemon's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use crosscast_wire::{
    Destination, Entry, Frame, GroupId, PayloadHash, RawFrame, SecretKey, WallMillis, assemble, encode_entries, frame,
};
use serde_json::{Value, json};

use crate::craft::{data, draft, local, micros, number, runtime, secret, sound};
use crate::daemon::Daemon;
use crate::foe::{Foe, connect_from};
use crate::{Site, Size, Verdict};

/// Links that bring bad messages, each from a prefix of its own.
const BAD_LINKS: u8 = 10;
/// Bad messages a second that they offer together.
const BAD_RATE: u64 = 50_000;
/// Verifications that a bad link may cost.
const PER_LINK: u64 = 20;
/// Part of the calm goodput that must get through, in percent.
const GOODPUT: u64 = 80;
/// Memory that half-open and slow peers may take beyond idle.
const MEMORY: u64 = 64 << 20;
/// Fresh senders of one prefix: at once, and a second.
const FRESH: (u64, u64) = (64, 1);

/// Signed by nobody, too old, to a group that is not there, another payload than signed: what bad links bring.
fn bad(key: &SecretKey, group: GroupId, seq: u64) -> Result<RawFrame> {
    let payload = encode_entries(&[Entry::new(Bytes::from_static(b"bad"))])?;
    let mut draft = draft(key, group, seq);
    match seq % 4 {
        0 => draft.time = WallMillis(draft.time.0.saturating_sub(3_600_000)),
        1 => draft.to = Destination::Multicast(GroupId::new([7; 32])),
        _ => {}
    }
    let header = draft.finish(payload.len(), &PayloadHash::of_payload(&payload))?.bytes;
    Ok(data(assemble(&header, &[seq as u8; 64], &[&payload])))
}

/// A daemon with an open group, to which local prefixes are like any other.
fn victim(site: &Site) -> Result<(Daemon, SocketAddr, GroupId)> {
    let mut daemon = Daemon::make(site, "victim", "127.0.0.1", &[])?;
    daemon.edit("[limits]", "[limits]\nlan_budget = 1")?;
    daemon.start()?;
    let made = daemon.json(&["group", "create", "g", "--policy", "open", "--public"])?;
    let group = made.get("group").and_then(Value::as_str).context("no group")?;
    let at = daemon.place()?.trim_start_matches("tls://").parse().context("an address")?;
    Ok((daemon, at, GroupId::parse(group)?))
}

/// What honest work came to.
#[derive(Debug, Default)]
struct Work {
    sent: u64,
    came: u64,
    p99_ms: f64,
    others: BTreeMap<String, u64>,
}

/// Publishes at a rate for a time and counts what arrives, honest and other; `begin` is called once both are linked.
fn work(at: SocketAddr, group: GroupId, rate: u64, time: Duration, round: u64, begin: impl FnOnce()) -> Result<Work> {
    let (linked, is_linked) = std::sync::mpsc::sync_channel(1);
    let ends = Arc::new(AtomicBool::new(false));
    let reader = {
        let ends = Arc::clone(&ends);
        thread::spawn(move || runtime()?.block_on(read(at, group, round, &ends, linked)))
    };
    let sent = runtime()?.block_on(async {
        let key = secret(2, round);
        let mut publisher = Foe::link(at, local(2, 1), secret(2, round)).await?;
        is_linked.recv().context("the reader is not linked")?;
        begin();
        let (mut seq, start) = (0, Instant::now());
        let filler = "x".repeat(150);
        while start.elapsed() < time {
            let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
            while seq < due {
                let text = format!("honest {round} {} {filler}", micros());
                if !publisher.push_within(sound(&key, group, seq + 1, &text)?)? {
                    break;
                }
                seq += 1;
            }
            publisher.take(Duration::from_millis(2)).await;
        }
        // What is on its way still counts.
        for _ in 0..40 {
            publisher.take(Duration::from_millis(50)).await;
        }
        anyhow::Ok(seq)
    });
    ends.store(true, Ordering::Relaxed);
    let mut work = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    work.sent = sent?;
    Ok(work)
}

async fn read(at: SocketAddr, group: GroupId, round: u64, ends: &AtomicBool, linked: SyncSender<()>) -> Result<Work> {
    let mut reader = Foe::link(at, local(1, 1), secret(1, round)).await?;
    let mut frames = vec![frame::subscribe(&group, true, None)];
    frames.extend(frame::resume(&group, []));
    reader.send(frames)?;
    let _ = linked.send(());
    let (mut work, mut delays) = (Work::default(), Vec::new());
    let own = format!("honest {round} ");
    while !ends.load(Ordering::Relaxed) {
        for frame in reader.take(Duration::from_millis(50)).await {
            let Frame::Message { message, .. } = frame else { continue };
            let text = String::from_utf8_lossy(&message.payload()).into_owned();
            match text.split_once(&own) {
                Some((_, sent)) => {
                    let sent: u64 = sent.split(' ').next().unwrap_or_default().parse()?;
                    delays.push(micros().saturating_sub(sent));
                    work.came += 1;
                }
                // What was said before is still kept.
                None if text.contains("honest ") => {}
                None => *work.others.entry(word_of(&text)).or_default() += 1,
            }
        }
    }
    delays.sort_unstable();
    let p99 = delays.get(delays.len() * 99 / 100).copied().unwrap_or(u64::MAX);
    work.p99_ms = p99 as f64 / 1_000.0;
    Ok(work)
}

/// The word that a flood's texts end with.
fn word_of(text: &str) -> String {
    text.rsplit(|letter: char| !letter.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or("").to_owned()
}

/// What attackers did.
#[derive(Debug, Default)]
struct Attack {
    links: AtomicU64,
    sent: AtomicU64,
    ends: AtomicBool,
}

/// One prefix's attack with bad messages: links anew whenever it is thrown out, as soon as it is let in.
fn attack(at: SocketAddr, group: GroupId, place: u8, rate: u64, attack: &Attack) -> Result<()> {
    runtime()?.block_on(async {
        let mut round = 0;
        let frames: Vec<RawFrame> =
            (1..=2_000).map(|seq| bad(&secret(3, place.into()), group, seq)).collect::<Result<_>>()?;
        let (start, mut done) = (Instant::now(), 0);
        while !attack.ends.load(Ordering::Relaxed) {
            round += 1;
            let Ok(mut foe) = Foe::link(at, local(100 + place, 1), secret(4, u64::from(place) << 16 | round)).await
            else {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            attack.links.fetch_add(1, Ordering::Relaxed);
            while !foe.down && !attack.ends.load(Ordering::Relaxed) {
                let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
                // What could not be sent while it was out is not made up for.
                done = done.max(due.saturating_sub(rate / 10));
                while done < due {
                    let frame = frames.get(done as usize % frames.len()).context("frames")?.clone();
                    match foe.push(frame) {
                        Ok(true) => done += 1,
                        Ok(false) | Err(_) => break,
                    }
                    attack.sent.fetch_add(1, Ordering::Relaxed);
                }
                foe.take(Duration::from_millis(2)).await;
            }
        }
        Ok(())
    })
}

pub(super) fn bad_messages(site: &Site, size: Size) -> Result<Verdict> {
    let (daemon, at, group) = victim(site)?;
    let secs = Duration::from_secs(number("CROSSCAST_FLOOD_SECS", size.pick(4, 30)));
    let rate = number("CROSSCAST_HONEST_RATE", size.pick(300, 1_000));
    let calm = work(at, group, rate, secs, 1, || {})?;
    let state = Arc::new(Attack::default());
    let mut attackers = Vec::new();
    let flooded = work(at, group, rate, secs, 2, || {
        for place in 0..BAD_LINKS {
            let state = Arc::clone(&state);
            attackers.push(thread::spawn(move || attack(at, group, place, BAD_RATE / u64::from(BAD_LINKS), &state)));
        }
    });
    state.ends.store(true, Ordering::Relaxed);
    for attacker in attackers {
        attacker.join().map_err(|_| anyhow::anyhow!("an attacker panicked"))??;
    }
    let flooded = flooded?;
    let wasted = daemon.rejects(&["bad-signature", "bad-payload"])?;
    let links = state.links.load(Ordering::Relaxed);
    let bad_came: u64 = flooded.others.values().sum();
    let pass = flooded.came * 100 >= calm.came * GOODPUT && wasted <= links * PER_LINK && bad_came == 0 && links >= 10;
    let value = json!({
        "calm_came": calm.came, "calm_sent": calm.sent, "calm_p99_ms": calm.p99_ms,
        "flood_came": flooded.came, "flood_sent": flooded.sent, "flood_p99_ms": flooded.p99_ms,
        "bad_links": links, "bad_sent": state.sent.load(Ordering::Relaxed), "bad_came": bad_came,
        "verifications_wasted": wasted, "secs": secs.as_secs(),
        "rejects": daemon.json(&["status"])?.get("rejects"),
    });
    Ok(Verdict::of(pass, value))
}

/// Opens connections that say nothing, and opens another for each that is closed.
fn hold_half_open(at: SocketAddr, count: usize, ends: &AtomicBool) -> Result<()> {
    runtime()?.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for place in 0..count {
            let from = local(130 + (place / 200 % 100) as u8, (place % 200 + 1) as u8);
            tasks.spawn(async move {
                loop {
                    let open = tokio::time::timeout(Duration::from_secs(20), connect_from(from, at)).await;
                    if let Ok(Ok(mut stream)) = open {
                        // Until the daemon has had enough of it.
                        let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0]).await;
                    }
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            });
        }
        while !ends.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tasks.abort_all();
        Ok(())
    })
}

/// Links that subscribe to the group and read nothing of it.
fn read_slowly(at: SocketAddr, group: GroupId, count: u8, ends: &AtomicBool, linked: &AtomicU64) -> Result<()> {
    runtime()?.block_on(async {
        let mut slow = Vec::new();
        for place in 0..count {
            // Each from a prefix of its own: this is about what they hold, not about where they come from.
            let mut foe = Foe::link(at, local(place + 10, 9), secret(5, place.into())).await?;
            let mut frames = vec![frame::subscribe(&group, true, None)];
            frames.extend(frame::resume(&group, []));
            foe.send(frames)?;
            foe.deaf.store(true, Ordering::Relaxed);
            slow.push(foe);
            linked.fetch_add(1, Ordering::Relaxed);
        }
        while !ends.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    })
}

pub(super) fn idle_hands(site: &Site, size: Size) -> Result<Verdict> {
    let (daemon, at, group) = victim(site)?;
    let secs = Duration::from_secs(number("CROSSCAST_FLOOD_SECS", size.pick(4, 30)));
    let rate = number("CROSSCAST_HONEST_RATE", size.pick(200, 500));
    let half_open = usize::try_from(number("CROSSCAST_HALF_OPEN", size.pick(400, 2_000)))?;
    let slow = u8::try_from(number("CROSSCAST_SLOW", size.pick(20, 100)))?;
    let idle = daemon.resident()?;
    let calm = work(at, group, rate, secs, 1, || {})?;
    let calm_memory = daemon.resident()?;
    let (ends, linked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let readers = {
        let (ends, linked) = (Arc::clone(&ends), Arc::clone(&linked));
        thread::spawn(move || read_slowly(at, group, slow, &ends, &linked))
    };
    while linked.load(Ordering::Relaxed) < slow.into() && !readers.is_finished() {
        thread::sleep(Duration::from_millis(20));
    }
    let (mut silent, peak) = (None, AtomicU64::new(0));
    let flooded = thread::scope(|scope| {
        let honest = scope.spawn(|| {
            // They are linked before: newcomers may have to wait while strangers hold the door.
            work(at, group, rate, secs, 2, || {
                let ends = Arc::clone(&ends);
                silent = Some(thread::spawn(move || hold_half_open(at, half_open, &ends)));
            })
        });
        while !honest.is_finished() {
            peak.fetch_max(daemon.resident().unwrap_or(0), Ordering::Relaxed);
            thread::sleep(Duration::from_millis(100));
        }
        honest.join()
    });
    ends.store(true, Ordering::Relaxed);
    for attacker in [Some(readers), silent].into_iter().flatten() {
        attacker.join().map_err(|_| anyhow::anyhow!("an attacker panicked"))??;
    }
    let flooded = flooded.map_err(|_| anyhow::anyhow!("the honest ones panicked"))??;
    let peak = peak.into_inner();
    let grew = peak.saturating_sub(idle);
    // Below that, what is measured are the timers of this measurement, and what else a busy machine does.
    let blur_ms = size.pick(250.0, 5.0);
    let pass = grew <= MEMORY && flooded.p99_ms <= (2.0 * calm.p99_ms).max(blur_ms) && flooded.came == flooded.sent;
    let mib = |bytes: u64| (bytes as f64 / 1024.0 / 10.24).round() / 100.0;
    let value = json!({
        "half_open": half_open, "slow_readers": linked.load(Ordering::Relaxed), "secs": secs.as_secs(),
        "idle_mib": mib(idle), "calm_mib": mib(calm_memory), "peak_mib": mib(peak),
        "calm_p99_ms": calm.p99_ms, "flood_p99_ms": flooded.p99_ms, "sent": flooded.sent, "came": flooded.came,
    });
    Ok(Verdict::of(pass, value))
}

pub(super) fn fresh_keys(site: &Site, size: Size) -> Result<Verdict> {
    let (daemon, at, group) = victim(site)?;
    let keys = number("CROSSCAST_FRESH_KEYS", size.pick(1_000, 10_000));
    let begin = Instant::now();
    let tried = Arc::new(AtomicU64::new(0));
    let flood = {
        let tried = Arc::clone(&tried);
        thread::spawn(move || -> Result<()> {
            runtime()?.block_on(async {
                let mut place = 0;
                while tried.load(Ordering::Relaxed) < keys {
                    place += 1;
                    let from = local(100, (place % 250 + 1) as u8);
                    let Ok(mut link) = Foe::link(at, from, secret(6, place)).await else { continue };
                    // As many as the credit of a link takes; it comes back only as fast as refusals are.
                    for _ in 0..1_500 {
                        let key = secret(7, tried.load(Ordering::Relaxed));
                        if link.down || tried.load(Ordering::Relaxed) >= keys {
                            break;
                        }
                        if link.push_within(sound(&key, group, 1, "fresh")?)? {
                            tried.fetch_add(1, Ordering::Relaxed);
                        } else {
                            link.take(Duration::from_millis(5)).await;
                        }
                    }
                    // Until the daemon has judged them all: what it has not when a link goes is not looked at.
                    let (mut quiet, judged) = (0, Instant::now());
                    while quiet < 5 && judged.elapsed() < Duration::from_secs(5) && !link.down {
                        quiet = if link.take(Duration::from_millis(100)).await.is_empty() { quiet + 1 } else { 0 };
                    }
                }
                Ok(())
            })
        })
    };
    let reader = work(at, group, 10, Duration::from_secs(size.pick(6, 40)), 3, || {});
    flood.join().map_err(|_| anyhow::anyhow!("the flood panicked"))??;
    let took = begin.elapsed().as_secs();
    let reader = reader?;
    let came = reader.others.values().sum::<u64>();
    // A newcomer from elsewhere, and how long it took to be heard.
    let newcomer = work(at, group, 5, Duration::from_secs(2), 4, || {})?;
    let most = FRESH.0 + FRESH.1 * (took + 2);
    let refused = daemon.rejects(&["rate"])?;
    let pass = came <= most && came >= FRESH.0 && newcomer.came == newcomer.sent && newcomer.sent > 0;
    let value = json!({
        "fresh_keys": tried.load(Ordering::Relaxed), "taken": came, "budget": most, "refused_by_rate": refused,
        "secs": took, "others": reader.others, "newcomer_sent": newcomer.sent, "newcomer_came": newcomer.came,
    });
    Ok(Verdict::of(pass, value))
}
