//! Networks this node is attached to: how each stands, what it leads to, and who was refused there.
//!
//! A transport reports how its host node stands; that is shown, and nothing is decided by it but whether a place on that
//! network is worth dialling. Places that transports or peers name are dialled as hints: a bounded number of them, and no
//! longer than they lead somewhere.

use crosscast_port::NetworkReport;
use crosscast_wire::Locator;

use crate::{Event, Node, Notice};

impl Node {
    /// What a transport says that is about no link of ours.
    pub(super) fn on_network_report(&mut self, report: NetworkReport) {
        self.networks.insert(report.scheme, report.clone());
        self.event(Event::Notice(Notice::Network(Box::new(report))));
    }

    pub(super) fn on_unlistened(&mut self, locator: &Locator) {
        self.listening.retain(|listening| listening != locator);
    }
}
