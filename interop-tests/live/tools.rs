//! What a suite needs of the machine: who we are, which tools there are, a Python with libraries.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Site;
use crate::client::run_within;

/// How long pip may take to fetch a few libraries.
const PIP: Duration = Duration::from_secs(180);

/// The verifier's libraries, held within a major version.
const VERIFIER: Libraries =
    Libraries { install: &["blake3>=1,<2", "cryptography>=42"], import: "blake3, cryptography" };

/// The reader of JSON Schemas, held within a major version.
const SCHEMAS: Libraries = Libraries { install: &["jsonschema>=4.18,<5"], import: "jsonschema, referencing" };

/// What pip installs, and what a script imports then.
struct Libraries {
    install: &'static [&'static str],
    import: &'static str,
}

/// Whether this process is root.
#[must_use]
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    // Its own entry in /proc belongs to a process's effective user.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// Whether a tool can be started.
#[must_use]
pub fn has(tool: &str, arg: &str) -> bool {
    let mut command = Command::new(tool);
    command.arg(arg).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// The folder that cargo builds into, of which this executable is part.
///
/// # Errors
/// When the executable lies in no such folder.
pub fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let target = exe.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.context("this executable lies in no build folder")?.to_owned())
}

/// A Python with blake3 and cryptography, in an environment of its own under the build folder, made when missing.
/// None, when there is no Python or pip cannot fetch them.
///
/// # Errors
/// When there is no build folder.
pub fn python() -> Result<Option<PathBuf>> {
    python_with(&VERIFIER)
}

/// As [`python`], with jsonschema.
///
/// # Errors
/// When there is no build folder.
pub fn python_for_schemas() -> Result<Option<PathBuf>> {
    python_with(&SCHEMAS)
}

fn python_with(libraries: &Libraries) -> Result<Option<PathBuf>> {
    let folder = target()?.join("venv");
    let python = folder.join("bin/python3");
    if has_libraries(&python, libraries) {
        return Ok(Some(python));
    }
    let made = run_within(Command::new("python3").args(["-m", "venv"]).arg(&folder), PIP);
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet"]).args(libraries.install);
    let ready = made.is_ok_and(|ran| ran.code == Some(0))
        && run_within(&mut install, PIP).is_ok_and(|ran| ran.code == Some(0))
        && has_libraries(&python, libraries);
    Ok(ready.then_some(python))
}

fn has_libraries(python: &Path, libraries: &Libraries) -> bool {
    let mut ask = Command::new(python);
    ask.arg("-c").arg(format!("import {}", libraries.import));
    run_within(&mut ask, PIP).is_ok_and(|ran| ran.code == Some(0))
}

/// Runs the verifier over a captured stream: whether it accepts it, and what it said.
///
/// # Errors
/// When it cannot be run.
pub fn verify_stream(python: &Path, file: &Path) -> Result<(bool, String)> {
    let script = Site::repository().join("interop-tests/verifier/crosscast_verify.py");
    let ran = run_within(Command::new(python).arg(script).arg("stream").arg(file), Duration::from_secs(120))?;
    Ok((ran.code == Some(0), ran.out + &ran.err))
}
