//! Whether a peer may be where it says: its address, the host node's key it introduces, and its attestation.
//!
//! On these networks the source address of a packet is authentic, and nothing else is: it says which host node sent it,
//! or which host node's prefix. So a key is believed when the address is made of it, and in a prefix only when that host
//! node has attested the NodeId. A peer without a key claims nothing that could be false; its NodeId is the hello's to
//! prove, as everybody's. Pure: the time comes in.

use std::net::Ipv6Addr;

use bytes::Bytes;
use crosscast_wire::{Attestation, Crypto, NodeId, PeerFault, WallMillis};

use super::{Host, HostKey, Introduction, Ownership};

/// Judges a peer that comes from, or was dialled at, an address.
///
/// # Errors
/// The first fault; what costs no signature is looked at first.
pub(crate) fn judge<H: Host>(
    host: &H,
    crypto: &dyn Crypto,
    peer: &Introduction,
    address: Ipv6Addr,
    now: WallMillis,
) -> Result<(), PeerFault> {
    // Whatever reaches the host node's address by another way than its network has no authentic source.
    if !host.is_address(address) {
        return Err(PeerFault::AddressNotOwned);
    }
    let Some(key) = &peer.key else { return Ok(()) };
    let ownership = host.owns(key, address);
    if ownership == Ownership::No {
        return Err(PeerFault::AddressNotOwned);
    }
    match &peer.attestation {
        Some(bytes) => check_attestation(host, crypto, bytes, &peer.node, key, now),
        None if ownership == Ownership::Node => Ok(()),
        None => Err(PeerFault::AttestationMissing),
    }
}

/// Checks that an attestation binds a NodeId to a host node's key on this network, now.
///
/// # Errors
/// Which part of that it does not.
pub(crate) fn check_attestation<H: Host>(
    host: &H,
    crypto: &dyn Crypto,
    bytes: &Bytes,
    node: &NodeId,
    key: &HostKey,
    now: WallMillis,
) -> Result<(), PeerFault> {
    // What is not even an attestation was signed by nobody.
    let attestation = Attestation::parse(bytes).map_err(|_| PeerFault::AttestationForged)?;
    if attestation.fields().network != host.network() || attestation.host_key() != *key {
        return Err(PeerFault::AttestationForeign);
    }
    attestation.verify(crypto, node, now)
}
