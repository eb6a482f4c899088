//! What went wrong in the swarm, in the core's words, by guilty party.
//!
//! The library's errors are chains of boxed ones; what matters of them is whether somebody answered, and who.

use std::error::Error;
use std::io;

use crosscast_port::{DialError, ListenError};
use crosscast_wire::PeerFault;
use libp2p::dns::ResolveError;
use libp2p::{TransportError, swarm};

use crate::handler::Failure;

/// Longest chain of causes that is walked.
const DEPTH: usize = 16;

/// What the library says of a peer that did not come through the handshake.
const BAD_HANDSHAKE: [&str; 2] = ["Handshake failed", "Multistream select failed"];

/// What the library says of an address that no transport of the swarm can dial.
const UNKNOWN_ADDRESS: [&str; 1] = ["Unsupported resolved address"];

/// What the library and the system say when nobody answered in time.
const TOO_LATE: [&str; 2] = ["timed out", "Timeout has been reached"];

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
        DialError::BadLocator
        | DialError::WrongKey { .. }
        | DialError::Full
        | DialError::Refused(_)
        | DialError::NotAttached
        | _ => 4,
    }
}

fn transport_error(error: &TransportError<io::Error>) -> DialError {
    match error {
        TransportError::MultiaddrNotSupported(_) => DialError::BadLocator,
        TransportError::Other(error) => io_error(error),
    }
}

/// Judges by words where the types are those of a transport that somebody has put together: a chain of causes steps over
/// what is inside an alternative. The tests hold the words against the library.
fn io_error(error: &io::Error) -> DialError {
    let words = error.to_string();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if causes(error).any(|cause| cause.is::<ResolveError>()) {
        DialError::NoSuchHost
    } else if says(&TOO_LATE) {
        DialError::Timeout
    } else if says(&BAD_HANDSHAKE) {
        DialError::Handshake
    } else if says(&UNKNOWN_ADDRESS) {
        DialError::BadLocator
    } else {
        DialError::Unreachable
    }
}

fn causes(error: &io::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    // A boxed cause is the error's own inside, which `source` would step over.
    let mut next = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
    std::iter::from_fn(move || {
        let cause = next?;
        next = cause.source();
        Some(cause)
    })
    .take(DEPTH)
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
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        ListenError::AddressInUse
    } else if kind == io::ErrorKind::AddrNotAvailable {
        ListenError::NoSuchAddress
    } else {
        // The rest is the system's no: a privileged port, no more sockets, a family it does not have.
        ListenError::Denied
    }
}
