//! The command line as its users meet it: real daemons, their sockets, their exit codes, the exact fields of `--json`.
//!
//! Each test has homes of its own in a short temporary folder, and ends its daemons by their handles.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "cli/api.rs"]
mod api;
#[path = "cli/attach.rs"]
mod attach;
#[path = "cli/daemon.rs"]
mod daemon;
#[path = "cli/demo.rs"]
mod demo;
#[path = "cli/flow.rs"]
mod flow;
#[path = "cli/keys.rs"]
mod keys;
#[path = "cli/look.rs"]
mod look;
#[path = "cli/quic.rs"]
mod quic;
#[path = "cli/socket.rs"]
mod socket;
#[path = "cli/surface.rs"]
mod surface;
#[path = "cli/unicast.rs"]
mod unicast;
#[path = "cli/world.rs"]
mod world;
