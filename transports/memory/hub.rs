//! The hub: which names listen, and the channels between two ends.
//!
//! A name belongs to one transport until that transport ends. The channel between two ends holds a few chunks, so a
//! reader that stops is felt by the writer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use crosscast_wire::{Locator, NodeId};
use tokio::sync::mpsc;

use crate::link::Link;

/// Links an endpoint may have waiting to be accepted; dials beyond that are unreachable.
pub const BACKLOG: usize = 64;

/// Chunks under way in each direction of a link; with [`CHUNK`] this is the link's capacity.
const CHUNKS: usize = 4;

/// Bytes of a chunk.
pub(crate) const CHUNK: usize = 64 * 1024;

/// Where nodes of one process find each other; clones are the same hub.
#[derive(Clone, Debug, Default)]
pub struct Hub(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    endpoints: BTreeMap<String, Endpoint>,
    links: u64,
}

/// Who listens at a name.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) node: Option<NodeId>,
    pub(crate) accept: mpsc::Sender<Incoming>,
}

/// A link as its listener gets it.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) link: Link,
    pub(crate) from: Locator,
}

/// What travels from one end to the other.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// Bytes of the stream.
    Data(Vec<Bytes>),
    /// The stream ends in order.
    End,
}

/// One end's two channels.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) out: mpsc::Sender<Chunk>,
    pub(crate) back: mpsc::Receiver<Chunk>,
}

impl Hub {
    /// Makes a hub where nobody listens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn find(&self, name: &str) -> Option<Endpoint> {
        self.state().endpoints.get(name).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the two ends of a link, and the binding that no other link of this hub has.
pub(crate) fn wires(hub: &Hub) -> (Wire, Wire, Bytes) {
    let number = {
        let mut state = hub.state();
        state.links = state.links.saturating_add(1);
        state.links
    };
    let mut binding = BytesMut::from(&b"memory link number      "[..]);
    binding.put_u64(number);
    let (near, far_back) = mpsc::channel(CHUNKS);
    let (far, near_back) = mpsc::channel(CHUNKS);
    (Wire { out: near, back: near_back }, Wire { out: far, back: far_back }, binding.freeze())
}

/// The names one transport listens at; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Names {
    hub: Hub,
    endpoint: Endpoint,
    names: Vec<String>,
}

impl Names {
    pub(crate) fn new(hub: &Hub, node: Option<NodeId>, accept: mpsc::Sender<Incoming>) -> Self {
        Self { hub: hub.clone(), endpoint: Endpoint { node, accept }, names: Vec::new() }
    }

    /// Listens at a name; false when it is taken.
    pub(crate) fn claim(&mut self, name: &str) -> bool {
        let mut state = self.hub.state();
        if state.endpoints.contains_key(name) {
            return false;
        }
        state.endpoints.insert(name.to_owned(), self.endpoint.clone());
        self.names.push(name.to_owned());
        true
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        let mut state = self.hub.state();
        for name in &self.names {
            state.endpoints.remove(name);
        }
    }
}
