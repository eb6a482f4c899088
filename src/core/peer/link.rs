//! One link: its hello, its two halves, what it is fed, and how alive it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use crosscast_port::{LinkId, LinkUp, Role};
use crosscast_wire::{ChainHash, GroupId, Hello, Instance, NodeId, RawFrame, RefuseCode, Scheme, WallMillis};

use crate::auth::bucket::Bucket;
use crate::auth::origin::Origin;
use crate::group::feed::Feed;
use crate::peer::carrier::Carrier;
use crate::peer::incoming::{Arrival, Incoming};
use crate::peer::outgoing::Outgoing;
use crate::{CommandId, Instant, Now, limits};

/// A peer: one run of one node.
pub(crate) type PeerKey = (NodeId, Instance);

/// Where a link stands.
pub(crate) enum Phase {
    /// Before both proofs are through.
    Hello(Handshake),
    /// In use.
    Open,
    /// No link to a peer but a carrier, over which only messages go.
    Carrier(Box<Carrier>),
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

/// Which chains a peer was sent, the newest of them.
#[derive(Default)]
pub(crate) struct SentChains {
    sent: BTreeSet<ChainHash>,
    order: VecDeque<ChainHash>,
}

impl SentChains {
    /// Books a chain as sent; whether it was not yet.
    pub(crate) fn add(&mut self, hash: ChainHash) -> bool {
        let fresh = self.sent.insert(hash);
        if fresh {
            self.order.push_back(hash);
            if self.order.len() > limits::CHAINS_SENT
                && let Some(oldest) = self.order.pop_front()
            {
                self.sent.remove(&oldest);
            }
        }
        fresh
    }

    /// The peer has lost them: what it needs is sent again.
    pub(crate) fn clear(&mut self) {
        self.sent.clear();
        self.order.clear();
    }
}

/// One link.
pub(crate) struct Link {
    pub(crate) id: LinkId,
    pub(crate) up: LinkUp,
    pub(crate) phase: Phase,
    pub(crate) peer: Option<PeerKey>,
    pub(crate) hello: Option<Box<Hello>>,
    /// Networks on which our hello named an address: there the peer can dial us.
    pub(crate) told: BTreeSet<Scheme>,
    pub(crate) out: Outgoing,
    pub(crate) inn: Incoming,
    pub(crate) feeds: BTreeMap<GroupId, Feed>,
    /// Groups subscribed to by a chain: the peer's RESUME shows that it has been checked.
    pub(crate) resume_due: BTreeSet<GroupId>,
    /// Groups of this node whose RESUME came before the peer was known to be entitled; what it said is not kept.
    pub(crate) resume_missed: BTreeSet<GroupId>,
    /// Groups whose feed walks the log.
    pub(crate) behind: BTreeSet<GroupId>,
    /// Groups the peer subscribes to that it is not fed, with the chain it names: this node is not part of them, or the
    /// peer is not entitled now.
    pub(crate) foreign: BTreeMap<GroupId, Option<ChainHash>>,
    /// When our RESUME for a group went out: its answers may be older than what is pushed.
    pub(crate) asked: BTreeMap<GroupId, Instant>,
    pub(crate) since: WallMillis,
    pub(crate) last_heard: Instant,
    pub(crate) ping: Option<Ping>,
    /// When the last PING was sent, at first when the link came up.
    pub(crate) pinged: Instant,
    pub(crate) rtt_us: Option<u64>,
    /// Where it comes from, as budgets see it.
    pub(crate) origin: Origin,
    pub(crate) bad_signatures: u32,
    /// Verifications under way, and how many held so far.
    pub(crate) checks: u32,
    pub(crate) checks_good: u32,
    /// How many of its messages may be refused at once, and those beyond: they keep their credit until their turn.
    pub(crate) refusals: Bucket,
    pub(crate) refused: VecDeque<(Arrival, Option<RefuseCode>)>,
    /// How many of its claims of a number that is taken are looked into.
    pub(crate) suspicions: Bucket,
    /// A newer link to the same run that takes this one's place unless this one answers.
    pub(crate) challenger: Option<LinkId>,
    /// Chains the peer was sent.
    pub(crate) chains: SentChains,
    /// How often messages are offered again for want of their chain.
    pub(crate) offers_again: Bucket,
    /// Requests of others that the peer may still bring.
    pub(crate) requests: Bucket,
    /// Which floor of a group the peer was told of in answer to an older one, since it last left the group.
    pub(crate) floors_told: BTreeMap<GroupId, u64>,
    /// Chains of the peer under verification.
    pub(crate) chain_checks: usize,
}

impl Link {
    pub(crate) fn new(id: LinkId, up: LinkUp, origin: Origin, ours: Bytes, credit: u64, now: Now) -> Self {
        let Now { mono, wall } = now;
        Self {
            id,
            up,
            phase: Phase::Hello(Handshake { ours, ..Handshake::default() }),
            peer: None,
            hello: None,
            told: BTreeSet::new(),
            out: Outgoing::default(),
            inn: Incoming::new(credit),
            feeds: BTreeMap::new(),
            resume_due: BTreeSet::new(),
            resume_missed: BTreeSet::new(),
            behind: BTreeSet::new(),
            foreign: BTreeMap::new(),
            chains: SentChains::default(),
            offers_again: Bucket::new(limits::OFFERS_AGAIN, limits::OFFERS_AGAIN_PER_S, mono),
            requests: Bucket::new(limits::REQUESTS_PER_LINK, limits::REQUESTS_PER_LINK_PER_S, mono),
            floors_told: BTreeMap::new(),
            chain_checks: 0,
            asked: BTreeMap::new(),
            since: wall,
            last_heard: mono,
            ping: None,
            pinged: mono,
            rtt_us: None,
            origin,
            bad_signatures: 0,
            checks: 0,
            checks_good: 0,
            refusals: Bucket::new(limits::REFUSALS, limits::REFUSALS_PER_S, mono),
            refused: VecDeque::new(),
            suspicions: Bucket::new(limits::EQUIVOCATIONS, limits::EQUIVOCATIONS_PER_S, mono),
            challenger: None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether messages that came over it are still looked at.
    pub(crate) const fn takes_messages(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::Carrier(_))
    }

    pub(crate) fn is_dialer(&self) -> bool {
        self.up.role == Role::Dialer
    }

    /// Whether another verification may begin: as many as it may still get wrong, and one for each that held before.
    pub(crate) fn may_check(&self) -> bool {
        let left = limits::BAD_SIGNATURES_PER_LINK.saturating_sub(self.bad_signatures);
        self.checks < left.saturating_add(self.checks_good.min(limits::CHECKS_EARNED))
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
