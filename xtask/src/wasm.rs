//! The pure rooms build for wasm32-unknown-unknown: nothing in them leans on an operating system.
//!
//! The target's standard library comes from rustup; where there is no rustup, or it cannot fetch, the stage says so.

use std::process::Command;

use anyhow::Result;

use crate::run;
use crate::stage::{Stage, Tally};

const TARGET: &str = "wasm32-unknown-unknown";

/// The rooms that a browser could run.
const ROOMS: &[&str] = &["crosscast-wire", "crosscast-port", "crosscast-seal", "crosscast-core"];

/// The stage of `cargo xtask test`.
pub(crate) fn stage(stage: &mut Stage<'_>) -> Result<Tally> {
    if !has_target() {
        let mut add = Command::new("rustup");
        add.args(["target", "add", TARGET]).current_dir(&stage.workspace.root);
        let added = stage.log.run(&mut add).is_ok_and(|done| done.ok);
        if !added || !has_target() {
            return Ok(Tally::skip(format!("no standard library for {TARGET} (rustup target add {TARGET})")));
        }
    }
    let mut check = run::cargo();
    check.args(["check", "--target", TARGET]).current_dir(&stage.workspace.root);
    for room in ROOMS {
        check.args(["--package", room]);
    }
    Ok(Tally::check(stage.log.run(&mut check)?.ok))
}

fn has_target() -> bool {
    let mut ask = Command::new("rustc");
    ask.args(["--print", "target-libdir", "--target", TARGET]);
    run::output(&mut ask)
        .is_ok_and(|folder| std::fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some()))
}
