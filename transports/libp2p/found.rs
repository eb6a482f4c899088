//! Places where another node of ours may answer: each is reported once in a while, not whenever it is seen.
//!
//! What is remembered is bounded; when it is full, the oldest goes first, and at worst a place is reported early again.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crosscast_wire::Locator;

use crate::limits::{FOUND_AGAIN, FOUND_KEPT};

/// Remembers what was reported, and when.
#[derive(Debug, Default)]
pub(crate) struct Found {
    at: HashMap<Locator, Instant>,
    order: VecDeque<(Locator, Instant)>,
}

impl Found {
    /// Whether a place is news; it is then remembered as reported.
    pub(crate) fn is_news(&mut self, locator: &Locator, now: Instant) -> bool {
        if self.at.get(locator).is_some_and(|at| now.saturating_duration_since(*at) < FOUND_AGAIN) {
            return false;
        }
        self.at.insert(locator.clone(), now);
        self.order.push_back((locator.clone(), now));
        while self.order.len() > FOUND_KEPT {
            if let Some((oldest, at)) = self.order.pop_front()
                && self.at.get(&oldest) == Some(&at)
            {
                self.at.remove(&oldest);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn place(number: usize) -> Locator {
        Locator::parse(&format!("libp2p:/ip4/192.0.2.1/tcp/{number}")).unwrap()
    }

    #[test]
    fn a_place_is_news_once_in_a_while() {
        let (mut found, now) = (Found::default(), Instant::now());
        assert!(found.is_news(&place(1), now));
        assert!(!found.is_news(&place(1), now));
        assert!(found.is_news(&place(2), now));
        assert!(!found.is_news(&place(1), now + FOUND_AGAIN / 2));
        assert!(found.is_news(&place(1), now + FOUND_AGAIN));
        assert!(!found.is_news(&place(1), now + FOUND_AGAIN + FOUND_AGAIN / 2));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut found, now) = (Found::default(), Instant::now());
        for number in 0..3 * FOUND_KEPT {
            assert!(found.is_news(&place(number), now));
        }
        assert!(found.at.len() <= FOUND_KEPT && found.order.len() <= FOUND_KEPT);
        assert!(!found.is_news(&place(3 * FOUND_KEPT - 1), now));
        assert!(found.is_news(&place(0), now));
    }
}
