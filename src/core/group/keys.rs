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
    /// Until when which key is used for publishing although the floor names another.
    overlap: Option<(Instant, ContentKeyId)>,
}

impl Keys {
    pub(crate) fn new(held: Vec<ContentKey>) -> Self {
        Self { held, overlap: None }
    }

    /// Takes a key in as the newest; the oldest goes when there are too many.
    pub(crate) fn add(&mut self, key: ContentKey) {
        if self.find(&key.id()).is_none() {
            self.held.insert(0, key);
            self.held.truncate(limits::CONTENT_KEYS);
        }
    }

    /// Takes a key of an epoch gone by, to open what is kept: it takes no other's place.
    pub(crate) fn add_old(&mut self, key: ContentKey) {
        if self.held.len() < limits::CONTENT_KEYS && self.find(&key.id()).is_none() {
            self.held.push(key);
        }
    }

    pub(crate) fn find(&self, id: &ContentKeyId) -> Option<&ContentKey> {
        self.held.iter().find(|key| key.id() == *id)
    }

    /// The floor names another key than `before` from now on. When several epochs begin within one overlap, the key that
    /// was in use before the first is the one that everybody has, and whose time is over first.
    pub(crate) fn begin_epoch(&mut self, before: ContentKeyId, now: Instant) {
        if self.overlap.is_none_or(|(until, _)| until <= now) {
            self.overlap = Some((now.plus_millis(OVERLAP_USE_MS), before));
        }
    }

    /// What to seal with: the key before, while the epoch is fresh; then only the one that the floor names.
    pub(crate) fn sealing(&self, named: &ContentKeyId, now: Instant) -> Option<&ContentKey> {
        let before = self.overlap.filter(|(until, _)| now < *until).and_then(|(_, before)| self.find(&before));
        before.or_else(|| self.find(named))
    }

    /// Newest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ContentKey> {
        self.held.iter()
    }
}

/// 30 s: half of the minute in which the epochs of a group overlap; the other half is for messages under way.
const OVERLAP_USE_MS: u64 = 30_000;
