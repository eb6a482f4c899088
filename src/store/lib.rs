//! Stores: in memory, and an append-only durable one.
//!
//! The words are `crosscast-port`'s. A [`Store`] is synchronous: the node calls it from one thread of its own and hands
//! it everything that waits as one batch, so that many commits share one write and one sync. Both stores keep the same
//! rules ([`check`]) and sit the same exam. What to keep, trim and forget is the core's business.

mod check;
#[cfg(any(test, feature = "exam"))]
pub mod exam;
mod file;
mod index;
mod memory;

pub use check::{COMMIT_BYTES_MAX, ENTRY_COST, KEY_BYTES_MAX, PAIR_COST, PAIR_RESERVE_BYTES, VALUE_BYTES_MAX};
pub use file::{FileStore, FileStoreConfig};
pub use memory::MemoryStore;

use crosscast_port::{OpId, Recovered, StoreError, StoreOp, StoreOutcome};

/// Keeps what the core tells it to.
pub trait Store: Send {
    /// Reads everything that is held: called once, before the first [`Store::apply`].
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when files are damaged beyond a torn tail, [`StoreError::Io`] when the disk fails.
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// Does the operations in order and answers each, in the same order; an operation sees those before it.
    fn apply(&mut self, ops: Vec<(OpId, StoreOp)>) -> Vec<(OpId, StoreOutcome)>;
}
