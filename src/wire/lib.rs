//! Crosscast's formats: ids, keys, canonical CBOR, messages, records, frames.
//!
//! Pure: bytes in, legal types out, and back. No clock, no chance, no socket. `docs/spec` is the normative text; the
//! golden vectors there are made by this crate and read by an independent decoder. Words: `docs/GLOSSARY.md`.

pub mod cbor;
mod crypto;
mod hash;
mod id;
pub mod limits;
mod locator;
mod raw_frame;
mod text;
mod vocab;

pub use cbor::CborError;
pub use crypto::{Aead, Crypto, Domain, RustCrypto, SecretKey, Signature, is_usable_key};
pub use hash::context;
pub use id::{
    ChainHash, ContentKeyId, GroupId, Instance, MessageId, NodeId, PayloadHash, Seq, ServiceId, ShortId, WallMillis,
};
pub use locator::{Locator, LocatorError};
pub use raw_frame::{FrameType, RawFrame};
pub use text::{HexTextError, KEY_TEXT_LEN, KeyTextError};
pub use vocab::{Class, Codec, Kind, Lane, Network, Order, PathKind, PathReason, Policy, RefuseCode, Scheme, State};
