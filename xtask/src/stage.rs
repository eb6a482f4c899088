//! Stages: one line each with its counts and seconds, a log each, the tail of the log when something failed.
//!
//! A stage that could not run says why and counts as skipped; nothing is left out in silence. The last line of a whole
//! run is exactly `N passed, N failed, N skipped`.

use std::io::Write as _;
use std::time::Instant;

use anyhow::Result;

use crate::metadata::Workspace;
use crate::run::Log;

/// Lines of a failed stage's log that are shown.
const TAIL_LINES: usize = 60;

/// What a stage found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Checks or tests that held.
    pub(crate) passed: u64,
    /// Checks or tests that did not.
    pub(crate) failed: u64,
    /// Tests or suites that did not run.
    pub(crate) skipped: u64,
    /// Lines for whoever reads the run: what was skipped and why, what was measured.
    pub(crate) notes: Vec<String>,
}

impl Tally {
    /// One check that held or not.
    pub(crate) fn check(ok: bool) -> Self {
        Self { passed: u64::from(ok), failed: u64::from(!ok), ..Self::default() }
    }

    /// One thing that did not run, and why.
    pub(crate) fn skip(reason: impl Into<String>) -> Self {
        Self { skipped: 1, notes: vec![format!("skipped: {}", reason.into())], ..Self::default() }
    }

    /// Adds a line to read.
    pub(crate) fn note(mut self, line: impl Into<String>) -> Self {
        self.notes.push(line.into());
        self
    }

    /// Adds another stage's counts, not its lines.
    pub(crate) fn add_counts(&mut self, other: &Self) {
        self.passed = self.passed.saturating_add(other.passed);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
    }

    /// `N passed, N failed, N skipped`.
    pub(crate) fn line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// What a stage may use.
pub(crate) struct Stage<'a> {
    /// The workspace under test.
    pub(crate) workspace: &'a Workspace,
    /// Whether the network may be asked for what changes by the day.
    pub(crate) online: bool,
    /// Where commands write.
    pub(crate) log: Log,
}

/// What a stage does.
pub(crate) type Work = fn(&mut Stage<'_>) -> Result<Tally>;

/// Runs one stage and prints its line; what could not even start counts as one failure.
pub(crate) fn run(name: &str, work: Work, workspace: &Workspace, online: bool) -> Result<Tally> {
    println!("{name} ...");
    std::io::stdout().flush()?;
    let log = Log::create(workspace.target.join("xtask").join(format!("{name}.log")))?;
    let mut stage = Stage { workspace, online, log };
    let start = Instant::now();
    let tally = work(&mut stage).unwrap_or_else(|error| Tally::check(false).note(format!("{error:#}")));
    let seconds = start.elapsed().as_secs_f64();
    for note in &tally.notes {
        println!("    {note}");
    }
    if tally.failed > 0 {
        let log = stage.log.path().strip_prefix(&workspace.root).unwrap_or(stage.log.path());
        println!("---- end of {} ----\n{}\n----", log.display(), stage.log.tail(TAIL_LINES)?);
    }
    println!("{name}: {}, {seconds:.1} s", tally.line());
    std::io::stdout().flush()?;
    Ok(tally)
}
