//! Sealing: content keys, the two sealing suites, and the wrap of a content key for one recipient.
//!
//! Pure: nonces and seeds are the caller's, AEADs and signatures come through `crosscast_wire::Crypto`. The layout of a
//! sealed payload is `crosscast-wire`'s; which key belongs to which message, and who may have it, is the core's business.

mod error;
mod key;
mod payload;
mod suite;
#[cfg(test)]
mod tests;
mod wrap;

pub use crosscast_wire::Suite;
pub use error::SealError;
pub use key::{ContentKey, MessageKey};
pub use payload::{Sealing, open_payload, seal_payload};
pub use wrap::{WRAP_LEN, prekey_public, unwrap, wrap, wrap_prologue};
