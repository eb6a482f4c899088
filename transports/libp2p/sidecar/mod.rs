//! A node with a swarm of its own, attached to running nodes.
//!
//! [`swarm`] is what it speaks, [`drive`] the task that polls it; [`hosts`], [`meetings`] and [`carriers`] are what that
//! task decides by. The links are those of [`embed`](crate::embed()), as in any other swarm.

mod carriers;
mod drive;
mod hosts;
mod meetings;
mod swarm;

use crosscast_transport::{BoxFuture, Port, Transport, TransportError};
use crosscast_wire::Scheme;
use libp2p::PeerId;
use libp2p::identity::Keypair;
use tokio::sync::mpsc;

use crate::config::Libp2pConfig;
use crate::embed::embed_within;
use crate::identity::keypair;
use crate::limits::MEETINGS_ASKED;

use self::drive::Driver;

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
            let (lease, used) = mpsc::channel(1);
            let (meeting, requests) = mpsc::channel(MEETINGS_ASKED);
            let (links, transport) = embed_within(self.peer_id(), self.config.limits, self.config.timeouts);
            let mut swarm = swarm::build(&self.config, &self.keypair, links)?;
            for address in &self.config.listen {
                swarm.listen_on(address.clone()).map_err(|error| TransportError::System(error.to_string()))?;
            }
            let driver = Driver::new(swarm, &self.config, port.reporter().clone(), requests);
            // A task of its own: it ends when the last link has.
            let driving = tokio::spawn(driver.run(used));
            transport.with_lease(lease).serve(port, Some(meeting)).await;
            // Its listeners are to be gone when this returns.
            let _ = driving.await;
            Ok(())
        })
    }
}
