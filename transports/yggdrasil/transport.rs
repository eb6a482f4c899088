//! The transport: the links every attached host node has, over this kind of host node.

use std::sync::Arc;

use crosscast_stream::overlay::{Host as _, Overlay, OverlayConfig};
use crosscast_transport::{BoxFuture, Port, Transport, TransportError};
use crosscast_wire::Scheme;

use crate::YggdrasilConfig;
use crate::host::{Refusals, YggdrasilHost};

/// Makes the transport for `ygg://[address]:port` of one node.
///
/// # Errors
/// When the system has no randomness, or the attestation is not this node's.
pub fn transport(config: YggdrasilConfig) -> Result<Box<dyn Transport>, TransportError> {
    let host = YggdrasilHost::new(&config);
    let refusals = host.refusals();
    let overlay =
        OverlayConfig { port: config.port, attestation: config.attestation, ..OverlayConfig::new(config.node) };
    Ok(Box::new(Yggdrasil { refusals, overlay: Box::new(Overlay::new(host, overlay)?) }))
}

/// Whether a running node answers through which others can be reached from this machine.
pub async fn answers(config: &YggdrasilConfig) -> bool {
    let sighting = YggdrasilHost::new(config).look().await;
    // Without its key there is an interface, and nobody who answers for it.
    sighting.address.is_some() && sighting.key.is_some()
}

/// The links of an attached host node, and word of whom its NodeInfo betrayed.
struct Yggdrasil {
    refusals: Arc<Refusals>,
    overlay: Box<Overlay<YggdrasilHost>>,
}

impl Transport for Yggdrasil {
    fn scheme(&self) -> Scheme {
        self.overlay.scheme()
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        self.refusals.report_to(port.reporter().clone());
        self.overlay.run(port)
    }
}
