//! Links over libp2p, beside a running node or inside one.
//!
//! A link is a stream of protocol [`PROTOCOL`] on a connection that the swarm has authenticated; the hello above it proves
//! the NodeId. [`Libp2p`] brings a swarm of its own, attaches it to running nodes, and uses what they offer whether or not
//! they know of us: their relay to be reached through, their DHT to meet others, gossipsub to carry a group's messages.
//! [`embed()`] gives a Rust program with a swarm a [`Behaviour`] to add to it and a transport for its node. The swarm of
//! [`Libp2p`] is made of the same behaviour.

mod address;
mod behaviour;
mod carrier;
mod circuit;
mod config;
mod connections;
mod duplex;
mod embed;
mod ending;
mod error;
mod found;
pub mod handler;
mod identity;
mod known;
mod limits;
mod link;
mod listening;
mod opened;
mod sidecar;

use libp2p::StreamProtocol;

pub use behaviour::Behaviour;
pub use config::{Libp2pConfig, PUBLIC_DHT};
pub use embed::{Embedded, embed};
pub use identity::IDENTITY_CONTEXT;
pub use libp2p::{Multiaddr, PeerId};
pub use sidecar::Libp2p;

/// The stream protocol of a link.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/crosscast/1.0.0");
