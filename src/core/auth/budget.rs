//! What strangers may cost: provable faults per prefix and per listener, since NodeIds are free.
//!
//! A link ends after twenty signatures that do not hold, but another key and another link cost its owner nothing. So
//! faults are counted per prefix and per listener too. A prefix that has used up its budget opens no new link here until
//! it has one fault's worth again. When a listener's budget is used up, prefixes with any fault on record wait; those
//! without are let in all the same, so that many bad prefixes together do not close the door to everyone else.

use std::collections::BTreeMap;

use crosscast_wire::Scheme;

use crate::auth::bucket::Bucket;
use crate::auth::origin::{Origin, Prefix};
use crate::{Instant, limits};

/// Fault budgets of a node.
#[derive(Default)]
pub(crate) struct Budgets {
    prefixes: BTreeMap<Prefix, Bucket>,
    /// What came from prefixes for which there was no room.
    rest: Option<Bucket>,
    listeners: BTreeMap<Scheme, Bucket>,
}

impl Budgets {
    /// Books a provable fault of an inbound link; links that this node dialled are its own choice.
    pub(crate) fn fault(&mut self, origin: &Origin, now: Instant) {
        if origin.dialled {
            return;
        }
        self.listeners
            .entry(origin.scheme)
            .or_insert_with(|| Bucket::new(limits::FAULTS_PER_LISTENER, limits::FAULTS_PER_LISTENER_PER_S, now))
            .spend(now);
        let fresh = || prefix_bucket(origin, now);
        if self.prefixes.len() >= limits::PREFIXES && !self.prefixes.contains_key(&origin.prefix) {
            self.prefixes.retain(|_, bucket| !bucket.is_full(now));
        }
        if self.prefixes.len() >= limits::PREFIXES && !self.prefixes.contains_key(&origin.prefix) {
            return self.rest.get_or_insert_with(fresh).spend(now);
        }
        self.prefixes.entry(origin.prefix).or_insert_with(fresh).spend(now);
    }

    /// Whether a new link may come from there; reads only.
    pub(crate) fn admits(&self, origin: &Origin, now: Instant) -> bool {
        let Some(bucket) = self.prefixes.get(&origin.prefix).or(self.rest.as_ref()) else { return true };
        let listener = self.listeners.get(&origin.scheme);
        bucket.has(1, now) && (bucket.is_full(now) || listener.is_none_or(|listener| listener.has(1, now)))
    }

    /// Forgets what has recovered.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.prefixes.retain(|_, bucket| !bucket.is_full(now));
        self.listeners.retain(|_, bucket| !bucket.is_full(now));
        self.rest = self.rest.filter(|bucket| !bucket.is_full(now));
    }
}

fn prefix_bucket(origin: &Origin, now: Instant) -> Bucket {
    let size = limits::FAULTS_PER_PREFIX.saturating_mul(origin.factor);
    Bucket::new(size, limits::FAULTS_PER_PREFIX_PER_S.saturating_mul(origin.factor), now)
}

/// The bucket of a sender with a capability of this rate class; `None` where only credit bounds it.
pub(crate) fn sender_bucket(rate_class: u8, now: Instant) -> Option<Bucket> {
    if rate_class >= limits::UNLIMITED_RATE_CLASS {
        return None;
    }
    let per_second = 1u64 << (2 * u32::from(rate_class));
    Some(Bucket::new(per_second.saturating_mul(limits::SENDER_BURST_S), per_second, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(0);

    fn origin(third: u8, factor: u64) -> Origin {
        Origin { prefix: Prefix::V4([10, 0, third]), scheme: Scheme::Tls, factor, dialled: false }
    }

    #[test]
    fn a_prefix_that_used_up_its_faults_waits_and_others_do_not() {
        let mut budgets = Budgets::default();
        for _ in 0..limits::FAULTS_PER_PREFIX {
            assert!(budgets.admits(&origin(1, 1), NOW));
            budgets.fault(&origin(1, 1), NOW);
        }
        assert!(!budgets.admits(&origin(1, 1), NOW) && budgets.admits(&origin(2, 1), NOW));
        assert!(budgets.admits(&origin(1, 1), Instant(1_000_000)), "a fault a second is forgotten");
        let dialled = Origin { dialled: true, ..origin(3, 1) };
        (0..1_000).for_each(|_| budgets.fault(&dialled, NOW));
        assert!(budgets.admits(&origin(3, 1), NOW));
    }

    #[test]
    fn a_listener_that_is_under_attack_still_takes_prefixes_that_did_nothing() {
        let mut budgets = Budgets::default();
        for fault in 0..limits::FAULTS_PER_LISTENER {
            budgets.fault(&origin((fault / 30) as u8, 1), NOW);
        }
        assert!(!budgets.admits(&origin(0, 1), NOW), "half of its own budget is left, but the listener's is not");
        assert!(budgets.admits(&origin(200, 1), NOW));
    }

    #[test]
    fn so_many_prefixes_that_none_can_be_told_apart_share_one_budget() {
        let mut budgets = Budgets::default();
        for number in 0..=limits::PREFIXES {
            let [_, _, high, low] = (number as u32).to_be_bytes();
            let origin = Origin { prefix: Prefix::V4([1, high, low]), ..origin(0, 1) };
            (0..limits::FAULTS_PER_PREFIX).for_each(|_| budgets.fault(&origin, NOW));
        }
        assert_eq!(budgets.prefixes.len(), limits::PREFIXES);
        assert!(!budgets.admits(&origin(250, 1), NOW));
        budgets.expire(Instant(3_600_000_000));
        assert!(budgets.prefixes.is_empty() && budgets.admits(&origin(250, 1), NOW));
    }

    #[test]
    fn a_rate_class_is_four_times_the_one_below_and_the_highest_has_no_bound() {
        let mut slow = sender_bucket(0, NOW).unwrap_or(Bucket::new(0, 0, NOW));
        assert_eq!((0..1_000).filter(|_| slow.take(NOW)).count() as u64, limits::SENDER_BURST_S);
        assert!(slow.take(Instant(1_000_000)) && !slow.take(Instant(1_000_000)));
        let mut fast = sender_bucket(3, NOW).unwrap_or(Bucket::new(0, 0, NOW));
        assert_eq!((0..9_000).filter(|_| fast.take(NOW)).count() as u64, 64 * limits::SENDER_BURST_S);
        assert!(sender_bucket(7, NOW).is_none());
    }
}
