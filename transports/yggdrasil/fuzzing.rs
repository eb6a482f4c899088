//! The readers of what a daemon and other nodes say, for the fuzz targets, which are outside of this crate.
//!
//! No part of its interface: what is here changes with the readers. Nothing is judged, only shown; what has to hold of it
//! is for the targets to say (`interop-tests/fuzz`).

use crosscast_stream::overlay::HostKey;
use crosscast_wire::{NodeId, PeerFault, WallMillis};

use crate::admin::object::ObjectEnd;
use crate::admin::{AdminError, reply};
use crate::marker;

/// Most entries that are kept of a list.
pub const ITEMS_MAX: usize = reply::ITEMS_MAX;

/// Most bytes of what a daemon says that are shown.
pub const SAID_MAX: usize = reply::SAID_MAX;

/// What all readers make of one answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Keys that are taken for those of nodes with an address: peers, sessions, paths.
    pub nodes: Vec<HostKey>,
    /// How many entries each list has.
    pub counts: Vec<usize>,
    /// What would be shown to people: peers' places and errors, and why a reader read nothing.
    pub texts: Vec<String>,
    /// Another node's NodeInfo.
    pub node_info: Option<&'a str>,
}

/// Has every reader read an answer, some of which ask for the node with this key.
#[must_use]
pub fn answer<'a>(said: &'a [u8], asked: &HostKey) -> Answer<'a> {
    let mut answer = Answer::default();
    answer.keep(reply::dialect(said));
    answer.keep(reply::own_node(said));
    answer.keep(reply::tun(said));
    for peer in answer.list(reply::peers(said)) {
        answer.nodes.extend(peer.key);
        answer.texts.extend(peer.remote);
        answer.texts.extend(peer.last_error);
    }
    for read in [reply::sessions(said), reply::paths(said)] {
        let nodes = answer.list(read);
        answer.nodes.extend(nodes);
    }
    // Of other nodes' peers only the keys are known, and what has no address is left out where it is used.
    answer.list(reply::remote_peers(said, asked));
    answer.node_info = answer.keep(reply::node_info(said, asked));
    answer
}

impl Answer<'_> {
    fn keep<T>(&mut self, read: Result<T, AdminError>) -> Option<T> {
        read.map_err(|error| self.texts.push(error.to_string())).ok()
    }

    fn list<T>(&mut self, read: Result<Vec<T>, AdminError>) -> Vec<T> {
        let list = self.keep(read).unwrap_or_default();
        self.counts.push(list.len());
        list
    }
}

/// Where the first object of a stream ends that comes in such pieces; `None` while it goes on.
///
/// # Errors
/// When no object begins, in the words that would be shown.
pub fn object_end<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<usize>, String> {
    let (mut end, mut before) = (ObjectEnd::default(), 0_usize);
    for piece in pieces {
        match end.look(piece).map_err(|error| error.to_string())? {
            None => before = before.saturating_add(piece.len()),
            Some(len) => return Ok(before.checked_add(len)),
        }
    }
    Ok(None)
}

/// The marker in NodeInfo that holds: node, port and last millisecond.
///
/// # Errors
/// Why it does not hold.
pub fn node_info(info: &str, asked: &HostKey, now: WallMillis) -> Result<Option<(NodeId, u16, WallMillis)>, PeerFault> {
    let marker = marker::read(info, asked, now)?;
    Ok(marker.map(|marker| (marker.node, marker.port, marker.until)))
}
