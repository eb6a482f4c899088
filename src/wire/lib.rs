//! Crosscast's formats: ids, keys, canonical CBOR, messages, records, frames.
//!
//! Pure: bytes in, legal types out, and back. No clock, no chance, no socket. `docs/spec` is the normative text; the
//! golden vectors there are made by this crate and read by an independent decoder. Words: `docs/GLOSSARY.md`.

pub mod cbor;
mod crypto;
mod id;
mod locator;
mod raw_frame;
mod vocab;

pub use cbor::CborError;
pub use crypto::{Aead, Crypto, Domain, RustCrypto, SecretKey, Signature};
pub use id::{ChainHash, ContentKeyId, GroupId, Instance, MessageId, NodeId, PayloadHash, Seq, ShortId, WallMillis};
pub use locator::Locator;
pub use raw_frame::{FrameType, RawFrame};
pub use vocab::{Class, Codec, Kind, Lane, Network, Order, PathKind, PathReason, Policy, Scheme, State};
