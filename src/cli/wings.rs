//! The networks of this build: the one file that names the crates under `transports/`.

use crosscast::{Identity, Network, Scheme, Transport};
use crosscast_api::Code;
use crosscast_tls::{Quic, Tls, TlsConfig};

use crate::failure::Failure;

/// The schemes that can be listened on and dialled.
pub(crate) const SCHEMES: &[Scheme] = &[Scheme::Tls, Scheme::Quic];

/// The networks that can be used.
pub(crate) const NETWORKS: &[Network] = &[Network::Tls];

/// A transport for each scheme.
pub(crate) fn transports(identity: &Identity) -> Result<Vec<Box<dyn Transport>>, Failure> {
    let config = TlsConfig::new(identity.key().clone());
    let unusable = |error| Failure::new(Code::Internal, format!("TLS: {error}"));
    let tls = Tls::new(config.clone()).map_err(unusable)?;
    let quic = Quic::new(config).map_err(unusable)?;
    Ok(vec![Box::new(tls), Box::new(quic)])
}

/// Refuses a locator that no transport of this build serves.
pub(crate) fn check(locator: &crosscast::Locator) -> Result<(), Failure> {
    if SCHEMES.contains(&locator.scheme()) {
        return Ok(());
    }
    let known: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.word()).collect();
    Err(Failure::new(Code::BadConfig, format!("{locator}: this build serves only {}", known.join(", "))))
}
