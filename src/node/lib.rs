//! The embeddable Crosscast node: the tokio driver of the core.
//!
//! [`Node::builder`] gathers an identity, a store and transports; [`Builder::start`] runs the node as one task of the
//! current tokio runtime. [`Node`] is a cheap handle to it: publish, subscribe, send, look. Each transport is a crate of
//! its own, given to the builder, so this crate knows none of them. The rules of the protocol live in the core; here
//! are its clock, its chance, its threads and the queues between it and the application.
#![doc = include_str!("example.md")]

mod clock;
mod crypto;
mod driver;
mod error;
mod heap;
mod home;
mod intake;
mod keyfile;
mod node;
mod publish;
mod publisher;
mod reach;
mod rights;
mod rotate;
mod settings;
mod start;
mod store_thread;
mod subscription;
mod unicast;
mod upkeep;
mod watch;
mod work;

pub use crosscast_core::{
    Delivery, GroupView, InviteOptions, Notice, Outcome, PeerView, ReaderId, Refusal, Revoked, ServiceView, Since,
    Sizes, Source, Status, Times, TrailView, Tuning,
};
pub use crosscast_port::{DialError, ListenError, LogPos, NetworkReport, StoreError};
pub use crosscast_store::{MemoryStore, Store};
pub use crosscast_transport::{Transport, TransportError};
pub use crosscast_wire::{
    Attestation, AttestationDraft, AttestationError, AttestationFields, Class, Crypto, Entries, Entry, GroupId,
    Instance, Locator, LocatorError, MessageId, Network, NetworkReason, NetworkState, NodeId, Order, PathKind,
    PathReason, PeerFault, Policy, Scheme, SecretKey, Seq, State, Ticket, WallMillis,
};

pub use crypto::{CryptoPool, NodeCrypto};
pub use error::Error;
pub use heap::keep_freed_memory;
pub use home::{Home, HomeError};
pub use keyfile::{Identity, KeyFileError};
pub use node::{Node, Pong};
pub use publish::{PublishOptions, Published, Submitted, SubmittedTracked, Tracked};
pub use publisher::{Publisher, Tally};
pub use rights::{Grant, Granted};
pub use rotate::{Rotated, load_successor, rotate};
pub use settings::{
    ApiSettings, Attach, AttachError, CjdnsSettings, HostNode, Libp2pSettings, LimitSettings, NetworkSettings,
    Settings, SettingsError, YggdrasilSettings,
};
pub use start::{Builder, StartError};
pub use subscription::{Item, Subscription};
pub use watch::{Notices, Outcomes};
