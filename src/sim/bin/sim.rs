//! The simulator on the command line: one seed or many, twice when asked, as text or JSON.
//!
//! `sim --seed N`, `sim --seeds A..B`; `--nodes N`, `--twice` (the same seed again must give the same hash),
//! `--json`, `--threads N`, `--trace FILE` (one seed: everything that happened, for a reader). `sim revocation` and
//! `sim absence` run the named scenarios.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "this is the driver's side of the door")]

mod drills;

use std::io::Write as _;
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crosscast_core::Node;
use crosscast_sim::{NODES, Report, Scenario, Violation, run_traced};

const USAGE: &str =
    "usage: sim (--seed N | --seeds A..B) [--nodes N] [--twice] [--json] [--threads N] [--trace FILE] [--verbose]";

#[derive(Clone, Debug)]
struct Options {
    seeds: Range<u64>,
    nodes: u32,
    twice: bool,
    json: bool,
    verbose: bool,
    threads: usize,
    trace: Option<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Option<Options> {
    let mut options =
        Options { seeds: 0..0, nodes: NODES, twice: false, json: false, verbose: false, threads: 2, trace: None };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--seed" => options.seeds = one_seed(&args.next()?)?,
            "--seeds" => options.seeds = seeds(&args.next()?)?,
            "--nodes" => options.nodes = args.next()?.parse().ok()?,
            "--threads" => options.threads = args.next()?.parse().ok()?,
            "--trace" => options.trace = Some(args.next()?),
            "--twice" => options.twice = true,
            "--json" => options.json = true,
            "--verbose" => options.verbose = true,
            _ => return None,
        }
    }
    (!options.seeds.is_empty()).then_some(options)
}

/// What `--seed N` means.
fn one_seed(text: &str) -> Option<Range<u64>> {
    let seed: u64 = text.parse().ok()?;
    Some(seed..seed.checked_add(1)?)
}

/// What `--seeds A..B` means.
fn seeds(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.split_once("..")?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

#[derive(Debug, Default)]
struct Sums {
    passed: u64,
    failed: u64,
    differing: u64,
    messages: u64,
    deliveries: u64,
    required: u64,
    excused: u64,
    skipped: u64,
}

fn run(seed: u64, options: &Options) -> Result<Report, Violation> {
    let scenario = Scenario::random(seed, options.nodes);
    if options.verbose {
        eprintln!("{scenario:#?}");
    }
    let (verdict, text) = run_traced::<Node>(&scenario, options.trace.is_some());
    if let Some(path) = &options.trace
        && let Err(error) = std::fs::write(path, text)
    {
        eprintln!("{path}: {error}");
    }
    verdict
}

/// Runs a seed, says what came of it, and adds it up.
fn judge(seed: u64, options: &Options, sums: &Mutex<Sums>) {
    let begun = Instant::now();
    let verdict = run(seed, options);
    let millis = begun.elapsed().as_millis();
    let again = options.twice.then(|| run(seed, options));
    let same = again.is_none_or(|again| again == verdict);
    let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !same {
        sums.differing += 1;
        println!("seed {seed}: two runs differ");
    }
    let line = match &verdict {
        Ok(report) => {
            sums.passed += 1;
            sums.messages += report.messages;
            sums.deliveries += report.deliveries;
            sums.required += report.required;
            sums.excused += report.excused.values().sum::<u64>();
            sums.skipped += report.skipped;
            if options.json {
                format!("{{\"pass\":true,\"same\":{same},\"ms\":{millis},{}}}", report.json_fields())
            } else {
                format!(
                    "seed {seed}: {} messages, {} deliveries, {} required, {} excused, {} frames, {millis} ms, {}",
                    report.messages,
                    report.deliveries,
                    report.required,
                    report.excused.values().sum::<u64>(),
                    report.frames,
                    report.hash_text().get(..16).unwrap_or_default(),
                )
            }
        }
        Err(violation) => {
            sums.failed += 1;
            if options.json {
                let rule = format!("{:?}", violation.rule).to_lowercase();
                let (at, what) = (violation.at, escaped(&violation.what));
                format!(
                    "{{\"pass\":false,\"same\":{same},\"ms\":{millis},\"seed\":{seed},\"rule\":\"{rule}\",\
                     \"at_us\":{at},\"what\":\"{what}\"}}"
                )
            } else {
                format!("{violation}")
            }
        }
    };
    // A closed pipe ends the run when the process does.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Text as it may stand in a JSON string.
fn escaped(text: &str) -> String {
    text.replace(char::is_control, " ").replace('\\', "\\\\").replace('"', "\\\"")
}

fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    if let Some(code) = drills::main(&name, std::env::args().skip(2)) {
        return code;
    }
    let Some(options) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let begun = Instant::now();
    let next = AtomicU64::new(options.seeds.start);
    let sums = Mutex::new(Sums::default());
    std::thread::scope(|scope| {
        for _ in 0..options.threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.seeds.end {
                        break;
                    }
                    judge(seed, &options, &sums);
                }
            });
        }
    });
    let sums = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let seconds = begun.elapsed().as_secs_f64();
    if options.json {
        println!(
            "{{\"seeds\":{},\"passed\":{},\"failed\":{},\"differing\":{},\"messages\":{},\"deliveries\":{},\
             \"required\":{},\"excused\":{},\"skipped\":{},\"secs\":{seconds:.1}}}",
            sums.passed + sums.failed,
            sums.passed,
            sums.failed,
            sums.differing,
            sums.messages,
            sums.deliveries,
            sums.required,
            sums.excused,
            sums.skipped,
        );
    } else {
        println!(
            "{} passed, {} failed, {} differing, {} messages, {} deliveries in {seconds:.1} s",
            sums.passed, sums.failed, sums.differing, sums.messages, sums.deliveries
        );
    }
    if sums.failed + sums.differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
