//! The swarm: its protocols, its transports, and what bounds them.

use core::time::Duration;

use crosscast_transport::TransportError;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{Swarm, SwarmBuilder, connection_limits, dcutr, identify, noise, ping, relay, tcp, yamux};

use crate::Behaviour;
use crate::config::Libp2pConfig;

/// Streams that yamux lets a connection have, which is set for what follows from it: the library gives a connection 1 GiB
/// of windows, 256 KiB for each of these streams and the rest to those that are fast. Handlers and the negotiation of
/// protocols hold streams to far fewer; so 4,032 leave 16 MiB for all windows of a connection to grow by.
const YAMUX_STREAMS: usize = 4032;

/// Connections that nothing uses are closed after a minute.
const IDLE: Duration = Duration::from_secs(60);

/// Bytes unread on one stream over QUIC. 2 MiB: 160 Mbit/s over 100 ms.
const QUIC_STREAM_WINDOW: u32 = 2 * 1024 * 1024;

/// Bytes unread on one connection over QUIC: the windows of all its links, so that those that nobody reads hold up no
/// other.
const QUIC_WINDOW: u32 = 64 * 1024 * 1024;

/// Everything the swarm speaks.
#[derive(NetworkBehaviour)]
pub(super) struct Sidecar {
    links: Behaviour,
    limits: connection_limits::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
}

/// Makes the swarm.
///
/// # Errors
/// When the system does not give what it needs.
pub(super) fn build(
    _config: &Libp2pConfig,
    keypair: &Keypair,
    links: Behaviour,
) -> Result<Swarm<Sidecar>, TransportError> {
    let system = |error: &dyn std::error::Error| TransportError::System(error.to_string());
    let swarm = SwarmBuilder::with_existing_identity(keypair.clone())
        .with_tokio()
        .with_tcp(tcp::Config::new(), noise::Config::new, multiplexer)
        .map_err(|error| system(&error))?
        .with_quic_config(|mut config| {
            config.max_stream_data = QUIC_STREAM_WINDOW;
            config.max_connection_data = QUIC_WINDOW;
            config
        })
        .with_dns()
        .map_err(|error| system(&error))?
        .with_relay_client(noise::Config::new, multiplexer)
        .map_err(|error| system(&error))?
        .with_behaviour(|keypair, relay| Sidecar {
            links,
            limits: connection_limits::Behaviour::new(bounds()),
            identify: identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".to_owned(), keypair.public())),
            ping: ping::Behaviour::default(),
            relay,
            dcutr: dcutr::Behaviour::new(keypair.public().to_peer_id()),
        })
        .map_err(|error| system(&error))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .build();
    Ok(swarm)
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(YAMUX_STREAMS);
    config
}

fn bounds() -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(64))
        .with_max_pending_outgoing(Some(128))
        .with_max_established_incoming(Some(512))
        .with_max_established_outgoing(Some(512))
        .with_max_established_per_peer(Some(8))
}
