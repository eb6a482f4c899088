//! Readers over restarts of their daemon, by SIGKILL and SIGTERM in turn: nothing is lost and nothing comes twice.
//!
//! One reader follows two groups in one stream. A member elsewhere publishes all the while; and a publisher at the daemon
//! that goes and comes tries each of its lines with the same key until a next hop has it, for the first few restarts, and
//! must see each arrive once, at home and elsewhere. `CROSSCAST_RESTARTS` sets the number of restarts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::reader::{Reader, Way};
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, http, until};

/// Groups in the stream.
const GROUPS: [&str; 2] = ["first", "second"];

/// Pause between two lines of the member elsewhere. 10 ms: a hundred a second, so that every restart hits some.
const STEADY: Duration = Duration::from_millis(10);

/// Pause between two lines of the publisher that tries again. 25 ms: some are under way at every restart.
const STUBBORN: Duration = Duration::from_millis(25);

/// Restarts during which a publisher at the daemon goes on. 6: a sender has at most eight runs that are heard at a time.
const RUNS: usize = 6;

/// How long the rest may take to arrive once everybody is up.
const REST: Duration = Duration::from_secs(60);

/// How long one try of a line may take.
const TRY: Duration = Duration::from_secs(5);

pub(super) fn events(site: &Site, size: Size) -> Result<Verdict> {
    restarts(site, size, Way::Events)
}

pub(super) fn socket(site: &Site, size: Size) -> Result<Verdict> {
    restarts(site, size, Way::Socket)
}

fn count(size: Size) -> Result<usize> {
    match std::env::var("CROSSCAST_RESTARTS") {
        Ok(text) => text.parse().with_context(|| format!("CROSSCAST_RESTARTS={text}")),
        Err(_) => Ok(size.pick(5, 100)),
    }
}

fn restarts(site: &Site, size: Size, way: Way) -> Result<Verdict> {
    let restarts = count(size)?;
    let mut elsewhere = Daemon::make(site, "elsewhere", "127.0.0.1", &[])?;
    elsewhere.start()?;
    let mut here = Daemon::make(site, "here", "127.0.0.1", &[elsewhere.locator()?])?;
    here.start()?;
    let mut pair = [elsewhere, here];
    for group in GROUPS {
        share_group(group, &pair)?;
    }
    let [elsewhere, here] = &mut pair;
    for group in GROUPS {
        elsewhere.wait_neighbours(group, 1)?;
    }
    let reader = Reader::start(way, here.home(), &GROUPS)?;
    let far = elsewhere.subscribe(GROUPS[0], "oldest")?;

    let (stop, enough) = (AtomicBool::new(false), AtomicBool::new(false));
    let (steady_home, stubborn_home) = (elsewhere.home().to_owned(), here.home().to_owned());
    let (steady, stubborn) = thread::scope(|scope| -> Result<(Vec<String>, Stubborn)> {
        let steady = scope.spawn(|| publish_steadily(&steady_home, &stop));
        let stubborn = scope.spawn(|| publish_stubbornly(&stubborn_home, &enough));
        let done = (0..restarts).try_for_each(|turn| {
            enough.fetch_or(turn >= RUNS, Ordering::Relaxed);
            restart(here, turn)
        });
        thread::sleep(Duration::from_millis(500));
        enough.store(true, Ordering::Relaxed);
        stop.store(true, Ordering::Relaxed);
        let broke = |_| anyhow::anyhow!("a publisher panicked");
        let published = (steady.join().map_err(broke)??, stubborn.join().map_err(broke)??);
        done.map(|()| published)
    })?;

    let wanted: Vec<&str> = steady.iter().chain(&stubborn.lines).map(String::as_str).collect();
    // What is still missing then is counted below.
    let _ = until("every line has arrived", REST, || Ok(reader.count() >= wanted.len()));
    thread::sleep(Duration::from_secs(1));
    let home = tally(&wanted, &reader.payloads());
    let own: Vec<&str> = stubborn.lines.iter().map(String::as_str).collect();
    let theirs: Vec<String> = far.payloads().into_iter().filter(|line| line.starts_with("here ")).collect();
    let away = tally(&own, &theirs);
    // A daemon may be gone again before its reader looks: some connections are skipped, and that is no fault.
    let came_back = reader.connections().saturating_mul(10) >= restarts.saturating_mul(9);
    let pass = home.is_clean() && away.is_clean() && reader.gaps() == 0 && came_back;
    if !pass {
        pair.iter().for_each(|daemon| eprintln!("{}", daemon.log_tail(30)));
    }
    let value = json!({
        "restarts": restarts, "lines": wanted.len(), "connections": reader.connections(),
        "lost": home.lost, "duplicates": home.duplicates, "strange": home.strange, "gaps": reader.gaps(),
        "retried_lines": stubborn.retried, "lost_elsewhere": away.lost, "duplicates_elsewhere": away.duplicates,
    });
    Ok(Verdict::of(pass, value))
}

/// Ends the daemon one way or the other after a while that differs, and starts it again.
fn restart(daemon: &mut Daemon, turn: usize) -> Result<()> {
    let millis = [130, 270, 60, 410, 190, 330, 90].get(turn % 7).copied().unwrap_or(200);
    thread::sleep(Duration::from_millis(millis));
    if turn.is_multiple_of(2) {
        daemon.kill()?
    } else {
        daemon.terminate()?
    }
    daemon.start()
}

/// Numbered lines to both groups in turn, each accepted.
fn publish_steadily(home: &Path, stop: &AtomicBool) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (number, group) in (0_u32..).zip(GROUPS.iter().cycle()) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let line = format!("elsewhere {number} in {group}");
        let path = format!("/v1/groups/{group}/messages?wait=accepted");
        let answer = http::post(home, &path, line.as_bytes(), TRY)?;
        anyhow::ensure!(answer.status == 200, "`{line}`: {}", answer.body);
        lines.push(line);
        thread::sleep(STEADY);
    }
    Ok(lines)
}

#[derive(Default)]
struct Stubborn {
    lines: Vec<String>,
    retried: usize,
}

/// Numbered lines with a key each, tried until a next hop has them, over the restarts of the daemon.
fn publish_stubbornly(home: &Path, stop: &AtomicBool) -> Result<Stubborn> {
    let mut done = Stubborn::default();
    for number in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (line, home) = (format!("here {number}"), PathBuf::from(home));
        let path = format!("/v1/groups/{}/messages?wait=sent&timeout_ms=2000&key={number:032x}", GROUPS[0]);
        let mut tries = 0_usize;
        until(&format!("`{line}` is sent"), REST, || {
            tries += 1;
            // A daemon that is away, goes while it answers, or knows nobody yet: the same again, a moment later.
            let answer = http::post(&home, &path, line.as_bytes(), TRY);
            let sent = answer.is_ok_and(|answer| answer.body.get("state").and_then(Value::as_str) == Some("sent"));
            Ok(sent)
        })?;
        done.retried += usize::from(tries > 1);
        done.lines.push(line);
        thread::sleep(STUBBORN);
    }
    Ok(done)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    lost: usize,
    duplicates: usize,
    strange: usize,
}

impl Sums {
    fn is_clean(self) -> bool {
        self == Self::default()
    }
}

fn tally(wanted: &[&str], came: &[String]) -> Sums {
    let mut times: std::collections::HashMap<&str, usize> = wanted.iter().map(|line| (*line, 0)).collect();
    let mut sums = Sums::default();
    for line in came {
        match times.get_mut(line.as_str()) {
            Some(times) => *times += 1,
            None => sums.strange += 1,
        }
    }
    sums.lost = times.values().filter(|times| **times == 0).count();
    sums.duplicates = times.values().map(|times| times.saturating_sub(1)).sum();
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_and_what_came_twice_are_counted() {
        let came: Vec<String> = ["a", "b", "b", "b", "x"].map(str::to_owned).to_vec();
        assert_eq!(tally(&["a", "b", "c"], &came), Sums { lost: 1, duplicates: 2, strange: 1 });
        assert!(tally(&["a"], &["a".to_owned()]).is_clean());
    }
}
