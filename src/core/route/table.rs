//! Where nodes lie that are not linked: which link leads to them, as learned from what they signed.
//!
//! A place is learned only from something verified and fresh that its signer sent and that came over the link: a
//! request for a place or for rights, or a unicast message. The newest word holds, for ten minutes, and goes with its
//! link. A bounded table: the place that was confirmed longest ago makes room.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_port::LinkId;
use crosscast_wire::NodeId;

use crate::{Instant, limits};

/// Where nodes lie.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    places: BTreeMap<NodeId, (LinkId, Instant)>,
    order: BTreeSet<(Instant, NodeId)>,
}

impl Routes {
    /// Learns that a node lies behind a link.
    pub(crate) fn learn(&mut self, node: NodeId, link: LinkId, now: Instant) {
        self.forget(&node);
        if self.places.len() >= limits::ROUTES
            && let Some((_, oldest)) = self.order.first().copied()
        {
            self.forget(&oldest);
        }
        self.places.insert(node, (link, now));
        self.order.insert((now, node));
    }

    /// The link that leads to a node, while that is fresh.
    pub(crate) fn find(&self, node: &NodeId, now: Instant) -> Option<LinkId> {
        let (link, since) = self.places.get(node)?;
        (now.micros_since(*since) < limits::ROUTE_LIFE_MS.saturating_mul(1_000)).then_some(*link)
    }

    /// Forgets where a node lies.
    pub(crate) fn forget(&mut self, node: &NodeId) {
        if let Some((_, since)) = self.places.remove(node) {
            self.order.remove(&(since, *node));
        }
    }

    /// Another link leads to the same peer from now on.
    pub(crate) fn moved(&mut self, from: LinkId, to: LinkId) {
        for (link, _) in self.places.values_mut().filter(|(link, _)| *link == from) {
            *link = to;
        }
    }

    /// A link is gone, and with it what lay behind it.
    pub(crate) fn drop_link(&mut self, link: LinkId) {
        self.places.retain(|_, (of, _)| *of != link);
        let places = &self.places;
        self.order.retain(|(_, node)| places.contains_key(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u64) -> NodeId {
        let mut key = [0; 32];
        key.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, from)| *byte = from);
        NodeId::new(key)
    }

    #[test]
    fn the_newest_word_holds_and_ages() {
        let (mut routes, start) = (Routes::default(), Instant(5));
        routes.learn(node(1), LinkId(1), start);
        routes.learn(node(1), LinkId(2), start.plus_millis(1));
        assert_eq!(routes.find(&node(1), start.plus_millis(2)), Some(LinkId(2)));
        let old = start.plus_millis(1 + limits::ROUTE_LIFE_MS);
        assert_eq!(routes.find(&node(1), old), None);
        assert_eq!(routes.order.len(), 1);
    }

    #[test]
    fn what_lay_behind_a_link_goes_with_it() {
        let mut routes = Routes::default();
        routes.learn(node(1), LinkId(1), Instant(1));
        routes.learn(node(2), LinkId(2), Instant(1));
        routes.drop_link(LinkId(1));
        assert_eq!(routes.find(&node(1), Instant(1)), None);
        assert_eq!(routes.find(&node(2), Instant(1)), Some(LinkId(2)));
        assert_eq!(routes.order.len(), 1);
    }

    #[test]
    fn a_full_table_forgets_what_was_confirmed_longest_ago() {
        let mut routes = Routes::default();
        for number in 0..limits::ROUTES as u64 {
            routes.learn(node(number), LinkId(1), Instant(number));
        }
        routes.learn(node(0), LinkId(1), Instant(1_000_000));
        routes.learn(node(u64::MAX), LinkId(1), Instant(1_000_001));
        assert_eq!(routes.places.len(), limits::ROUTES);
        assert_eq!(routes.find(&node(0), Instant(1_000_002)), Some(LinkId(1)), "confirmed again");
        assert_eq!(routes.find(&node(1), Instant(1_000_002)), None);
    }
}
