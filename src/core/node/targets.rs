//! Dialling: each locator to keep a link to, through its failures, its pins and its peer's other links.

use crosscast_port::{DialError, DialId, LinkId, Request, Space};
use crosscast_wire::{Locator, Network, NodeId};

use crate::peer::dial::Phase;
use crate::peer::link::PeerKey;
use crate::timer::Timer;
use crate::{Event, Node, Notice, limits};

impl Node {
    /// Keeps a link to a locator from now on; returns whether there was room.
    pub(super) fn attach(&mut self, locator: Locator) -> bool {
        if self.targets.count(false) >= limits::ATTACHED {
            return false;
        }
        let node = self.expected_at(&locator);
        if let Some(number) = self.targets.add(locator, node, false) {
            self.dial(number);
        }
        true
    }

    /// Dials a place that was found or named by others, if there is room for another.
    pub(super) fn hint(&mut self, locator: Locator) {
        if self.targets.count(true) >= limits::HINTS {
            return;
        }
        let node = self.expected_at(&locator);
        if let Some(number) = self.targets.add(locator, node, true) {
            self.dial(number);
        }
    }

    fn expected_at(&self, locator: &Locator) -> Option<NodeId> {
        locator.node().or_else(|| self.pins.get(&locator.clone().without_node()).copied())
    }

    /// Dials a target, unless its peer is linked already.
    pub(super) fn dial(&mut self, number: u64) {
        if self.shutdown.is_some() {
            return;
        }
        let linked = self.is_linked_otherwise(number);
        let Some(target) = self.targets.get_mut(number).filter(|target| target.phase == Phase::Waiting) else { return };
        if linked {
            target.phase = Phase::Resting;
            return;
        }
        self.last_dial = self.last_dial.saturating_add(1);
        let dial = DialId(self.last_dial);
        target.phase = Phase::Dialing(dial);
        let plain = target.locator.clone();
        let locator = match target.node {
            Some(node) => plain.with_node(node),
            None => plain,
        };
        self.request(Request::Dial { dial, locator });
    }

    /// Whether a target's peer is linked already over the target's network: over another, a link is a standby. A key that
    /// several locators name, or our own, may belong to several machines: which one a locator leads to shows only in the
    /// hello, so such a target is dialled until that is known.
    fn is_linked_otherwise(&mut self, number: u64) -> bool {
        let Some(target) = self.targets.get_mut(number) else { return false };
        let (led_to, network) = (target.led_to, target.locator.scheme().network());
        let Some(node) = target.node else { return false };
        if node == self.config.node || self.targets.expecting(node, network) > 1 {
            led_to.is_some_and(|key| self.is_run_linked_over(key, network))
        } else {
            self.is_linked_over(node, network)
        }
    }

    pub(super) fn on_dial_failed(&mut self, dial: DialId, error: DialError) {
        let times = self.config.times;
        let Some((number, target)) = self.targets.by_dial(dial) else { return };
        let locator = target.locator.clone();
        let wait = target.failed(&times, &mut self.choices);
        if target.is_spent() {
            return self.targets.forget(number);
        }
        self.timers.set(Timer::Redial(number), self.now.mono.plus_millis(wait));
        self.event(Event::Notice(Notice::DialFailed { locator, error }));
    }

    pub(super) fn target_up(&mut self, link: LinkId, dial: Option<DialId>) {
        if let Some((_, target)) = dial.and_then(|dial| self.targets.by_dial(dial)) {
            target.phase = Phase::Linked(link);
        }
    }

    /// Whether the key that answered is the one this target expects; an unexpected one is told to the operator.
    pub(super) fn target_expects(&mut self, link: LinkId, node: NodeId) -> bool {
        let Some((_, target)) = self.targets.by_link(link) else { return true };
        let Some(expected) = target.node.filter(|expected| *expected != node) else { return true };
        let (locator, error) = (target.locator.clone(), DialError::WrongKey { expected, actual: node });
        self.event(Event::Notice(Notice::DialFailed { locator, error }));
        false
    }

    /// The hello is through: a locator without a key is pinned to the first that answered.
    pub(super) fn target_open(&mut self, link: LinkId, key: PeerKey) {
        let (node, _) = key;
        let Some((_, target)) = self.targets.by_link(link) else { return };
        target.held(key);
        if target.node.replace(node).is_some() || target.hint {
            return;
        }
        let locator = target.locator.clone().without_node();
        if self.pins.len() < limits::PINS || self.pins.contains_key(&locator) {
            self.pins.insert(locator.clone(), node);
            self.put(Space::Pin, locator.to_string().as_bytes(), node.as_bytes().to_vec());
        }
        self.event(Event::Notice(Notice::Pinned { locator, node }));
    }

    /// The locator leads back to this very run: it is not dialled again.
    pub(super) fn target_is_self(&mut self, link: LinkId) {
        if let Some((_, target)) = self.targets.by_link(link) {
            target.phase = Phase::Own;
        }
    }

    /// A link is gone: its target rests when that run of the peer is linked otherwise, else it is dialled again.
    pub(super) fn target_down(&mut self, link: LinkId, peer: Option<PeerKey>) {
        let times = self.config.times;
        let Some((_, target)) = self.targets.by_link(link) else { return };
        let network = target.locator.scheme().network();
        let elsewhere = peer.is_some_and(|key| self.is_run_linked_over(key, network));
        let Some((number, target)) = self.targets.by_link(link) else { return };
        if elsewhere {
            target.phase = Phase::Resting;
            return;
        }
        let wait = target.failed(&times, &mut self.choices);
        if target.is_spent() {
            return self.targets.forget(number);
        }
        self.timers.set(Timer::Redial(number), self.now.mono.plus_millis(wait));
    }

    /// A link to a peer is gone: the targets that rested for it are dialled again, if it was the last over their network.
    pub(super) fn wake_resting(&mut self, node: NodeId, network: Network) {
        let times = self.config.times;
        if self.is_linked_over(node, network) {
            return;
        }
        for number in self.targets.resting_for(node, network) {
            if let Some(target) = self.targets.get_mut(number) {
                target.phase = Phase::Waiting;
                let wait = self.choices.around(times.redial_min_ms);
                self.timers.set(Timer::Redial(number), self.now.mono.plus_millis(wait));
            }
        }
    }
}
