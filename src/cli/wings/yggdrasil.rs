//! Yggdrasil, as a configuration asks for it.

use std::net::Ipv6Addr;
use std::path::Path;

use crosscast::{Attach, Attestation, HostNode, Locator, Network, NodeCrypto, NodeId, Scheme, Transport};
use crosscast_api::Code;
use crosscast_yggdrasil::{AdminAddress, NodeKey, YggdrasilConfig, address_of};

use super::{Site, refused};
use crate::attest::{self, Life};
use crate::failure::Failure;

/// Refuses what the transport could not use.
pub(super) fn check(attach: &Attach) -> Result<(), Failure> {
    match attach {
        Attach::Host(HostNode::Yggdrasil(socket)) => admin(socket.as_deref()).map(drop),
        Attach::Host(HostNode::Cjdns(_) | HostNode::Libp2p(_)) | Attach::Peer(_) | Attach::Key(_) => Ok(()),
    }
}

/// The transport over the Yggdrasil node that is attached.
pub(super) fn transport(site: &Site<'_>) -> Result<Box<dyn Transport>, Failure> {
    let set = &site.settings.networks.yggdrasil;
    let socket = site.settings.hosts().find_map(|host| match host {
        HostNode::Yggdrasil(socket) => socket.as_deref(),
        HostNode::Cjdns(_) | HostNode::Libp2p(_) => None,
    });
    let mut config = YggdrasilConfig::new(site.identity.node_id());
    config.admin = admin(socket)?;
    config.port = set.port.unwrap_or(config.port);
    config.discover = set.discover;
    config.attestation = attest::load(site, Network::Yggdrasil, set.attestation.as_deref())?;
    crosscast_yggdrasil::transport(config).map_err(|error| Failure::new(Code::BadConfig, format!("yggdrasil: {error}")))
}

/// Where a node is whose key is its Yggdrasil key too.
pub(super) fn locate(node: NodeId) -> Result<Locator, Failure> {
    // Of its own port nothing is known; it is the one that nodes have unless they are told otherwise.
    let port = YggdrasilConfig::new(node).port;
    let address = address_of(node.as_bytes()).ok_or_else(|| refused(node, "no Yggdrasil address is made of it"))?;
    let locator = Locator::new(Scheme::Ygg, &format!("[{address}]:{port}"), Some(node));
    locator.map_err(|error| refused(node, &error.to_string()))
}

/// Whether a daemon answers on this machine that others can be reached through.
pub(super) async fn is_here() -> bool {
    // A look does not depend on who looks.
    crosscast_yggdrasil::answers(&YggdrasilConfig::new(NodeId::new([0; 32]))).await
}

fn admin(socket: Option<&str>) -> Result<Option<AdminAddress>, Failure> {
    let read = |text: &str| {
        AdminAddress::parse(text).map_err(|error| refused(format!("yggdrasil:{text}"), &error.to_string()))
    };
    socket.map(read).transpose()
}

/// Has the daemon's key, out of its configuration, sign that it belongs to this node.
pub(super) fn attest_by_key(site: &Site<'_>, config: &Path, life: Life) -> Result<Attestation, Failure> {
    let made = node_key(config)?.attest(site.identity.key(), life.not_before, life.not_after, &NodeCrypto);
    made.map_err(|error| Failure::new(Code::Internal, error.to_string()))
}

/// What to put into the daemon's NodeInfo, so that others find this node.
pub(super) fn node_info(site: &Site<'_>, config: &Path, life: Life) -> Result<String, Failure> {
    let port = site.settings.networks.yggdrasil.port.filter(|port| *port != 0);
    let port = port.unwrap_or(YggdrasilConfig::new(site.identity.node_id()).port);
    let host = node_key(config)?.public();
    Ok(crosscast_yggdrasil::node_info(site.identity.key(), &host, port, life.not_after))
}

fn node_key(config: &Path) -> Result<NodeKey, Failure> {
    NodeKey::from_config_file(config).map_err(|error| Failure::new(Code::HostKey, error.to_string()))
}

/// The address that is made of a daemon's key.
pub(super) fn address(host: &[u8; 32]) -> Option<Ipv6Addr> {
    address_of(host)
}
