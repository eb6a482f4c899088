//! QUIC (RFC 9000): one UDP socket for many links, and in each link one stream for each lane.
//!
//! What a peer is, what it may speak and how its hello is bound is as over TCP. Each side opens four one-way streams, one
//! for each lane, so that a lost packet of one lane holds up no other; marks keep data behind the control frames that
//! were sent before it (`docs/spec/frames.md`). Control goes first; the data lanes share what is left packet by packet.
//! Unreliable datagrams are there (RFC 9221). The link lives on when a peer's address changes.

mod dial;
mod door;
mod end;
mod establish;
mod lane;
mod link;
mod setup;
mod sockets;
mod transport;

pub use sockets::QuicSockets;
pub use transport::Quic;
