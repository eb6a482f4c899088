//! What can be wrong with something sealed, by who is to blame.

use crosscast_wire::CborError;

/// Why something could not be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The sender's payload is not a sealed payload.
    #[error("malformed sealed payload: {0}")]
    Malformed(#[from] CborError),
    /// The sender used a suite that does not exist.
    #[error("unknown sealing suite {0}")]
    UnknownSuite(u64),
    /// Wrong key, wrong header, or altered on the way.
    #[error("sealed payload is not authentic")]
    NotAuthentic,
    /// The sender holds the key but sealed something illegal; the word names what.
    #[error("illegal sealed content: {0}")]
    IllegalContent(&'static str),
    /// The caller's content is longer than a payload may be, or has too many wraps.
    #[error("content too large to seal")]
    TooLarge,
    /// The recipient's prekey is not usable for a key agreement.
    #[error("unusable prekey")]
    BadPrekey,
}
