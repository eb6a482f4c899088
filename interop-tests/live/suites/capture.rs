//! What a live daemon sends, checked by a program in another language that shares no line with ours.
//!
//! A small client on the bare link records every frame of a group's traffic, decrypted by TLS and nothing else; the
//! verifier reads the record and checks every signature and hash. A record with one byte changed must be refused.

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::client::{Publisher, write_paced};
use crate::daemon::Daemon;
use crate::{Site, Size, Verdict, raw, text, tools};

const GROUP: &str = "watched";

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let Some(python) = tools::python()? else {
        return Ok(Verdict::skip("no Python with venv, or pip cannot fetch blake3 and cryptography"));
    };
    let count = size.pick(200, 10_000);
    let lines = text::lines(count)?;
    let mut daemon = Daemon::make(site, "watched", "127.0.0.1", &[])?;
    daemon.start()?;
    let made = daemon.json(&["group", "create", GROUP])?;
    let group = made.get("group").and_then(Value::as_str).context("a group's key")?;
    let mut command = daemon.command();
    command.args(["pub", GROUP, "--json", "--wait", "accepted"]);
    let mut publisher = Publisher::start(command)?;
    let input = publisher.take_input()?;
    let text = lines.clone();
    let writer = std::thread::spawn(move || write_paced(input, &text, count));
    let captured = raw::capture(&daemon.locator()?, group, count, Duration::from_secs(60))?;
    writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))??;
    let fates = publisher.finish(Duration::from_secs(30))?;
    ensure!(fates.states.len() == count, "{} of {count} lines answered: {}", fates.states.len(), fates.errors);

    let file = site.dir().join("stream");
    fs::write(&file, &captured.stream)?;
    let (accepted, said) = tools::verify_stream(&python, &file)?;
    let verified = said.lines().find_map(|line| line.strip_prefix("message ")).and_then(|n| n.parse().ok());
    // The last byte is the last one of a message's payload.
    let mut changed = captured.stream.clone();
    if let Some(byte) = changed.last_mut() {
        *byte ^= 1;
    }
    fs::write(&file, &changed)?;
    let (accepted_changed, _) = tools::verify_stream(&python, &file)?;
    let pass = accepted && verified == Some(captured.messages) && !accepted_changed;
    if !pass {
        eprintln!("the verifier said:\n{said}");
    }
    let value = json!({
        "bytes": captured.stream.len(), "frames": captured.frames, "messages": captured.messages,
        "entries": captured.entries, "messages_verified": verified, "one_bit_changed_refused": !accepted_changed,
    });
    Ok(Verdict::of(pass, value))
}
