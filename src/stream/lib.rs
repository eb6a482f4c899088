//! What transports over byte streams share.
//!
//! [`overlay`] is the contract of those that attach to a running node of a key-addressed network.

pub mod overlay;
