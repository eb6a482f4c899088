//! Unicast messages on their way: kept until the peer acknowledges them or they expire, also while it is away.
//!
//! Bounded in bytes over all peers. What a link had under way when it broke is sent again on the next one; the
//! receiver's replay window makes the copies harmless.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crosscast_wire::{Lane, MessageId, NodeId, Seq};

use crate::limits;

/// A message that waits for its acknowledgement.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) id: MessageId,
    pub(crate) bytes: Bytes,
    pub(crate) lane: Lane,
}

/// Everything on its way to single nodes.
#[derive(Default)]
pub(crate) struct Outbox {
    letters: BTreeMap<NodeId, VecDeque<Letter>>,
    bytes: u64,
    seqs: BTreeMap<NodeId, u64>,
    prekeys: BTreeMap<NodeId, [u8; 32]>,
}

impl Outbox {
    /// Remembers what to seal with for a peer whose hello was proven.
    pub(crate) fn learn_prekey(&mut self, node: NodeId, prekey: [u8; 32]) {
        if self.prekeys.len() >= limits::PREKEYS && !self.prekeys.contains_key(&node) {
            // Whom nothing is owed to is forgotten first.
            let idle = self.prekeys.keys().find(|node| !self.letters.contains_key(node)).copied();
            let Some(idle) = idle else { return };
            self.prekeys.remove(&idle);
        }
        self.prekeys.insert(node, prekey);
    }

    pub(crate) fn prekey(&self, node: &NodeId) -> Option<[u8; 32]> {
        self.prekeys.get(node).copied()
    }

    /// Whether a message of this length may wait.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.bytes.saturating_add(len as u64) <= limits::OUTBOX_BYTES
    }

    /// The number of the next message to a node; numbers are never forgotten while the process runs.
    pub(crate) fn next_seq(&mut self, node: NodeId) -> Seq {
        let seq = self.seqs.entry(node).or_default();
        *seq = seq.saturating_add(1);
        Seq(*seq)
    }

    /// Whether another node's numbers can be remembered.
    pub(crate) fn knows_or_has_room(&self, node: &NodeId) -> bool {
        self.seqs.contains_key(node) || self.seqs.len() < limits::CORRESPONDENTS
    }

    pub(crate) fn add(&mut self, node: NodeId, letter: Letter) {
        self.bytes = self.bytes.saturating_add(letter.bytes.len() as u64);
        self.letters.entry(node).or_default().push_back(letter);
    }

    pub(crate) fn remove(&mut self, node: &NodeId, id: &MessageId) {
        let Some(letters) = self.letters.get_mut(node) else { return };
        if let Some(place) = letters.iter().position(|letter| letter.id == *id)
            && let Some(letter) = letters.remove(place)
        {
            self.bytes = self.bytes.saturating_sub(letter.bytes.len() as u64);
        }
        if letters.is_empty() {
            self.letters.remove(node);
        }
    }

    /// What waits for a node, oldest first.
    pub(crate) fn waiting(&self, node: &NodeId) -> Vec<Letter> {
        self.letters.get(node).into_iter().flatten().cloned().collect()
    }
}
