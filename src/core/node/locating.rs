//! Where nodes lie: what is learned from what came over a link.

use crosscast_port::LinkId;
use crosscast_wire::NodeId;

use crate::Node;

impl Node {
    /// Learns that a node lies behind a link, from something that it signed, that was verified and is fresh.
    pub(super) fn learn_route(&mut self, node: NodeId, link: LinkId) {
        let open = self.links.get(&link).is_some_and(crate::peer::link::Link::is_open);
        if open && node != self.config.node && self.link_to(&node).is_none() {
            self.routes.learn(node, link, self.now.mono);
        }
    }

    /// The link to send over to a node or service: its own, or the one behind which it lies.
    pub(super) fn next_hop(&self, key: &[u8; 32]) -> Option<LinkId> {
        let node = NodeId::new(*key);
        self.link_to(&node).or_else(|| self.routes.find(&node, self.now.mono))
    }

    /// Whether a link's peer takes part in a group of this node: only such links carry what is others'.
    pub(super) fn shares_group(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|state| state.is_open() && !state.feeds.is_empty())
    }
}
