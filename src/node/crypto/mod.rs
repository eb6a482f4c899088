//! Cryptography of the node: the provider behind the pure rooms' trait, and the threads that sign and verify.

mod pool;
mod provider;
mod signer;

pub(crate) use pool::CryptoHand;
pub use pool::CryptoPool;
pub use provider::NodeCrypto;
