//! Several links to one run of a peer: the first in its list leads, the others stand by (`docs/adr/0022`).
//!
//! Only the link that leads is fed and asked; a standby has said its hello and its subscriptions, and is kept warm by
//! PINGs. When the leading link ends, or another is better by far, the feeds move over as they stand, and what was under
//! way and not acknowledged is offered once more. The two sides need not agree on which link leads: what a peer says on
//! any link it says for itself.

use std::collections::BTreeMap;

use crosscast_port::{LinkId, LogPos};
use crosscast_wire::{GroupId, MessageId, Network, NodeId};

use crate::group::feed::{Feed, Mode};
use crate::peer::link::{Link, PeerKey};
use crate::{Event, Node, Notice};

/// 100 ms: what a link costs whose round trip has not been measured; worse than most that have.
const UNMEASURED_US: u64 = 100_000;
/// 50 ms: what a relay's bytes cost beside its delay, so that a direct path wins unless it is very long.
const RELAYED_US: u64 = 50_000;
/// 1 ms for each unit of a link's own cost: a metered link leads only where the others are far.
const COST_US: u64 = 1_000;
/// 10 ms: a link has to be better by so much, and twice as good, to take the lead from one that works.
const MARGIN_US: u64 = 10_000;

/// What was being carried to a peer when a link to it ended.
pub(super) type Unsettled = Vec<(GroupId, MessageId)>;

impl Node {
    /// The link that leads to the peer of this one; itself, when it has none.
    pub(super) fn lead_of(&self, link: LinkId) -> LinkId {
        let peer = self.links.get(&link).and_then(|state| state.peer);
        peer.and_then(|key| self.peers.get(&key)?.first().copied()).unwrap_or(link)
    }

    /// The link that leads to the peer of this one, if it is fed this group; else itself.
    pub(super) fn lead_for(&self, link: LinkId, id: GroupId) -> LinkId {
        let lead = self.lead_of(link);
        if self.links.get(&lead).is_some_and(|state| state.feeds.contains_key(&id)) { lead } else { link }
    }

    /// Whether a link leads to its peer.
    pub(super) fn leads(&self, link: LinkId) -> bool {
        self.lead_of(link) == link
    }

    /// Whether another link leads to the same run of the same peer.
    pub(super) fn has_standby(&self, link: LinkId) -> bool {
        let peer = self.links.get(&link).and_then(|state| state.peer);
        peer.and_then(|key| self.peers.get(&key)).is_some_and(|links| links.len() > 1)
    }

    /// Whether any run of a node is linked over a network.
    pub(super) fn is_linked_over(&self, node: NodeId, network: Network) -> bool {
        let links = self.runs(&node).flat_map(|(_, links)| links);
        self.is_any_over(links, network)
    }

    /// Whether one run of a node is linked over a network.
    pub(super) fn is_run_linked_over(&self, key: PeerKey, network: Network) -> bool {
        self.is_any_over(self.peers.get(&key).into_iter().flatten(), network)
    }

    fn is_any_over<'a>(&self, mut links: impl Iterator<Item = &'a LinkId>, network: Network) -> bool {
        links.any(|link| self.links.get(link).is_some_and(|state| state.up.scheme.network() == network))
    }

    /// A further link to a peer is open: what each of them costs is measured at once.
    pub(super) fn measure_all(&mut self, key: PeerKey) {
        let links = self.peers.get(&key).cloned().unwrap_or_default();
        if links.len() > 1 {
            for link in links {
                self.ping(link, None);
            }
        }
    }

    /// Orders a peer's links by cost; the one that leads does so until another is better by far.
    pub(super) fn prefer(&mut self, key: PeerKey) {
        let Some(mut links) = self.peers.get(&key).cloned().filter(|links| links.len() > 1) else { return };
        let lead = links.first().copied();
        links.sort_by_key(|link| (self.cost(*link), *link));
        let (Some(lead), Some(best)) = (lead, links.first().copied()) else { return };
        if best != lead && !is_far_better(self.cost(best), self.cost(lead)) {
            links.retain(|link| *link != lead);
            links.insert(0, lead);
        }
        self.peers.insert(key, links);
        if self.leads(best) && best != lead {
            let feeds = self.give_up_lead(lead, best);
            self.take_lead(key, best, feeds);
        }
    }

    /// Smoothed round trip, metered bytes and detours as one number.
    fn cost(&self, link: LinkId) -> u64 {
        self.links.get(&link).map_or(u64::MAX, |state| {
            let own = u64::from(state.up.traits.cost).saturating_mul(COST_US);
            let detour = if state.up.traits.relayed { RELAYED_US } else { 0 };
            state.rtt_us.unwrap_or(UNMEASURED_US).saturating_add(own).saturating_add(detour)
        })
    }

    /// Takes a link that has ended out of its peer's list, with what it was fed and what it still carried.
    pub(super) fn drop_from_peer(
        &mut self,
        link: LinkId,
        key: PeerKey,
        feeds: BTreeMap<GroupId, Feed>,
        open: Unsettled,
    ) {
        let Some(links) = self.peers.get_mut(&key) else { return };
        let led = links.first() == Some(&link);
        links.retain(|other| *other != link);
        if links.is_empty() {
            self.peers.remove(&key);
            return;
        }
        if led {
            let mut rest = links.clone();
            rest.sort_by_key(|link| (self.cost(*link), *link));
            let next = rest.first().copied();
            self.peers.insert(key, rest);
            if let Some(next) = next {
                self.take_lead(key, next, feeds);
            }
        }
        let lead = self.peers.get(&key).and_then(|links| links.first().copied());
        if let Some(lead) = lead {
            self.routes.moved(link, lead);
            self.offer_unsettled(lead, open);
        }
    }

    /// The feeds of a link that works and leads no more, as they stand; it keeps its subscriptions, and feeds on what the
    /// peer has not yet asked for on the link that takes over.
    fn give_up_lead(&mut self, link: LinkId, to: LinkId) -> BTreeMap<GroupId, Feed> {
        let taken = |id: &GroupId| self.links.get(&to).is_some_and(|state| state.feeds.contains_key(id));
        let feeds = self.links.get(&link).map(|state| state.feeds.keys().copied().filter(taken).collect::<Vec<_>>());
        feeds.into_iter().flatten().filter_map(|id| Some((id, self.take_feed(link, id)?))).collect()
    }

    /// Takes the feed of a group from a link that works; the subscription stays.
    fn take_feed(&mut self, link: LinkId, id: GroupId) -> Option<Feed> {
        let state = self.links.get_mut(&link)?;
        state.behind.remove(&id);
        let feed = state.feeds.get_mut(&id)?;
        let fresh = Feed::new(feed.pass.clone());
        let taken = std::mem::replace(feed, fresh);
        if let Some(group) = self.groups.get_mut(&id) {
            group.neighbours.remove(&link);
        }
        Some(taken)
    }

    /// A standby leads from now on, and is fed from where the link before it had come.
    fn take_lead(&mut self, key: PeerKey, link: LinkId, mut feeds: BTreeMap<GroupId, Feed>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let network = state.up.scheme.network();
        let ids: Vec<GroupId> = state.feeds.keys().copied().collect();
        for id in &ids {
            if let (Some(feed), Some(before)) = (state.feeds.get_mut(id), feeds.remove(id)) {
                feed.take_over(before);
            }
        }
        // What the peer is still to ask for here begins at the start: what it has said of it went with the other link.
        state.resume_missed.extend(feeds.iter().filter(|(_, feed)| feed.mode != Mode::Waiting).map(|(id, _)| *id));
        for id in ids {
            self.gather_feed(link, id);
            self.mark_behind(link, id);
            if let Some(group) = self.groups.get_mut(&id) {
                group.neighbours.insert(link);
            }
            // What the peer had under way over the other link is asked for.
            self.send_resume(link, id);
        }
        self.event(Event::Notice(Notice::PeerMoved { node: key.0, instance: key.1, network }));
    }

    /// The link that leads is being fed a group from now on: what the peer said of it on its other links counts here too.
    pub(super) fn gather_feed(&mut self, link: LinkId, id: GroupId) {
        let peer = self.links.get(&link).and_then(|state| state.peer);
        let links = peer.and_then(|key| self.peers.get(&key)).cloned().unwrap_or_default();
        let (mut missed, mut running) = (false, None);
        for other in links {
            let Some(state) = self.links.get_mut(&other) else { continue };
            missed |= state.resume_missed.remove(&id);
            let runs = state.feeds.get(&id).is_some_and(|feed| feed.mode != Mode::Waiting);
            if other != link && runs {
                running = self.take_feed(other, id);
            }
        }
        let Some(feed) = self.links.get_mut(&link).and_then(|state| state.feeds.get_mut(&id)) else { return };
        match running {
            Some(before) if feed.mode == Mode::Waiting => feed.take_over(before),
            None if missed && feed.mode == Mode::Waiting => feed.start_blind(),
            Some(_) | None => {}
        }
    }

    /// Offers again what was on its way over a link that has ended; the peer knows what it has.
    fn offer_unsettled(&mut self, lead: LinkId, open: Unsettled) {
        let mut from: BTreeMap<GroupId, LogPos> = BTreeMap::new();
        for (id, message) in open {
            let Some(pos) = self.groups.get(&id).and_then(|group| group.log.position_of(&message)) else { continue };
            let Some(feed) = self.links.get_mut(&lead).and_then(|state| state.feeds.get_mut(&id)) else { continue };
            feed.forgets(&message);
            let first = from.entry(id).or_insert(pos);
            *first = pos.min(*first);
        }
        for (id, pos) in from {
            self.feed_again_from(lead, id, pos);
        }
    }

    /// Sets a feed back to before a position.
    pub(super) fn feed_again_from(&mut self, link: LinkId, id: GroupId, pos: LogPos) {
        let Some(feed) = self.links.get_mut(&link).and_then(|state| state.feeds.get_mut(&id)) else { return };
        let before = LogPos(pos.0.saturating_sub(1));
        feed.mode = match feed.mode {
            Mode::Behind { after, .. } => Mode::Behind { after: after.min(before), reading: false },
            Mode::Live => Mode::Behind { after: before, reading: false },
            Mode::Waiting => Mode::Waiting,
        };
        self.mark_behind(link, id);
    }

    /// What a link carries of groups and has not heard of, oldest first within a lane.
    pub(super) fn unsettled(state: &Link) -> Unsettled {
        state.out.unsettled().collect()
    }
}

const fn is_far_better(best: u64, lead: u64) -> bool {
    best.saturating_mul(2).saturating_add(MARGIN_US) <= lead
}
