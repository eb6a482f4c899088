//! What passes between the behaviour in a swarm and the transport at the node's port.
//!
//! Commands go one way; streams, as answers to a dial or unasked, the other. Both ways are bounded.

use std::sync::Arc;

use crosscast_port::{DialError, Role};
use crosscast_transport::Reporter;
use crosscast_wire::{Locator, PathKind, PathReason};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use crate::address::Target;
use crate::circuit::Budget;
use crate::handler::Placed;

/// A stream that becomes a link, and what is known of the connection under it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) placed: Placed,
    pub(crate) role: Role,
    pub(crate) peer: PeerId,
    /// Where the peer is, as seen from here.
    pub(crate) remote: Multiaddr,
    pub(crate) path: PathKind,
    pub(crate) reason: PathReason,
    /// What the circuit may carry, if it is one that its relay limits.
    pub(crate) budget: Option<Arc<Budget>>,
}

/// Where the answer to a dial goes; whoever no longer waits has dropped its end.
pub(crate) type Answer = oneshot::Sender<Result<Opened, DialError>>;

/// What the transport asks of the behaviour.
#[derive(Debug)]
pub(crate) enum Command {
    /// From now on there is a node to report to.
    Attach(Reporter),
    /// Open a link's stream.
    Open { target: Target, answer: Answer },
    /// Listen on an address.
    Listen { asked: Locator },
}
