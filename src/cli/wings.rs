//! The networks of this build: the one file that picks the crates under `transports/`.
//!
//! TLS/IP is always there. The others come with a feature of their name each, and a configuration uses them when it
//! names a node of theirs to attach to; libp2p, which has a swarm of its own, also when it is listened on or dialled.
//! Each has a module that looks alike from here, and `absent` stands in for those that were left out.

#[cfg_attr(not(feature = "cjdns"), path = "wings/absent.rs")]
mod cjdns;
#[cfg_attr(not(feature = "yggdrasil-keygen"), path = "wings/no_keygen.rs")]
mod keygen;
#[cfg_attr(not(feature = "libp2p"), path = "wings/absent.rs")]
mod libp2p;
#[cfg_attr(not(feature = "yggdrasil"), path = "wings/absent.rs")]
mod yggdrasil;

use std::net::Ipv6Addr;
use std::path::Path;

use crosscast::{Attach, Attestation, Home, Identity, Locator, Network, Scheme, Settings, Transport};
use crosscast_api::Code;
use crosscast_tls::{Quic, Tls, TlsConfig};
use zeroize::Zeroizing;

use crate::attest::{Asked, Life};
use crate::failure::Failure;

pub(crate) use keygen::shared_key;

/// What a transport is made from.
#[cfg_attr(
    not(any(feature = "cjdns", feature = "yggdrasil")),
    allow(dead_code, reason = "a lean build has no use for it")
)]
pub(crate) struct Site<'a> {
    pub(crate) home: &'a Home,
    pub(crate) settings: &'a Settings,
    pub(crate) identity: &'a Identity,
}

/// A key that is this node's and its Yggdrasil daemon's.
#[cfg_attr(not(feature = "yggdrasil-keygen"), allow(dead_code, reason = "there is none without it"))]
pub(crate) struct Shared {
    pub(crate) identity: Identity,
    /// What goes into the daemon's configuration; it holds the secret.
    pub(crate) daemon_config: Zeroizing<String>,
    pub(crate) address: Ipv6Addr,
    pub(crate) strength: u32,
}

/// A transport for each scheme that this configuration uses.
pub(crate) fn transports(site: &Site<'_>) -> Result<Vec<Box<dyn Transport>>, Failure> {
    let config = TlsConfig::new(site.identity.key().clone());
    let unusable = |error| Failure::new(Code::Internal, format!("TLS: {error}"));
    let tls = Tls::new(config.clone()).map_err(unusable)?;
    let quic = Quic::new(config).map_err(unusable)?;
    let mut transports: Vec<Box<dyn Transport>> = vec![Box::new(tls), Box::new(quic)];
    for network in networks(site.settings) {
        match network {
            Network::Yggdrasil => transports.push(yggdrasil::transport(site)?),
            Network::Cjdns => transports.push(cjdns::transport(site)?),
            Network::Libp2p => transports.push(libp2p::transport(site)?),
            Network::Tls | Network::Relay | Network::Memory => {}
        }
    }
    Ok(transports)
}

/// The networks that this configuration uses.
pub(crate) fn networks(settings: &Settings) -> Vec<Network> {
    let is_libp2p = |locator: &Locator| locator.scheme() == Scheme::Libp2p;
    let named = settings.networks.libp2p.mdns || settings.listen.iter().chain(settings.peers()).any(is_libp2p);
    let libp2p = named || is_attached(settings, Network::Libp2p);
    let overlays = [Network::Yggdrasil, Network::Cjdns].into_iter().filter(|network| is_attached(settings, *network));
    [Network::Tls].into_iter().chain(overlays).chain(libp2p.then_some(Network::Libp2p)).collect()
}

/// The networks of host nodes that answer on this machine where they usually are.
pub(crate) async fn found() -> Vec<Network> {
    let mut found = Vec::new();
    if yggdrasil::is_here().await {
        found.push(Network::Yggdrasil);
    }
    if cjdns::is_here().await {
        found.push(Network::Cjdns);
    }
    found
}

/// The peers to keep a link to, by where they are.
pub(crate) fn dialled(settings: &Settings) -> Result<Vec<Locator>, Failure> {
    let by_key = settings.keys().map(yggdrasil::locate);
    settings.peers().cloned().map(Ok).chain(by_key).collect()
}

/// Has the host node of a network sign that it belongs to this node.
pub(crate) fn attest(site: &Site<'_>, asked: &Asked, life: Life) -> Result<Attestation, Failure> {
    built(asked.network())?;
    match asked {
        Asked::Yggdrasil { config } => yggdrasil::attest_by_key(site, config, life),
        Asked::Cjdns { password_file, admin } => cjdns::attest_by_admin(site, password_file.as_deref(), *admin, life),
    }
}

/// What to put into a Yggdrasil daemon's NodeInfo, so that others find this node.
pub(crate) fn node_info(site: &Site<'_>, config: &Path, life: Life) -> Result<String, Failure> {
    built(Network::Yggdrasil)?;
    yggdrasil::node_info(site, config, life)
}

/// The address that is made of a host node's key.
pub(crate) fn address(attestation: &Attestation) -> Option<Ipv6Addr> {
    let key = attestation.host_key();
    match attestation.fields().network {
        Network::Yggdrasil => yggdrasil::address(&key),
        Network::Cjdns => cjdns::address(&key),
        Network::Tls | Network::Libp2p | Network::Relay | Network::Memory => None,
    }
}

/// Refuses a configuration that names what this build, or the rest of it, does not serve.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    networks(settings).into_iter().try_for_each(built)?;
    settings.listen.iter().try_for_each(check_listen)?;
    settings.attach.iter().try_for_each(|attach| check_attach(settings, attach))?;
    dialled(settings).map(drop)
}

fn check_listen(locator: &Locator) -> Result<(), Failure> {
    match locator.scheme() {
        Scheme::Tls | Scheme::Quic => Ok(()),
        Scheme::Libp2p => libp2p::check(&Attach::Peer(locator.clone())),
        scheme @ (Scheme::Ygg | Scheme::Cjdns) => {
            let network = scheme.network();
            Err(refused(locator, &format!("a node listens on its {network} address by itself, once it is attached")))
        }
        Scheme::Relay | Scheme::Memory => Err(refused(locator, "this program has no such network")),
    }
}

fn check_attach(settings: &Settings, attach: &Attach) -> Result<(), Failure> {
    let network = match attach {
        Attach::Peer(locator) => locator.scheme().network(),
        Attach::Key(_) => Network::Yggdrasil,
        Attach::Host(host) => host.network(),
    };
    match network {
        Network::Tls => Ok(()),
        Network::Libp2p => libp2p::check(attach),
        Network::Yggdrasil | Network::Cjdns if !is_attached(settings, network) => {
            Err(refused(attach, &format!("that is reached over {network}, which `attach` has to name too")))
        }
        Network::Yggdrasil => yggdrasil::check(attach),
        Network::Cjdns => cjdns::check(attach),
        Network::Relay | Network::Memory => Err(refused(attach, "this program has no such network")),
    }
}

fn is_attached(settings: &Settings, network: Network) -> bool {
    settings.hosts().any(|host| host.network() == network)
}

/// A place in the configuration that cannot be used.
fn refused(what: impl std::fmt::Display, why: &str) -> Failure {
    Failure::new(Code::BadConfig, format!("{what}: {why}"))
}

/// Refuses a network that this program was built without.
fn built(network: Network) -> Result<(), Failure> {
    let there = match network {
        Network::Tls => true,
        Network::Libp2p => cfg!(feature = "libp2p"),
        Network::Yggdrasil => cfg!(feature = "yggdrasil"),
        Network::Cjdns => cfg!(feature = "cjdns"),
        Network::Relay | Network::Memory => false,
    };
    if there { Ok(()) } else { Err(Failure::new(Code::NotBuilt, format!("this program has no feature `{network}`"))) }
}
