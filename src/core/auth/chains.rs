//! Verified chains by their hash: one bounded table for all groups of a node.
//!
//! A chain travels once per link, before the first message that names it; from then on the hash in the header is
//! enough. The table keeps what was used last. A chain that a kept message names is in the store too, so that the
//! message can be passed on after a restart; one that is forgotten while it is still needed is asked for again by
//! refusing its messages with `no-chain`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_wire::{Chain, ChainHash, GroupId, NodeId, WallMillis};

use crate::auth::standing::Standing;
use crate::limits;

/// A verified chain.
pub(crate) struct Known {
    pub(crate) group: GroupId,
    pub(crate) subject: NodeId,
    pub(crate) standing: Standing,
    /// As it travels.
    pub(crate) bytes: Bytes,
    /// Time of the last message that named it.
    last_message: WallMillis,
    kept: bool,
    used: u64,
}

/// The table.
#[derive(Default)]
pub(crate) struct Chains {
    known: BTreeMap<ChainHash, Known>,
    by_use: BTreeSet<(u64, ChainHash)>,
    clock: u64,
    bytes: usize,
}

impl Chains {
    pub(crate) fn get(&self, hash: &ChainHash) -> Option<&Known> {
        self.known.get(hash)
    }

    /// Takes a chain whose signatures hold; returns the kept ones that had to go for it.
    pub(crate) fn insert(&mut self, chain: &Chain, bytes: Bytes, kept: bool) -> Vec<ChainHash> {
        let hash = chain.hash();
        if let Some(known) = self.known.get_mut(&hash) {
            known.kept |= kept;
            self.touch(&hash);
            return Vec::new();
        }
        self.clock = self.clock.saturating_add(1);
        let known = Known {
            group: chain.group(),
            subject: chain.subject(),
            standing: Standing::of(chain),
            bytes,
            last_message: WallMillis(0),
            kept,
            used: self.clock,
        };
        self.bytes = self.bytes.saturating_add(weight(&known));
        self.by_use.insert((known.used, hash));
        self.known.insert(hash, known);
        let mut gone = Vec::new();
        while self.bytes > limits::CHAINS_BYTES
            && let Some((_, oldest)) = self.by_use.first().copied()
        {
            gone.extend(self.remove(&oldest).then_some(oldest));
        }
        gone
    }

    /// It was used just now.
    pub(crate) fn touch(&mut self, hash: &ChainHash) {
        let Some(known) = self.known.get_mut(hash) else { return };
        self.clock = self.clock.saturating_add(1);
        self.by_use.remove(&(known.used, *hash));
        known.used = self.clock;
        self.by_use.insert((known.used, *hash));
    }

    /// A message that names it is being kept; returns its bytes when the store does not have them yet.
    pub(crate) fn keep(&mut self, hash: &ChainHash, time: WallMillis) -> Option<Bytes> {
        self.touch(hash);
        let known = self.known.get_mut(hash)?;
        known.last_message = known.last_message.max(time);
        (!std::mem::replace(&mut known.kept, true)).then(|| known.bytes.clone())
    }

    /// No message older than this is kept any more: chains named by none since need not be in the store.
    pub(crate) fn release(&mut self, oldest: WallMillis) -> Vec<ChainHash> {
        let mut released = Vec::new();
        for (hash, known) in &mut self.known {
            if known.kept && known.last_message < oldest {
                known.kept = false;
                released.push(*hash);
            }
        }
        released
    }

    /// Forgets one; returns whether the store had it.
    fn remove(&mut self, hash: &ChainHash) -> bool {
        let Some(known) = self.known.remove(hash) else { return false };
        self.by_use.remove(&(known.used, *hash));
        self.bytes = self.bytes.saturating_sub(weight(&known));
        known.kept
    }
}

/// About what an entry takes, its places in both indexes included.
fn weight(known: &Known) -> usize {
    size_of::<Known>()
        .saturating_add(known.standing.weight())
        .saturating_add(known.bytes.len())
        .saturating_add(2 * (size_of::<ChainHash>() + 16))
}
