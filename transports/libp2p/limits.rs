//! What bounds a node on libp2p, each number with its reason.
//!
//! What every transport over streams is bounded by (links, dials, half-open ones, times) is in `crosscast-stream`.

use core::time::Duration;

/// Links over one connection. 32: far above the one or two that two nodes need; each may hold a stream's window unread,
/// and together they must fit the connection's.
pub(crate) const LINKS_PER_CONNECTION: usize = 32;

/// Bytes of the nonce that each side sends first. 16: two of 128 bits, drawn for one link, never meet again.
pub(crate) const NONCE_LEN: usize = 16;

/// Requests that the behaviour may have waiting. 512: the port's own bound twice.
pub(crate) const COMMANDS: usize = 512;

/// Streams that have come and are not taken up yet. 64: they are taken up at once, or the node is drowning.
pub(crate) const INCOMING: usize = 64;

/// Addresses that this node is told of as its own. 16: what a peer record holds.
pub(crate) const OWN_ADDRESSES: usize = 16;

/// How long a place that was found is not reported again. 2 min: as long as a dial's longest pause is worth waiting for.
pub(crate) const FOUND_AGAIN: Duration = Duration::from_secs(120);

/// Places found that are remembered, so as not to report them again. 512.
pub(crate) const FOUND_KEPT: usize = 512;

/// Peers whose addresses are remembered. 256: those that are connected, and a few more.
pub(crate) const PEERS_KEPT: usize = 256;

/// Addresses remembered of a peer. 8: v4 and v6, TCP and QUIC, twice.
pub(crate) const ADDRESSES_PER_PEER: usize = 8;

/// Requests to meet or part that may wait for the swarm. 1,024: every name a node may meet under, left and joined.
pub(crate) const MEETINGS_ASKED: usize = 1_024;
