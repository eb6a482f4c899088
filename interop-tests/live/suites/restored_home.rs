//! A home restored from a copy made an hour ago: it publishes and receives on, and nobody elsewhere sees anything twice.
//!
//! The daemon's clock cannot be moved from here, so the hour is what made it long: traffic after the copy, in both
//! directions, and files dated an hour back. The copy is made while the daemon writes, as a careless backup is.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::daemon::Daemon;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "backup";

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let count = size.pick(20, 200);
    let mut elsewhere = Daemon::make(site, "elsewhere", "127.0.0.1", &[])?;
    elsewhere.start()?;
    let mut home = Daemon::make(site, "home", "127.0.0.1", &[elsewhere.locator()?])?;
    home.start()?;
    let mut pair = [elsewhere, home];
    share_group(GROUP, &pair)?;
    let [elsewhere, home] = &mut pair;
    elsewhere.wait_neighbours(GROUP, 1)?;
    let reader = elsewhere.subscribe(GROUP, "oldest")?;
    let mut lines = Vec::new();

    publish(&mut lines, "before", count, &[home, elsewhere])?;
    let copy = site.dir().join("copy");
    // Another thread writes for as long as the copy takes, and a little before and after.
    let (copied, mut during) = (AtomicBool::new(false), Vec::new());
    thread::scope(|scope| {
        let writer = scope.spawn(|| -> Result<Vec<String>> {
            let mut lines = Vec::new();
            for round in 0_u32.. {
                publish(&mut lines, &format!("during {round}"), 5, &[home])?;
                if copied.load(Ordering::Relaxed) {
                    break;
                }
            }
            Ok(lines)
        });
        thread::sleep(Duration::from_millis(100));
        let done = copy_home(home.home(), &copy);
        copied.store(true, Ordering::Relaxed);
        during = writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
        done
    })?;
    let written_during = during.len();
    lines.extend(during);
    let before = lines.len();
    publish(&mut lines, "the hour", count, &[home, elsewhere])?;
    until("the hour's lines are elsewhere", Duration::from_secs(20), || Ok(reader.count() >= lines.len()))?;

    home.stop()?;
    fs::remove_dir_all(home.home())?;
    fs::rename(&copy, home.home())?;
    date_back(home.home(), Duration::from_secs(3_600))?;
    home.start()?;
    elsewhere.wait_neighbours(GROUP, 1)?;
    home.wait_neighbours(GROUP, 1)?;
    let own = home.subscribe(GROUP, "oldest")?;
    let mut after = Vec::new();
    publish(&mut after, "after", count, &[home, elsewhere])?;
    let wanted: Vec<&str> = lines.iter().chain(&after).map(String::as_str).collect();
    // What is still missing then is counted below.
    let _ = until("every line is everywhere", Duration::from_secs(20), || {
        Ok(reader.tally(&wanted).lost + own.tally(&wanted).lost == 0)
    });
    thread::sleep(Duration::from_secs(2));
    let (there, here) = (reader.tally(&wanted), own.tally(&wanted));
    let pass = there.lost + there.duplicates + there.strange == 0 && here.lost + here.duplicates + here.strange == 0;
    if !pass {
        pair.iter().for_each(|daemon| eprintln!("{}", daemon.log_tail(30)));
    }
    let value = json!({
        "lines": wanted.len(), "during_the_copy": written_during, "after_the_copy": wanted.len() - after.len() - before,
        "after_the_restore": after.len(),
        "lost_elsewhere": there.lost, "duplicates_elsewhere": there.duplicates,
        "lost_at_home": here.lost, "duplicates_at_home": here.duplicates,
        "hour": "traffic after the copy and files dated back; the clock is not moved",
    });
    Ok(Verdict::of(pass, value))
}

/// Publishes lines from each daemon, every one acknowledged before the verb ends.
fn publish(into: &mut Vec<String>, when: &str, count: usize, from: &[&Daemon]) -> Result<()> {
    for daemon in from {
        let lines: Vec<String> = (0..count).map(|number| format!("{when} {number} {}", daemon.name())).collect();
        for line in &lines {
            let path = format!("/v1/groups/{GROUP}/messages?wait=sent");
            let answer = crate::http::post(daemon.home(), &path, line.as_bytes(), Duration::from_secs(30))?;
            let state = answer.body.get("state").and_then(serde_json::Value::as_str);
            anyhow::ensure!(state == Some("sent"), "`{line}` became {:?}", answer.body);
        }
        into.extend(lines);
    }
    Ok(())
}

/// Copies what a backup would: files, while they are being written; no sockets.
fn copy_home(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions())?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_home(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).with_context(|| entry.path().display().to_string())?;
        }
    }
    Ok(())
}

fn date_back(path: &Path, by: Duration) -> Result<()> {
    let date = SystemTime::now().checked_sub(by).context("a clock before its epoch")?;
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            date_back(&entry?.path(), by)?;
        }
    } else {
        fs::File::options().append(true).open(path)?.set_modified(date)?;
    }
    Ok(())
}
