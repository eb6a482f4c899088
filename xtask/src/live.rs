//! Live suites: scenarios that drive the shipped binary, built once with optimisation.
//!
//! The suites live in `interop-tests/live`, which prints one line each, `suite NAME: passed`, `failed` or
//! `skipped (reason)`. They are counted here one by one; the skipped ones are named with their reasons.

use anyhow::{Result, ensure};

use crate::stage::{Stage, Tally};
use crate::{install, run};

/// The package with the suites.
const PACKAGE: &str = "crosscast-live";

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    let root = stage.workspace.root.clone();
    let has_bin = stage.workspace.member(PACKAGE).is_some_and(|package| !package.bins.is_empty());
    ensure!(has_bin, "the workspace has no program {PACKAGE}");
    let mut build = run::cargo();
    build.args(["build", "--release"]).current_dir(&root);
    ensure!(stage.log.run(&mut build)?.ok, "the release build failed");
    let binary = stage.workspace.target.join("release/crosscast");
    let size = std::fs::metadata(&binary)?.len();
    println!("    release binary: {:.1} MB", size as f64 / 1e6);
    if let Some(note) = install::for_live(&mut stage.log)? {
        println!("    {note}");
    }

    let mut command = run::cargo();
    command.args(["run", "--quiet", "--package", PACKAGE, "--", "--bin"]).arg(&binary).current_dir(&root);
    let mut tally = Tally::default();
    let done = stage.log.run_watched(&mut command, |line| count(line, &mut tally))?;
    if tally.passed.saturating_add(tally.failed).saturating_add(tally.skipped) == 0 || (!done.ok && tally.failed == 0) {
        tally.add_counts(&Tally::check(false)); // it broke before or beside its suites
    }
    Ok(tally)
}

/// Counts and shows a suite's line; other lines stay in the log.
fn count(line: &str, tally: &mut Tally) {
    let Some((_, result)) = line.strip_prefix("suite ").and_then(|rest| rest.split_once(": ")) else { return };
    match result.split_whitespace().next() {
        Some("passed") => tally.passed = tally.passed.saturating_add(1),
        Some("failed") => tally.failed = tally.failed.saturating_add(1),
        Some("skipped") => tally.skipped = tally.skipped.saturating_add(1),
        Some(_) | None => return,
    }
    println!("    {}", shortened(line));
}

/// What fits a line of a terminal; the log has the whole.
fn shortened(line: &str) -> String {
    const MAX: usize = 118;
    if line.chars().count() <= MAX { line.to_owned() } else { line.chars().take(MAX).chain("..".chars()).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_counted_by_their_lines() {
        let mut tally = Tally::default();
        let lines = "suite demo: passed\nlistening\nsuite tls: failed (no answer)\nsuite ygg: skipped (no daemon)\nsuite x: odd";
        lines.lines().for_each(|line| count(line, &mut tally));
        assert_eq!(tally.line(), "1 passed, 1 failed, 1 skipped");
    }
}
