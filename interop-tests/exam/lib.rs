//! The exam that every transport sits.
//!
//! A wing writes a [`transport::Candidate`] and one line, `crosscast_exam::sit_transport_exam!(candidate())`, in its
//! integration tests; every question becomes a test there. A question uses only the port, as the node does, so what
//! passes here can be driven by the node. Questions about one network's attackers stay in that network's wing.
// These are tests in the form of a library, and each look picks one kind of report out of many.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)]

mod skip;
pub mod transport;

pub use skip::skip;
