//! Tests that cannot run where they are say so, and are counted as skipped.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::thread;

/// The file that whoever runs the tests reads afterwards: one line a skipped test, its name and a tab and the reason.
const FILE: &str = "CROSSCAST_SKIPPED";

/// Says that the test on this thread does not run, and why: a line with what is missing and how to have it.
pub fn skip(reason: &str) {
    let reason = reason.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    println!("skipped: {reason}");
    let Some(file) = std::env::var_os(FILE) else { return };
    let line = format!("{}\t{reason}\n", thread::current().name().unwrap_or("a test"));
    // One write, so that lines of several processes stay whole.
    OpenOptions::new().append(true).create(true).open(file).unwrap().write_all(line.as_bytes()).unwrap();
}
