//! What an answer says: every field may be missing, of another type, or beside fields that nobody knows.
//!
//! Nothing is built of an answer but what is asked for, and that is small beside it. Lists hold what can be read of them
//! and end at [`ITEMS_MAX`]. Fields of 0.4, 0.5 and Yggdrasil-ng (`uri` for `remote`, a list of bare
//! names) are read alike; which daemon it is shows only in the list of its requests, since packaged builds call their
//! version "unknown".

use core::fmt;
use std::net::Ipv6Addr;

use crosscast_stream::overlay::HostKey;
use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::AdminError;
use crate::address::address_of;
use crate::hex;

/// 1,024: more peers, sessions or paths than answers within the limits of bytes can hold of real ones.
pub(crate) const ITEMS_MAX: usize = 1024;

/// 64 peers are kept with what is said of them: what keeps the others down is hardly another thing.
const TOLD_MAX: usize = 64;

/// 1 KiB: a peer's locator and an error are shorter; longer texts are taken for missing ones.
const TEXT_MAX: usize = 1024;

/// 80 bytes of what the daemon says are shown, so that the rest of a line has room beside it.
pub(crate) const SAID_MAX: usize = 80;

/// Which admin requests a daemon has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The version, as far as it shows.
    pub(crate) version: Version,
    /// Whether other nodes can be asked for their peers.
    pub(crate) remote_peers: bool,
}

/// A daemon's version, as far as the list of its requests shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// It has `getdht`.
    V04,
    /// It has `gettree`.
    V05,
    /// It has neither.
    Unknown,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V04 => "Yggdrasil 0.4",
            Self::V05 => "Yggdrasil 0.5",
            Self::Unknown => "Yggdrasil",
        })
    }
}

/// The node itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OwnNode {
    /// Its key.
    pub(crate) key: HostKey,
    /// The address it names; whether it is the key's is for the caller to see.
    pub(crate) address: Ipv6Addr,
}

/// The node's interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tun {
    /// Whether there is one.
    pub(crate) enabled: Option<bool>,
    /// Its MTU in bytes.
    pub(crate) mtu: Option<u32>,
}

/// A node that the node is, or should be, linked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Whether the link is up; 0.4 lists no others.
    pub(crate) up: bool,
    /// Its key, when it is up.
    pub(crate) key: Option<HostKey>,
    /// Where it is dialled, as [`said`], for those of the first [`TOLD_MAX`]; without the part that may hold a password.
    pub(crate) remote: Option<String>,
    /// Why it is not up, as [`said`].
    pub(crate) last_error: Option<String>,
}

/// Tells from the list of requests which daemon it is.
pub(crate) fn dialect(answer: &[u8]) -> Result<Dialect, AdminError> {
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        list: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        command: Option<&'a RawValue>,
    }
    let list: List<'_> = fields(response(answer)?)?;
    let names = items(list.list, |entry| {
        text(Some(entry)).or_else(|| text(serde_json::from_str::<Entry<'_>>(entry.get()).ok()?.command))
    })?;
    let has = |name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    if !has("getself") {
        return Err(AdminError::Garbled("its list of requests has no getself"));
    }
    let version = match (has("getdht"), has("gettree")) {
        (true, false) => Version::V04,
        (false, true) => Version::V05,
        (true, true) | (false, false) => Version::Unknown,
    };
    Ok(Dialect { version, remote_peers: has("debug_remotegetpeers") })
}

/// Reads the node's key and address; an answer without them is none.
pub(crate) fn own_node(answer: &[u8]) -> Result<OwnNode, AdminError> {
    let node: Node<'_> = fields(response(answer)?)?;
    let key = key(node.key).ok_or(AdminError::Garbled("it names no key of its own"))?;
    let address = address(node.address).ok_or(AdminError::Garbled("it names no address of its own"))?;
    Ok(OwnNode { key, address })
}

/// Reads the node's interface.
pub(crate) fn tun(answer: &[u8]) -> Result<Tun, AdminError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        enabled: Option<&'a RawValue>,
        #[serde(borrow)]
        mtu: Option<&'a RawValue>,
    }
    let tun: Fields<'_> = fields(response(answer)?)?;
    Ok(Tun { enabled: plain(tun.enabled), mtu: plain::<u32>(tun.mtu).filter(|mtu| *mtu > 0) })
}

/// Reads the node's peers, up and down.
pub(crate) fn peers(answer: &[u8]) -> Result<Vec<Peer>, AdminError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        peers: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        up: Option<&'a RawValue>,
        #[serde(borrow)]
        key: Option<&'a RawValue>,
        #[serde(borrow)]
        address: Option<&'a RawValue>,
        #[serde(borrow)]
        remote: Option<&'a RawValue>,
        #[serde(borrow)]
        uri: Option<&'a RawValue>,
        #[serde(borrow)]
        last_error: Option<&'a RawValue>,
    }
    let list: Fields<'_> = fields(response(answer)?)?;
    let mut told = 0..TOLD_MAX;
    items(list.peers, |entry| {
        let peer: Entry<'_> = serde_json::from_str(entry.get()).ok()?;
        let key = whole(key(peer.key), address(peer.address));
        let up = plain(peer.up).unwrap_or(key.is_some());
        let Some(_) = told.next() else { return Some(Peer { up, key, remote: None, last_error: None }) };
        let remote = text(peer.remote).or_else(|| text(peer.uri));
        Some(Peer {
            up,
            key,
            remote: remote.map(|remote| said(remote.split('?').next().unwrap_or_default())),
            last_error: text(peer.last_error).map(|error| said(&error)),
        })
    })
}

/// Reads the keys of the nodes that traffic was exchanged with.
pub(crate) fn sessions(answer: &[u8]) -> Result<Vec<HostKey>, AdminError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        sessions: Option<&'a RawValue>,
    }
    let list: Fields<'_> = fields(response(answer)?)?;
    items(list.sessions, |entry| {
        let node: Node<'_> = serde_json::from_str(entry.get()).ok()?;
        whole(key(node.key), address(node.address))
    })
}

/// Reads the keys of the nodes that a way is known to. A path without steps is a search under way, whose key 0.4 shows cut
/// off and filled up.
pub(crate) fn paths(answer: &[u8]) -> Result<Vec<HostKey>, AdminError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        paths: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        path: Option<&'a RawValue>,
    }
    let list: Fields<'_> = fields(response(answer)?)?;
    items(list.paths, |entry| {
        let steps: Entry<'_> = serde_json::from_str(entry.get()).ok()?;
        let any = items(steps.path, |_| Some(())).is_ok_and(|steps| !steps.is_empty());
        let node: Node<'_> = serde_json::from_str(entry.get()).ok().filter(|_| any)?;
        whole(key(node.key), address(node.address))
    })
}

/// Reads the keys of the peers of the node that was asked; the answer goes by its address.
pub(crate) fn remote_peers(answer: &[u8], asked: &HostKey) -> Result<Vec<HostKey>, AdminError> {
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow)]
        keys: Option<&'a RawValue>,
    }
    let of = address_of(asked);
    let theirs = entry(response(answer)?, |name| name.parse().ok() == of)?;
    let list: Fields<'_> = fields(theirs.ok_or(AdminError::Garbled("it answers for another node"))?)?;
    items(list.keys, |entry| key(Some(entry)))
}

/// The NodeInfo of the node that was asked, as JSON; the answer goes by its key.
pub(crate) fn node_info<'a>(answer: &'a [u8], asked: &HostKey) -> Result<&'a str, AdminError> {
    let of = hex::write(asked);
    let theirs = entry(response(answer)?, |name| name.eq_ignore_ascii_case(&of))?;
    theirs.map(RawValue::get).ok_or(AdminError::Garbled("it answers for another node"))
}

/// Makes a text of the daemon fit to be shown: printable ASCII, at most [`SAID_MAX`] bytes.
pub(crate) fn said(text: &str) -> String {
    let shown = |letter: char| if letter == ' ' || letter.is_ascii_graphic() { letter } else { '?' };
    text.chars().take(SAID_MAX).map(shown).collect()
}

/// What nearly every answer and entry has.
#[derive(Deserialize)]
struct Node<'a> {
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    address: Option<&'a RawValue>,
}

/// The part of an answer that answers.
fn response(answer: &[u8]) -> Result<&RawValue, AdminError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        status: Option<&'a RawValue>,
        #[serde(borrow)]
        error: Option<&'a RawValue>,
        #[serde(borrow)]
        response: Option<&'a RawValue>,
    }
    const NOT_AS_DAEMONS: AdminError = AdminError::Garbled("its answer is not as a daemon's");
    let envelope: Envelope<'_> = serde_json::from_slice(answer).map_err(|_| NOT_AS_DAEMONS)?;
    match text(envelope.status).as_deref() {
        Some("success") => envelope.response.ok_or(NOT_AS_DAEMONS),
        Some("error") => Err(AdminError::Declined(said(&text(envelope.error).unwrap_or_default()))),
        Some(_) | None => Err(NOT_AS_DAEMONS),
    }
}

fn fields<'a, T: Deserialize<'a>>(object: &'a RawValue) -> Result<T, AdminError> {
    serde_json::from_str(object.get()).map_err(|_| AdminError::Garbled("its answer has no fields"))
}

/// A number or a truth value, when the field is there and is one.
fn plain<'a, T: Deserialize<'a>>(raw: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

fn text(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?.get();
    if raw.len() <= TEXT_MAX { serde_json::from_str(raw).ok() } else { None }
}

fn key(raw: Option<&RawValue>) -> Option<HostKey> {
    hex::read(&text(raw)?)
}

fn address(raw: Option<&RawValue>) -> Option<Ipv6Addr> {
    text(raw)?.parse().ok()
}

/// A key that has an address, and not another one than named beside it.
fn whole(key: Option<HostKey>, named: Option<Ipv6Addr>) -> Option<HostKey> {
    let own = address_of(key.as_ref()?)?;
    key.filter(|_| named.is_none_or(|named| named == own))
}

/// What can be read of a list; nothing of one that is missing.
fn items<'a, T>(list: Option<&'a RawValue>, read: impl FnMut(&'a RawValue) -> Option<T>) -> Result<Vec<T>, AdminError> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut json = serde_json::Deserializer::from_str(list.get());
    json.deserialize_seq(Items(read)).map_err(|_| AdminError::Garbled("its list is no list"))
}

struct Items<F>(F);

impl<'a, T, F: FnMut(&'a RawValue) -> Option<T>> Visitor<'a> for Items<F> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'a>>(mut self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = list.next_element()? {
            if read.len() < ITEMS_MAX {
                read.extend((self.0)(item));
            }
        }
        Ok(read)
    }
}

/// The value of the first name in an object that is the right one.
fn entry(object: &RawValue, right: impl FnMut(&str) -> bool) -> Result<Option<&RawValue>, AdminError> {
    let mut json = serde_json::Deserializer::from_str(object.get());
    json.deserialize_map(Named(right)).map_err(|_| AdminError::Garbled("its answer has no fields"))
}

struct Named<F>(F);

impl<'a, F: FnMut(&str) -> bool> Visitor<'a> for Named<F> {
    type Value = Option<&'a RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(mut self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some((name, value)) = object.next_entry::<String, &'a RawValue>()? {
            if found.is_none() && (self.0)(&name) {
                found = Some(value);
            }
        }
        Ok(found)
    }
}
