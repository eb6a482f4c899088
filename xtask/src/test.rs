//! `cargo xtask test`: every kind of test, stage by stage; what CI runs.
//!
//! Always the whole workspace with the same features, so that cargo builds each crate once. A stage that finds
//! something wrong does not stop the next; the last line is exactly `N passed, N failed, N skipped`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::metadata::Workspace;
use crate::stage::{self, Stage, Tally, Work};
use crate::{deny, install, instructions, live, rooms, run, tidy, vectors, verifier, wasm};

/// What was asked for.
#[derive(Default)]
pub(crate) struct Options {
    /// Whether to ask the network for what changes by the day.
    pub(crate) online: bool,
    /// These stages only; empty means all.
    pub(crate) only: Vec<String>,
}

/// Cheap ones first: a broken wall should not wait for a build.
const STAGES: &[(&str, Work)] = &[
    ("fmt", fmt),
    ("rooms", room_walls),
    ("tidy", tidiness),
    ("clippy", clippy),
    ("tests", tests),
    ("doctests", doctests),
    ("fuzz", fuzz),
    ("vectors", vectors::stage),
    ("verifier", verifier::stage),
    ("deny", deny::stage),
    ("wasm32", wasm::stage),
    ("instructions", instructions::stage),
    ("live", live::stage),
];

/// Runs the stages; true when nothing failed.
pub(crate) fn main(options: &Options) -> Result<bool> {
    for name in &options.only {
        if !STAGES.iter().any(|(stage, _)| stage == name) {
            let names: Vec<&str> = STAGES.iter().map(|(name, _)| *name).collect();
            bail!("there is no stage `{name}`; there are {}", names.join(", "));
        }
    }
    let workspace = Workspace::load()?;
    let mut sum = Tally::default();
    for (name, work) in STAGES {
        if options.only.is_empty() || options.only.iter().any(|only| only == name) {
            sum.add_counts(&stage::run(name, *work, &workspace, options.online)?);
        }
    }
    println!("{}", sum.line());
    Ok(sum.failed == 0)
}

fn fmt(stage: &mut Stage<'_>) -> Result<Tally> {
    let mut command = run::cargo();
    command.args(["fmt", "--all", "--check", "--", "--color", "never"]).current_dir(&stage.workspace.root);
    Ok(Tally::check(stage.log.run(&mut command)?.ok))
}

fn room_walls(stage: &mut Stage<'_>) -> Result<Tally> {
    let broken = rooms::broken_walls(stage.workspace)?;
    for line in &broken {
        stage.log.note(line)?;
    }
    Ok(Tally::check(broken.is_empty()))
}

fn tidiness(stage: &mut Stage<'_>) -> Result<Tally> {
    let (files, broken) = tidy::untidy(&stage.workspace.root)?;
    for line in &broken {
        stage.log.note(line)?;
    }
    Ok(Tally::check(broken.is_empty()).note(format!("{files} files read")))
}

fn clippy(stage: &mut Stage<'_>) -> Result<Tally> {
    let mut command = run::cargo();
    command
        .args(["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"])
        .current_dir(&stage.workspace.root);
    Ok(Tally::check(stage.log.run(&mut command)?.ok))
}

fn tests(stage: &mut Stage<'_>) -> Result<Tally> {
    let installed = install::for_live(&mut stage.log)?;
    let skipped = stage.workspace.target.join("xtask/skipped.txt");
    let _ = fs::remove_file(&skipped);
    let mut command = run::cargo();
    command.current_dir(&stage.workspace.root).env("CROSSCAST_SKIPPED", &skipped);
    let tally = run_tests(stage, command)?;
    let tally = without_skipped(tally, &fs::read_to_string(&skipped).unwrap_or_default());
    Ok(installed.into_iter().fold(tally, Tally::note))
}

fn run_tests(stage: &mut Stage<'_>, mut command: Command) -> Result<Tally> {
    if run::answers(run::cargo().args(["nextest", "--version"])) {
        command.args(["nextest", "run", "--workspace", "--profile", "ci", "--no-tests", "pass"]);
        let done = stage.log.run(&mut command)?;
        Ok(at_least_failed(done.ok, nextest_counts(&done.text)))
    } else {
        command.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
        let done = stage.log.run(&mut command)?;
        Ok(at_least_failed(done.ok, libtest_counts(&done.text)).note("cargo-nextest is not installed: ran cargo test"))
    }
}

/// Tests that found they cannot run here end as passed ones do; they have told the file, a line each, name and reason.
fn without_skipped(mut tally: Tally, told: &str) -> Tally {
    let mut reasons: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, reason) in told.lines().filter_map(|line| line.split_once('\t')) {
        reasons.entry(reason).or_default().insert(name);
    }
    for (reason, names) in reasons {
        let count = names.len() as u64;
        tally.passed = tally.passed.saturating_sub(count);
        tally.skipped = tally.skipped.saturating_add(count);
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        tally = tally.note(format!("skipped {count}: {reason}: {names}"));
    }
    tally
}

fn doctests(stage: &mut Stage<'_>) -> Result<Tally> {
    let mut command = run::cargo();
    command.args(["test", "--workspace", "--doc", "--no-fail-fast"]).current_dir(&stage.workspace.root);
    let done = stage.log.run(&mut command)?;
    Ok(at_least_failed(done.ok, libtest_counts(&done.text)))
}

/// Replays the kept inputs of the fuzz targets with the stable compiler; the package stands outside the workspace.
fn fuzz(stage: &mut Stage<'_>) -> Result<Tally> {
    const MANIFEST: &str = "interop-tests/fuzz/Cargo.toml";
    ensure!(stage.workspace.root.join(MANIFEST).exists(), "there is no {MANIFEST}");
    let mut command = run::cargo();
    command.args(["test", "--manifest-path", MANIFEST]).current_dir(&stage.workspace.root);
    command.env("CARGO_TARGET_DIR", &stage.workspace.target);
    let done = stage.log.run(&mut command)?;
    Ok(at_least_failed(done.ok, libtest_counts(&done.text)))
}

/// A command that failed without a failed test (it did not compile, say) counts as one failure.
fn at_least_failed(ok: bool, mut tally: Tally) -> Tally {
    if !ok && tally.failed == 0 {
        tally.failed = 1;
    }
    tally
}

/// Reads `Summary [..] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped`.
fn nextest_counts(text: &str) -> Tally {
    let mut tally = Tally::default();
    let Some(line) = text.lines().rev().find(|line| line.trim_start().starts_with("Summary [")) else { return tally };
    let Some((_, counts)) = line.split_once(" run: ") else { return tally };
    for (number, word) in counted(&without_asides(counts)) {
        match word.as_str() {
            "passed" => tally.passed = number,
            "skipped" => tally.skipped = number,
            _ => tally.failed = tally.failed.saturating_add(number), // failed, timed out, exec failed
        }
    }
    tally
}

/// Adds up `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`.
pub(crate) fn libtest_counts(text: &str) -> Tally {
    let mut tally = Tally::default();
    for line in text.lines() {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            continue;
        };
        for (number, word) in counted(&counts.replace(';', ",")) {
            match word.as_str() {
                "passed" => tally.passed = tally.passed.saturating_add(number),
                "failed" => tally.failed = tally.failed.saturating_add(number),
                "ignored" => tally.skipped = tally.skipped.saturating_add(number),
                _ => {} // measured and filtered out: neither is asked for
            }
        }
    }
    tally
}

fn counted(list: &str) -> Vec<(u64, String)> {
    let part = |part: &str| {
        let (number, word) = part.trim().split_once(' ')?;
        Some((number.parse().ok()?, word.trim().to_owned()))
    };
    list.split(',').filter_map(part).collect()
}

fn without_asides(text: &str) -> String {
    let mut depth = 0_usize;
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_nextest_are_read() {
        let line =
            "     Summary [   0.9s] 9/12 tests run: 5 passed (1 slow, 2 flaky), 2 failed, 1 timed out, 3 skipped\n";
        assert_eq!(nextest_counts(line).line(), "5 passed, 3 failed, 3 skipped");
        assert_eq!(
            nextest_counts("     Summary [ 0.1s] 1 test run: 1 passed, 0 skipped").line(),
            "1 passed, 0 failed, 0 skipped"
        );
    }

    #[test]
    fn counts_of_libtest_are_added_up() {
        let one = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.00s\n";
        assert_eq!(libtest_counts(&format!("{one}\n{one}")).line(), "6 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn tests_that_could_not_run_are_not_counted_as_passed() {
        let tally = Tally { passed: 5, ..Tally::default() };
        let tally = without_skipped(tally, "a\tno daemon here\nb\tno daemon here\na\tno daemon here\nc\tnot root\n");
        assert_eq!(tally.line(), "2 passed, 0 failed, 3 skipped");
        assert_eq!(tally.notes, ["skipped 2: no daemon here: a, b", "skipped 1: not root: c"]);
    }

    #[test]
    fn what_does_not_compile_is_a_failure() {
        assert_eq!(at_least_failed(false, Tally::default()).line(), "0 passed, 1 failed, 0 skipped");
        assert_eq!(at_least_failed(true, Tally::default()).line(), "0 passed, 0 failed, 0 skipped");
    }
}
