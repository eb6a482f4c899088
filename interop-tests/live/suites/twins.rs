//! Two machines with one identity key: both linked to a third and to each other, both at work, neither disturbed. A
//! fourth dials both.

use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::Subscriber;
use crate::daemon::Daemon;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "twins";

/// Pause between two rounds in which each of the three publishes a line.
const ROUND: Duration = Duration::from_millis(250);

/// Refusals that would mean that one twin takes the other for a forger or for itself.
const SUSPICIONS: &[&str] = &["replayed", "bad-hello", "bad-proof", "bad-signature", "bad-payload", "windows-full"];

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let mut third = Daemon::make(site, "third", "127.0.0.1", &[])?;
    third.start()?;
    let mut first = Daemon::make(site, "first", "127.0.0.1", &[third.locator()?])?;
    first.start()?;
    let second = Daemon::make(site, "second", "127.0.0.1", &[third.locator()?, first.locator()?])?;
    fs::copy(first.home().join("identity.key"), second.home().join("identity.key"))?;
    let mut all = [third, first, second];
    let [third, first, second] = &mut all;
    second.start()?;
    // One that dials both, with the same key expected at two places.
    let places = [first.locator()?, format!("{}#{}", second.place()?, first.node())];
    let mut fourth = Daemon::make(site, "fourth", "127.0.0.1", &places)?;
    fourth.start()?;
    let key = second.run(&["key", "show"])?.text()?;
    ensure!(key.trim() == first.node(), "the second twin has another key");
    let twin = first.node().to_owned();
    until("the third lists two instances", Duration::from_secs(20), || Ok(instances(third, &twin)?.len() == 2))?;
    until("who dials both lists both", Duration::from_secs(20), || Ok(instances(&fourth, &twin)?.len() == 2))
        .with_context(|| fourth.log_tail(20))?;
    until("each twin lists the other", Duration::from_secs(20), || {
        Ok(instances(first, &twin)?.len() == 1 && instances(second, &twin)?.len() == 1)
    })
    .with_context(|| format!("{}\n{}", first.log_tail(20), second.log_tail(20)))?;
    share_group(GROUP, &all)?;
    let [third, first, second] = &all;
    for daemon in &all {
        daemon.wait_neighbours(GROUP, 2)?;
    }
    let readers = all.iter().map(|daemon| daemon.subscribe(GROUP, "oldest")).collect::<Result<Vec<Subscriber>>>()?;
    let before = links(&all)?;
    let (start, span) = (Instant::now(), Duration::from_secs(size.pick(20, 60)));
    let mut lines = Vec::new();
    let mut round = 0_u32;
    while start.elapsed() < span {
        for daemon in [third, first, second] {
            let line = format!("{round} from {}", daemon.name());
            daemon.run(&["pub", GROUP, &line])?.text()?;
            lines.push(line);
        }
        round += 1;
        thread::sleep(ROUND);
    }
    let wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
    // What is still missing then is counted below.
    let _ = until("every line is everywhere", Duration::from_secs(15), || {
        Ok(readers.iter().all(|reader| reader.tally(&wanted).lost == 0))
    });
    let tallies: Vec<_> = readers.iter().map(|reader| reader.tally(&wanted)).collect();
    let lost: usize = tallies.iter().map(|tally| tally.lost).sum();
    let duplicates: usize = tallies.iter().map(|tally| tally.duplicates).sum();
    let downs: usize = all.iter().chain([&fourth]).map(|daemon| daemon.log_count("peer down")).sum();
    let suspicions = all.iter().map(|daemon| daemon.rejects(SUSPICIONS)).sum::<Result<u64>>()?;
    let same_links = links(&all)? == before;
    let listed = instances(third, &twin)?.len().min(instances(&fourth, &twin)?.len());
    let pass = lost + duplicates + downs == 0 && suspicions == 0 && same_links && listed == 2;
    if !pass {
        all.iter().for_each(|daemon| eprintln!("{}", daemon.log_tail(30)));
    }
    let value = json!({
        "secs": span.as_secs(), "instances": listed, "lines": lines.len(), "lost": lost, "duplicates": duplicates,
        "peer_downs": downs, "same_links": same_links, "suspicions": suspicions,
    });
    Ok(Verdict::of(pass, value))
}

/// The instances of a key that a daemon is linked to.
fn instances(daemon: &Daemon, node: &str) -> Result<BTreeSet<String>> {
    let of_node = |peer: &Value| peer.get("node").and_then(Value::as_str) == Some(node);
    let peers = daemon.peers()?;
    peers.iter().filter(|peer| of_node(peer)).map(|peer| field(peer, "instance")).collect()
}

/// Every link of every daemon with the moment it came up.
fn links(daemons: &[Daemon]) -> Result<BTreeSet<(String, String, String)>> {
    let mut links = BTreeSet::new();
    for daemon in daemons {
        for peer in daemon.peers()? {
            links.insert((daemon.name().to_owned(), field(&peer, "instance")?, field(&peer, "up_since")?));
        }
    }
    Ok(links)
}

fn field(peer: &Value, name: &str) -> Result<String> {
    peer.get(name).map(ToString::to_string).with_context(|| format!("a peer without {name}"))
}
