//! The locators this node keeps a link to, and when each is dialled again.
//!
//! Delays double from [`Times::redial_min_ms`] with jitter of a half either way, and start over once a link has held.
//! A target whose peer is linked over the same network by some other way rests until that link goes; over another
//! network it is dialled all the same, and its link stands by.

use std::collections::BTreeMap;

use crosscast_port::{DialId, LinkId};
use crosscast_wire::{Locator, Network, NodeId};

use crate::peer::link::PeerKey;
use crate::random::Choices;
use crate::{Times, limits};

/// Where a target stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Waits for its timer.
    Waiting,
    /// Being dialled.
    Dialing(DialId),
    /// Its link is up or in the hello.
    Linked(LinkId),
    /// Its peer is linked by another link.
    Resting,
    /// It is this very run.
    Own,
}

/// One locator to keep a link to.
pub(crate) struct Target {
    pub(crate) locator: Locator,
    /// The key to expect: from the locator or pinned at first sight.
    pub(crate) node: Option<NodeId>,
    /// The run that answered last.
    pub(crate) led_to: Option<PeerKey>,
    pub(crate) phase: Phase,
    /// Whether it was found or named by others, and is forgotten when it leads nowhere.
    pub(crate) hint: bool,
    failures: u32,
}

/// All targets, by number.
#[derive(Default)]
pub(crate) struct Targets {
    targets: BTreeMap<u64, Target>,
    next: u64,
}

impl Targets {
    /// How many there are that were asked for, or that are hints.
    pub(crate) fn count(&self, hints: bool) -> usize {
        self.targets.values().filter(|target| target.hint == hints).count()
    }

    /// Adds a target that is dialled at once; `None` when it is there already, and stays if it was a hint.
    pub(crate) fn add(&mut self, locator: Locator, node: Option<NodeId>, hint: bool) -> Option<u64> {
        let plain = locator.clone().without_node();
        let same = |target: &&mut Target| target.locator.clone().without_node() == plain;
        if let Some(target) = self.targets.values_mut().find(same) {
            target.hint &= hint;
            return None;
        }
        self.next = self.next.saturating_add(1);
        let target = Target { locator, node, led_to: None, phase: Phase::Waiting, hint, failures: 0 };
        self.targets.insert(self.next, target);
        Some(self.next)
    }

    /// Forgets a target.
    pub(crate) fn forget(&mut self, number: u64) {
        self.targets.remove(&number);
    }

    /// Removes the target of a locator, with or without its key.
    pub(crate) fn remove(&mut self, locator: &Locator) -> Option<u64> {
        let plain = locator.clone().without_node();
        let same = |target: &Target| target.locator.clone().without_node() == plain;
        let number = self.targets.iter().find(|(_, target)| same(target)).map(|(number, _)| *number)?;
        self.targets.remove(&number);
        Some(number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Target> {
        self.targets.get_mut(&number)
    }

    pub(crate) fn by_dial(&mut self, dial: DialId) -> Option<(u64, &mut Target)> {
        let found = self.targets.iter_mut().find(|(_, target)| target.phase == Phase::Dialing(dial));
        found.map(|(number, target)| (*number, target))
    }

    pub(crate) fn by_link(&mut self, link: LinkId) -> Option<(u64, &mut Target)> {
        let found = self.targets.iter_mut().find(|(_, target)| target.phase == Phase::Linked(link));
        found.map(|(number, target)| (*number, target))
    }

    /// Whether any target expects this key.
    pub(crate) fn expects(&self, node: NodeId) -> bool {
        self.targets.values().any(|target| target.node == Some(node))
    }

    /// How many targets expect this key on a network.
    pub(crate) fn expecting(&self, node: NodeId, network: Network) -> usize {
        self.targets.values().filter(|target| target.leads_to(node, network)).count()
    }

    /// Targets that rest because this node was linked over their network.
    pub(crate) fn resting_for(&self, node: NodeId, network: Network) -> Vec<u64> {
        let rests = |target: &Target| target.phase == Phase::Resting && target.leads_to(node, network);
        self.targets.iter().filter(|(_, target)| rests(target)).map(|(number, _)| *number).collect()
    }
}

impl Target {
    fn leads_to(&self, node: NodeId, network: Network) -> bool {
        self.node == Some(node) && self.locator.scheme().network() == network
    }

    /// Whether it is a hint that has led nowhere for long enough.
    pub(crate) const fn is_spent(&self) -> bool {
        self.hint && self.failures >= limits::HINT_FAILURES
    }

    /// Books a failure and returns the delay until the next attempt, in milliseconds.
    pub(crate) fn failed(&mut self, times: &Times, choices: &mut Choices) -> u64 {
        let doubled = times.redial_min_ms.saturating_mul(1u64 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.phase = Phase::Waiting;
        choices.around(doubled.min(times.redial_max_ms))
    }

    /// A link of this target has finished its hello.
    pub(crate) fn held(&mut self, by: PeerKey) {
        self.failures = 0;
        self.led_to = Some(by);
    }
}
