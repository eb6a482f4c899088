//! A scenario: who is there, who is linked with whom, who publishes what, and what goes wrong when.
//!
//! [`Scenario::random`] draws one from a seed: a connected topology, one to three groups whose members are connected
//! among themselves, publishers of all rates, sizes and classes, faults for about half the time, and then quiet, in
//! which everything must come right. The phases are the same in every scenario, so that the checks know them.

mod draw;
mod rights;

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::{Sizes, Times};
use crosscast_wire::{Class, Policy};

use crate::agenda::{Micros, SECOND};
use crate::disk::DiskMode;
use crate::net::NetParams;
use crate::world::HostId;

/// One host.
#[derive(Clone, Debug)]
pub struct HostPlan {
    /// When it starts first.
    pub starts: Micros,
    /// How far its wall clock is ahead, in milliseconds.
    pub skew_ms: i64,
    /// Whether its AES is fast.
    pub fast_aes: bool,
    /// Mean time between its unicast messages to neighbours; none are sent without.
    pub sends_every: Option<Micros>,
    /// Whom it sends to.
    pub reach: Reach,
    /// Whether it takes messages of everybody as those of people it knows.
    pub accepts: bool,
}

/// Whom a host sends unicast messages to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Hosts it is linked with.
    Neighbours,
    /// Any host, over whatever lies between.
    Anybody,
    /// Several hosts at once, in one message.
    Lists,
}

/// One publisher.
#[derive(Clone, Debug)]
pub struct PublisherPlan {
    /// On which host.
    pub host: HostId,
    /// Mean time between publishes.
    pub every: Micros,
    /// Most publishes at once.
    pub burst: u64,
    /// Bytes of an entry: between these.
    pub entry_bytes: (u64, u64),
    /// Most entries in one publish.
    pub entries: u64,
    /// The classes it uses.
    pub classes: Vec<Class>,
    /// Life of its messages; the default without.
    pub life_ms: Option<u64>,
}

/// One reader.
#[derive(Clone, Debug)]
pub struct ReaderPlan {
    /// On which host.
    pub host: HostId,
    /// Its window.
    pub window_bytes: u32,
    /// How long it takes to consume a message.
    pub takes: Micros,
    /// Whether there is a second one, which begins with what comes next.
    pub tail: bool,
}

/// How a member of a group of capabilities is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// By an invite that the owner answers, over however many links.
    Invite,
    /// By a ticket that works without the owner.
    Offline,
    /// By a grant to its key.
    Key,
}

/// What is special about a group of policy `capability`.
#[derive(Clone, Debug, Default)]
pub struct RightsPlan {
    /// How each member but the owner is let in.
    pub entries: BTreeMap<HostId, Entry>,
    /// Life of the capabilities; the default without.
    pub life_ms: Option<u64>,
    /// Whose rights are taken back when; the others are connected without them.
    pub revoked: BTreeMap<HostId, Micros>,
}

/// One group.
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// Who makes it.
    pub owner: HostId,
    /// Who is part of it, the owner included.
    pub members: BTreeSet<HostId>,
    /// Who may publish.
    pub policy: Policy,
    /// What is special when the policy is `capability`.
    pub rights: Option<RightsPlan>,
    /// Whether payloads travel unsealed.
    pub public: bool,
    /// Who publishes.
    pub publishers: Vec<PublisherPlan>,
    /// One reader for each member.
    pub readers: Vec<ReaderPlan>,
    /// Whether its ticket says where to dial.
    pub locators: bool,
    /// When those join who join late.
    pub late: BTreeMap<HostId, Micros>,
}

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed, and started again.
    Kill(HostId),
    /// The machine loses power, and is started again.
    PowerLoss(HostId),
    /// The machine gets an empty disk, and is started again.
    Wipe(HostId),
    /// The host leaves a group, and joins it again.
    Leave(HostId, usize),
    /// The host's readers end and are started again where they were.
    Reread(HostId),
    /// The node is shut down in order, and started again.
    Restart(HostId),
    /// The process stands still.
    Pause(HostId),
    /// No packet passes between the two sides.
    Partition(BTreeSet<HostId>),
    /// No packet passes from the first side to the other; the way back is open.
    OneWay(BTreeSet<HostId>),
    /// Every connection between two hosts breaks.
    Cut(HostId, HostId),
    /// The first host loses its connections with the second, which does not know.
    HalfOpen(HostId, HostId),
    /// What two hosts send each other over one of the networks is swallowed; the second one, if so said.
    Swallow(HostId, HostId, bool),
    /// The disk is full or fails.
    Disk(HostId, DiskMode),
    /// Disk and CPU are so many times slower.
    Slow(HostId, u64, u64),
    /// Everything takes longer and more is lost: microseconds, parts in a million.
    Weather(Micros, u32),
    /// The host sends at so many bytes a second.
    Narrow(HostId, u64),
    /// The wall clock jumps to so many milliseconds ahead.
    Skew(HostId, i64),
}

/// A fault and its time.
#[derive(Clone, Debug)]
pub struct Planned {
    /// When it begins.
    pub at: Micros,
    /// When it is over.
    pub until: Micros,
    /// What it is.
    pub fault: Fault,
}

/// When publishing begins; before it groups are made and joined without a fault.
pub const PUBLISH_FROM: Micros = 4 * SECOND;
/// What was published this long before the end must have arrived at the end: longer than a gap is waited for.
pub const SETTLE: Micros = 35 * SECOND;

/// After the last fault every link is back within this: the longest redial, a dial that times out, a hello.
pub(crate) const RECONNECT: Micros = 45 * SECOND;

/// A whole run, planned.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The seed it came from; also the world's.
    pub seed: u64,
    /// The network.
    pub net: NetParams,
    /// The hosts, by number.
    pub hosts: Vec<HostPlan>,
    /// Two hosts that have one key.
    pub twins: Option<(HostId, HostId)>,
    /// Who attaches to whom.
    pub edges: BTreeSet<(HostId, HostId)>,
    /// Who dials whom on the second network too.
    pub second: BTreeSet<(HostId, HostId)>,
    /// The groups.
    pub groups: Vec<GroupPlan>,
    /// What goes wrong.
    pub faults: Vec<Planned>,
    /// When the last fault is over.
    pub quiet_from: Micros,
    /// When the last message is published.
    pub publish_until: Micros,
    /// The end.
    pub end: Micros,
    /// The machines' times.
    pub times: Times,
    /// The machines' sizes.
    pub sizes: Sizes,
    /// Whether the live window is too small to keep everything.
    pub small_window: bool,
}

impl Scenario {
    /// Pairs of hosts that must find each other: linked, or over at most three links whose ends share a group. A search
    /// that went the long way first may miss what lies further.
    #[must_use]
    pub fn near(&self) -> BTreeSet<(HostId, HostId)> {
        // Whoever has still to be let into a group, or was put out of it, does not share it.
        let share = |a: HostId, b: HostId| {
            let mut open = self.groups.iter().filter(|group| group.rights.is_none());
            open.any(|group| group.members.contains(&a) && group.members.contains(&b))
        };
        let both = |(a, b): &(HostId, HostId)| [(*a, *b), (*b, *a)];
        let links: BTreeSet<(HostId, HostId)> = self.edges.iter().flat_map(both).collect();
        let carry: BTreeSet<(HostId, HostId)> = links.iter().copied().filter(|(a, b)| share(*a, *b)).collect();
        let mut ways = carry.clone();
        for _ in 0..NEAR_LINKS.saturating_sub(1) {
            let longer = |(a, b): &(HostId, HostId)| {
                let (a, b) = (*a, *b);
                carry.iter().filter(move |(c, d)| *c == b && *d != a).map(move |(_, d)| (a, *d))
            };
            let more: Vec<_> = ways.iter().flat_map(longer).collect();
            ways.extend(more);
        }
        ways.extend(links);
        ways
    }

    /// The hosts, by number.
    pub fn host_ids(&self) -> impl Iterator<Item = HostId> {
        (0..u32::try_from(self.hosts.len()).unwrap_or(u32::MAX)).map(HostId)
    }

    /// A host and its twin, if it has one.
    pub(crate) fn same_key(&self, host: HostId) -> impl Iterator<Item = HostId> {
        let twins = self.twins.filter(|(a, b)| host == *a || host == *b).into_iter().flat_map(|(a, b)| [a, b]);
        std::iter::once(host).chain(twins)
    }

    /// Those a host has an edge with.
    #[must_use]
    pub fn neighbours(&self, host: HostId) -> BTreeSet<HostId> {
        let other = |(a, b): &(HostId, HostId)| match host {
            host if host == *a => Some(*b),
            host if host == *b => Some(*a),
            _ => None,
        };
        self.edges.iter().filter_map(other).collect()
    }
}

/// 3: of the eight links that a search may cross.
const NEAR_LINKS: u32 = 3;
