//! `sim revocation` and `sim absence`: named scenarios, one line for each seed, as text or JSON.

use std::io::Write as _;
use std::process::ExitCode;

use crosscast_sim::{absence, revocation};

use crate::{one_seed, seeds};

const USAGE: &str = "usage: sim revocation (--seed N | --seeds A..B) [--nodes N] [--away SECONDS] [--json]\n       \
                     sim absence (--seed N | --seeds A..B) [--nodes N] [--json]";

/// Nodes of each drill, and how long a quarter of them is away.
const REVOCATION_NODES: u32 = 100;
const ABSENCE_NODES: u32 = 6;
const AWAY_S: u64 = 3_600;

/// Runs the drill of this name; `None` when there is none.
pub(crate) fn main(name: &str, args: impl Iterator<Item = String>) -> Option<ExitCode> {
    let nodes = match name {
        "revocation" => REVOCATION_NODES,
        "absence" => ABSENCE_NODES,
        _ => return None,
    };
    let Some(options) = options(nodes, args) else {
        eprintln!("{USAGE}");
        return Some(ExitCode::from(2));
    };
    let mut failed = 0_u64;
    for seed in options.seeds.clone() {
        let (pass, json, text) = if name == "revocation" {
            let out = revocation(seed, options.nodes, options.away_s);
            let text = format!(
                "floor p95 {} ms max {} ms, key max {} ms, after link-up p95 {} ms, lost {} of {}, opened late {}",
                out.floor.percentile(95),
                out.floor.percentile(100),
                out.key.percentile(100),
                out.floor_after_link.percentile(95),
                out.lost,
                out.required,
                out.opened_late,
            );
            (out.pass(), out.json(), format!("{text} {:?}", out.failures))
        } else {
            let out = absence(seed, options.nodes);
            let text = format!("{} renewed, lost {} of {} {:?}", out.renewed, out.lost, out.required, out.failures);
            (out.pass(), out.json(), text)
        };
        failed = failed.saturating_add(u64::from(!pass));
        let line = if options.json { json } else { format!("seed {seed}: {} {text}", word(pass)) };
        // A closed pipe ends the run when the process does.
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Options {
    seeds: std::ops::Range<u64>,
    nodes: u32,
    away_s: u64,
    json: bool,
}

fn options(nodes: u32, mut args: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { seeds: 0..0, nodes, away_s: AWAY_S, json: false };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seed" => options.seeds = one_seed(&args.next()?)?,
            "--seeds" => options.seeds = seeds(&args.next()?)?,
            "--nodes" => options.nodes = args.next()?.parse().ok()?,
            "--away" => options.away_s = args.next()?.parse().ok()?,
            "--json" => options.json = true,
            _ => return None,
        }
    }
    (!options.seeds.is_empty()).then_some(options)
}

const fn word(pass: bool) -> &'static str {
    if pass { "pass" } else { "FAIL" }
}
