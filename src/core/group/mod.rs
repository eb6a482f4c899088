//! A group at this node: its rights, keys and log, who is next to it, and what is about to be published.

mod change;
pub(crate) mod entry_keys;
pub(crate) mod feed;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod order;
pub(crate) mod publish;
pub(crate) mod reader;
pub(crate) mod state;

use std::collections::{BTreeSet, VecDeque};

use crosscast_port::{LinkId, LogId};
use crosscast_wire::{
    Chain, ContentKeyId, FloorRecord, GroupId, NodeId, Policy, Purpose, RequestId, Rights, SecretKey, WallMillis,
};

use crate::auth::replay::Windows;
use crate::auth::standing::Standing;
use crate::{CommandId, Instant};

pub(crate) use self::change::FloorChange;

/// A group this node is part of.
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) floor: Option<FloorRecord>,
    /// What entitles the floor's signer, when that is not the group key.
    pub(crate) floor_chain: Option<Chain>,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) keys: keys::Keys,
    /// What this node may do here, and what that comes to.
    pub(crate) chain: Option<Chain>,
    pub(crate) standing: Option<Standing>,
    /// The invite that this node still has to be let in by.
    pub(crate) invite: Option<SecretKey>,
    pub(crate) asking: Asking,
    /// Changes of the floor record that wait, and whether one waits for its signature.
    pub(crate) floor_changes: VecDeque<(FloorChange, Option<CommandId>)>,
    pub(crate) floor_under_way: bool,
    pub(crate) locators: Vec<String>,
    joined: WallMillis,
    pub(crate) log: log::Log,
    pub(crate) windows: Windows,
    pub(crate) ordering: order::Ordering,
    pub(crate) publisher: publish::Publisher,
    /// How often neighbours were asked for what is missing now.
    pub(crate) asks: u32,
    /// Links with a feed of this group.
    pub(crate) neighbours: BTreeSet<LinkId>,
}

impl Group {
    pub(crate) fn new(id: GroupId, state: state::GroupState) -> Self {
        Self {
            id,
            name: state.name,
            floor: state.floor,
            floor_chain: state.floor_chain,
            secret: state.secret,
            keys: keys::Keys::new(state.contents),
            standing: state.chain.as_ref().map(Standing::of),
            chain: state.chain,
            invite: state.invite,
            asking: Asking::default(),
            floor_changes: VecDeque::new(),
            floor_under_way: false,
            locators: state.locators,
            log: log::Log::default(),
            windows: Windows::default(),
            ordering: order::Ordering::joined_at(state.joined),
            joined: state.joined,
            publisher: publish::Publisher::default(),
            asks: 0,
            neighbours: BTreeSet::new(),
        }
    }

    pub(crate) const fn log_id(&self) -> LogId {
        LogId(*self.id.as_bytes())
    }

    /// The policy in force: a group whose floor is unknown or has run out is closed to all but its key.
    pub(crate) fn policy(&self, now: WallMillis) -> Policy {
        let floor = self.floor.as_ref().map(FloorRecord::fields);
        floor.filter(|floor| floor.valid_until >= now).map_or(Policy::Keyholder, |floor| floor.policy)
    }

    /// The number of the floor record, 0 when none is known.
    pub(crate) fn floor_number(&self) -> u64 {
        self.floor.as_ref().map_or(0, |floor| floor.fields().number)
    }

    /// Whether this node's own chain gives one of these rights now.
    pub(crate) fn may(&self, any_of: Rights, now: WallMillis) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.allows(any_of, now, self.floor.as_ref()))
    }

    /// What this node's own chain gives now.
    pub(crate) fn rights(&self, now: WallMillis) -> Rights {
        let standing = self.standing.as_ref();
        let standing = standing.filter(|standing| standing.allows(Rights::ALL, now, self.floor.as_ref()));
        standing.map_or(Rights::NONE, |standing| standing.rights)
    }

    /// Who signs what this node publishes here; `None` when it may not.
    pub(crate) fn publishes_as(&self, node: NodeId, now: WallMillis) -> Option<NodeId> {
        let own = || self.secret.as_ref().map(|_| NodeId::new(*self.id.as_bytes()));
        match self.policy(now) {
            Policy::Open => Some(node),
            Policy::Keyholder => own(),
            Policy::Capability if self.may(Rights::PUBLISH, now) => Some(node),
            Policy::Capability => own(),
        }
    }

    /// The key that payloads are to be sealed under, as the floor says; `None` for a group that does not seal.
    pub(crate) fn sealing_key(&self) -> Option<ContentKeyId> {
        self.floor.as_ref().and_then(|floor| floor.fields().content_key)
    }

    /// Whether payloads are to be sealed: a group without a floor is taken for one that is.
    pub(crate) fn is_sealed(&self) -> bool {
        self.floor.is_none() || self.sealing_key().is_some()
    }

    /// Whether the key that the floor names is missing here.
    pub(crate) fn lacks_key(&self) -> bool {
        self.sealing_key().is_some_and(|id| self.keys.find(&id).is_none())
    }

    /// Whether that key is missing to somebody who may have it.
    pub(crate) fn awaits_key(&self, now: WallMillis) -> bool {
        self.lacks_key() && self.may(Rights::PUBLISH | Rights::SUBSCRIBE, now)
    }

    /// What the store keeps of it.
    pub(crate) fn encode_state(&self) -> Vec<u8> {
        state::encode(self)
    }
}

/// Whom this node has asked for rights or keys, and when it asks again.
#[derive(Default)]
pub(crate) struct Asking {
    /// The last request under way.
    pub(crate) request: Option<RequestId>,
    pub(crate) tries: u32,
    /// What was asked for last, and when.
    pub(crate) last: Option<(Purpose, Instant)>,
    /// Not before this.
    pub(crate) next: Instant,
    /// The command that waits for the answer.
    pub(crate) command: Option<CommandId>,
    /// When that command is told that nobody answers, at the latest.
    pub(crate) word_by: Instant,
}
