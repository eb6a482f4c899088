//! What a node can set for its links over Yggdrasil.

use bytes::Bytes;
use crosscast_stream::overlay::DEFAULT_PORT;
use crosscast_wire::NodeId;

use crate::AdminAddress;

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct YggdrasilConfig {
    /// The NodeId that is introduced; the hello above the link proves it.
    pub node: NodeId,
    /// The daemon's admin socket. `None` looks at [`AdminAddress::usual`]; a named one is the only one looked at, so that
    /// a node never attaches to another daemon than it was told to.
    pub admin: Option<AdminAddress>,
    /// The port on the Yggdrasil address to listen on; 0 picks a free one.
    pub port: u16,
    /// Whether to look for nodes beyond the daemon's direct peers. Off: they are other people's machines, and the
    /// operator asks for it.
    pub discover: bool,
    /// This node's attestation by the daemon's key, when there is one.
    pub attestation: Option<Bytes>,
}

impl YggdrasilConfig {
    /// The defaults for a node.
    #[must_use]
    pub const fn new(node: NodeId) -> Self {
        Self { node, admin: None, port: DEFAULT_PORT, discover: false, attestation: None }
    }
}
