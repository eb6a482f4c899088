//! A message from a link through the gates, cheapest first, to its commit: the order of `docs/spec/gates.md`.
//!
//! Bounds were checked by parsing. Then: known `to`, time, seen (read only), replay window (read only), policy, budgets
//! of sender and origin (read only), signature and payload hash as one effect, and only then anything is written.
//! Copies of a message that is being checked wait aside: a forger who sends the right header first cannot make the real
//! one go unheard.

use crosscast_port::LinkId;
use crosscast_wire::{
    Destination, Domain, GroupId, Header, Hop, Message, MessageId, PathKind, RefuseCode, Trail, frame,
};

use crate::auth::gate::{self, Vouch};
use crate::auth::replay::Newness;
use crate::group::Group;
use crate::group::log::Tag;
use crate::peer::incoming::Arrival;
use crate::peer::link::Link;
use crate::timer::Timer;
use crate::{Node, Reject, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;
use super::chains::chain_of;

/// A message on its way through the gates.
pub(super) struct Candidate {
    pub(super) link: LinkId,
    pub(super) arrival: Arrival,
    pub(super) tag: Tag,
    pub(super) hop: Hop,
    pub(super) message: Message,
}

impl Node {
    pub(super) fn on_message(&mut self, link: LinkId, arrival: Arrival, hop: Hop, message: Message) {
        match (self.gates(link, &message), chain_of(message.header())) {
            (Ok(()), _) => {}
            (Err(Reject::Duplicate), _) if self.is_carrier(link) => {
                return self.check_carried_again(link, arrival, &message);
            }
            (Err(Reject::Replayed), _) => return self.on_number_taken(link, arrival, message),
            (Err(Reject::NoChain), Some((_, chain))) => return self.park(link, arrival, hop, message, chain),
            (Err(reject), _) => return self.refuse_message(link, arrival, &message, reject),
        }
        let Some(state) = self.links.get(&link) else { return };
        let last: Option<(_, PathKind)> = Some((state.up.scheme.network(), state.up.path));
        let network = state.up.scheme.network();
        let trail = match message.header().to {
            Destination::Multicast(_) => hop.trail.then(network),
            Destination::Unicast(_) => Trail::default(),
        };
        let tag = Tag { hops: self.hops_of(link, &hop), class: message.header().class, last, trail };
        if let Err(reject) = self.letter_gates(link, &hop, &message) {
            return self.refuse_message(link, arrival, &message, reject);
        }
        let candidate = Candidate { link, arrival, tag, hop, message };
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
                self.entitled(link, message, group).map(|_| ())
            }
            // Its gates are its own.
            Destination::Unicast(_) => Ok(()),
        }
    }

    /// The gates of seen, number, policy and budgets, which are asked before and after a verification.
    fn entitled(&self, link: LinkId, message: &Message, group: &Group) -> Result<(Newness, Vouch), Reject> {
        if group.log.position_of(&message.id()).is_some() {
            return Err(Reject::Duplicate);
        }
        let header = message.header();
        let newness = group.windows.check(header.from, header.instance, header.seq, self.now.wall)?;
        if self.bars.hold(header.from, header.instance) {
            return Err(Reject::NotAllowed);
        }
        let vouch = gate::policy(header, group, &self.chains, self.now.wall)?;
        group.windows.check_rate(&header.from, vouch.rate_class, self.now.mono)?;
        if newness != Newness::Known
            && let Some(origin) = self.origin_of(link)
        {
            group.windows.admit(newness, &origin, vouch.vouched, self.now)?;
        }
        Ok((newness, vouch))
    }

    /// Books a message that is being committed to its sender's rate, and a sender that is new to where it came from.
    fn book(&mut self, link: LinkId, group: GroupId, header: &Header, (newness, vouch): (Newness, Vouch)) {
        let origin = if newness == Newness::Known { None } else { self.origin_of(link) };
        let Some(group) = self.groups.get_mut(&group) else { return };
        group.windows.take_rate(header.from, vouch.rate_class, self.now.mono);
        if let Some(origin) = origin {
            group.windows.open((header.from, header.instance), &origin, vouch.vouched, self.now);
            self.look_at_early_proofs(header.from, header.instance);
        }
    }

    pub(super) fn check(&mut self, candidate: Candidate) {
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
        let reject = match verdict {
            Verdict::Good => {
                let copies = self.checking.remove(&id).unwrap_or_default();
                self.accept(candidate);
                for copy in copies {
                    match copy.message.header().to {
                        Destination::Multicast(_) if self.is_carrier(copy.link) => {
                            self.check_carried_again(copy.link, copy.arrival, &copy.message);
                        }
                        Destination::Multicast(_) => {
                            self.refuse_message(copy.link, copy.arrival, &copy.message, Reject::Duplicate);
                        }
                        // A copy may be for other recipients of the same message.
                        Destination::Unicast(_) => self.on_message(copy.link, copy.arrival, copy.hop, copy.message),
                    }
                }
                return;
            }
            Verdict::BadSignature => Reject::BadSignature,
            Verdict::BadPayload => Reject::BadPayload,
        };
        self.refuse(candidate.link, candidate.arrival, reject);
        self.check_next_copy(id);
    }

    /// Goes on with a message of which another copy has failed or is not examined any more.
    pub(super) fn check_next_copy(&mut self, id: MessageId) {
        let Some(mut copies) = self.checking.remove(&id) else { return };
        copies.retain(|copy| self.links.get(&copy.link).is_some_and(Link::takes_messages));
        if !copies.is_empty() {
            let next = copies.remove(0);
            self.checking.insert(id, copies);
            self.check(next);
        }
    }

    /// Everything holds: look again at what may have changed meanwhile, then write.
    fn accept(&mut self, candidate: Candidate) {
        let group = match candidate.message.header().to {
            Destination::Multicast(group) => group,
            Destination::Unicast(_) => return self.accept_letter(candidate),
        };
        let Candidate { link, arrival, tag, hop: _, message } = candidate;
        match self.gates_after(link, group, &message) {
            Ok(entitled) => {
                self.book(link, group, message.header(), entitled);
                self.commit_message(message, tag, Some((link, arrival)));
            }
            Err(reject) => {
                self.refuse_message(link, arrival, &message, reject);
                if reject == Reject::Replayed {
                    self.on_number_lost(link, message);
                }
            }
        }
    }

    /// Books a frame as dealt with.
    pub(super) fn settle(&mut self, link: LinkId, arrival: Arrival) {
        if let Some(state) = self.links.get_mut(&link) {
            state.inn.done(arrival);
            self.dirty.insert(link);
        }
    }

    /// The gates whose answer may have changed while the message was verified.
    fn gates_after(&self, link: LinkId, group: GroupId, message: &Message) -> Result<(Newness, Vouch), Reject> {
        if self.is_store_failing() {
            return Err(Reject::StoreFailed);
        }
        let group = self.groups.get(&group).ok_or(Reject::UnknownTo)?;
        self.entitled(link, message, group)
    }

    /// Refuses a message whose header is known to be well-formed; a duplicate is no refusal to its sender.
    pub(super) fn refuse_message(&mut self, link: LinkId, arrival: Arrival, message: &Message, reject: Reject) {
        if let (Some(state), Destination::Multicast(group)) = (self.links.get_mut(&link), message.header().to)
            && let Some(feed) = state.feeds.get_mut(&group)
            && reject == Reject::Duplicate
        {
            feed.knows(&message.id());
        }
        self.refuse(link, arrival, reject);
    }

    /// Counts a refusal, tells the peer, and books the frame as dealt with: at once, or when it is the link's turn.
    pub(super) fn refuse(&mut self, link: LinkId, arrival: Arrival, reject: Reject) {
        if self.is_carrier(link) {
            return self.judge(link, arrival, reject);
        }
        let now = self.now.mono;
        if let Some(state) = self.links.get_mut(&link) {
            let code = code_of(reject);
            if is_paced(reject) && !state.refusals.take(now) {
                state.refused.push_back((arrival, code));
                self.timers.set_earlier(Timer::Refusals, now.plus_millis(REFUSALS_TICK_MS));
            } else {
                answer(state, arrival, code);
            }
            self.dirty.insert(link);
        }
        self.blame(link, reject);
    }

    /// Gives back credit for what was refused beyond a link's bound, as fast as that allows.
    pub(super) fn on_refusals_due(&mut self) {
        let now = self.now.mono;
        let mut waiting = false;
        for state in self.links.values_mut().filter(|state| !state.refused.is_empty()) {
            while !state.refused.is_empty() && state.refusals.take(now) {
                if let Some((arrival, code)) = state.refused.pop_front() {
                    answer(state, arrival, code);
                }
            }
            waiting |= !state.refused.is_empty();
            self.dirty.insert(state.id);
        }
        if waiting {
            self.timers.set_earlier(Timer::Refusals, now.plus_millis(REFUSALS_TICK_MS));
        }
    }
}

fn answer(state: &mut Link, arrival: Arrival, code: Option<RefuseCode>) {
    if let Some(frame) = code.and_then(|code| frame::refuse(arrival.lane(), arrival.number(), code)) {
        state.out.push(frame);
    }
    state.inn.done(arrival);
}

/// 100 ms: twenty refusals a link at a time.
const REFUSALS_TICK_MS: u64 = 100;

/// Whether a refusal counts against what a link may have refused: not what every mesh has, what is this node's own
/// trouble, and what is counted more strictly.
fn is_paced(reject: Reject) -> bool {
    !matches!(reject, Reject::Duplicate | Reject::StoreFailed | Reject::BadSignature | Reject::BadPayload)
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
        Reject::Rate => Some(RefuseCode::Rate),
        Reject::BadSignature | Reject::BadPayload => Some(RefuseCode::Invalid),
        Reject::StoreFailed => Some(RefuseCode::Store),
        Reject::TooFar => Some(RefuseCode::UnknownTo),
        Reject::StrangerRate | Reject::LinkRate => Some(RefuseCode::Rate),
        Reject::RequestsFull | Reject::TransitFull | Reject::CarrierFull => Some(RefuseCode::Full),
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
        | Reject::PrefixWaits
        | Reject::SubscriptionsFull => Some(RefuseCode::Other),
    }
}
