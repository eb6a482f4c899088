//! The swarm of a node: its protocols, its transports, and what bounds them.
//!
//! It serves nobody but itself: it is a client of relays, of the DHT and of those that test addresses. What it gives others
//! is gossipsub of the topics it has joined.

use core::time::Duration;
use std::num::NonZeroUsize;

use crosscast_transport::TransportError;
use libp2p::autonat::v2::client as autonat;
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, StreamProtocol, Swarm, SwarmBuilder, connection_limits, dcutr, identify, kad, mdns, noise, ping, relay,
    tcp, yamux,
};

use crate::Behaviour;
use crate::carrier::gossip::{self, Gossip};
use crate::config::Libp2pConfig;

/// Streams that yamux lets a connection have, which is set for what follows from it: the library gives a connection 1 GiB
/// of windows, 256 KiB for each of these streams and the rest to those that are fast. Handlers and the negotiation of
/// protocols hold streams to far fewer; so 4,032 leave 16 MiB for all windows of a connection to grow by.
const YAMUX_STREAMS: usize = 4032;

/// Bytes unread on one stream over QUIC. 2 MiB: 160 Mbit/s over 100 ms.
const QUIC_STREAM_WINDOW: u32 = 2 * 1024 * 1024;

/// Bytes unread on one connection over QUIC: the windows of all its links, so that those that nobody reads hold up no
/// other.
const QUIC_WINDOW: u32 = 64 * 1024 * 1024;

/// How long a connection that nothing uses is kept. 1 min: links come again, and an idle connection costs a few pings.
const IDLE: Duration = Duration::from_secs(60);

/// Connections of strangers that are in the handshake. 64 of at most ten seconds each.
const PENDING_INCOMING: u32 = 64;
/// Connections being made. 128: the dials that links may have under way; the DHT's queries use the rest.
const PENDING_OUTGOING: u32 = 128;
/// Connections either way. 512: far above any node's views, and about 64 MiB when all of them are idle.
const ESTABLISHED: u32 = 512;
/// Connections to one peer. 8: TCP and QUIC, v4 and v6, either way.
const PER_PEER: u32 = 8;

/// How long a question to the DHT may take. 20 s: within one round of asking.
const QUERY: Duration = Duration::from_secs(20);
/// Peers of the DHT that are asked at once. 3: the library's number, and the paper's.
const PARALLEL: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// What is said to be spoken, as most programs say it.
const PROTOCOL_VERSION: &str = "ipfs/0.1.0";

/// Everything the swarm speaks.
#[derive(NetworkBehaviour)]
pub(super) struct Sidecar {
    limits: connection_limits::Behaviour,
    pub(super) links: Behaviour,
    pub(super) identify: identify::Behaviour,
    ping: ping::Behaviour,
    relay: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    autonat: autonat::Behaviour,
    pub(super) dht: kad::Behaviour<MemoryStore>,
    pub(super) gossip: Toggle<Gossip>,
    mdns: Toggle<mdns::tokio::Behaviour>,
}

/// Makes the swarm.
///
/// # Errors
/// When the configuration cannot be used, or the system does not give what the swarm needs.
pub(super) fn build(
    config: &Libp2pConfig,
    keypair: &Keypair,
    links: Behaviour,
) -> Result<Swarm<Sidecar>, TransportError> {
    let own = keypair.public().to_peer_id();
    let dht = dht(own, config)?;
    let gossip = if config.carrier { Some(gossip::behaviour(keypair)?) } else { None };
    let mdns = match config.mdns {
        true => Some(mdns::Behaviour::new(mdns::Config::default(), own).map_err(|error| system(&error))?),
        false => None,
    };
    let identify = identify::Config::new(PROTOCOL_VERSION.to_owned(), keypair.public())
        .with_agent_version(concat!("crosscast/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_push_listen_addr_updates(true);
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
        .with_behaviour(|_, relay| Sidecar {
            limits: connection_limits::Behaviour::new(bounds()),
            links,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            relay,
            dcutr: dcutr::Behaviour::new(own),
            autonat: autonat::Behaviour::default(),
            dht,
            gossip: gossip.into(),
            mdns: mdns.into(),
        })
        .map_err(|error| system(&error))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE))
        .with_connection_timeout(config.timeouts.connect)
        .build();
    Ok(swarm)
}

fn system(error: &dyn std::error::Error) -> TransportError {
    TransportError::System(error.to_string())
}

fn dht(own: PeerId, config: &Libp2pConfig) -> Result<kad::Behaviour<MemoryStore>, TransportError> {
    let protocol = StreamProtocol::try_from_owned(config.dht.clone())
        .map_err(|_| TransportError::Config(format!("{} is no name of a protocol", config.dht.escape_default())))?;
    let mut settings = kad::Config::new(protocol);
    // What is said where is for the meetings to decide.
    settings
        .set_query_timeout(QUERY)
        .set_parallelism(PARALLEL)
        .set_provider_publication_interval(None)
        .set_publication_interval(None)
        .set_replication_interval(None);
    let mut dht = kad::Behaviour::with_config(own, MemoryStore::new(own), settings);
    // Else it would serve others as soon as it has an address.
    dht.set_mode(Some(kad::Mode::Client));
    Ok(dht)
}

fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(YAMUX_STREAMS);
    config
}

fn bounds() -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(PENDING_INCOMING))
        .with_max_pending_outgoing(Some(PENDING_OUTGOING))
        .with_max_established_incoming(Some(ESTABLISHED))
        .with_max_established_outgoing(Some(ESTABLISHED))
        .with_max_established_per_peer(Some(PER_PEER))
}
