//! What a node can set for its TLS links, each default with its reason.
//!
//! The identity is the node's own; limits bound what strangers can make this transport hold.

pub use crosscast_stream::{Limits as TlsLimits, Timeouts as TlsTimeouts};
use crosscast_wire::SecretKey;

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The key whose public half is the NodeId and the certificate's key.
    pub identity: SecretKey,
    /// What may exist at once.
    pub limits: TlsLimits,
    /// How long things may take.
    pub timeouts: TlsTimeouts,
}

impl TlsConfig {
    /// The defaults for a node with this key.
    #[must_use]
    pub fn new(identity: SecretKey) -> Self {
        Self { identity, limits: TlsLimits::default(), timeouts: TlsTimeouts::default() }
    }
}
