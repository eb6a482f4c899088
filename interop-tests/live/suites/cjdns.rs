//! A group over a real cjdns, two hops long, when `CJDROUTE` names a binary: attaching, an attestation by the running
//! core, and lines that cross.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::attach::network;
use crate::client::{Publisher, write_paced};
use crate::daemon::{Daemon, Plan};
use crate::lab::cjdns::{self, Cjdns, Node};
use crate::lab::net::Net;
use crate::sharing::share_group;
use crate::{Site, Size, Verdict, until};

const GROUP: &str = "cjdns";
const PORT: u16 = 7700;
const WITHIN: Duration = Duration::from_secs(60);

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    if let Some(obstacle) = cjdns::obstacle() {
        return Ok(Verdict::skip(obstacle));
    }
    let mut net = Net::new();
    let lab = Cjdns::line(&mut net, site.dir(), 3)?;
    let (here, there) = (lab.node(0)?, lab.node(2)?);
    let near = member(site, "near", here, &[])?;
    let over = format!("cjdns://[{}]:{PORT}#{}", here.address(), near.node());
    let far = member(site, "far", there, &[over])?;
    let mut ends = [near, far];
    let attested = ends.iter().map(|daemon| attest(site, daemon)).collect::<Result<Vec<_>>>()?;
    for daemon in &mut ends {
        daemon.start()?;
    }
    let [near, far] = &ends;
    let mut said = Value::Null;
    let up = until("cjdns is up", WITHIN, || {
        said = network(near, "cjdns")?;
        Ok(said.get("state").and_then(Value::as_str) == Some("up") && !far.peers()?.is_empty())
    });
    up.with_context(|| format!("{said}\n{}\n{}", near.log_tail(20), far.log_tail(20)))?;
    share_group(GROUP, &ends)?;
    near.wait_neighbours(GROUP, 1)?;
    let reader = far.subscribe(GROUP, "oldest")?;
    let lines: Vec<String> = (0..size.pick(300, 10_000)).map(|number| format!("over cjdns {number}")).collect();
    let mut command = near.command();
    command.args(["pub", GROUP, "--json", "--wait", "sent", "--timeout", "5m"]);
    let mut publisher = Publisher::start(command)?;
    let (input, text) = (publisher.take_input()?, lines.clone());
    let writer = thread::spawn(move || write_paced(input, &text, 500));
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let fates = publisher.finish(WITHIN)?;
    let wanted: Vec<&str> = lines.iter().map(String::as_str).collect();
    // What is still missing then is counted below.
    let _ = until("every line has come", WITHIN, || Ok(reader.count() >= wanted.len()));
    let tally = reader.tally(&wanted);
    let over = reader.last().and_then(|entry| Some(entry.get("network")?.as_str()?.to_owned())).unwrap_or_default();
    let pass = tally.lost + tally.duplicates + tally.disordered + tally.strange == 0
        && fates.count("sent") == lines.len()
        && over == "cjdns"
        && attested.iter().all(|address| !address.is_empty());
    let value = json!({
        "lines": lines.len(), "lost": tally.lost, "duplicates": tally.duplicates, "disordered": tally.disordered,
        "network": over, "says": said, "attested": attested,
    });
    Ok(Verdict::of(pass, value))
}

fn member(site: &Site, name: &str, node: &Node, more: &[String]) -> Result<Daemon> {
    let mut attach = vec!["cjdns:127.0.0.1:11234".to_owned()];
    attach.extend(more.iter().cloned());
    Daemon::plan(site, name, &Plan { netns: Some(node.space()), attach: &attach, ..Plan::default() })
}

/// Has the running core attest whose it is; the address that it attests.
fn attest(site: &Site, daemon: &Daemon) -> Result<String> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = site.dir().join(format!("{}-password", daemon.name()));
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?;
    std::io::Write::write_all(&mut out, cjdns::PASSWORD.as_bytes())?;
    let words = ["key", "attest", "cjdns", "--password-file", &file.to_string_lossy()].map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Ok(daemon.run(&words)?.text()?.trim().to_owned())
}
