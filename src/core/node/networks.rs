//! Networks this node is attached to: how each stands, and the places that are found there.
//!
//! A transport reports how its host node stands; that is shown, and decides whether others are met there and which of a
//! peer's addresses are worth dialling. A place that a transport found or a peer named is a *hint*: one of a bounded
//! number, dialled like any other and forgotten when it leads nowhere.

use crosscast_port::NetworkReport;
use crosscast_wire::limits::{OVERLAY_ADDRESS_MAX, OVERLAY_ADDRESSES_MAX};
use crosscast_wire::{Locator, NetworkState, Scheme};

use crate::peer::link::PeerKey;
use crate::{Event, Node, Notice, limits};

impl Node {
    pub(super) fn on_network_report(&mut self, report: NetworkReport) {
        let is_new = self.networks.insert(report.scheme, report.clone()).is_none_or(|before| before != report);
        if is_new {
            self.event(Event::Notice(Notice::Network(Box::new(report))));
        }
        self.tend_meetings();
        for key in self.peers.keys().copied().collect::<Vec<_>>() {
            self.seek_standby(key);
        }
    }

    pub(super) fn on_unlistened(&mut self, locator: &Locator) {
        self.listening.retain(|listening| listening != locator);
        self.event(Event::Notice(Notice::Unlistened { locator: locator.clone() }));
    }

    /// A transport has found a place where a node of ours may answer.
    pub(super) fn on_found(&mut self, locator: Locator) {
        self.hint(locator);
    }

    /// This node's own addresses on key-addressed networks, for its hello: peers may dial them for a standby.
    pub(super) fn own_overlay(&self) -> Vec<String> {
        let overlay = self.listening.iter().filter(|locator| is_overlay(locator.scheme()));
        let texts = overlay.map(|locator| locator.clone().without_node().to_string());
        texts.filter(|text| text.len() <= OVERLAY_ADDRESS_MAX).take(OVERLAY_ADDRESSES_MAX).collect()
    }

    /// Dials a peer's addresses on other networks that both are attached to: of two that can, the smaller key does. Who
    /// was not on a network when the link came up is nobody that the peer can dial there.
    pub(super) fn seek_standby(&mut self, key: PeerKey) {
        let lead = self.peers.get(&key).and_then(|links| links.first()).and_then(|link| self.links.get(link));
        let Some((state, hello)) = lead.and_then(|state| Some((state, state.hello.as_ref()?))) else { return };
        let leaves_it = |scheme: Scheme| self.config.node > key.0 && state.told.contains(&scheme);
        let places = hello.fields().overlay.iter().filter_map(|text| Locator::parse(text).ok());
        let places = places.filter(|place| is_overlay(place.scheme()) && place.node().is_none());
        // A peer that names many places does not decide what this node's hints are spent on.
        let places = places.take(limits::HINTS_PER_PEER).filter(|place| !leaves_it(place.scheme()));
        let places: Vec<Locator> = places.collect();
        for place in places {
            if self.is_attached(place.scheme()) && !self.is_run_linked_over(key, place.scheme().network()) {
                self.hint(place.with_node(key.0));
            }
        }
    }

    fn is_attached(&self, scheme: Scheme) -> bool {
        self.networks.get(&scheme).is_some_and(|network| match network.state {
            NetworkState::Up | NetworkState::Degraded => true,
            NetworkState::Starting | NetworkState::Down => false,
        })
    }
}

const fn is_overlay(scheme: Scheme) -> bool {
    match scheme {
        Scheme::Ygg | Scheme::Cjdns => true,
        Scheme::Tls | Scheme::Quic | Scheme::Libp2p | Scheme::Relay | Scheme::Memory => false,
    }
}
