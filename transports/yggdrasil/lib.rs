//! Links over a running Yggdrasil node: `ygg://[address]:port`.
//!
//! The daemon is found by its admin socket, which every local user may answer for, so nothing it says is believed: the
//! address must be that of the key and on an interface of this machine. Links are made and taken on that address by
//! `crosscast-stream`'s overlay transport; Yggdrasil authenticates source addresses, so an address tells which node's key
//! is behind it. Here is what is Yggdrasil's own: the admin protocol of 0.4, 0.5 and Yggdrasil-ng, addresses made of
//! keys, the marker in NodeInfo by which nodes find each other, and the daemon's key for attestations.

mod access;
mod address;
mod admin;
mod config;
#[doc(hidden)]
pub mod fuzzing;
mod hex;
mod host;
mod interfaces;
mod look;
mod marker;
mod node_key;
mod survey;
mod transport;

pub use address::{address_of, is_address, owns, subnet_of};
pub use admin::place::{AdminAddress, AdminAddressError};
pub use config::YggdrasilConfig;
pub use host::YggdrasilHost;
pub use marker::node_info;
pub use node_key::{NodeKey, NodeKeyError};
pub use transport::{answers, transport};
