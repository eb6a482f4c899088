//! Unicast: what waits for others, what came for this node, and where nodes lie.

pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod table;
