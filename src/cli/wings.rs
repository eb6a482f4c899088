//! The networks of this build: the one file that names the crates under `transports/`.

use crosscast::{Attach, Home, HostNode, Identity, Locator, Network, Scheme, Settings, Transport};
use crosscast_api::Code;
use crosscast_tls::{Quic, Tls, TlsConfig};

use crate::failure::Failure;

/// The schemes that can be listened on.
const LISTENED: &[Scheme] = &[Scheme::Tls, Scheme::Quic];

/// A transport for each scheme that this configuration can use.
pub(crate) fn transports(
    _home: &Home,
    _settings: &Settings,
    identity: &Identity,
) -> Result<Vec<Box<dyn Transport>>, Failure> {
    let config = TlsConfig::new(identity.key().clone());
    let unusable = |error| Failure::new(Code::Internal, format!("TLS: {error}"));
    let tls = Tls::new(config.clone()).map_err(unusable)?;
    let quic = Quic::new(config).map_err(unusable)?;
    Ok(vec![Box::new(tls), Box::new(quic)])
}

/// The networks that this configuration can use.
pub(crate) fn networks(settings: &Settings) -> Vec<Network> {
    [Network::Tls].into_iter().chain(settings.hosts().map(HostNode::network)).collect()
}

/// The peers to keep a link to, by where they are.
pub(crate) fn dialled(settings: &Settings) -> Vec<Locator> {
    settings.peers().cloned().collect()
}

/// Refuses a configuration that names what no transport of this build serves.
pub(crate) fn check(settings: &Settings) -> Result<(), Failure> {
    let unserved = |what: &dyn std::fmt::Display| {
        let known: Vec<&str> = LISTENED.iter().map(|scheme| scheme.word()).collect();
        Failure::new(Code::BadConfig, format!("{what}: this build serves only {}", known.join(", ")))
    };
    for locator in settings.listen.iter().filter(|locator| !LISTENED.contains(&locator.scheme())) {
        return Err(unserved(locator));
    }
    for attach in &settings.attach {
        match attach {
            Attach::Peer(locator) if LISTENED.contains(&locator.scheme()) => {}
            Attach::Peer(_) | Attach::Key(_) | Attach::Host(_) => return Err(unserved(attach)),
        }
    }
    Ok(())
}
