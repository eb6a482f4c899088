//! Attaching to a running node of a key-addressed network: what its network gives, and the transport over it.

mod host;

pub use host::{Host, HostKey, Neighbour, Ownership, Sighting};
