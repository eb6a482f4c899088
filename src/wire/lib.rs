//! Crosscast's formats: ids, keys, canonical CBOR, messages, records, frames.
//!
//! Pure: bytes in, legal types out, and back. No clock, no chance, no socket. `docs/spec` is the normative text; the
//! golden vectors there are made by this crate and read by an independent decoder. Words: `docs/GLOSSARY.md`.
//!
//! ```
//! use crosscast_wire::*;
//!
//! let key = SecretKey::new([7; 32]); // a real one is drawn by chance
//! let draft = HeaderDraft {
//!     to: Destination::Multicast(GroupId::new([9; 32])),
//!     from: NodeId::new(key.public()),
//!     instance: Instance::new(1_700_000_000, 42),
//!     seq: Seq(1),
//!     time: WallMillis(1_700_000_000_000),
//!     expires: WallMillis(1_700_000_600_000),
//!     class: Class::Normal,
//!     order: Order::Fifo,
//!     deps: vec![],
//!     chain: None,
//!     recipients: vec![],
//!     codec: Codec::Entries,
//!     count: 1,
//! };
//! let payload = encode_entries(&[Entry::new("hello".into())])?;
//! let sent = draft.sign(&RustCrypto, &key, &payload)?;
//!
//! let received = Message::parse(sent.bytes().clone())?;
//! assert!(received.verify_signature(&RustCrypto) && received.check_payload_hash());
//! let entries = Entries::decode(received.payload(), received.header().count)?;
//! assert_eq!(entries.iter().next().unwrap().payload, "hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attestation;
mod base64url;
mod bits;
mod capability;
pub mod cbor;
mod chain;
mod crypto;
mod equivocation;
mod fields;
mod floor;
pub mod frame;
mod grant;
mod hash;
pub mod hello;
mod id;
mod join_request;
pub mod limits;
mod locate;
mod locator;
mod message;
mod multiples;
mod peer_record;
mod raw_frame;
mod service_record;
mod signed;
mod successor;
mod text;
mod ticket;
mod verify_key;
mod vocab;

pub use attestation::{Attestation, AttestationDraft, AttestationError, AttestationFields};
pub use bits::{Features, Rights, Roles};
pub use capability::{Capability, CapabilityError, CapabilityFields};
pub use cbor::CborError;
pub use chain::{Chain, ChainError};
pub use crypto::{Aead, Crypto, Domain, RustCrypto, SecretKey, Signature, is_usable_key};
pub use equivocation::{Equivocation, EquivocationError};
pub use floor::{FloorError, FloorFields, FloorRecord};
pub use frame::{Frame, FrameCause, FrameError, Hop, ResumeWindow, TRAIL_MAX, Trail};
pub use grant::{GRANT_CONTENT_TYPE, Grant, GrantError, GrantFields};
pub use hash::context;
pub use hello::{Hello, HelloError, HelloFields, VersionRange};
pub use id::{
    CapabilitySerial, ChainHash, ContentKeyId, GroupId, Instance, MessageId, NodeId, PayloadHash, Rendezvous,
    RequestId, RevocationId, Seq, ServiceId, ShortId, WallMillis,
};
pub use join_request::{InviteProof, JoinRequest, JoinRequestError, JoinRequestFields};
pub use locate::{Locate, LocateError, LocateFields};
pub use locator::{Locator, LocatorError};
pub use message::{
    Destination, Entries, EntriesIter, Entry, EntryMeta, Header, HeaderDraft, Headroom, MESSAGE_VERSION, Manifest,
    Message, MessageError, Payload, PayloadError, Plaintext, Sealed, SealedDraft, Suite, UnsignedHeader, assemble,
    assemble_in_place, encode_entries, padded_len,
};
pub use peer_record::{PeerRecord, PeerRecordError, PeerRecordFields};
pub use raw_frame::{FrameType, RawFrame};
pub use service_record::{ServiceRecord, ServiceRecordError, ServiceRecordFields};
pub use successor::{Successor, SuccessorError, SuccessorFields};
pub use text::{HexTextError, KEY_TEXT_LEN, KeyTextError};
pub use ticket::{TICKET_PREFIX, Ticket, TicketError, TicketFields};
pub use verify_key::{VerifyKey, WeakVerifyKey};
pub use vocab::{
    Class, CloseCode, Codec, GrantRefusal, Kind, Lane, Network, NetworkReason, NetworkState, Order, PathKind,
    PathReason, PeerFault, Policy, Purpose, RefuseCode, Scheme, State,
};
