//! The golden vectors read by a program in another language that shares no line with ours.
//!
//! Its two libraries (BLAKE3 and Ed25519) go into a virtual environment under the build folder, made once.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::run;
use crate::stage::{Stage, Tally};

const SCRIPT: &str = "interop-tests/verifier/crosscast_verify.py";
const VECTORS: &str = "docs/spec/vectors";

/// Held within a major version, so that a release of theirs cannot turn our run red by changing an interface.
const LIBRARIES: &[&str] = &["blake3>=1,<2", "cryptography>=42"];

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    let root = stage.workspace.root.clone();
    for needed in [SCRIPT, VECTORS] {
        ensure!(root.join(needed).exists(), "there is no {needed}");
    }
    let Some(python) = environment(stage)? else {
        return Ok(Tally::skip("no Python with venv, or pip cannot fetch blake3 and cryptography"));
    };
    let mut verify = Command::new(&python);
    verify.args([SCRIPT, "vectors", VECTORS]).current_dir(&root);
    let done = stage.log.run(&mut verify)?;
    Ok(Tally::check(done.ok).note(format!("the second reader: {}", done.last_line())))
}

/// The interpreter of an environment that has the libraries.
fn environment(stage: &mut Stage<'_>) -> Result<Option<PathBuf>> {
    let folder = stage.workspace.target.join("venv");
    let python = folder.join("bin/python3");
    if has_libraries(&python) {
        return Ok(Some(python));
    }
    let made = stage.log.run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).is_ok_and(|done| done.ok);
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet"]).args(LIBRARIES);
    let ready = made && stage.log.run(&mut install).is_ok_and(|done| done.ok) && has_libraries(&python);
    Ok(ready.then_some(python))
}

fn has_libraries(python: &Path) -> bool {
    run::answers(Command::new(python).args(["-c", "import blake3, cryptography"]))
}
