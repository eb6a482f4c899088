//! libp2p, as a configuration asks for it.

use crosscast::{Attach, HostNode, Locator, Transport};
use crosscast_api::Code;
use crosscast_libp2p::{Libp2p, Libp2pConfig, Multiaddr};

use super::{Site, refused};
use crate::failure::Failure;

/// Refuses what the transport could not use.
pub(super) fn check(attach: &Attach) -> Result<(), Failure> {
    match attach {
        Attach::Peer(locator) | Attach::Host(HostNode::Libp2p(locator)) => multiaddr(locator).map(drop),
        Attach::Host(HostNode::Yggdrasil(_) | HostNode::Cjdns(_)) | Attach::Key(_) => Ok(()),
    }
}

/// The transport with a swarm of its own, attached to the nodes that are named.
pub(super) fn transport(site: &Site<'_>) -> Result<Box<dyn Transport>, Failure> {
    let set = &site.settings.networks.libp2p;
    let mut config = Libp2pConfig::new(site.identity.key().clone());
    for host in site.settings.hosts() {
        match host {
            HostNode::Libp2p(locator) => config.hosts.push(multiaddr(locator)?),
            HostNode::Yggdrasil(_) | HostNode::Cjdns(_) => {}
        }
    }
    config.mdns = set.mdns;
    config.relay = set.relay;
    config.carrier = set.carrier;
    if let Some(protocol) = &set.dht {
        config.dht.clone_from(protocol);
    }
    let made = Libp2p::new(config).map_err(|error| Failure::new(Code::BadConfig, format!("libp2p: {error}")))?;
    Ok(Box::new(made))
}

fn multiaddr(locator: &Locator) -> Result<Multiaddr, Failure> {
    locator.address().parse().map_err(|error| refused(locator, &format!("no multiaddr: {error}")))
}
