//! The formats held to their word, through the public door only.
//!
//! Every legal value survives its bytes; every change of a byte is refused or gives another value whose signature does
//! not hold; every refusal is reached by its name; an independent CBOR library is the oracle of ours. Property tests run
//! a few hundred cases by default, `CROSSCAST_PROPTEST_CASES` sets another number. The golden vectors repeat the
//! essential cases for other implementations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod attestations;
mod cbor_oracle;
mod crypto;
mod equivocations;
mod frames;
mod grants;
mod hellos;
mod make;
mod messages;
mod payloads;
mod records;
mod requests;
mod services;
mod support;
mod tickets;
