//! `crosscast demo`: every line of a real text everywhere exactly once, also where the usual ports are taken.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::client::run_within;
use crate::{Site, Size, Verdict, text};

/// Ports that documentation and examples name.
const USUAL_PORTS: [u16; 5] = [7700, 7701, 7702, 7710, 7780];

pub(super) fn run(site: &Site, size: Size) -> Result<Verdict> {
    let mut command = Command::new(site.bin());
    command.args(["demo", "--json"]).env("NO_COLOR", "1");
    match size {
        Size::Reduced => {
            command.args(["--lines", "200"]);
        }
        Size::Full => {
            let file = site.dir().join("text");
            std::fs::write(&file, text::lines(10_000)?.join("\n") + "\n")?;
            command.arg("--input").arg(file);
        }
    }
    let taken: Vec<TcpListener> =
        USUAL_PORTS.iter().filter_map(|port| TcpListener::bind(("0.0.0.0", *port)).ok()).collect();
    let ran = run_within(&mut command, Duration::from_secs(600))?;
    let last = ran.out.lines().last().unwrap_or_default();
    let sums: Value =
        serde_json::from_str(last).with_context(|| format!("the demo ended with `{last}`: {}", ran.err))?;
    let number = |name: &str| sums.get(name).and_then(Value::as_u64);
    let zero = |name: &str| number(name) == Some(0);
    let lines = size.pick(200, 10_000);
    let sums_up = number("receivers").and_then(|receivers| receivers.checked_mul(lines)) == number("delivered");
    let clean = zero("lost") && zero("duplicates") && zero("unverified");
    let pass = ran.code == Some(0) && clean && sums_up && number("sent") == Some(lines);
    Ok(Verdict::of(pass, json!({ "exit": ran.code, "usual_ports_taken": taken.len(), "demo": sums })))
}
