//! What went wrong in the swarm, in the core's words, by guilty party.
//!
//! The library's errors are chains of boxed ones; what matters of them is whether somebody answered, and who.

use std::error::Error;
use std::io;

use crosscast_port::{DialError, ListenError};
use crosscast_wire::PeerFault;
use libp2p::TransportError;
use libp2p::swarm;

use crate::handler::Failure;

/// Longest chain of causes that is walked.
const DEPTH: usize = 16;

/// Why a connection could not be made.
pub(crate) fn dial_error(error: &swarm::DialError) -> DialError {
    match error {
        swarm::DialError::WrongPeerId { .. } => DialError::Refused(PeerFault::AddressNotOwned),
        swarm::DialError::LocalPeerId { .. }
        | swarm::DialError::NoAddresses
        | swarm::DialError::DialPeerConditionFalse(_)
        | swarm::DialError::Aborted => DialError::Unreachable,
        // Some behaviour of the swarm says no: in ours, those that bound connections.
        swarm::DialError::Denied { .. } => DialError::Full,
        swarm::DialError::Transport(tried) => {
            tried.iter().map(|(_, error)| transport_error(error)).min_by_key(rank).unwrap_or(DialError::Unreachable)
        }
    }
}

/// Of several addresses' errors the one that says most: that somebody answered wrongly before that nobody did.
const fn rank(error: &DialError) -> u8 {
    match error {
        DialError::Handshake => 0,
        DialError::Timeout => 1,
        DialError::Unreachable => 2,
        DialError::NoSuchHost => 3,
        _ => 4,
    }
}

fn transport_error(error: &TransportError<io::Error>) -> DialError {
    match error {
        TransportError::MultiaddrNotSupported(_) => DialError::BadLocator,
        TransportError::Other(error) => io_error(error),
    }
}

fn io_error(error: &io::Error) -> DialError {
    let mut kinds = io_kinds(error);
    if kinds.any(|kind| kind == io::ErrorKind::TimedOut) {
        return DialError::Timeout;
    }
    let words = error.to_string();
    if words.contains("Handshake") || words.contains("handshake") || words.contains("Upgrade") {
        if words.contains("timed out") || words.contains("Timeout") { DialError::Timeout } else { DialError::Handshake }
    } else if words.contains("resolv") {
        DialError::NoSuchHost
    } else {
        DialError::Unreachable
    }
}

/// The kinds of every I/O error in a chain of causes.
fn io_kinds(error: &io::Error) -> impl Iterator<Item = io::ErrorKind> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let chain = std::iter::from_fn(move || {
        let current = next?;
        // A boxed cause is the error's own inside, which `source` would step over.
        next = match current.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => current.source(),
        };
        Some(current)
    });
    chain.take(DEPTH).filter_map(|error| error.downcast_ref::<io::Error>().map(io::Error::kind))
}

/// Why a stream could not be opened on a connection.
pub(crate) const fn open_error(failure: Failure) -> DialError {
    match failure {
        Failure::Full => DialError::Full,
        Failure::Foreign => DialError::Handshake,
        Failure::Timeout => DialError::Timeout,
        Failure::Broken => DialError::Unreachable,
    }
}

/// Why there is no listener.
pub(crate) fn listen_error(error: &(dyn Error + 'static)) -> ListenError {
    match error.downcast_ref::<TransportError<io::Error>>() {
        Some(TransportError::MultiaddrNotSupported(_)) => ListenError::BadLocator,
        Some(TransportError::Other(error)) => listen_io_error(error),
        None => ListenError::Denied,
    }
}

/// The same for what the system says.
pub(crate) fn listen_io_error(error: &io::Error) -> ListenError {
    for kind in io_kinds(error) {
        if kind == io::ErrorKind::AddrInUse {
            return ListenError::AddressInUse;
        }
        if kind == io::ErrorKind::AddrNotAvailable {
            return ListenError::NoSuchAddress;
        }
    }
    // The rest is the system's no: a privileged port, no more sockets, a family it does not have.
    ListenError::Denied
}
