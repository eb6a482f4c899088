//! Why something asked of a running node was not done.
//!
//! The core's own answer is a [`Refusal`]; the rest is what only the driver can know: texts that are no locator or
//! ticket, listeners that the system refused, a node that is gone.

use crosscast_core::Refusal;
use crosscast_port::ListenError;
use crosscast_transport::TransportError;
use crosscast_wire::{Locator, LocatorError, Scheme};

/// Why a node did not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The node said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The text is not a ticket.
    #[error("not a ticket: {0}")]
    Ticket(String),
    /// The text is not a locator.
    #[error("`{text}` is not a locator: {reason}")]
    Locator {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: LocatorError,
    },
    /// No transport was given for this scheme.
    #[error("no transport for {0} locators was given to this node")]
    NoTransport(Scheme),
    /// The listener could not be made.
    #[error("cannot listen on {locator}: {}", listen_words(.reason))]
    Listen {
        /// Where.
        locator: Locator,
        /// Why not.
        reason: ListenError,
    },
    /// The transport that would listen cannot work at all.
    #[error("the transport for {scheme} locators cannot work: {error}")]
    Transport {
        /// Its scheme.
        scheme: Scheme,
        /// Why.
        error: TransportError,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl Error {
    /// Reads a locator from text.
    pub(crate) fn locator(text: &str) -> Result<Locator, Self> {
        Locator::parse(text).map_err(|reason| Self::Locator { text: text.to_owned(), reason })
    }
}

/// A listener's failure in words.
pub(crate) fn listen_words(error: &ListenError) -> &'static str {
    match error {
        ListenError::AddressInUse => "another program has the address",
        ListenError::NoSuchAddress => "this machine has no such address",
        ListenError::Denied => "the system does not allow it",
        ListenError::BadLocator => "it is not a place the transport can listen on",
        // The port's enum may grow; the words for what it gains come with it.
        _ => "the transport could not",
    }
}
