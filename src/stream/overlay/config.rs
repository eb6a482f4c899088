//! What a node can set for its links over a host node's network, each default with its reason.

use core::time::Duration;

use bytes::Bytes;
use crosscast_wire::NodeId;

use crate::{Limits, Timeouts};

/// The port on the host node's address where nodes listen unless they are told otherwise.
pub const DEFAULT_PORT: u16 = 7700;

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct OverlayConfig {
    /// The NodeId that is introduced; the hello above the link proves it.
    pub node: NodeId,
    /// The port on the host node's own address to listen on; 0 picks a free one.
    pub port: u16,
    /// This node's attestation, when there is one.
    pub attestation: Option<Bytes>,
    /// What may exist at once.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// How often the host node is looked at.
    pub looks: Looks,
}

impl OverlayConfig {
    /// The defaults for a node.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            port: DEFAULT_PORT,
            attestation: None,
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            looks: Looks::default(),
        }
    }
}

/// How often the host node is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// While it is up. 5 s: a restart is noticed well before links are given up.
    pub up: Duration,
    /// While it is not. 1 s: someone may be waiting for it.
    pub down: Duration,
    /// For neighbours. 1 min: a neighbour is news for ten minutes.
    pub neighbours: Duration,
}

impl Default for Looks {
    fn default() -> Self {
        Self { up: Duration::from_secs(5), down: Duration::from_secs(1), neighbours: Duration::from_secs(60) }
    }
}
