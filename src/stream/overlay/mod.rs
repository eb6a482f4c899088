//! Attaching to a running node of a key-addressed network: what its network gives, and the transport over it.
//!
//! A [`Host`] says how a host node is found and what its addresses mean; [`Overlay`] is the transport over any of them.
//! It listens on the host node's own address and nowhere else.

mod config;
mod host;
mod transport;

pub use config::{DEFAULT_PORT, Looks, OverlayConfig};
pub use host::{Host, HostKey, Neighbour, Ownership, Sighting};
pub use transport::Overlay;
