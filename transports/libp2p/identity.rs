//! The key that a node shows on libp2p.
//!
//! It is derived from the node's secret key, so a node has the same PeerId for life and nothing more to keep; and it is
//! another key than the node's, so nothing that libp2p has signed can ever be taken for something the node has signed
//! (`docs/spec/libp2p.md`).

use crosscast_transport::TransportError;
use crosscast_wire::SecretKey;
use libp2p::identity::Keypair;

/// The BLAKE3 derive-key context of the derived key; its input is the node key's 32-byte seed.
pub const IDENTITY_CONTEXT: &str = "crosscast libp2p identity v1";

/// The key pair that a node shows on libp2p.
///
/// # Errors
/// When the library does not take 32 bytes as an Ed25519 key.
pub(crate) fn keypair(node: &SecretKey) -> Result<Keypair, TransportError> {
    // The library wipes the bytes it is given.
    let mut seed = blake3::derive_key(IDENTITY_CONTEXT, node.expose());
    Keypair::ed25519_from_bytes(&mut seed).map_err(|error| TransportError::Config(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_node_has_one_peer_id_for_life_and_it_is_not_its_node_id() {
        let node = SecretKey::new([7; 32]);
        let pair = keypair(&node).unwrap();
        assert_eq!(pair.public(), keypair(&node).unwrap().public());
        assert_ne!(pair.public(), keypair(&SecretKey::new([8; 32])).unwrap().public());
        assert_ne!(pair.public().try_into_ed25519().unwrap().to_bytes(), node.public());
    }
}
