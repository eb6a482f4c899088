//! A group at this node: its rights, keys and log, who is next to it, and what is about to be published.

pub(crate) mod feed;
pub(crate) mod log;
pub(crate) mod order;
pub(crate) mod publish;
pub(crate) mod reader;
pub(crate) mod state;

use std::collections::BTreeSet;

use crosscast_port::{LinkId, LogId};
use crosscast_seal::ContentKey;
use crosscast_wire::{FloorRecord, GroupId, NodeId, Policy, SecretKey, WallMillis};

use crate::auth::replay::Windows;

/// A group this node is part of.
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) name: String,
    pub(crate) floor: Option<FloorRecord>,
    pub(crate) secret: Option<SecretKey>,
    pub(crate) content: Option<ContentKey>,
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
            secret: state.secret,
            content: state.content,
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

    /// Who signs what this node publishes here; `None` when it may not.
    pub(crate) fn publishes_as(&self, node: NodeId, now: WallMillis) -> Option<NodeId> {
        match self.policy(now) {
            Policy::Open => Some(node),
            Policy::Keyholder => self.secret.as_ref().map(|_| NodeId::new(*self.id.as_bytes())),
            Policy::Capability => None,
        }
    }

    /// Whether payloads are to be sealed, as the floor says.
    pub(crate) fn is_sealed(&self) -> bool {
        self.floor.as_ref().is_none_or(|floor| floor.fields().content_key.is_some())
    }

    /// What the store keeps of it.
    pub(crate) fn encode_state(&self) -> Vec<u8> {
        state::encode(
            &self.name,
            self.floor.as_ref(),
            self.secret.as_ref(),
            self.content.as_ref(),
            &self.locators,
            self.joined,
        )
    }
}
