//! What a node can set for libp2p, each default with its reason.
//!
//! The identity is derived from the node's own; limits bound what strangers can make this transport hold.

use crosscast_stream::{Limits, Timeouts};
use crosscast_wire::SecretKey;
use libp2p::Multiaddr;

/// The DHT that public nodes speak, and the one that js-libp2p speaks unless it is told otherwise.
pub const PUBLIC_DHT: &str = "/ipfs/kad/1.0.0";

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct Libp2pConfig {
    /// The node's key; the key that libp2p sees is derived from it ([`IDENTITY_CONTEXT`](crate::IDENTITY_CONTEXT)).
    pub identity: SecretKey,
    /// Where to listen from the start, such as `/ip4/0.0.0.0/tcp/0`; nowhere by default.
    pub listen: Vec<Multiaddr>,
    /// Running nodes to attach to and to stay connected with. They need not speak our protocol.
    pub hosts: Vec<Multiaddr>,
    /// Whether to look for nodes on the local network by multicast DNS, which tells everybody there of this one; off by
    /// default.
    pub mdns: bool,
    /// Whether to be reachable through the hosts that relay; on by default, and without effect where none does.
    pub relay: bool,
    /// Whether messages of the groups met are carried over gossipsub where a neighbour that has joined the topic does not
    /// speak our protocol; on by default.
    pub carrier: bool,
    /// Whether they are carried there whoever the neighbours are; off by default, since streams bring everything once.
    pub carrier_always: bool,
    /// The protocol of the DHT that is asked for others; [`PUBLIC_DHT`] by default.
    pub dht: String,
    /// What may exist at once.
    pub limits: Limits,
    /// How long things may take.
    pub timeouts: Timeouts,
}

impl Libp2pConfig {
    /// The defaults for a node with this key: attached nowhere, listening nowhere.
    #[must_use]
    pub fn new(identity: SecretKey) -> Self {
        Self {
            identity,
            listen: Vec::new(),
            hosts: Vec::new(),
            mdns: false,
            relay: true,
            carrier: true,
            carrier_always: false,
            dht: PUBLIC_DHT.to_owned(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}
