//! Attaching to a running node of a key-addressed network: what its network gives, and the transport over it.
//!
//! A [`Host`] says how a host node is found and what its addresses mean; [`Overlay`] is the transport over any of them.
//! It listens on the host node's own address and nowhere else. Links are TCP with a Noise channel, in whose handshake
//! each side introduces itself: `docs/spec/overlay.md`.

mod config;
mod handshake;
mod host;
mod introduction;
mod judge;
mod listener;
mod neighbours;
mod own;
mod sight;
mod transport;

pub use config::{DEFAULT_PORT, Looks, OverlayConfig};
pub use host::{Host, HostKey, Neighbour, Ownership, Sighting};
pub use introduction::{INTRODUCTION_MAX, Introduction, IntroductionError};
pub use transport::Overlay;
