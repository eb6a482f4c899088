//! What replies of the admin interface say, read into types.
//!
//! A field of the wrong kind, or one that has to be there and is not, makes a reply nonsense. An entry of a list that
//! names a node by a key which no node can have is left out: such nodes cannot be dialled, and the rest is good.

use std::net::Ipv6Addr;

use crosscast_stream::overlay::HostKey;

use crate::CjdnsError;
use crate::address::{NodeAddr, Path, parse_key};
use crate::bencode::{Dict, Value};

/// How `SessionManager` and `InterfaceController` call what is up.
const ESTABLISHED: &[u8] = b"ESTABLISHED";

/// Who the host node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Its X25519 key.
    pub key: HostKey,
    /// Its address, which follows from the key.
    pub address: Ipv6Addr,
    /// Its protocol version.
    pub version: u32,
}

impl NodeInfo {
    pub(super) fn read(reply: &Dict<'_>) -> Result<Self, CjdnsError> {
        let NodeAddr { version, key, address, .. } =
            reply.bytes("myAddr").and_then(NodeAddr::parse).ok_or(CjdnsError::Garbled("no address of its own"))?;
        if reply.bytes("myIp6").and_then(parse_address) != Some(address) {
            return Err(CjdnsError::Garbled("an address that does not follow from its key"));
        }
        Ok(Self { key, address, version })
    }
}

/// A node that the host node has a link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Who it is.
    pub node: NodeAddr,
    /// How the link stands.
    pub state: PeerState,
}

/// How a link of the host node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// It is up.
    Established,
    /// The peer speaks a version of the protocol that cannot work.
    Incompatible,
    /// It is not up yet, or no more.
    Other,
}

impl Peer {
    pub(super) fn read(entry: &Value<'_>) -> Result<Option<Self>, CjdnsError> {
        let entry = entry.as_dict().ok_or(CjdnsError::Garbled("a peer that is no dictionary"))?;
        let state = match entry.bytes("state").ok_or(CjdnsError::Garbled("a peer without a state"))? {
            ESTABLISHED => PeerState::Established,
            b"INCOMPATIBLE" => PeerState::Incompatible,
            _ => PeerState::Other,
        };
        Ok(named(entry)?.map(|node| Self { node, state }))
    }
}

/// What the host node knows of a node that it has a way to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredNode {
    /// Its X25519 key.
    pub key: HostKey,
    /// The way to it.
    pub path: Path,
}

impl StoredNode {
    pub(super) fn read(reply: &Dict<'_>) -> Result<Option<Self>, CjdnsError> {
        let result = reply.dict("result").ok_or(CjdnsError::Garbled("no result"))?;
        let Some(key) = result.get("key") else { return Ok(None) };
        let key = key.as_bytes().and_then(parse_key).ok_or(CjdnsError::Garbled("a key"))?;
        let path = result.bytes("routeLabel").and_then(|path| Path::parse(str::from_utf8(path).ok()?));
        Ok(Some(Self { key, path: path.ok_or(CjdnsError::Garbled("a path"))? }))
    }
}

/// A session of the host node: two nodes that talk end to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The other one.
    pub node: NodeAddr,
    /// Whether it is up.
    pub established: bool,
}

impl Session {
    pub(super) fn read(reply: &Dict<'_>) -> Result<Self, CjdnsError> {
        let node = named(reply)?.ok_or(CjdnsError::Garbled("a session with nobody"))?;
        let state = reply.bytes("state").ok_or(CjdnsError::Garbled("a session without a state"))?;
        Ok(Self { node, established: state == ESTABLISHED })
    }

    pub(super) fn or_none(read: Result<Self, CjdnsError>) -> Result<Option<Self>, CjdnsError> {
        match read {
            Err(CjdnsError::Refused(words)) if words == "no such session" => Ok(None),
            other => other.map(Some),
        }
    }
}

pub(super) fn table_entry(entry: &Value<'_>) -> Result<Option<NodeAddr>, CjdnsError> {
    named(entry.as_dict().ok_or(CjdnsError::Garbled("a node that is no dictionary"))?)
}

pub(super) fn handles(reply: &Dict<'_>) -> Result<Vec<i64>, CjdnsError> {
    let handles = reply.list("handles").ok_or(CjdnsError::Garbled("no list of handles"))?;
    handles.iter().map(|handle| handle.as_int().ok_or(CjdnsError::Garbled("a handle that is no number"))).collect()
}

pub(super) fn peers_of(reply: &Dict<'_>) -> Result<Vec<NodeAddr>, CjdnsError> {
    // Where the other node did not answer, the result is `timeout` and there is no list.
    let Some(peers) = reply.get("peers") else { return Ok(Vec::new()) };
    let peers = peers.as_list().ok_or(CjdnsError::Garbled("peers that are no list"))?;
    let texts = peers.iter().map(|peer| peer.as_bytes().ok_or(CjdnsError::Garbled("a peer that is no text")));
    texts.filter_map(|text| text.map(NodeAddr::parse).transpose()).collect()
}

pub(super) fn or_nobody(read: Result<Vec<NodeAddr>, CjdnsError>) -> Result<Vec<NodeAddr>, CjdnsError> {
    match read {
        Err(CjdnsError::Refused(words)) if words == "not_found" => Ok(Vec::new()),
        other => other,
    }
}

pub(super) fn signer(reply: &Dict<'_>) -> Result<HostKey, CjdnsError> {
    reply.bytes("pubkey").and_then(parse_key).ok_or(CjdnsError::Garbled("no key of a signer"))
}

pub(super) fn signer_or_none(read: Result<HostKey, CjdnsError>) -> Result<Option<HostKey>, CjdnsError> {
    match read {
        Err(CjdnsError::Refused(words)) if words == "invalid signature" => Ok(None),
        other => other.map(Some),
    }
}

/// The items of one page of a list, and whether it is the last.
pub(super) fn page<T>(
    reply: &Dict<'_>,
    list: &str,
    read: impl Fn(&Value<'_>) -> Result<Option<T>, CjdnsError>,
) -> Result<(Vec<T>, bool), CjdnsError> {
    let entries = reply.list(list).ok_or(CjdnsError::Garbled("no list where one was asked for"))?;
    let items: Result<Vec<T>, CjdnsError> = entries.iter().filter_map(|entry| read(entry).transpose()).collect();
    // Only the last page goes without the word `more`; an empty one says the same again.
    let is_last = entries.is_empty() || reply.int("more") != Some(1);
    Ok((items?, is_last))
}

/// The node that the `addr` of a dictionary names; `None` when its key can be no node's.
fn named(dict: &Dict<'_>) -> Result<Option<NodeAddr>, CjdnsError> {
    dict.bytes("addr").map(NodeAddr::parse).ok_or(CjdnsError::Garbled("a node without an address"))
}

fn parse_address(text: &[u8]) -> Option<Ipv6Addr> {
    str::from_utf8(text).ok()?.parse().ok()
}
