//! Sealing: content keys, the two sealing suites, the wrap of a content key for one recipient, and channels by Noise.
//!
//! Pure: nonces and seeds are the caller's, AEADs and signatures come through `crosscast_wire::Crypto`. The layout of a
//! sealed payload is `crosscast-wire`'s; which key belongs to which message, and who may have it, is the core's business.

mod error;
mod key;
pub mod noise;
mod payload;
mod resolver;
mod suite;
#[cfg(test)]
mod tests;
mod wrap;

pub use crosscast_wire::Suite;
pub use error::SealError;
pub use key::{ContentKey, MessageKey};
pub use payload::{Sealing, open_payload, seal_payload};
pub use wrap::{WRAP_LEN, prekey_public, unwrap, wrap, wrap_prologue};
