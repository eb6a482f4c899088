//! Locators: where a node can be dialled, as text.
//!
//! `tls://host:port[#NODEID]`, `quic://..`, `ygg://[addr]:port`, `cjdns://[addr]:port`, `libp2p:/multiaddr`,
//! `relay:NODEID/NODEID`. The address part is each transport's to read; here it is only held within bounds and free
//! of control characters and white space.

use crate::{NodeId, Scheme};

/// Where a node can be dialled, and the key that must answer when it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    scheme: Scheme,
    address: String,
    node: Option<NodeId>,
}
