//! The golden vectors of `docs/spec`: made by a package of their own, checked for a difference by `test`.

use anyhow::{Context as _, Result};

use crate::metadata::Workspace;
use crate::run;
use crate::stage::{Stage, Tally};

/// The package that makes them.
const PACKAGE: &str = "crosscast-vectors";

/// Runs the maker with what was asked for.
pub(crate) fn main(args: &[String]) -> Result<bool> {
    let workspace = Workspace::load()?;
    workspace.member(PACKAGE).with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--package", PACKAGE, "--"]).args(args).current_dir(&workspace.root);
    Ok(command.status()?.success())
}

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    stage.workspace.member(PACKAGE).with_context(|| format!("the workspace has no package {PACKAGE}"))?;
    let mut command = run::cargo();
    command.args(["run", "--quiet", "--package", PACKAGE, "--", "--check"]).current_dir(&stage.workspace.root);
    let done = stage.log.run(&mut command)?;
    Ok(Tally::check(done.ok).note(done.last_line()))
}
