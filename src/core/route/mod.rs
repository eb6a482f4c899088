//! Unicast: what is on its way, what came for this node and from whom, what was passed on, and where nodes lie.

pub(crate) mod contacts;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod table;
pub(crate) mod transit;
