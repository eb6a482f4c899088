//! A message from a link through the gates, cheapest first, to its commit: the order of `docs/spec/gates.md`.
//!
//! Bounds were checked by parsing. Then: known `to`, time, seen (read only), replay window (read only), policy, signature
//! and payload hash as one effect, and only then anything is written. Copies of a message that is being checked wait
//! aside: a forger who sends the right header first cannot make the real one go unheard.

use crosscast_port::LinkId;
use crosscast_wire::{Destination, Domain, Hop, Message, PathKind, RefuseCode, frame};

use crate::auth::gate;
use crate::group::log::Tag;
use crate::peer::incoming::Arrival;
use crate::{Node, Reject, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;
use super::chains::chain_of;

/// A message on its way through the gates.
pub(super) struct Candidate {
    pub(super) link: LinkId,
    pub(super) arrival: Arrival,
    pub(super) tag: Tag,
    pub(super) message: Message,
}

impl Node {
    pub(super) fn on_message(&mut self, link: LinkId, arrival: Arrival, hop: Hop, message: Message) {
        match (self.gates(link, &message), chain_of(message.header())) {
            (Ok(()), _) => {}
            (Err(Reject::NoChain), Some((_, chain))) => return self.park(link, arrival, hop, message, chain),
            (Err(reject), _) => return self.refuse_message(link, arrival, &message, reject),
        }
        let Some(state) = self.links.get(&link) else { return };
        let last: Option<(_, PathKind)> = Some((state.up.scheme.network(), state.up.path));
        let tag = Tag { hops: hop.hops.saturating_add(1), class: message.header().class, last };
        let candidate = Candidate { link, arrival, tag, message };
        let id = candidate.message.id();
        match self.checking.get_mut(&id) {
            Some(waiting) if waiting.len() < limits::COPIES => waiting.push(candidate),
            Some(_) => self.refuse(link, arrival, Reject::OverRate),
            None => {
                self.checking.insert(id, Vec::new());
                self.check(candidate);
            }
        }
    }

    /// The gates that only read.
    fn gates(&self, link: LinkId, message: &Message) -> Result<(), Reject> {
        if self.is_store_failing() {
            return Err(Reject::StoreFailed);
        }
        let header = message.header();
        match header.to {
            Destination::Multicast(id) => {
                let group = self.groups.get(&id).ok_or(Reject::UnknownTo)?;
                let asked = self.links.get(&link).and_then(|state| state.asked.get(&id));
                let answer = asked.is_some_and(|at| self.now.mono.micros_since(*at) < ANSWER_WAIT_US);
                gate::time(header, answer, self.now.wall)?;
                if group.log.position_of(&message.id()).is_some() {
                    return Err(Reject::Duplicate);
                }
                group.windows.check(header.from, header.instance, header.seq, self.now.wall)?;
                gate::policy(header, group, &self.chains, self.now.wall)
            }
            Destination::Unicast(node) => {
                if node != self.config.node {
                    return Err(Reject::UnknownTo);
                }
                gate::time(header, false, self.now.wall)?;
                if self.inbox.log.position_of(&message.id()).is_some() {
                    return Err(Reject::Duplicate);
                }
                self.inbox.windows.check(header.from, header.instance, header.seq, self.now.wall)?;
                // Strangers have no way in yet: a message comes from the peer that signed it.
                let peer = self.links.get(&link).and_then(|state| state.peer);
                if peer.is_none_or(|(node, _)| node != header.from) {
                    return Err(Reject::NotAllowed);
                }
                let (_, kept) = self.inbox.log.weight();
                let len = message.bytes().len() as u64;
                let fits = kept.saturating_add(len) <= self.config.sizes.inbox_bytes;
                if fits { Ok(()) } else { Err(Reject::InboxFull) }
            }
        }
    }

    fn check(&mut self, candidate: Candidate) {
        let message = &candidate.message;
        let header = message.header();
        let body = message.bytes().slice(..message.header_bytes().len());
        let signature = *message.signature();
        let check = SignatureCheck { key: *header.from.as_bytes(), domain: Domain::Message, body, signature };
        let payload = Some((header.payload_hash, message.payload()));
        self.verify(Pending::MessageCheck(Box::new(candidate)), VerifyJob { signatures: vec![check], payload });
    }

    pub(super) fn on_message_checked(&mut self, candidate: Candidate, verdict: Verdict) {
        let id = candidate.message.id();
        let mut copies = self.checking.remove(&id).unwrap_or_default();
        let reject = match verdict {
            Verdict::Good => {
                self.accept(candidate);
                for copy in copies {
                    self.refuse_message(copy.link, copy.arrival, &copy.message, Reject::Duplicate);
                }
                return;
            }
            Verdict::BadSignature => Reject::BadSignature,
            Verdict::BadPayload => Reject::BadPayload,
        };
        self.refuse(candidate.link, candidate.arrival, reject);
        if !copies.is_empty() {
            let next = copies.remove(0);
            self.checking.insert(id, copies);
            self.check(next);
        }
    }

    /// Everything holds: look again at what may have changed meanwhile, then write.
    fn accept(&mut self, candidate: Candidate) {
        let Candidate { link, arrival, tag, message } = candidate;
        match self.gates_after(&message) {
            Ok(()) if self.take_own_business(&message) => self.settle(link, arrival),
            Ok(()) => self.commit_message(message, tag, Some((link, arrival))),
            Err(reject) => self.refuse_message(link, arrival, &message, reject),
        }
    }

    /// Reads what is for the node itself and not for its user.
    fn take_own_business(&mut self, message: &Message) -> bool {
        let header = message.header();
        if header.to != Destination::Unicast(self.config.node) || !self.take_grant(message) {
            return false;
        }
        self.inbox.windows.take(header.from, header.instance, header.seq, self.now.wall);
        true
    }

    /// Books a frame as dealt with.
    pub(super) fn settle(&mut self, link: LinkId, arrival: Arrival) {
        if let Some(state) = self.links.get_mut(&link) {
            state.inn.done(arrival);
            self.dirty.insert(link);
        }
    }

    fn gates_after(&self, message: &Message) -> Result<(), Reject> {
        if self.is_store_failing() {
            return Err(Reject::StoreFailed);
        }
        let header = message.header();
        let (log, windows) = match header.to {
            Destination::Multicast(id) => {
                let group = self.groups.get(&id).ok_or(Reject::UnknownTo)?;
                gate::policy(header, group, &self.chains, self.now.wall)?;
                (&group.log, &group.windows)
            }
            Destination::Unicast(_) => (&self.inbox.log, &self.inbox.windows),
        };
        if log.position_of(&message.id()).is_some() {
            return Err(Reject::Duplicate);
        }
        windows.check(header.from, header.instance, header.seq, self.now.wall)
    }

    /// Refuses a message whose header is known to be well-formed; a duplicate is no refusal to its sender.
    fn refuse_message(&mut self, link: LinkId, arrival: Arrival, message: &Message, reject: Reject) {
        if let (Some(state), Destination::Multicast(group)) = (self.links.get_mut(&link), message.header().to)
            && let Some(feed) = state.feeds.get_mut(&group)
            && reject == Reject::Duplicate
        {
            feed.knows(&message.id());
        }
        self.refuse(link, arrival, reject);
    }

    /// Counts a refusal, tells the peer, and books the frame as dealt with.
    pub(super) fn refuse(&mut self, link: LinkId, arrival: Arrival, reject: Reject) {
        if let Some(state) = self.links.get_mut(&link) {
            let code = code_of(reject);
            let refusal = code.and_then(|code| frame::refuse(arrival.lane(), arrival.number(), code));
            if let Some(frame) = refusal {
                state.out.push(frame);
            }
            state.inn.done(arrival);
            self.dirty.insert(link);
        }
        self.blame(link, reject);
    }
}

/// 60 s: how long what a peer sends may be the answer to our RESUME.
const ANSWER_WAIT_US: u64 = 60_000_000;

/// What the peer is told; `None` when it has nothing to learn.
const fn code_of(reject: Reject) -> Option<RefuseCode> {
    match reject {
        Reject::Duplicate => None,
        Reject::UnknownTo => Some(RefuseCode::UnknownTo),
        Reject::TooOld | Reject::TooNew | Reject::Expired => Some(RefuseCode::Time),
        Reject::NotAllowed => Some(RefuseCode::NotAllowed),
        Reject::WindowsFull | Reject::OverRate | Reject::InboxFull => Some(RefuseCode::Full),
        Reject::Replayed => Some(RefuseCode::Replayed),
        Reject::NoChain => Some(RefuseCode::NoChain),
        Reject::BadSignature | Reject::BadPayload => Some(RefuseCode::Invalid),
        Reject::StoreFailed => Some(RefuseCode::Store),
        Reject::Malformed
        | Reject::UnknownFrame
        | Reject::Version
        | Reject::OutOfPlace
        | Reject::BadHello
        | Reject::BadProof
        | Reject::OverCredit
        | Reject::BadAck
        | Reject::WrongLane
        | Reject::Unreadable
        | Reject::OldFloor
        | Reject::BadFloor
        | Reject::SubscriptionsFull => Some(RefuseCode::Other),
    }
}
