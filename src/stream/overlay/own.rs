//! What this node introduces itself as: only what every peer will find true.
//!
//! An attestation that a peer would refuse is not shown, so that a link which needs none still comes about; that it was
//! left out is said once. Where the host node does not tell its key, the attestation's key is the node's as long as the
//! address is made of it.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use crosscast_transport::TransportError;
use crosscast_wire::{Attestation, NodeId, PeerFault, RustCrypto, WallMillis};
use tracing::{info, warn};

use super::judge::check_attestation;
use super::{Host, HostKey, Introduction, OverlayConfig, Ownership, Sighting};

/// Who this node is, and what it can show for it.
#[derive(Debug)]
pub(super) struct Own {
    node: NodeId,
    attestation: Option<(Bytes, HostKey)>,
    /// Why the attestation was left out last.
    fault: Mutex<Option<PeerFault>>,
}

impl Own {
    /// Checks what the configuration says of this node; whether an attestation holds now is asked when it is shown.
    ///
    /// # Errors
    /// When the attestation is none, or another node's or network's.
    pub(super) fn new<H: Host>(host: &H, config: &OverlayConfig) -> Result<Self, TransportError> {
        let read = |bytes: &Bytes| {
            let wrong = |what: &str| TransportError::Config(format!("attestation: {what}"));
            let attestation = Attestation::parse(bytes).map_err(|error| TransportError::Config(error.to_string()))?;
            if attestation.fields().node != config.node {
                return Err(wrong("it is another node's"));
            }
            if attestation.fields().network != host.network() {
                return Err(wrong("it is for another network"));
            }
            Ok((bytes.clone(), attestation.host_key()))
        };
        let attestation = config.attestation.as_ref().map(read).transpose()?;
        Ok(Self { node: config.node, attestation, fault: Mutex::default() })
    }

    /// What to say of this node, with the host node as it was seen last.
    pub(super) fn introduction<H: Host>(&self, host: &H, seen: Option<&Sighting>) -> Introduction {
        let attested = self.attestation.as_ref();
        let owned = |key: &HostKey| {
            let address = seen.and_then(|seen| seen.address);
            address.is_some_and(|address| host.owns(key, address) != Ownership::No)
        };
        let by_attestation = || attested.map(|(_, key)| *key).filter(owned);
        let key = seen.and_then(|seen| seen.key).or_else(by_attestation);
        let fault = match (&key, attested) {
            (Some(key), Some((bytes, _))) => check_attestation(host, &RustCrypto, bytes, &self.node, key, now()).err(),
            (None, _) | (_, None) => None,
        };
        self.say(fault);
        let shown = attested.filter(|_| key.is_some() && fault.is_none()).map(|(bytes, _)| bytes.clone());
        Introduction { node: self.node, key, attestation: shown }
    }

    fn say(&self, fault: Option<PeerFault>) {
        let mut last = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != fault {
            match fault {
                Some(fault) => warn!(%fault, "peers would refuse this node's attestation; it is not shown"),
                None => info!("this node's attestation holds again"),
            }
            *last = fault;
        }
    }
}

/// The wall clock; before 1970 it is 1970.
pub(super) fn now() -> WallMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    WallMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
