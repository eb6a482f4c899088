//! A host node whose network is loopback: what it looks like is a test's to say, and whose address is whose.

use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use crosscast_stream::overlay::{Host, HostKey, Neighbour, Ownership, Sighting};
use crosscast_transport::BoxFuture;
use crosscast_wire::{Network, NetworkReason, NetworkState, NodeId, Scheme, SecretKey};

/// The host node of every node here: loopback belongs to the keys of [`host_secret`].
#[derive(Clone, Debug)]
pub(crate) struct LoopbackHost(Arc<Mutex<Scene>>);

/// What a look finds.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) sighting: Sighting,
    pub(crate) neighbours: Vec<Neighbour>,
    pub(crate) looks: usize,
    /// Whether loopback is another network than the host node's.
    pub(crate) elsewhere: bool,
}

/// Keys that have loopback as their own address end on this, those that have it in their subnet on [`IN_SUBNET`].
const OWN: u8 = 1;
const IN_SUBNET: u8 = 2;

impl LoopbackHost {
    /// A host node that is up and has a key.
    pub(crate) fn up(key: HostKey) -> Self {
        Self(Arc::new(Mutex::new(Scene {
            sighting: up(Some(key)),
            neighbours: Vec::new(),
            looks: 0,
            elsewhere: false,
        })))
    }

    /// Changes what the next look finds.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Scene)) {
        change(&mut self.0.lock().unwrap());
    }

    pub(crate) fn looks(&self) -> usize {
        self.0.lock().unwrap().looks
    }
}

/// A host node that is up, with or without a key.
pub(crate) fn up(key: Option<HostKey>) -> Sighting {
    Sighting {
        state: NetworkState::Up,
        address: Some(Ipv6Addr::LOCALHOST),
        key,
        mtu: None,
        reason: None,
        detail: String::new(),
    }
}

/// A host node that is gone.
pub(crate) fn gone() -> Sighting {
    Sighting {
        state: NetworkState::Down,
        address: None,
        key: None,
        mtu: None,
        reason: Some(NetworkReason::AddressGone),
        detail: "awaited".to_owned(),
    }
}

impl Host for LoopbackHost {
    fn scheme(&self) -> Scheme {
        Scheme::Ygg
    }

    fn network(&self) -> Network {
        Network::Yggdrasil
    }

    fn look(&self) -> BoxFuture<'_, Sighting> {
        let mut scene = self.0.lock().unwrap();
        scene.looks += 1;
        let sighting = scene.sighting.clone();
        Box::pin(async move { sighting })
    }

    fn neighbours(&self) -> BoxFuture<'_, Vec<Neighbour>> {
        let neighbours = self.0.lock().unwrap().neighbours.clone();
        Box::pin(async move { neighbours })
    }

    fn is_address(&self, address: Ipv6Addr) -> bool {
        let elsewhere = self.0.lock().unwrap().elsewhere;
        (address.is_loopback() && !elsewhere) || address.octets()[0] == 2
    }

    fn address_of(&self, key: &HostKey) -> Option<Ipv6Addr> {
        (self.owns(key, Ipv6Addr::LOCALHOST) == Ownership::Node).then_some(Ipv6Addr::LOCALHOST)
    }

    fn owns(&self, key: &HostKey, address: Ipv6Addr) -> Ownership {
        match key[31] & 3 {
            _ if !address.is_loopback() => Ownership::No,
            OWN => Ownership::Node,
            IN_SUBNET => Ownership::Subnet,
            _ => Ownership::No,
        }
    }
}

/// The secret half of a host node's key to which loopback belongs in a way; the same number gives the same key.
pub(crate) fn host_secret(number: u8, ownership: Ownership) -> SecretKey {
    let wanted = match ownership {
        Ownership::Node => OWN,
        Ownership::Subnet => IN_SUBNET,
        Ownership::No => 3,
    };
    let seeds = (0..=255_u8).map(|tried| [number, tried].repeat(16).try_into().unwrap());
    seeds.map(SecretKey::new).find(|key| key.public()[31] & 3 == wanted).unwrap()
}

/// A node's own key.
pub(crate) fn node_secret(node: u8) -> SecretKey {
    SecretKey::new([node; 32])
}

pub(crate) fn node_id(node: u8) -> NodeId {
    NodeId::new(node_secret(node).public())
}
