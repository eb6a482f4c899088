//! Property tests and hostile values for the records, hellos, tickets and frames, through the public door only.
//!
//! Every legal value survives its bytes; every change of a byte is refused or gives another value whose signature does
//! not hold; every refusal is reached by its name. The golden vectors repeat the essential cases for other
//! implementations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod frames;
mod hellos;
mod records;
mod support;
mod tickets;
