//! The host node a transport is attached to, as the transport over it needs it.

use std::net::Ipv6Addr;

use crosscast_transport::BoxFuture;
use crosscast_wire::{Network, NetworkReason, NetworkState, NodeId, Scheme};

/// A host node's public key: Ed25519 on Yggdrasil, X25519 on cjdns.
pub type HostKey = [u8; 32];

/// What a look at the host node found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// How the network stands.
    pub state: NetworkState,
    /// The host node's own address, when it is on an interface of this machine.
    pub address: Option<Ipv6Addr>,
    /// The host node's key, when it can be learned.
    pub key: Option<HostKey>,
    /// The interface's MTU in bytes, when it is known.
    pub mtu: Option<u32>,
    /// Why it is not simply up.
    pub reason: Option<NetworkReason>,
    /// More about that for people: plain text of at most 200 bytes.
    pub detail: String,
}

/// How an address belongs to a host node's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// It is the host node's own address.
    Node,
    /// It lies in the prefix that the host node routes; whoever has it may be another machine.
    Subnet,
    /// It is not of that key.
    No,
}

/// A node of the same network that may run one of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Neighbour {
    /// Its address.
    pub address: Ipv6Addr,
    /// The port, where its NodeInfo names one.
    pub port: Option<u16>,
    /// Our node there, where its NodeInfo names one.
    pub node: Option<NodeId>,
}

/// A kind of host node: how one is found, what its addresses mean.
pub trait Host: Send + Sync + 'static {
    /// The scheme of the locators on its network.
    fn scheme(&self) -> Scheme;

    /// The network, as attestations name it.
    fn network(&self) -> Network;

    /// Looks at the host node; ends within ten seconds. With [`Self::neighbours`] beside it, less than 1 MB is held, whatever
    /// answers.
    fn look(&self) -> BoxFuture<'_, Sighting>;

    /// Nodes that may run one of ours; empty unless the operator asked for it. Bounded in number and rate by itself.
    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>>;

    /// Whether an address is one of this network.
    fn is_address(&self, address: Ipv6Addr) -> bool;

    /// The address of a host node's key; `None` for a key that has none.
    fn address_of(&self, key: &HostKey) -> Option<Ipv6Addr>;

    /// How an address belongs to a key.
    fn owns(&self, key: &HostKey, address: Ipv6Addr) -> Ownership;
}
