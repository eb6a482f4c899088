//! Stand-ins for host nodes: admin servers that answer as real daemons were recorded to answer, and hostile ones.
//!
//! The recordings lie in `interop-tests/fixtures`, a folder for each program and version: `NAME.req` is what was
//! written to a fresh connection, `NAME.res` what came back, byte for byte. A replaying server says those bytes and
//! nothing else. The servers are threads over blocking sockets, so a test on any runtime, or on none, can start one.
// These are tests in the form of a library.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

pub mod cjdns;
pub mod yggdrasil;

/// The folder of the recordings of a program's version, such as `yggdrasil-0.4.7`.
#[must_use]
pub fn fixture(of: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).join(of)
}
