//! One message to several named nodes over a diamond of routers: each recipient has it once, whatever happens between.
//!
//! The sender's router leads to two others, and both lead to the one that the recipients are linked to; every fourth
//! recipient is linked to the two as well. Messages are sent all the time while one branch is killed and started again,
//! then the other. A router acknowledges what it has queued for the next and has no custody of it: what one had in hand
//! when it was killed may be lost with it, which is counted, and nothing else may be. At the end one of the recipients is
//! a peer made of the format alone that gives every message it is sent to all three routers behind, for all others in the
//! list and for each of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use crosscast_wire::{Frame, GroupId, Hop, Lane, Message, RawFrame, frame};
use serde_json::{Value, json};

use crate::craft::{id, local, number, runtime, secret};
use crate::daemon::Daemon;
use crate::foe::Foe;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "diamond";
const WITHIN: Duration = Duration::from_secs(40);
/// Messages that are sent at once.
const WORKERS: usize = 4;
/// Each worker sends one as often.
const PACE: Duration = Duration::from_millis(40);
/// How long a branch stays dead. 700 ms: its neighbours notice and dial in vain at least once.
const DEAD: Duration = Duration::from_millis(700);
/// How long a message may be in the hands of one router. 300 ms: a hundred times what it takes, for a machine that is busy.
const IN_HAND: Duration = Duration::from_millis(300);
/// Messages that the copier gets.
const COPIED: usize = 8;

struct Diamond {
    sender: Daemon,
    near: Daemon,
    /// Left and right.
    middle: [Daemon; 2],
    far: Daemon,
    recipients: Vec<Daemon>,
}

impl Diamond {
    fn build(site: &Site, recipients: usize) -> Result<Self> {
        let start = |name: &str, attach: &[String]| -> Result<Daemon> {
            let mut daemon = Daemon::make(site, name, "127.0.0.1", attach)?;
            daemon.start()?;
            Ok(daemon)
        };
        let near = start("near", &[])?;
        let sender = start("sender", &[near.locator()?])?;
        let middle = [start("left", &[near.locator()?])?, start("right", &[near.locator()?])?];
        let both = [middle[0].locator()?, middle[1].locator()?];
        let far = start("far", &both)?;
        let (last, who) = (far.locator()?, sender.node().to_owned());
        let [left, right] = middle;
        let mut all = vec![sender, near, left, right, far];
        for place in 0..recipients {
            let mut attach = vec![last.clone()];
            attach.extend(both.iter().filter(|_| place % 4 == 0).cloned());
            all.push(start(&format!("r{place}"), &attach)?);
        }
        share_group(GROUP, &all)?;
        let spread = recipients.div_ceil(4) as u64;
        for (daemon, neighbours) in all.iter().zip([1, 3, 2 + spread, 2 + spread, 2 + recipients as u64]) {
            daemon.wait_neighbours(GROUP, neighbours)?;
            daemon.ensure_links(usize::try_from(neighbours)?)?;
        }
        let recipients = all.split_off(5);
        for recipient in &recipients {
            recipient.run(&["inbox", "--accept", &who])?.text()?;
        }
        let all: [Daemon; 5] = all.try_into().map_err(|_| anyhow::anyhow!("five were made"))?;
        let [sender, near, left, right, far] = all;
        Ok(Self { sender, near, middle: [left, right], far, recipients })
    }
}

/// What the sender was told, by state.
type States = BTreeMap<String, usize>;

/// Sends one message to all of a list; what it is told of each recipient.
fn send(sender: &Daemon, to: &str, text: &str) -> Result<States> {
    let sent = sender.json(&["send", to, text, "--timeout", "30s"])?;
    let mut states = States::new();
    for message in sent.get("messages").and_then(Value::as_array).context("no list of recipients")? {
        *states.entry(message.get("state").and_then(Value::as_str).unwrap_or("?").to_owned()).or_default() += 1;
    }
    Ok(states)
}

fn add(all: &mut States, more: States) {
    more.into_iter().for_each(|(state, count)| *all.entry(state).or_default() += count);
}

/// Sends so many messages, several at once, at a pace.
fn send_all(sender: &Daemon, to: &str, count: usize, next: &AtomicUsize) -> Result<(States, Vec<(String, Instant)>)> {
    thread::scope(|scope| {
        let work = || -> Result<(States, Vec<(String, Instant)>)> {
            let (mut states, mut times) = (States::new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return Ok((states, times));
                }
                let begin = Instant::now();
                add(&mut states, send(sender, to, &text_of(number))?);
                times.push((text_of(number), begin));
                thread::sleep(PACE.saturating_sub(begin.elapsed()));
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        let (mut states, mut times) = (States::new(), Vec::new());
        for worker in workers {
            let (more, begun) = worker.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
            add(&mut states, more);
            times.extend(begun);
        }
        Ok((states, times))
    })
}

fn text_of(number: usize) -> String {
    format!("to all of you {number}")
}

/// A branch that was killed while messages were still to be sent.
struct Killed {
    at: Instant,
    /// Bytes that the sender's router had sent over it since it was up.
    carried: u64,
}

/// Kills the branches in turn while messages are sent, each a while.
fn kill(
    middle: &mut [Daemon; 2],
    near: &Daemon,
    kills: usize,
    count: usize,
    next: &AtomicUsize,
) -> Result<Vec<Killed>> {
    let mut killed = Vec::new();
    for turn in 0..kills {
        let share = count * (turn + 1) / (kills + 1);
        until("messages are sent", WITHIN, || Ok(next.load(Ordering::Relaxed) >= share))?;
        let branch = middle.get_mut(turn % 2).context("two branches")?;
        let carried = sent_over(near, branch)?.unwrap_or_default();
        branch.kill()?;
        if next.load(Ordering::Relaxed) < count {
            killed.push(Killed { at: Instant::now(), carried });
        }
        thread::sleep(DEAD);
        branch.start()?;
        until("the branch is back", WITHIN, || Ok(sent_over(near, branch)?.is_some()))?;
    }
    Ok(killed)
}

/// Bytes over a daemon's link to another, when there is one.
fn sent_over(near: &Daemon, branch: &Daemon) -> Result<Option<u64>> {
    let peers = near.peers()?;
    let link = peers.iter().find(|peer| peer.get("node").and_then(Value::as_str) == Some(branch.node()));
    Ok(link.and_then(|link| link.get("tx_bytes")).and_then(Value::as_u64))
}

/// How often each text is in an inbox.
fn inbox(daemon: &Daemon) -> Result<BTreeMap<String, usize>> {
    let list = daemon.json(&["inbox"])?;
    let mut texts = BTreeMap::new();
    for message in list.get("messages").and_then(Value::as_array).context("no messages")? {
        let text = message.get("payload").and_then(Value::as_str).unwrap_or("?");
        *texts.entry(text.to_owned()).or_default() += 1;
    }
    Ok(texts)
}

/// What recipients have of the texts they were sent.
#[derive(Debug, Default)]
struct Tally {
    once: usize,
    lost: usize,
    /// Texts that somebody lacks.
    missing: BTreeSet<String>,
    twice: usize,
    strange: usize,
}

fn tally(recipients: &[Daemon], wanted: &[String]) -> Result<Tally> {
    let mut tally = Tally::default();
    for recipient in recipients {
        let mut texts = inbox(recipient)?;
        for text in wanted {
            match texts.remove(text) {
                Some(1) => tally.once += 1,
                Some(_) => tally.twice += 1,
                None => {
                    tally.lost += 1;
                    tally.missing.insert(text.clone());
                }
            }
        }
        tally.strange += texts.len();
    }
    Ok(tally)
}

fn address(daemon: &Daemon) -> Result<SocketAddr> {
    daemon.place()?.trim_start_matches("tls://").parse().context("an address")
}

/// A recipient that gives whatever it is sent to all routers, for all others in the list at once and for each of them;
/// returns how often it did, and how often that was refused.
fn copy(at: &[SocketAddr], group: GroupId, linked: &AtomicBool, ends: &AtomicBool) -> Result<(usize, usize)> {
    runtime()?.block_on(async {
        let mut links = Vec::new();
        for (place, at) in at.iter().enumerate() {
            let mut link = Foe::link(*at, local(9, place as u8 + 1), secret(50, 0)).await?;
            let mut frames = vec![frame::subscribe(&group, true, None)];
            frames.extend(frame::resume(&group, []));
            link.send(frames)?;
            link.take(Duration::from_millis(200)).await;
            links.push(link);
        }
        linked.store(true, Ordering::Relaxed);
        let (mut copies, mut refused, mut waiting) = (0, 0, vec![VecDeque::new(); links.len()]);
        while !(ends.load(Ordering::Relaxed) && waiting.iter().all(VecDeque::is_empty)) {
            let mut got = Vec::new();
            for (link, waiting) in links.iter_mut().zip(&mut waiting) {
                ensure!(!link.down, "the copier's link ended");
                for frame in link.take(Duration::from_millis(10)).await {
                    refused += usize::from(matches!(frame, Frame::Refuse { .. }));
                    if let Frame::Message { message, .. } = frame {
                        got.extend(copies_of(&message));
                    }
                }
                while let Some(copy) = waiting.pop_front() {
                    if !link.push_within(RawFrame::clone(&copy))? {
                        waiting.push_front(copy);
                        break;
                    }
                    copies += 1;
                }
            }
            // Not to the sender itself, which is the first.
            waiting.iter_mut().skip(1).for_each(|waiting| waiting.extend(got.iter().cloned()));
        }
        Ok((copies, refused))
    })
}

/// A message for all its recipients but the copier, and for each of them.
fn copies_of(message: &Message) -> Vec<RawFrame> {
    let named = message.header().recipients.iter().zip(0_u32..);
    let bits = named.filter(|(node, _)| **node != id(&secret(50, 0))).map(|(_, place)| 1 << place);
    let each: Vec<u32> = bits.collect();
    let all = each.iter().fold(0, |all, bit| all | bit);
    let copy = |bits| Hop::new(0, 0, 0).with_remaining(bits).frame(message.bytes().clone(), Lane::Normal);
    [all].into_iter().chain(each).filter(|bits| *bits != 0).map(copy).collect()
}

/// Messages to all but one of the recipients and to a peer that copies them.
fn copied(diamond: &Diamond, group: GroupId) -> Result<Value> {
    let at = [&diamond.sender, &diamond.middle[0], &diamond.middle[1], &diamond.far];
    let at = at.into_iter().map(address).collect::<Result<Vec<_>>>()?;
    let named = diamond.recipients.get(1..).context("recipients")?;
    let copier = id(&secret(50, 0)).to_string();
    let to: Vec<&str> = named.iter().map(Daemon::node).chain([copier.as_str()]).collect();
    let to = to.join(",");
    let (linked, ends) = (AtomicBool::new(false), AtomicBool::new(false));
    let (states, copies) = thread::scope(|scope| {
        let copier = scope.spawn(|| copy(&at, group, &linked, &ends));
        let work = || -> Result<States> {
            until("the copier is linked", WITHIN, || Ok(linked.load(Ordering::Relaxed) || copier.is_finished()))?;
            let mut states = States::new();
            for number in 0..COPIED {
                add(&mut states, send(&diamond.sender, &to, &format!("copied {number}"))?);
            }
            // What is copied comes late.
            thread::sleep(Duration::from_secs(1));
            Ok(states)
        };
        let states = work();
        ends.store(true, Ordering::Relaxed);
        (states, copier.join())
    });
    let (copies, refused) = copies.map_err(|_| anyhow::anyhow!("the copier panicked"))??;
    let routers = diamond.middle.iter().chain([&diamond.far]);
    let known = routers.map(|router| router.rejects(&["duplicate"])).sum::<Result<u64>>()?;
    Ok(json!({ "states": states?, "copies": copies, "refused": refused, "known_to_routers": known }))
}

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let start = Instant::now();
    let recipients = usize::try_from(number("CROSSCAST_RECIPIENTS", size.pick(6, 32)))?;
    let count = usize::try_from(number("CROSSCAST_MESSAGES", size.pick(20, 900)))?;
    let kills = size.pick(0, 4);
    let mut diamond = Diamond::build(site, recipients)?;
    let built_ms = start.elapsed().as_millis();
    let to: Vec<&str> = diamond.recipients.iter().map(Daemon::node).collect();
    let (to, next) = (to.join(","), AtomicUsize::new(0));
    let (sender, near, middle) = (&diamond.sender, &diamond.near, &mut diamond.middle);
    let (sent, killed) = thread::scope(|scope| {
        let sent = scope.spawn(|| send_all(sender, &to, count, &next));
        let killed = kill(middle, near, kills, count, &next);
        (sent.join(), killed)
    });
    let ((states, times), killed) = (sent.map_err(|_| anyhow::anyhow!("a sender panicked"))??, killed?);
    let wanted: Vec<String> = (0..count).map(text_of).collect();
    // Late arrivals are no fault; what is still missing after that is lost.
    let _ = until("every message is there", WITHIN, || Ok(tally(&diamond.recipients, &wanted)?.lost == 0));
    let all = tally(&diamond.recipients, &wanted)?;
    let in_hand = |begun: &Instant| killed.iter().any(|kill| *begun <= kill.at && *begun + IN_HAND >= kill.at);
    let lost_in_hand = times.iter().filter(|(text, begun)| all.missing.contains(text) && in_hand(begun)).count();
    // A list of an inbox ends at a thousand; what comes a second time later is there all the same.
    for recipient in &diamond.recipients {
        recipient.run(&["inbox", "--ack"])?.text()?;
    }

    let shown = diamond.sender.json(&["group", "show", GROUP])?;
    let group = GroupId::parse(shown.get("group").and_then(Value::as_str).context("no group")?)?;
    let copier = copied(&diamond, group)?;
    let wanted: Vec<String> = (0..COPIED).map(|number| format!("copied {number}")).collect();
    let (left_out, named) = diamond.recipients.split_at(1);
    let _ = until("every copied message is there", WITHIN, || Ok(tally(named, &wanted)?.lost == 0));
    let after = tally(named, &wanted)?;
    let not_named = tally(left_out, &wanted)?;

    let pairs = count * recipients;
    let told = states.get("sent") == Some(&pairs) && states.len() == 1;
    let told = told && copier.pointer("/states/sent") == Some(&json!(COPIED * recipients));
    let only_in_hand = all.missing.len() == lost_in_hand && lost_in_hand <= kills * 2 * WORKERS;
    let once = all.once + all.lost == pairs && only_in_hand && all.twice + all.strange == 0;
    let once_copied = after.once == COPIED * named.len() && after.twice + after.strange + not_named.strange == 0;
    let copies = copier.get("copies").and_then(Value::as_u64).unwrap_or_default() as usize;
    let pass = told
        && once
        && once_copied
        && copies == COPIED * recipients * 3
        && killed.len() == kills
        && not_named.lost == COPIED;
    if !pass {
        eprintln!("{}", diamond.near.log_tail(30));
    }
    let value = json!({
        "recipients": recipients, "messages": count, "pairs": pairs, "told": states, "once": all.once, "lost": all.lost,
        "twice": all.twice, "strange": all.strange, "branches_killed": kills,
        "messages_lost_in_the_hands_of_the_killed": lost_in_hand, "messages_lost_otherwise": all.missing.len() - lost_in_hand,
        "bytes_over_the_killed": killed.iter().map(|kill| kill.carried).collect::<Vec<_>>(), "copier": copier,
        "once_beside_the_copier": after.once, "lost_beside_the_copier": after.lost,
        "twice_beside_the_copier": after.twice, "built_ms": built_ms, "secs": start.elapsed().as_secs(),
    });
    Ok(Verdict::of(pass, value))
}
