//! Five daemons in a chain; the middle one is killed while lines flow from one end to the other, and comes back.
//!
//! The two ends share no link, so every line crosses the one that dies. What the publisher was told is `sent` must be
//! at every reader once, also at the reader of the daemon that died, who resumes at its cursor. Once the lines come at
//! a steady pace, a few to a message; once all at a time, hundreds to a message, so that cursors lie within messages.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Publisher, Subscriber, Tally, write_paced};
use crate::daemon::Daemon;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, text, until};

const NAMES: [&str; 5] = ["one", "two", "middle", "four", "five"];
const MIDDLE: usize = 2;

/// How long the middle stays dead. 700 ms: its neighbours notice and dial in vain at least once.
const DEAD: Duration = Duration::from_millis(700);

/// How long lines may take to arrive after the last was published. 60 s: two of the longest redial delays.
const ARRIVE: Duration = Duration::from_secs(60);

/// One flow of lines.
#[derive(Clone, Copy)]
struct Flow {
    group: &'static str,
    lines: usize,
    /// How often the middle is killed meanwhile.
    kills: usize,
    /// Lines a second; as fast as they are taken, when it is more than there are.
    pace: usize,
}

const REDUCED: [Flow; 2] = [
    Flow { group: "steady", lines: 500, kills: 1, pace: 200 },
    Flow { group: "burst", lines: 10_000, kills: 1, pace: usize::MAX },
];
const FULL: [Flow; 2] = [
    Flow { group: "steady", lines: 10_000, kills: 5, pace: 500 },
    Flow { group: "burst", lines: 200_000, kills: 2, pace: usize::MAX },
];

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let mut chain = chain(site)?;
    let (mut pass, mut value) = (true, serde_json::Map::new());
    for flow in size.pick(REDUCED, FULL) {
        let (good, figures) = flow.run(&mut chain)?;
        pass &= good;
        value.insert(flow.group.to_owned(), figures);
    }
    Ok(Verdict::of(pass, Value::Object(value)))
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

impl Flow {
    fn run(&self, chain: &mut [Daemon]) -> Result<(bool, Value)> {
        let lines = text::lines(self.lines)?;
        share_group(self.group, chain)?;
        for (daemon, neighbours) in chain.iter().zip([1, 2, 2, 2, 1]) {
            daemon.wait_neighbours(self.group, neighbours)?;
            daemon.ensure_links(usize::try_from(neighbours)?)?;
        }
        let readers = chain.iter().skip(1).map(|daemon| daemon.subscribe(self.group, "oldest"));
        let readers = readers.collect::<Result<Vec<Subscriber>>>()?;

        let start = Instant::now();
        let mut command = chain.first().context("a chain")?.command();
        command.args(["pub", self.group, "--json", "--wait", "sent", "--timeout", "5m"]);
        let mut publisher = Publisher::start(command)?;
        let (input, text, pace) = (publisher.take_input()?, lines.clone(), self.pace);
        let writer = thread::spawn(move || write_paced(input, &text, pace));
        let kills = self.kill(chain, &readers)?;
        writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        let fates = publisher.finish(Duration::from_secs(300))?;
        let answered = fates.states.len();
        ensure!(answered == lines.len(), "{answered} of {} lines answered: {}", lines.len(), fates.errors);
        let sent = fates.sent(&lines);
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
        let whole: Vec<&str> = lines.iter().map(String::as_str).collect();
        let tallies: Vec<Tally> = readers.iter().map(|reader| reader.tally(&whole)).collect();
        let sum = |part: fn(&Tally) -> usize| tallies.iter().map(part).sum::<usize>();
        let (duplicates, disordered, strange) = (sum(|t| t.duplicates), sum(|t| t.disordered), sum(|t| t.strange));
        let at_middle = tallies.get(MIDDLE - 1).copied().unwrap_or_default();
        let pass = lost + duplicates + strange == 0 && sent.len() == lines.len() && kills == self.kills;
        let value = json!({
            "lines": lines.len(), "sent": sent.len(), "expired": fates.count("expired"), "kills": kills,
            "readers": readers.len(), "lost": lost, "duplicates": duplicates, "disordered": disordered,
            "strange": strange, "lost_at_killed": at_middle.lost, "duplicates_at_killed": at_middle.duplicates,
            "secs": (secs * 10.0).round() / 10.0,
        });
        Ok((pass, value))
    }

    /// Kills the middle at even shares of what has come to the far end; returns how often lines were still to come.
    fn kill(&self, chain: &mut [Daemon], readers: &[Subscriber]) -> Result<usize> {
        let far = readers.last().context("readers")?;
        let mut flowing = 0;
        for kill in 1..=self.kills {
            let share = self.lines * kill / (self.kills + 1);
            until("the far end reads on", ARRIVE, || Ok(far.count() >= share))?;
            let middle = chain.get_mut(MIDDLE).context("a middle")?;
            middle.kill()?;
            flowing += usize::from(far.count() < self.lines);
            thread::sleep(DEAD);
            middle.start()?;
        }
        Ok(flowing)
    }
}
