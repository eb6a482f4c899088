//! Five daemons in a chain; the middle one is killed while lines flow from one end to the other, and comes back.
//!
//! The two ends share no link, so every line crosses the one that dies. What the publisher was told is `sent` must be
//! at every reader once, also at the reader of the daemon that died, who resumes at its cursor.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::client::{Publisher, Subscriber, Tally, write_paced};
use crate::daemon::{Daemon, share_group};
use crate::{Site, Size, Verdict, text, until};

const GROUP: &str = "chain";
const NAMES: [&str; 5] = ["one", "two", "middle", "four", "five"];
const MIDDLE: usize = 2;

/// How long the middle stays dead. 700 ms: its neighbours notice and dial in vain at least once.
const DEAD: Duration = Duration::from_millis(700);

/// How long lines may take to arrive after the last was published. 60 s: two of the longest redial delays.
const ARRIVE: Duration = Duration::from_secs(60);

/// Lines, kills, lines a second.
const REDUCED: (usize, usize, usize) = (500, 1, 200);
const FULL: (usize, usize, usize) = (10_000, 5, 500);

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let (count, kills, pace) = size.pick(REDUCED, FULL);
    let lines = text::lines(count)?;
    let mut chain = chain(site)?;
    share_group(GROUP, &chain)?;
    for (daemon, neighbours) in chain.iter().zip([1, 2, 2, 2, 1]) {
        daemon.wait_neighbours(GROUP, neighbours)?;
    }
    let readers = chain.iter().skip(1).map(|daemon| daemon.subscribe(GROUP, "oldest"));
    let readers = readers.collect::<Result<Vec<Subscriber>>>()?;

    let start = Instant::now();
    let first = chain.first().context("a chain")?;
    let mut command = first.command();
    command.args(["pub", GROUP, "--json", "--wait", "sent", "--timeout", "5m"]);
    let mut publisher = Publisher::start(command)?;
    let input = publisher.take_input()?;
    let text = lines.clone();
    let writer = thread::spawn(move || write_paced(input, &text, pace));
    let mut killed_while_flowing = 0;
    for kill in 1..=kills {
        let last = readers.last().context("readers")?;
        let share = count * kill / (kills + 1);
        until("the far end reads on", ARRIVE, || Ok(last.count() >= share))?;
        let middle = chain.get_mut(MIDDLE).context("a middle")?;
        middle.kill()?;
        killed_while_flowing += usize::from(!writer.is_finished());
        thread::sleep(DEAD);
        middle.start()?;
    }
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let fates = publisher.finish(Duration::from_secs(300))?;
    ensure!(fates.states.len() == count, "{} of {count} lines answered: {}", fates.states.len(), fates.errors);
    let sent = fates.sent(&lines);
    let whole: Vec<&str> = lines.iter().map(String::as_str).collect();
    // Late arrivals are no fault; what is still missing after that is lost.
    let arrived = until("every line is everywhere", ARRIVE, || {
        Ok(readers.iter().all(|reader| reader.count() >= sent.len() && reader.tally(&sent).lost == 0))
    });
    if arrived.is_err() {
        chain.iter().for_each(|daemon| eprintln!("{}", daemon.log_tail(30)));
    }
    let secs = start.elapsed().as_secs_f64();
    // What comes twice may come late.
    thread::sleep(Duration::from_secs(1));
    let lost: usize = readers.iter().map(|reader| reader.tally(&sent).lost).sum();
    let tallies: Vec<Tally> = readers.iter().map(|reader| reader.tally(&whole)).collect();
    let sum = |part: fn(&Tally) -> usize| tallies.iter().map(part).sum::<usize>();
    let (duplicates, disordered, strange) = (sum(|t| t.duplicates), sum(|t| t.disordered), sum(|t| t.strange));
    let at_middle = tallies.get(MIDDLE - 1).copied().unwrap_or_default();
    let pass = lost + duplicates + strange == 0 && sent.len() == count && killed_while_flowing == kills;
    let value = json!({
        "lines": count, "sent": sent.len(), "expired": fates.count("expired"), "kills": killed_while_flowing,
        "readers": readers.len(), "lost": lost, "duplicates": duplicates, "disordered": disordered,
        "strange": strange, "lost_at_killed": at_middle.lost, "duplicates_at_killed": at_middle.duplicates,
        "secs": (secs * 10.0).round() / 10.0,
    });
    Ok(Verdict::of(pass, value))
}

/// Each daemon dials the one before it.
fn chain(site: &Site) -> Result<Vec<Daemon>> {
    let mut chain: Vec<Daemon> = Vec::new();
    for name in NAMES {
        let attach = chain.last().map(Daemon::locator).transpose()?;
        let mut daemon = Daemon::make(site, name, "127.0.0.1", attach.as_slice())?;
        daemon.start()?;
        chain.push(daemon);
    }
    Ok(chain)
}
