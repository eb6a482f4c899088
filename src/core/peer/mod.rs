//! Peers and the links to them: hello, lanes, credit, redials.

pub(crate) mod carrier;
pub(crate) mod dial;
pub(crate) mod incoming;
pub(crate) mod link;
pub(crate) mod outgoing;
