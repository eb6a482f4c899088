//! The readers of what a node says at its admin port, for the fuzz target, which is outside of this crate.
//!
//! No part of its interface: what is here changes with the readers. Nothing is judged, only shown; what has to hold of it
//! is for the target to say (`interop-tests/fuzz`).

use super::message::{Cookie, refusal};
use super::replies::{self, NodeInfo, Peer, Session, StoredNode};
use crate::address::NodeAddr;
use crate::bencode::Dict;
use crate::sign::NodeSignature;
use crate::{BencodeError, CjdnsError};

/// What all readers make of one reply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// The same as we would write it.
    pub written: Vec<u8>,
    /// Who the node says it is.
    pub own: Option<NodeInfo>,
    /// What it knows of one node.
    pub stored: Option<StoredNode>,
    /// Every node that is named by version, path and key.
    pub nodes: Vec<NodeAddr>,
    /// Handles of sessions.
    pub handles: Vec<i64>,
    /// A signature.
    pub signature: Option<NodeSignature>,
    /// Why readers read nothing.
    pub errors: Vec<CjdnsError>,
}

/// Has every reader read a datagram, whatever it answers.
///
/// # Errors
/// When it is no bencoded dictionary.
pub fn reply(datagram: &[u8]) -> Result<Reply, BencodeError> {
    let dict = Dict::read(datagram)?;
    let mut reply = Reply { written: dict.to_text(), ..Reply::default() };
    reply.keep(refusal(&dict));
    reply.keep(Cookie::of(&dict));
    reply.own = reply.keep(NodeInfo::read(&dict));
    reply.stored = reply.keep(StoredNode::read(&dict)).flatten();
    let peers = reply.keep(replies::page(&dict, "peers", Peer::read));
    reply.nodes.extend(peers.into_iter().flat_map(|(peers, _)| peers).map(|peer| peer.node));
    let table = reply.keep(replies::page(&dict, "routingTable", replies::table_entry));
    reply.nodes.extend(table.into_iter().flat_map(|(nodes, _)| nodes));
    let session = reply.keep(Session::or_none(Session::read(&dict))).flatten();
    reply.nodes.extend(session.map(|session| session.node));
    let nodes = reply.keep(replies::or_nobody(replies::peers_of(&dict)));
    reply.nodes.extend(nodes.into_iter().flatten());
    reply.handles = reply.keep(replies::handles(&dict)).unwrap_or_default();
    reply.keep(replies::signer_or_none(replies::signer(&dict)));
    reply.signature = dict.bytes("signature").and_then(NodeSignature::parse);
    Ok(reply)
}

impl Reply {
    fn keep<T>(&mut self, read: Result<T, CjdnsError>) -> Option<T> {
        read.map_err(|error| self.errors.push(error)).ok()
    }
}
