//! The formats held to their word: round trips, an independent CBOR library as oracle, hostile bytes, forged signatures.
//!
//! Property tests run a few hundred cases by default; `CROSSCAST_PROPTEST_CASES` sets another number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cbor_oracle;
mod crypto;
mod make;
mod messages;
mod payloads;
