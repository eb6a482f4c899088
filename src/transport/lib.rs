//! The contract every transport fulfils, with the stream framing they share.
//!
//! A [`Transport`] is an actor with a [`Port`]. The node holds the other end of all ports, a [`PortDriver`]: it hands
//! down the core's requests without ever waiting, and takes the links' reports in fair turns. Every link has a
//! [`LinkPort`] of its own with a bounded way in and a bounded way out, so a slow link holds up no other.
//! Which bytes a stream carries is in [`framing`]. Nothing here opens a socket or reads a clock.

mod board;
mod driver;
mod express;
pub mod framing;
mod grants;
mod lanes;
mod link_port;
mod tap;
mod transport;

pub use board::{LINK_SHARE_BYTES, TOTAL_SHARE_BYTES};
pub use driver::{PORT_REQUESTS, PortDriver, RequestError, TURN_BYTES, TURN_REPORTS};
pub use express::{EXPRESS_MAX, Express};
pub use grants::{CONTROL_GRANT, DATA_GRANT, Grants};
pub use lanes::PerLane;
pub use link_port::{LinkPort, LinkRequest, PortClosed};
pub use tap::{Faulty, Tap, Tapped, Way};
pub use transport::{Port, PortRequest, Reporter, Transport, TransportError};

pub use futures_core::future::BoxFuture;

/// How long a link that was asked to close goes on writing what it was given before.
pub const FLUSH_TIME: core::time::Duration = core::time::Duration::from_secs(1);

/// How long a link with bytes to write waits for the peer's side to take one before it ends as stalled.
pub const STALL_TIME: core::time::Duration = core::time::Duration::from_secs(30);

#[cfg(test)]
mod tests;
