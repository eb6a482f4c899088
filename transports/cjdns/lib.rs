//! Links over a running cjdns node.
//!
//! The host node is found at its admin port (or, without one, by its interface), and the transport of `crosscast-stream`
//! runs over its network: it listens on the node's own address and dials `cjdns://[fc..]:port`. An address of cjdns is a
//! hash of the node's key, and the node's own switch lets no other address in: where a link comes from is known. Nothing
//! here needs the admin password but [`sign`], for attestations, and discovery beyond the node's direct peers.

pub mod address;
pub mod admin;
mod bencode;
mod config;
mod discovery;
mod error;
mod host;
mod interface;
mod look;
mod sign;

use crosscast_stream::overlay::{Host as _, Overlay, OverlayConfig};
use crosscast_transport::{Transport, TransportError};

pub use bencode::BencodeError;
pub use config::{ADMIN_FILE, AdminFile, CjdnsConfig, DEFAULT_ADMIN, PASSWORD_MAX, Password};
pub use error::{CjdnsError, PasswordError};
pub use host::CjdnsHost;
pub use sign::{NodeSignature, SIGNED_MAX, sign};

/// Makes the transport for `cjdns://[address]:port` over a running node.
///
/// # Errors
/// When the system has no randomness, or the attestation is not this node's.
pub fn transport(config: CjdnsConfig) -> Result<Box<dyn Transport>, TransportError> {
    let host = CjdnsHost::new(&config);
    let mut overlay = OverlayConfig::new(config.node);
    overlay.port = config.port;
    overlay.attestation = config.attestation;
    Ok(Box::new(Overlay::new(host, overlay)?))
}

/// Whether a running node answers through which others can be reached from this machine.
pub async fn answers(config: &CjdnsConfig) -> bool {
    let sighting = CjdnsHost::new(config).look().await;
    // Without its key there is an interface, and nobody who answers for it.
    sighting.address.is_some() && sighting.key.is_some()
}
