//! A node with a swarm of its own, attached to running nodes.

mod swarm;

use crosscast_transport::{BoxFuture, Port, Transport, TransportError};
use crosscast_wire::Scheme;
use futures_util::StreamExt as _;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use tokio::sync::mpsc;

use crate::config::Libp2pConfig;
use crate::embed::embed_within;
use crate::identity::keypair;

/// The transport for `libp2p:/multiaddr`, with its own swarm.
#[derive(Debug)]
pub struct Libp2p {
    config: Libp2pConfig,
    keypair: Keypair,
}

impl Libp2p {
    /// Makes the transport of one node.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: Libp2pConfig) -> Result<Self, TransportError> {
        let keypair = keypair(&config.identity)?;
        Ok(Self { config, keypair })
    }

    /// This node's name on libp2p.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }
}

impl Transport for Libp2p {
    fn scheme(&self) -> Scheme {
        Scheme::Libp2p
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            let own = self.peer_id();
            let (lease, mut unused) = mpsc::channel(1);
            let (behaviour, transport) = embed_within(own, self.config.limits, self.config.timeouts);
            let transport = transport.with_lease(lease);
            let mut swarm = swarm::build(&self.config, &self.keypair, behaviour)?;
            for address in self.config.listen {
                swarm.listen_on(address).map_err(|error| TransportError::System(error.to_string()))?;
            }
            let swarm = tokio::spawn(async move {
                tokio::select! {
                    _ = unused.recv() => {}
                    () = async { while swarm.next().await.is_some() {} } => {}
                }
            });
            transport.serve(port, None).await;
            // Its listeners are to be gone when this returns.
            let _ = swarm.await;
            Ok(())
        })
    }
}
