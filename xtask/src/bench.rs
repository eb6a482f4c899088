//! Comparisons with peers: a workspace of their own, with its own lock file, never built by `test`.

use anyhow::{Result, bail};

use crate::metadata::Workspace;
use crate::run;

const MANIFEST: &str = "interop-tests/bench/peers/Cargo.toml";

/// Builds and runs the comparisons with optimisation.
pub(crate) fn main(args: &[String]) -> Result<bool> {
    let workspace = Workspace::load()?;
    if !workspace.root.join(MANIFEST).exists() {
        bail!("there are no comparisons to run: no {MANIFEST}");
    }
    let mut command = run::cargo();
    command.args(["run", "--release", "--manifest-path", MANIFEST, "--"]).args(args).current_dir(&workspace.root);
    Ok(command.status()?.success())
}
