//! The hot paths under a committed ceiling of instructions, counted by callgrind.
//!
//! A count does not depend on how busy the machine is, so it can fail a run where a clock could not. It does depend on
//! which instructions the processor has, as valgrind shows them: elsewhere than on x86-64 with AVX2 the stage is skipped.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::run;
use crate::stage::{Stage, Tally};

const CEILINGS: &str = "interop-tests/instructions/ceilings.txt";
const PACKAGE: &str = "crosscast-instructions";

/// A path is worth a new ceiling when it needs less than this many percent of the old one.
const SLACK_PERCENT: u64 = 75;

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    if !has_avx2() {
        return Ok(Tally::skip("the ceilings are for x86-64 with AVX2"));
    }
    if !has_valgrind(stage) {
        return Ok(Tally::skip("no valgrind: apt-get install valgrind"));
    }
    let root = stage.workspace.root.clone();
    let ceilings = ceilings(&root.join(CEILINGS))?;
    let mut build = run::cargo();
    build.args(["build", "--release", "-p", PACKAGE]).current_dir(&root);
    ensure!(stage.log.run(&mut build)?.ok, "{PACKAGE} does not build");
    let program = stage.workspace.target.join("release").join(PACKAGE);
    let mut tally = Tally::default();
    for (path, ceiling) in ceilings {
        let count = count(stage, &program, &path).with_context(|| format!("cannot count {path}"))?;
        let ok = count <= ceiling;
        tally.add_counts(&Tally::check(ok));
        let line = format!("{path}: {count} instructions, at most {ceiling}");
        stage.log.note(&line)?;
        if !ok || count.saturating_mul(100) < ceiling.saturating_mul(SLACK_PERCENT) {
            tally = tally.note(line);
        }
    }
    Ok(tally)
}

/// Instructions of doing a path once.
fn count(stage: &mut Stage<'_>, program: &Path, path: &str) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"]);
    let done = stage.log.run(command.arg(program).arg(path))?;
    ensure!(done.ok, "it failed");
    let (times, sum) = parse(&done.text).context("callgrind said something else")?;
    sum.checked_div(times).context("it was done no times")
}

/// Reads the number of times and `==123== Collected : 456`.
fn parse(text: &str) -> Option<(u64, u64)> {
    let times = text.lines().find_map(|line| line.trim().parse().ok())?;
    let sum = text.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())?;
    Some((times, sum))
}

/// Reads `path ceiling` lines; `#` begins a comment.
fn ceilings(file: &Path) -> Result<Vec<(String, u64)>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let (path, ceiling) = line.split_once(' ').with_context(|| format!("`{line}` has no ceiling"))?;
        Ok((path.to_owned(), ceiling.trim().parse().with_context(|| format!("`{line}` has no number"))?))
    };
    lines.map(pair).collect()
}

fn has_valgrind(stage: &mut Stage<'_>) -> bool {
    let answers = || run::answers(Command::new("valgrind").arg("--version"));
    let install = ["-qq", "install", "--no-install-recommends", "-y", "valgrind"];
    // Without root this fails at once, and the stage says what to install.
    answers() || (stage.log.run(Command::new("apt-get").args(install)).is_ok_and(|done| done.ok) && answers())
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
const fn has_avx2() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_callgrind_are_read() {
        let text = "==7== Callgrind\n1000\n==7== \n==7== Events    : Ir\n==7== Collected : 5000\n==7==\n";
        assert_eq!(parse(text), Some((1000, 5000)));
        assert_eq!(parse("==7== Collected : 5000\n"), None);
    }
}
