//! Unicast: what waits for others, and what came for this node.

pub(crate) mod inbox;
pub(crate) mod outbox;
