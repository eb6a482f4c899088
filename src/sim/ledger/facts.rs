//! What was published: entries by token, messages by id.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_wire::{Instance, MessageId, Seq, State};

use crate::agenda::Micros;
use crate::prng::Prng;
use crate::world::HostId;

/// Where something was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// A group, by its number in the scenario.
    Group(usize),
    /// One host.
    Host(HostId),
    /// Several hosts in one message: bit n is host n.
    List(u64),
}

/// One entry as its publisher handed it in.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: To,
    pub(crate) host: HostId,
    pub(crate) run: u64,
    pub(crate) at: Micros,
    /// The publisher's clock.
    pub(crate) wall_ms: u64,
    pub(crate) life_ms: u64,
    pub(crate) len: usize,
    /// The publisher was told no.
    pub(crate) refused: bool,
    /// Message and index, once known.
    pub(crate) place: Option<(MessageId, u16)>,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) to: To,
    pub(crate) host: HostId,
    pub(crate) run: u64,
    /// When its first entry was handed in.
    pub(crate) at: Micros,
    pub(crate) wall_ms: u64,
    pub(crate) life_ms: u64,
    /// Tokens by index.
    pub(crate) entries: BTreeMap<u16, u64>,
    /// Known once it was delivered somewhere.
    pub(crate) seq: Option<(Instance, Seq)>,
    /// What its publisher was last told.
    pub(crate) state: Option<State>,
    pub(crate) links: u32,
    /// The same for each recipient of a list.
    pub(crate) told: BTreeMap<HostId, State>,
}

impl To {
    /// A list of hosts, of which there are at most 64.
    pub(crate) fn list(hosts: &[HostId]) -> Self {
        Self::List(hosts.iter().fold(0, |bits, host| bits | bit(*host)))
    }

    /// Whether a host is named, alone or with others.
    pub(crate) fn names(self, host: HostId) -> bool {
        match self {
            Self::Group(_) => false,
            Self::Host(to) => to == host,
            Self::List(bits) => bits & bit(host) != 0,
        }
    }
}

fn bit(host: HostId) -> u64 {
    1u64.checked_shl(host.0).unwrap_or(0)
}

impl Fact {
    pub(crate) fn new(to: To, host: HostId, run: u64, at: Micros, wall_ms: u64, life_ms: u64) -> Self {
        let (entries, told) = (BTreeMap::new(), BTreeMap::new());
        Self { to, host, run, at, wall_ms, life_ms, entries, seq: None, state: None, links: 0, told }
    }

    /// What its publisher was last told of it, as far as it concerns a host.
    pub(crate) fn told(&self, host: HostId) -> Option<State> {
        match self.to {
            To::List(_) => self.told.get(&host).copied(),
            To::Group(_) | To::Host(_) => self.state,
        }
    }

    /// How many next hops have taken it, as far as it concerns a host.
    pub(crate) fn links(&self, host: HostId) -> u32 {
        match self.to {
            To::List(_) => u32::from(self.told(host) == Some(State::Sent)),
            To::Group(_) | To::Host(_) => self.links,
        }
    }
}

/// The payload of a token: the token and bytes that follow from it; at least 8.
pub(crate) fn payload(token: u64, len: usize) -> Bytes {
    let mut bytes = Vec::with_capacity(len.max(8));
    bytes.extend_from_slice(&token.to_be_bytes());
    let mut prng = Prng::new(token);
    while bytes.len() < len {
        bytes.extend_from_slice(&prng.next_u64().to_le_bytes());
    }
    bytes.truncate(len.max(8));
    Bytes::from(bytes)
}

/// The token of a payload.
pub(crate) fn token(payload: &[u8]) -> Option<u64> {
    payload.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}
