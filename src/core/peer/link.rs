//! One link: its hello, its two halves, what it is fed, and how alive it is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_port::{LinkId, LinkUp, Role};
use crosscast_wire::{GroupId, Hello, Instance, NodeId, RawFrame, WallMillis};

use crate::group::feed::Feed;
use crate::peer::incoming::Incoming;
use crate::peer::outgoing::Outgoing;
use crate::{CommandId, Instant};

/// A peer: one run of one node.
pub(crate) type PeerKey = (NodeId, Instance);

/// Where a link stands.
pub(crate) enum Phase {
    /// Before both proofs are through.
    Hello(Handshake),
    /// In use.
    Open,
    /// Said goodbye; waits for its end.
    Draining,
}

/// The hello so far.
#[derive(Default)]
pub(crate) struct Handshake {
    pub(crate) ours: Bytes,
    pub(crate) theirs: Option<Box<Hello>>,
    pub(crate) transcript: [u8; 32],
    pub(crate) proof_sent: bool,
    pub(crate) proof_seen: bool,
    pub(crate) proof_good: bool,
    /// Frames behind the peer's proof while it is being checked: the peer may be done before this side is.
    pub(crate) early: Vec<RawFrame>,
    pub(crate) early_bytes: usize,
}

/// A PING under way.
pub(crate) struct Ping {
    pub(crate) token: u64,
    pub(crate) sent: Instant,
    pub(crate) asked_by: Vec<CommandId>,
}

/// One link.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) up: LinkUp,
    pub(crate) phase: Phase,
    pub(crate) peer: Option<PeerKey>,
    pub(crate) hello: Option<Box<Hello>>,
    pub(crate) out: Outgoing,
    pub(crate) inn: Incoming,
    pub(crate) feeds: BTreeMap<GroupId, Feed>,
    /// Groups whose feed walks the log.
    pub(crate) behind: BTreeSet<GroupId>,
    /// Groups the peer subscribes to that this node is not part of.
    pub(crate) foreign: BTreeSet<GroupId>,
    /// When our RESUME for a group went out: its answers may be older than what is pushed.
    pub(crate) asked: BTreeMap<GroupId, Instant>,
    pub(crate) since: WallMillis,
    pub(crate) last_heard: Instant,
    pub(crate) ping: Option<Ping>,
    pub(crate) rtt_us: Option<u64>,
    pub(crate) bad_signatures: u32,
}

impl Link {
    pub(crate) fn new(id: LinkId, up: LinkUp, ours: Bytes, credit: u64, mono: Instant, wall: WallMillis) -> Self {
        Self {
            id,
            up,
            phase: Phase::Hello(Handshake { ours, ..Handshake::default() }),
            peer: None,
            hello: None,
            out: Outgoing::default(),
            inn: Incoming::new(credit),
            feeds: BTreeMap::new(),
            behind: BTreeSet::new(),
            foreign: BTreeSet::new(),
            asked: BTreeMap::new(),
            since: wall,
            last_heard: mono,
            ping: None,
            rtt_us: None,
            bad_signatures: 0,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    pub(crate) fn is_dialer(&self) -> bool {
        self.up.role == Role::Dialer
    }

    /// Books a round trip: smoothed by an eighth, as TCP does (RFC 6298).
    pub(crate) fn measured(&mut self, rtt_us: u64) {
        self.rtt_us = Some(match self.rtt_us {
            Some(smooth) => smooth.saturating_mul(7).saturating_add(rtt_us) / 8,
            None => rtt_us,
        });
    }

    /// How long a reply may take before the link is dead: 4 round trips, at least `floor_ms`.
    pub(crate) fn patience_us(&self, floor_ms: u64) -> u64 {
        self.rtt_us.unwrap_or(0).saturating_mul(4).max(floor_ms.saturating_mul(1_000))
    }
}
