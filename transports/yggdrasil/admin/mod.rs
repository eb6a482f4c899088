//! The daemon's admin socket, as a client that trusts nothing of it.
//!
//! One connection an exchange: a JSON object goes out without a newline (0.5 resets the connection when one stays
//! unread), and reading stops at the end of the object that comes back. [`place`] says where a socket may be,
//! [`request`] what is asked, [`object`] where an answer ends, [`reply`] what it says (0.4, 0.5 and Yggdrasil-ng), all
//! without a socket; [`client`] holds the socket, the bytes and the time.

pub(crate) mod client;
pub(crate) mod object;
pub(crate) mod place;
pub(crate) mod reply;
pub(crate) mod request;

#[cfg(test)]
mod tests;

use crosscast_wire::NetworkReason;

/// Why an admin socket gave no answer, by guilty party.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum AdminError {
    /// There is no such socket.
    #[error("there is no such socket")]
    Absent,
    /// The system does not let this process use it.
    #[error("the system denies access")]
    Denied,
    /// The socket is there and nobody listens.
    #[error("nobody listens")]
    Refused,
    /// Whoever listens does not say a word in time.
    #[error("no answer in time")]
    Silent,
    /// An answer began and did not end in time.
    #[error("an answer that does not end in time")]
    Slow,
    /// The connection ended before the answer did.
    #[error("closed before the end of an answer")]
    CutShort,
    /// An answer beyond what is read of one.
    #[error("a longer answer than any daemon gives")]
    TooLong,
    /// It is not what a daemon says; the words tell what is missing.
    #[error("{0}")]
    Garbled(&'static str),
    /// The daemon says no, in these words: printable and at most [`reply::SAID_MAX`] bytes.
    #[error("the daemon said: {0}")]
    Declined(String),
}

impl AdminError {
    /// What the operator is told.
    pub(crate) const fn reason(&self) -> NetworkReason {
        match self {
            Self::Absent => NetworkReason::NoAdmin,
            Self::Denied => NetworkReason::AdminDenied,
            Self::Refused | Self::Silent => NetworkReason::HostUnreachable,
            Self::Slow | Self::CutShort | Self::TooLong | Self::Garbled(_) | Self::Declined(_) => {
                NetworkReason::AdminGarbled
            }
        }
    }
}
