//! What can go wrong with sealing, by who is to blame.

use crosscast_wire::PayloadError;

/// Why something could not be sealed, opened or wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// Wrong key, wrong header, or altered on the way.
    #[error("sealed payload is not authentic")]
    NotAuthentic,
    /// The caller would seal what no payload may hold.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The recipient's prekey is not usable for a key agreement.
    #[error("unusable prekey")]
    BadPrekey,
}
