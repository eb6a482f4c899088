//! Who waits for a group whose core queue is full: callers in order, then publishers in turn.
//!
//! A line exists only while its group is busy. It is offered again when the group has taken something on, or after a
//! pause, should nothing be heard of it. Bounded by the callers' budget and by each publisher's own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crosscast_core::Instant;
use crosscast_wire::GroupId;

use crate::publish::{PublishAnswer, PublishAsk};
use crate::publisher::PublisherCell;

/// Pause before a busy group is asked again unheard, in milliseconds. 20: it normally tells within one.
const RETRY_MS: u64 = 20;

/// Who waits for one group.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) asks: VecDeque<PublishAsk>,
    pub(super) publishers: VecDeque<Arc<PublisherCell>>,
}

/// Who waits for any group.
#[derive(Debug, Default)]
pub(super) struct Line {
    groups: BTreeMap<GroupId, Waiting>,
    retry_at: Option<Instant>,
}

impl Line {
    pub(super) fn is_waiting(&self, group: GroupId) -> bool {
        self.groups.contains_key(&group)
    }

    /// Joins the end of a group's line.
    pub(super) fn join(&mut self, ask: PublishAsk) {
        self.groups.entry(ask.group).or_default().asks.push_back(ask);
    }

    /// Goes back to the front of a group's line.
    pub(super) fn bounce(&mut self, ask: PublishAsk, now: Instant) {
        self.groups.entry(ask.group).or_default().asks.push_front(ask);
        self.retry_at.get_or_insert(now.plus_millis(RETRY_MS));
    }

    /// A publisher waits until its group moves on.
    pub(super) fn park(&mut self, cell: Arc<PublisherCell>) {
        self.groups.entry(cell.group).or_default().publishers.push_back(cell);
    }

    /// The groups to be offered again: those that moved on, or all when the pause is over.
    pub(super) fn due(&mut self, moved: &mut Vec<GroupId>, now: Instant) -> Vec<GroupId> {
        if self.groups.is_empty() {
            moved.clear();
            self.retry_at = None;
            return Vec::new();
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            moved.clear();
            self.retry_at = Some(now.plus_millis(RETRY_MS));
            return self.groups.keys().copied().collect();
        }
        moved.sort_unstable();
        moved.dedup();
        moved.retain(|group| self.groups.contains_key(group));
        std::mem::take(moved)
    }

    pub(super) fn take(&mut self, group: GroupId) -> Option<Waiting> {
        self.groups.remove(&group)
    }

    /// Puts the rest of a line behind what bounced.
    pub(super) fn put_back(&mut self, group: GroupId, rest: Waiting) {
        let waiting = self.groups.entry(group).or_default();
        waiting.asks.extend(rest.asks);
        waiting.publishers.extend(rest.publishers);
    }

    /// When to ask again; `None` while nobody waits.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at.filter(|_| !self.groups.is_empty())
    }

    /// Tells everyone that the node has stopped.
    pub(super) fn stop(&mut self) {
        for waiting in std::mem::take(&mut self.groups).into_values() {
            waiting.publishers.iter().for_each(|cell| cell.stop());
            for ask in waiting.asks {
                if let PublishAnswer::Publisher { cell, .. } = ask.answer {
                    cell.stop();
                }
            }
        }
    }
}
