//! Scenarios with the shipped binary: real processes, real sockets, nothing mocked.
//!
//! A suite gets a [`Site`] (the binary and a private folder) and a [`Size`], and returns what it measured. It drives
//! daemons ([`daemon`]) through the verbs a user types ([`client`]) or the local API ([`http`]). Whatever it starts ends
//! with it: daemons stop when their standard input does, folders and network namespaces go when they are dropped.

pub mod client;
mod craft;
pub mod daemon;
mod foe;
pub mod http;
mod journal;
pub mod lab;
pub mod netns;
mod owned;
pub mod raw;
pub mod reader;
pub mod role;
pub mod sharing;
pub mod site;
pub mod suites;
pub mod text;
pub mod tools;

pub use site::{Measured, Site, Size, Verdict, until};
