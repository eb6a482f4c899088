//! The content keys of a group: the newest to seal with, older ones to open what is kept.
//!
//! A floor record that names another key begins an epoch. Whoever lacks the key asks for it; publishers go on with the
//! one before for half of the overlap, so that members have the new one when it is first used.

use crosscast_seal::ContentKey;
use crosscast_wire::ContentKeyId;

use crate::{Instant, limits};

/// A group's content keys, newest first.
#[derive(Default)]
pub(crate) struct Keys {
    held: Vec<ContentKey>,
    /// Until when the key before the floor's is used for publishing.
    overlap_until: Option<Instant>,
}

impl Keys {
    pub(crate) fn new(held: Vec<ContentKey>) -> Self {
        Self { held, overlap_until: None }
    }

    /// Takes a key in as the newest; the oldest goes when there are too many.
    pub(crate) fn add(&mut self, key: ContentKey) {
        if self.find(&key.id()).is_none() {
            self.held.insert(0, key);
            self.held.truncate(limits::CONTENT_KEYS);
        }
    }

    pub(crate) fn find(&self, id: &ContentKeyId) -> Option<&ContentKey> {
        self.held.iter().find(|key| key.id() == *id)
    }

    /// Another key is wanted by the floor from now on.
    pub(crate) fn begin_epoch(&mut self, now: Instant) {
        if !self.held.is_empty() {
            self.overlap_until = Some(now.plus_millis(OVERLAP_USE_MS));
        }
    }

    /// What to seal with: the key before, while the epoch is fresh; then only the one that the floor names.
    pub(crate) fn sealing(&self, named: &ContentKeyId, now: Instant) -> Option<&ContentKey> {
        let overlaps = self.overlap_until.is_some_and(|until| now < until);
        let before = self.held.iter().find(|key| key.id() != *named).filter(|_| overlaps);
        before.or_else(|| self.find(named))
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ContentKey> {
        self.held.iter()
    }
}

/// 30 s: half of the minute in which the epochs of a group overlap; the other half is for messages under way.
const OVERLAP_USE_MS: u64 = 30_000;
