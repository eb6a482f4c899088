//! Capability chains as they come and go: checked once, named by their hash from then on.
//!
//! A chain travels before the first message or subscription that names it. Lanes may overtake each other, and checking
//! takes its time: a message whose chain is not known yet waits aside for a moment, within the credit that its link has
//! anyway, and is refused with `no-chain` when the chain does not come.

use std::collections::VecDeque;

use bytes::Bytes;
use crosscast_port::{LinkId, Space, Write};
use crosscast_wire::{
    Chain, ChainHash, Destination, Domain, FrameType, GroupId, Header, Hop, Lane, Message, Policy, RawFrame, Rights,
    WallMillis, frame,
};

use crate::auth::standing::Standing;
use crate::peer::incoming::Arrival;
use crate::timer::Timer;
use crate::{Instant, Node, Reject, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;

/// A message that waits for its chain.
pub(super) struct Parked {
    since: Instant,
    chain: ChainHash,
    arrival: Arrival,
    hop: Hop,
    message: Message,
}

impl Node {
    pub(super) fn on_chain(&mut self, link: LinkId, chain: Chain) {
        if self.chains.get(&chain.hash()).is_some() {
            return self.chains.touch(&chain.hash());
        }
        if !self.groups.contains_key(&chain.group()) {
            return;
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.chain_checks >= limits::CHAIN_CHECKS {
            // Its messages are refused with `no-chain`, and then it comes again.
            return self.rejects.count(Reject::OverRate);
        }
        state.chain_checks = state.chain_checks.saturating_add(1);
        let signatures = chain_checks(&chain).collect();
        self.verify(Pending::ChainCheck(link, Box::new(chain)), VerifyJob { signatures, payload: None });
    }

    pub(super) fn on_chain_checked(&mut self, link: LinkId, chain: &Chain, verdict: Verdict) {
        if let Some(state) = self.links.get_mut(&link) {
            state.chain_checks = state.chain_checks.saturating_sub(1);
        }
        if verdict == Verdict::Good {
            self.learn_chain(chain, false);
        } else {
            self.blame(link, Reject::BadSignature);
        }
    }

    /// Takes a chain whose signatures hold, and goes on with what waited for it.
    pub(super) fn learn_chain(&mut self, chain: &Chain, kept: bool) {
        // A copy is as long as it has to be; what was written into is as long as a chain may be.
        let bytes = Bytes::copy_from_slice(&chain.encode());
        for gone in self.chains.insert(chain, bytes, kept) {
            self.forget_kept_chain(gone);
        }
        let (hash, group) = (chain.hash(), chain.group());
        for (link, parked) in self.take_parked(|parked| parked.chain == hash) {
            self.on_message(link, parked.arrival, parked.hop, parked.message);
        }
        let waiting = |state: &&crate::peer::link::Link| state.foreign.get(&group) == Some(&Some(hash));
        let links: Vec<LinkId> = self.links.values().filter(waiting).map(|state| state.id).collect();
        for link in links {
            self.on_subscribe(link, group, true, Some(hash));
        }
    }

    fn forget_kept_chain(&mut self, hash: ChainHash) {
        self.write(Write::Delete { space: Space::Chain, key: Bytes::copy_from_slice(hash.as_bytes()) });
    }

    /// A message that names a chain is being committed: the chain is kept as long.
    pub(super) fn keep_chain(&mut self, hash: &ChainHash, time: WallMillis) {
        if let Some(bytes) = self.chains.keep(hash, time) {
            self.put(Space::Chain, hash.as_bytes(), bytes.to_vec());
        }
    }

    /// Chains that no kept message names any more need not be in the store.
    pub(super) fn release_chains(&mut self) {
        let oldest = self.now.wall.0.saturating_sub(self.config.times.window_ms).saturating_sub(limits::FUTURE_MS);
        for hash in self.chains.release(WallMillis(oldest)) {
            self.forget_kept_chain(hash);
        }
    }

    /// Puts a message aside until its chain comes.
    pub(super) fn park(&mut self, link: LinkId, arrival: Arrival, hop: Hop, message: Message, chain: ChainHash) {
        let waiting = self.parked.entry(link).or_default();
        if waiting.len() >= limits::PARKED {
            return self.refuse(link, arrival, Reject::NoChain);
        }
        waiting.push_back(Parked { since: self.now.mono, chain, arrival, hop, message });
        self.timers.set_earlier(Timer::Parked, self.now.mono.plus_millis(PARKED_MS));
    }

    fn take_parked(&mut self, wanted: impl Fn(&Parked) -> bool) -> Vec<(LinkId, Parked)> {
        let mut taken = Vec::new();
        for (link, waiting) in &mut self.parked {
            let (out, stay): (VecDeque<_>, VecDeque<_>) = std::mem::take(waiting).into_iter().partition(&wanted);
            *waiting = stay;
            taken.extend(out.into_iter().map(|parked| (*link, parked)));
        }
        self.parked.retain(|_, waiting| !waiting.is_empty());
        taken
    }

    /// Refuses what has waited too long.
    pub(super) fn on_parked_due(&mut self) {
        let now = self.now.mono;
        for (link, parked) in self.take_parked(|parked| now.micros_since(parked.since) >= PARKED_MS * 1_000) {
            self.refuse(link, parked.arrival, Reject::NoChain);
        }
        if let Some(oldest) = self.parked.values().flatten().map(|parked| parked.since).min() {
            self.timers.set_earlier(Timer::Parked, oldest.plus_millis(PARKED_MS));
        }
    }

    /// Makes sure that a peer has the chain that a message names, before the message.
    pub(super) fn offer_chain(&mut self, link: LinkId, group: GroupId, chain: Option<&ChainHash>) {
        let Some(hash) = chain else { return };
        let own = || {
            let chain = self.groups.get(&group).and_then(|group| group.chain.as_ref());
            chain.filter(|chain| chain.hash() == *hash).map(|chain| Bytes::from(chain.encode()))
        };
        let Some(bytes) = self.chains.get(hash).map(|known| known.bytes.clone()).or_else(own) else { return };
        if let Some(state) = self.links.get_mut(&link)
            && state.chains.add(*hash)
        {
            state.out.push(RawFrame::new(FrameType::CHAIN, Lane::Control, bytes));
            self.dirty.insert(link);
        }
    }

    /// A peer speaks of a group for the first time: what was sent before it was part of the group it has not read.
    pub(super) fn offer_own_chain_again(&mut self, link: LinkId, id: GroupId) {
        let chain = self.groups.get(&id).and_then(|group| group.chain.as_ref()).map(frame::chain);
        // Not booked as sent: a place for every group of every link is more than a message's second CHAIN.
        if let (Some(frame), Some(state)) = (chain, self.links.get_mut(&link)) {
            state.out.push(frame);
            self.dirty.insert(link);
        }
    }

    /// What entitles a link's peer to a group, where the policy asks for it; `None` when it is not entitled.
    pub(super) fn pass_for(
        &self,
        link: LinkId,
        id: GroupId,
        chain: Option<ChainHash>,
    ) -> Option<Option<(ChainHash, Standing)>> {
        let group = self.groups.get(&id)?;
        if group.policy(self.now.wall) != Policy::Capability {
            return Some(None);
        }
        let (peer, _) = self.links.get(&link)?.peer?;
        let hash = chain?;
        let known = self.chains.get(&hash)?;
        let allowed = known.standing.allows(Rights::SUBSCRIBE | Rights::RELAY, self.now.wall, group.floor.as_ref());
        (allowed && known.group == id && known.subject == peer).then(|| Some((hash, known.standing.clone())))
    }

    /// After a change of the floor: whoever is no longer entitled is fed no more.
    pub(super) fn judge_feeds(&mut self, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        let closed = group.policy(self.now.wall) == Policy::Capability;
        let (floor, now) = (group.floor.clone(), self.now.wall);
        let rights = Rights::SUBSCRIBE | Rights::RELAY;
        let fed = self.links.values().filter(|state| state.feeds.contains_key(&id));
        let fed: Vec<LinkId> = fed.map(|state| state.id).collect();
        for link in fed {
            let Some(feed) = self.links.get(&link).and_then(|state| state.feeds.get(&id)) else { continue };
            let pass = feed.pass.as_ref();
            if !closed || pass.is_some_and(|(_, standing)| standing.allows(rights, now, floor.as_ref())) {
                continue;
            }
            let hash = pass.map(|(hash, _)| *hash);
            self.drop_feed(link, id);
            if let Some(state) = self.links.get_mut(&link) {
                state.foreign.insert(id, hash);
            }
        }
    }
}

/// The signatures that a chain stands on.
pub(super) fn chain_checks(chain: &Chain) -> impl Iterator<Item = SignatureCheck> {
    chain.links().map(|link| SignatureCheck {
        key: *link.fields().issuer.as_bytes(),
        domain: Domain::Capability,
        body: Bytes::copy_from_slice(link.body()),
        signature: *link.signature(),
    })
}

/// The chain that lets a message into a group, when the header names one.
pub(super) const fn chain_of(header: &Header) -> Option<(GroupId, ChainHash)> {
    match (header.to, header.chain) {
        (Destination::Multicast(group), Some(hash)) => Some((group, hash)),
        (Destination::Multicast(_) | Destination::Unicast(_), _) => None,
    }
}

/// 2 s: a chain that was sent before its message has come and been checked by then, on a slow path and a busy machine.
const PARKED_MS: u64 = 2_000;
