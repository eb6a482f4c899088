//! Who may begin a handshake: what strangers may have half open, in total and per network prefix.
//!
//! Nobody waits here: what is not let in is sent to show its address first, or ignored, and comes again by itself until
//! its own deadline. An address that was not shown to be its sender's can be forged, so it counts only in calm times.

use crosscast_stream::accept::{Gate, Place};
use quinn::{Connecting, Incoming};
use tracing::debug;

/// Lets a stranger in; `None` when it has to come again or not at all.
pub(super) fn greet(gate: &Gate, incoming: Incoming) -> Option<(Connecting, Place)> {
    let address = incoming.remote_address();
    if !incoming.remote_address_validated() && gate.is_busy(address.ip()) {
        // A retry keeps nothing here: the token that comes back says everything.
        if incoming.retry().is_err() {
            debug!(%address, "cannot be asked to come again");
        }
        return None;
    }
    let Some(place) = gate.try_admit(address.ip()) else {
        debug!(%address, "too many half-open connections");
        incoming.ignore();
        return None;
    };
    match incoming.accept() {
        Ok(connecting) => Some((connecting, place)),
        Err(error) => {
            debug!(%address, %error, "inbound handshake failed");
            None
        }
    }
}
