//! Bars that other programs of the repository measure; here they are run at full size and read.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::client::{Ran, run_within};
use crate::site::Measured;
use crate::{Site, Size, Verdict};

/// How long a measurement may take. 2 hours: a thousand simulations on a busy machine.
const LONG: Duration = Duration::from_secs(7_200);

/// The rooms that must not lean on a system.
const PURE: [&str; 4] = ["crosscast-wire", "crosscast-port", "crosscast-seal", "crosscast-core"];

/// What would bring tasks, sockets, clocks or chance with it.
const IMPURE: [&str; 12] = [
    "tokio",
    "mio",
    "socket2",
    "async-io",
    "async-std",
    "smol",
    "rand",
    "getrandom",
    "fastrand",
    "chrono",
    "time",
    "instant",
];

fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(Site::repository()).env("CARGO_TERM_COLOR", "never");
    command
}

fn release(package: &str, bin: &str, args: &[&str]) -> Result<Ran> {
    let mut command = cargo();
    command.args(["run", "--release", "--quiet", "--package", package, "--bin", bin, "--"]).args(args);
    run_within(&mut command, LONG)
}

fn last_object(ran: &Ran) -> Result<Value> {
    let line = ran.out.lines().rev().find(|line| line.starts_with('{'));
    serde_json::from_str(line.with_context(|| format!("no result: {}", ran.err))?).context("the result does not parse")
}

fn hostile(verb: &str, each: Option<&str>, size: Size) -> Result<Verdict> {
    let mut args = vec![verb, "--seed", "1", "--count", size.pick("5000", "100000")];
    args.extend(each.into_iter().flat_map(|each| ["--each", each]));
    let ran = release("crosscast-hostile", "crosscast-hostile", &args)?;
    let result = last_object(&ran)?;
    Ok(Verdict::Done(Measured {
        value: result.get("value").cloned().unwrap_or(Value::Null),
        pass: ran.code == Some(0) && result.get("pass") == Some(&Value::Bool(true)),
        seed: result.get("seed").and_then(Value::as_u64),
    }))
}

pub(super) fn forged(_site: &Site, size: Size) -> Result<Verdict> {
    hostile("forge", None, size)
}

pub(super) fn mutated(_site: &Site, size: Size) -> Result<Verdict> {
    hostile("mutate", Some("100"), size)
}

pub(super) fn sim(_site: &Site, size: Size) -> Result<Verdict> {
    let seeds = size.pick(20, 1_000_u64);
    simulate(seeds, &[])
}

pub(super) fn sim_same_seed(_site: &Site, size: Size) -> Result<Verdict> {
    let seeds = size.pick(5, 100_u64);
    simulate(seeds, &["--twice"])
}

fn simulate(seeds: u64, more: &[&str]) -> Result<Verdict> {
    let range = format!("1..{}", seeds + 1);
    let mut args = vec!["--seeds", range.as_str(), "--nodes", "20", "--json"];
    args.extend(more);
    let ran = release("crosscast-sim", "sim", &args)?;
    let sums = last_object(&ran)?;
    let number = |name: &str| sums.get(name).and_then(Value::as_u64);
    let all = number("passed") == Some(seeds) && number("failed") == Some(0) && number("differing") == Some(0);
    Ok(Verdict::Done(Measured { pass: ran.code == Some(0) && all, value: sums, seed: Some(1) }))
}

pub(super) fn pure_rooms(_site: &Site, _size: Size) -> Result<Verdict> {
    let mut found = Vec::new();
    let mut crates = std::collections::BTreeSet::new();
    for room in PURE {
        let mut tree = cargo();
        tree.args(["tree", "--package", room, "--edges", "normal", "--target", "all", "--prefix", "none"]);
        for line in run_within(&mut tree, LONG)?.text()?.lines() {
            let name = line.split(' ').next().unwrap_or_default();
            crates.insert(name.to_owned());
            if IMPURE.contains(&name) || name.starts_with("tokio-") || name.starts_with("futures") {
                found.push(format!("{room}: {name}"));
            }
        }
    }
    let wasm = wasm()?;
    let value = json!({
        "rooms": PURE.len(), "crates_linked": crates.len(), "impure": found,
        "wasm32": match wasm { Some(true) => "builds", Some(false) => "fails", None => "not tried: no standard library here" },
    });
    Ok(Verdict::of(found.is_empty() && wasm != Some(false), value))
}

/// Whether the rooms build for a browser; none where the target's standard library cannot be had.
fn wasm() -> Result<Option<bool>> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut ask = Command::new("rustc");
    ask.args(["--print", "target-libdir", "--target", TARGET]);
    let folder = run_within(&mut ask, LONG)?.text()?;
    if std::fs::read_dir(folder.trim()).is_err() {
        return Ok(None);
    }
    let mut check = cargo();
    check.args(["check", "--quiet", "--target", TARGET]);
    for room in PURE {
        check.args(["--package", room]);
    }
    Ok(Some(run_within(&mut check, LONG)?.code == Some(0)))
}
