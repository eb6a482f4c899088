//! What flows out of a group's log to links: subscriptions, RESUME, catching up, going live.
//!
//! A link subscribes by SUBSCRIBE, before which the floor record has travelled; it is answered by our RESUME, so that
//! each side learns what the other has. From then on the link's feed walks the log and goes live at its end.

use std::collections::BTreeSet;

use crosscast_port::{LinkId, LogId, LogItem, LogPos, StoreOp, StoreOutcome};
use crosscast_wire::{
    Chain, ChainHash, GroupId, Header, Hop, Lane, MessageId, Policy, RefuseCode, ResumeWindow, WallMillis, frame,
};

use crate::auth::standing::Standing;
use crate::group::feed::{Feed, Mode};
use crate::group::log::Tag;
use crate::peer::outgoing::Cargo;
use crate::timer::Timer;
use crate::{Node, Reject, limits};

use super::Pending;
use super::commit::{After, Committed};

impl Node {
    /// Tells a fresh link what this node is part of.
    pub(super) fn greet(&mut self, link: LinkId) {
        let groups: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in groups {
            self.subscribe_on(link, group);
        }
    }

    /// Asks a link for a group: the floor record first, so that the peer can judge what follows.
    pub(super) fn subscribe_on(&mut self, link: LinkId, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(state) = self.links.get_mut(&link).filter(|state| state.is_open()) else { return };
        if let Some(floor) = &group.floor {
            state.out.push(frame::floor(floor, group.floor_chain.as_ref()));
        }
        self.dirty.insert(link);
        self.subscribe_to(link, id);
        // The peer had asked before this node was part of the group.
        let asked = self.links.get_mut(&link).and_then(|state| state.foreign.remove(&id));
        if let Some(chain) = asked {
            self.on_subscribe(link, id, true, chain);
        }
    }

    /// Says SUBSCRIBE, behind the chain that entitles this node.
    pub(super) fn subscribe_to(&mut self, link: LinkId, id: GroupId) {
        let hash = self.groups.get(&id).and_then(|group| group.chain.as_ref()).map(Chain::hash);
        self.offer_own_chain_again(link, id);
        if let Some(state) = self.links.get_mut(&link).filter(|state| state.is_open()) {
            state.out.push(frame::subscribe(&id, true, hash.as_ref()));
            if hash.is_some() {
                state.resume_due.insert(id);
            }
            self.dirty.insert(link);
        }
    }

    pub(super) fn on_subscribe(&mut self, link: LinkId, id: GroupId, on: bool, chain: Option<ChainHash>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        if !on {
            state.foreign.remove(&id);
            // Whoever comes back may begin with the floor of an old ticket, and has forgotten ours.
            state.floors_told.remove(&id);
            return self.drop_feed(link, id);
        }
        let known = state.feeds.contains_key(&id) || state.foreign.contains_key(&id);
        if !known && state.feeds.len().saturating_add(state.foreign.len()) >= limits::SUBSCRIPTIONS_PER_LINK {
            return self.blame(link, Reject::SubscriptionsFull);
        }
        if !known {
            self.offer_own_chain_again(link, id);
            self.ask_anew(id);
        }
        let pass = self.pass_for(link, id, chain);
        let Some(state) = self.links.get_mut(&link) else { return };
        match pass {
            Some(pass) => self.add_feed(link, id, pass),
            // Also while what entitled it until now still does: the new chain may only have to be checked.
            None => {
                state.foreign.insert(id, chain);
            }
        }
        // Whoever speaks of the group can be asked.
        self.consider_asking(id);
    }

    /// Ends the feeding of a link.
    pub(super) fn drop_feed(&mut self, link: LinkId, id: GroupId) {
        if let Some(state) = self.links.get_mut(&link) {
            state.feeds.remove(&id);
            state.behind.remove(&id);
            state.resume_missed.remove(&id);
        }
        if let Some(group) = self.groups.get_mut(&id) {
            group.neighbours.remove(&link);
        }
    }

    fn add_feed(&mut self, link: LinkId, id: GroupId, pass: Option<(ChainHash, Standing)>) {
        let Some(state) = self.links.get_mut(&link).filter(|_| self.groups.contains_key(&id)) else { return };
        state.foreign.remove(&id);
        if let Some(feed) = state.feeds.get_mut(&id) {
            // Said again: our RESUME is on its way, and saying so costs the peer less than it would cost us.
            feed.pass = pass;
            return;
        }
        state.feeds.insert(id, Feed::new(pass));
        if !self.leads(link) {
            // It stands by: what the peer has is known of the link that leads, and is fed there.
            return;
        }
        self.gather_feed(link, id);
        if let Some(group) = self.groups.get_mut(&id) {
            group.neighbours.insert(link);
        }
        self.send_resume(link, id);
        self.mark_behind(link, id);
    }

    /// Says what of a group is here without a hole.
    pub(super) fn send_resume(&mut self, link: LinkId, id: GroupId) {
        let (Some(state), Some(group)) = (self.links.get_mut(&link), self.groups.get(&id)) else { return };
        let windows = group.windows.contiguous().take(limits::WINDOWS);
        let windows = windows.map(|(from, instance, contiguous)| ResumeWindow { from, instance, contiguous });
        for frame in frame::resume(&id, windows) {
            state.out.push(frame);
        }
        state.asked.insert(id, self.now.mono);
        self.dirty.insert(link);
    }

    pub(super) fn on_resume(&mut self, link: LinkId, id: GroupId, windows: &[ResumeWindow], more: bool) {
        let now = self.now.mono;
        // The peer has checked our chain and feeds us from here on: what we said before, it did not hear.
        if self.links.get_mut(&link).is_some_and(|state| state.resume_due.remove(&id)) {
            self.send_resume(link, id);
        }
        let known = self.groups.contains_key(&id);
        let link = self.lead_for(link, id);
        let Some(state) = self.links.get_mut(&link) else { return };
        let Some(feed) = state.feeds.get_mut(&id) else {
            // Its chain is being checked, or it has none yet.
            if known && !more {
                state.resume_missed.insert(id);
            }
            return;
        };
        let windows: Vec<_> = windows.iter().map(|window| (window.from, window.instance, window.contiguous)).collect();
        let is_first = feed.mode == Mode::Waiting;
        if feed.resume(&windows, more, now) {
            self.mark_behind(link, id);
        }
        if is_first {
            self.on_own_known(id, &windows);
        }
    }

    pub(super) fn mark_behind(&mut self, link: LinkId, id: GroupId) {
        if let Some(state) = self.links.get_mut(&link) {
            state.behind.insert(id);
            self.dirty.insert(link);
        }
    }

    /// Hands a committed message to the feeds that are live.
    pub(super) fn forward(&mut self, id: GroupId, committed: &Committed) {
        let Some(group) = self.groups.get(&id) else { return };
        let neighbours: Vec<LinkId> = group.neighbours.iter().copied().collect();
        let Some(entry) = group.log.find(committed.pos).cloned() else { return };
        let from = committed.from.map(|(link, _)| self.lead_of(link));
        let bytes = committed.message.bytes();
        let lane = committed.tag.class.lane();
        let queue_max = self.config.sizes.lane_queue_bytes;
        let chain = committed.message.header().chain;
        for link in neighbours {
            let Some(state) = self.links.get_mut(&link) else { continue };
            let queued = state.out.queued(lane).saturating_add(bytes.len() as u64);
            let stuck = state.out.is_stuck(lane, self.now.mono, state.patience_us(STUCK_MS));
            let Some(feed) = state.feeds.get_mut(&id) else { continue };
            if from == Some(link) {
                feed.knows(&entry.id);
                continue;
            }
            if feed.mode != Mode::Live {
                // What waits for RESUME or walks the log will come to it; one that is stuck, with its next acknowledgement.
                if !stuck {
                    self.dirty.insert(link);
                }
                continue;
            }
            if !feed.wants(&entry) {
                continue;
            }
            if queued > queue_max || stuck {
                feed.mode = Mode::Behind { after: LogPos(committed.pos.0.saturating_sub(1)), reading: false };
                self.mark_behind(link, id);
                continue;
            }
            feed.knows(&entry.id);
            self.offer_chain(link, id, chain.as_ref());
            let Some(state) = self.links.get_mut(&link) else { continue };
            let hop = Hop::new(0, committed.tag.hops, 0).with_trail(committed.tag.trail);
            state.out.push_data(hop.frame(bytes.clone(), lane), Cargo::Group(id, entry.id));
            self.dirty.insert(link);
        }
    }

    /// Goes on with a link's feeds that are behind, while its lanes have room.
    pub(super) fn feed_link(&mut self, link: LinkId) {
        let Some(state) = self.links.get(&link).filter(|state| state.is_open()) else { return };
        let groups: Vec<GroupId> = state.behind.iter().copied().collect();
        for id in groups {
            self.feed_group(link, id);
        }
    }

    fn feed_group(&mut self, link: LinkId, id: GroupId) {
        let (Some(state), Some(group)) = (self.links.get_mut(&link), self.groups.get(&id)) else { return };
        let patience_us = state.patience_us(STUCK_MS);
        let Some(feed) = state.feeds.get_mut(&id) else {
            state.behind.remove(&id);
            return;
        };
        let Mode::Behind { after, reading: false } = feed.mode else {
            if matches!(feed.mode, Mode::Waiting | Mode::Live) {
                state.behind.remove(&id);
            }
            return;
        };
        let fresh = |entry: &&crosscast_port::LogEntry| is_fresh(entry.time, entry.expires, self.now.wall);
        let kept = group.log.after(after).take_while(|entry| entry.pos <= group.log.durable);
        let Some(next) = kept.filter(fresh).find(|entry| feed.wants(entry)) else {
            if group.log.durable >= group.log.last() {
                feed.go_live();
                state.behind.remove(&id);
            } else {
                // What is being committed now is not readable yet; it comes by `forward`'s mark.
                feed.mode = Mode::Behind { after: group.log.durable.max(after), reading: false };
            }
            return;
        };
        let lane = Tag::unpack(next.tag).class.lane();
        if state.out.is_unheard(lane)
            || state.out.is_stuck(lane, self.now.mono, patience_us)
            || state.out.queued(lane) > self.config.sizes.lane_queue_bytes / 2
        {
            return;
        }
        let before = LogPos(next.pos.0.saturating_sub(1));
        feed.mode = Mode::Behind { after: before, reading: true };
        // What is read for one link is in memory once more: a peer gets little of it until it has taken something.
        let max_bytes = if state.out.has_heard(lane) { limits::READ_BYTES } else { limits::FIRST_READ_BYTES };
        let read = StoreOp::Read { log: LogId(*id.as_bytes()), after: before, max_bytes };
        self.store(Pending::FeedRead(link, id), read);
    }

    pub(super) fn on_feed_read(&mut self, link: LinkId, id: GroupId, outcome: StoreOutcome) {
        let (Some(state), Some(group)) = (self.links.get_mut(&link), self.groups.get(&id)) else { return };
        let Some(feed) = state.feeds.get_mut(&id) else { return };
        // A RESUME that came meanwhile has set the feed back to the start; this read is stale then.
        let Mode::Behind { mut after, reading: true } = feed.mode else { return };
        let items = match outcome {
            StoreOutcome::Items { items, .. } => items,
            StoreOutcome::Committed | StoreOutcome::Failed(_) => Vec::new(),
        };
        if items.is_empty() {
            // Freed between question and answer, or unreadable: go past it.
            after = LogPos(after.0.saturating_add(1));
        }
        let closed = group.policy(self.now.wall) == Policy::Capability;
        let mut chains = BTreeSet::new();
        for LogItem { entry, bytes } in items {
            let lane = Tag::unpack(entry.tag).class.lane();
            if state.out.queued(lane) > self.config.sizes.lane_queue_bytes || entry.pos > group.log.durable {
                break;
            }
            after = entry.pos;
            if feed.wants(&entry) && is_fresh(entry.time, entry.expires, self.now.wall) {
                let age = self.now.wall.0.saturating_sub(entry.arrived.0);
                let tag = Tag::unpack_of_group(entry.tag);
                let hop = Hop::new(0, tag.hops, u32::try_from(age).unwrap_or(u32::MAX)).with_trail(tag.trail);
                feed.knows(&entry.id);
                if closed {
                    chains.extend(Header::parse_prefix(&bytes).ok().and_then(|(header, _)| header.chain));
                }
                state.out.push_data(hop.frame(bytes, lane), Cargo::Group(id, entry.id));
            }
        }
        feed.mode = Mode::Behind { after, reading: false };
        self.dirty.insert(link);
        // Their lane goes first, so they still arrive before the messages.
        for chain in chains {
            self.offer_chain(link, id, Some(&chain));
        }
    }

    pub(super) fn on_refuse(&mut self, link: LinkId, lane: Lane, number: u64, code: RefuseCode) {
        let Some(state) = self.links.get_mut(&link) else { return };
        match state.out.refused(lane, number) {
            Ok(Cargo::Group(group, id)) if code == RefuseCode::NoChain => {
                self.offer_again(self.lead_for(link, group), group, &id);
            }
            Ok(Cargo::Group(group, id)) => {
                let lead = self.lead_for(link, group);
                let feed = self.links.get_mut(&lead).and_then(|state| state.feeds.get_mut(&group));
                if let Some(feed) = feed.filter(|_| is_passing(code)) {
                    feed.forgets(&id);
                }
                self.on_own_refused(&id, code);
            }
            Ok(Cargo::Unicast(id)) => self.on_letter_refused(link, &id, code),
            Ok(Cargo::Refused) => {}
            Err(reject) => self.blame(link, reject),
        }
    }

    /// The peer has not got, or has forgotten, the chain that a message names: both are sent again.
    fn offer_again(&mut self, link: LinkId, id: GroupId, message: &MessageId) {
        let pos = self.groups.get(&id).and_then(|group| group.log.position_of(message));
        let Some(state) = self.links.get_mut(&link) else { return };
        let Some((pos, feed)) = pos.zip(state.feeds.get_mut(&id)) else { return };
        feed.forgets(message);
        state.chains.clear();
        // A peer that never has it would be sent it for ever; what is over is left to the next RESUME.
        if !state.offers_again.take(self.now.mono) {
            return;
        }
        self.feed_again_from(link, id, pos);
    }

    /// Sets when a group's gaps are looked at.
    pub(super) fn arm_gap(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        if let Some(due) = group.ordering.next_due(&self.config.times) {
            let ask = self.now.mono.plus_millis(GAP_ASK_MS << group.asks.min(GAP_ASK_DOUBLINGS));
            self.timers.set_earlier(Timer::Gap(id), due.min(ask));
        }
    }

    /// Asks for what is missing, and gives up what has been missing for too long.
    pub(super) fn on_gap(&mut self, id: GroupId) {
        let (now, times) = (self.now.mono, self.config.times);
        while let Some(group) = self.groups.get_mut(&id) {
            let Some((key, pos, gap)) = group.ordering.give_up(now, &times) else { break };
            let released = self.release(id, pos, gap);
            self.after_commit(After::Released(id, released));
            self.release_held(id, key);
        }
        let failing = self.is_store_failing();
        let Some(group) = self.groups.get_mut(&id) else { return };
        if !group.ordering.is_waiting() {
            group.asks = 0;
            return;
        }
        if !failing {
            // Two neighbours at a time, in turn, ever more slowly: what nobody has is not worth a storm.
            let first = usize::try_from(group.asks).unwrap_or(0).saturating_mul(2);
            let all = group.neighbours.len().max(1);
            let turn = group.neighbours.iter().copied().cycle().skip(first.checked_rem(all).unwrap_or(0));
            let asked: Vec<LinkId> = turn.take(all.min(2)).collect();
            group.asks = group.asks.saturating_add(1);
            for link in asked {
                self.ask(link, id);
            }
        }
        self.arm_gap(id);
    }

    /// Asks for all that may have been missed while nothing was taken.
    pub(super) fn ask_everyone(&mut self) {
        let groups: Vec<(GroupId, Vec<LinkId>)> =
            self.groups.values().map(|group| (group.id, group.neighbours.iter().copied().collect())).collect();
        for (id, neighbours) in groups {
            for link in neighbours {
                self.ask(link, id);
            }
        }
    }

    /// Asks one neighbour, unless it was just asked.
    fn ask(&mut self, link: LinkId, id: GroupId) {
        let asked = self.links.get(&link).and_then(|state| state.asked.get(&id));
        if asked.is_none_or(|at| self.now.mono.micros_since(*at) >= GAP_ASK_MS.saturating_mul(1_000)) {
            self.send_resume(link, id);
        }
    }
}

/// 1 s: a missing message that is merely late has come by then.
const GAP_ASK_MS: u64 = 1_000;
/// 3: asked after 1, 2, 4 and then every 8 s, four times or so before a gap is given up.
const GAP_ASK_DOUBLINGS: u32 = 3;

/// 1 s: a peer that acknowledges nothing for so long, or for four round trips, is behind and gets no queue.
const STUCK_MS: u64 = 1_000;

/// Whether a refusal may not hold any more when the message is offered again.
const fn is_passing(code: RefuseCode) -> bool {
    match code {
        // A chain may have come by then, and a rate has room again.
        RefuseCode::UnknownTo
        | RefuseCode::Full
        | RefuseCode::Store
        | RefuseCode::NoChain
        | RefuseCode::Rate
        | RefuseCode::Other => true,
        RefuseCode::Time | RefuseCode::NotAllowed | RefuseCode::Replayed | RefuseCode::Invalid => false,
    }
}

/// Whether a peer would still take a message that we push.
const fn is_fresh(time: WallMillis, expires: WallMillis, now: WallMillis) -> bool {
    expires.0 >= now.0 && time.0.saturating_add(limits::PUSHED_MS) >= now.0
}
