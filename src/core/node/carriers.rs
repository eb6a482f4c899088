//! Carriers: media over which a group's messages reach members that no link leads to (`docs/adr/0021`).
//!
//! A carrier is up for one group, under the name that the group meets by. Own messages are put on it at once; what came
//! over a link after a random delay, unless it was heard there meanwhile. What it hands up passes the same gates as what
//! comes over a link, and is judged, so that the transport knows what to pass on and whom to blame.

use bytes::Bytes;
use crosscast_port::{Judgement, LinkId, LinkUp, LogId, LogItem, LogPos, Request, StoreOp, StoreOutcome};
use crosscast_wire::{
    Destination, Domain, Frame, FrameType, GroupId, Hop, Lane, Message, MessageId, RawFrame, Rendezvous,
};

use crate::auth::origin::Origin;
use crate::peer::carrier::{Beside, Carrier};
use crate::peer::incoming::Arrival;
use crate::peer::link::{Link, Phase};
use crate::timer::Timer;
use crate::{Node, Reject, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;
use super::commit::Committed;

impl Node {
    /// A carrier is ready: nothing is said on it but messages.
    pub(super) fn on_carrier_up(&mut self, link: LinkId, up: LinkUp, rendezvous: Rendezvous) {
        let group = self.met_group(up.scheme, &rendezvous);
        let Some(group) = group.filter(|_| self.shutdown.is_none()) else {
            return self.request(Request::Close { link });
        };
        let origin = Origin::of(&up, self.config.sizes.lan_budget);
        let mut state = Link::new(link, up, origin, Bytes::new(), limits::CARRIER_CREDIT, self.now);
        state.phase = Phase::Carrier(Box::new(Carrier::new(group)));
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            // Nobody grants anything there; the transport's own grants are the bound.
            let _ = state.out.credit(lane, u64::MAX);
        }
        self.links.insert(link, state);
    }

    fn carrier_mut(&mut self, link: LinkId) -> Option<&mut Carrier> {
        match self.links.get_mut(&link).map(|state| &mut state.phase) {
            Some(Phase::Carrier(carrier)) => Some(carrier),
            Some(Phase::Hello(_) | Phase::Open | Phase::Draining) | None => None,
        }
    }

    fn carriers_of(&self, id: GroupId) -> Vec<LinkId> {
        let carries = |state: &&Link| matches!(&state.phase, Phase::Carrier(carrier) if carrier.group == id);
        self.links.values().filter(carries).map(|state| state.id).collect()
    }

    pub(super) fn on_carrier_frame(&mut self, link: LinkId, raw: &RawFrame) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let Phase::Carrier(carrier) = &mut state.phase else { return };
        let group = carrier.group;
        state.inn.bytes = state.inn.bytes.saturating_add(raw.body_len() as u64);
        if raw.frame_type != FrameType::MESSAGE {
            return self.on_carried_chain(link, group, raw);
        }
        let (number, beside) = (carrier.number(), carrier.take_beside());
        let room = state.inn.has_room(raw.lane, raw.body_len());
        let arrival = if room { state.inn.arrive(raw.lane, raw.body_len()).ok() } else { None };
        let Some(arrival) = arrival else {
            self.rejects.count(Reject::OverRate);
            return self.say_judgement(link, number, Judgement::Ignore);
        };
        if let Some(carrier) = self.carrier_mut(link) {
            carrier.opened(arrival, number, beside);
        }
        if beside == Beside::Other {
            return self.judge(link, arrival, Reject::NoChain);
        }
        match Frame::parse(raw) {
            Ok(Frame::Message { message, .. }) if message.header().to == Destination::Multicast(group) => {
                if let Some(carrier) = self.carrier_mut(link) {
                    carrier.heard(&message.id());
                }
                self.on_message(link, arrival, Hop::new(0, 0, 0), message);
            }
            Ok(_) => self.judge(link, arrival, Reject::UnknownTo),
            Err(error) => self.judge(link, arrival, super::frames::reject_of(&error.cause)),
        }
    }

    fn on_carried_chain(&mut self, link: LinkId, group: GroupId, raw: &RawFrame) {
        if raw.frame_type != FrameType::CHAIN {
            return self.rejects.count(Reject::OutOfPlace);
        }
        // It keeps its place before its message only on the message's lane; elsewhere it goes by control.
        let chain = match Frame::parse(&RawFrame { lane: Lane::Control, ..raw.clone() }) {
            Ok(Frame::Chain(chain)) if chain.group() == group => Some(chain),
            Ok(_) | Err(_) => None,
        };
        let beside = match chain {
            None => {
                self.rejects.count(Reject::OutOfPlace);
                Beside::Other
            }
            Some(chain) => match self.chains.get(&chain.hash()) {
                Some(known) if known.bytes == chain.encode() => Beside::Sound,
                Some(_) => Beside::Other,
                None => {
                    self.on_chain(link, *chain);
                    Beside::Unchecked
                }
            },
        };
        if let Some(carrier) = self.carrier_mut(link) {
            carrier.came_beside(beside);
        }
    }

    /// A message that is here already: whether this copy is the same is seen before it is passed on.
    pub(super) fn check_carried_again(&mut self, link: LinkId, arrival: Arrival, message: &Message) {
        if self.carrier_mut(link).is_some_and(|carrier| carrier.is_unchecked(&arrival)) {
            return self.judge(link, arrival, Reject::NoChain);
        }
        let header = message.header();
        let body = message.bytes().slice(..message.header_bytes().len());
        let (key, signature) = (*header.from.as_bytes(), *message.signature());
        let check = SignatureCheck { key, domain: Domain::Message, body, signature };
        let payload = Some((header.payload_hash, message.payload()));
        self.verify(Pending::CarriedCheck(link, arrival), VerifyJob { signatures: vec![check], payload });
    }

    pub(super) fn on_carried_checked(&mut self, link: LinkId, arrival: Arrival, verdict: Verdict) {
        match verdict {
            Verdict::Good => self.settle_carried(link, arrival, Judgement::Accept),
            Verdict::BadSignature => self.judge(link, arrival, Reject::BadSignature),
            Verdict::BadPayload => self.judge(link, arrival, Reject::BadPayload),
        }
    }

    /// Whether a link is a carrier.
    pub(super) fn is_carrier(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|state| matches!(state.phase, Phase::Carrier(_)))
    }

    /// Judges a message that came over a carrier and was refused; nobody else is told.
    pub(super) fn judge(&mut self, link: LinkId, arrival: Arrival, reject: Reject) {
        self.rejects.count(reject);
        let forged = matches!(
            reject,
            Reject::BadSignature | Reject::BadPayload | Reject::Malformed | Reject::WrongLane | Reject::UnknownTo
        );
        let judgement = if forged { Judgement::Reject } else { Judgement::Ignore };
        self.settle_carried(link, arrival, judgement);
    }

    /// Books a frame of a carrier as dealt with.
    pub(super) fn settle_carried(&mut self, link: LinkId, arrival: Arrival, judgement: Judgement) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.inn.done(arrival);
        // Nobody is told what is granted or acknowledged there.
        let _ = (state.inn.take_credits(), state.inn.take_acks(self.now.mono));
        if let Some(number) = self.carrier_mut(link).and_then(|carrier| carrier.judged(&arrival)) {
            self.say_judgement(link, number, judgement);
        }
    }

    fn say_judgement(&mut self, link: LinkId, number: u64, judgement: Judgement) {
        self.request(Request::Judge { link, number, judgement });
    }

    /// Puts a committed message on the group's carriers, now or in a while.
    pub(super) fn carry(&mut self, id: GroupId, committed: &Committed) {
        let from = committed.from.map(|(link, _)| link);
        for link in self.carriers_of(id) {
            if from == Some(link) {
                continue;
            }
            let until = self.now.mono.plus_micros(self.choices.below(limits::CARRIER_DELAY_MS.saturating_mul(1_000)));
            let id = committed.message.id();
            let waits = from.is_some() && self.carrier_mut(link).is_some_and(|carrier| carrier.wait(id, until));
            if waits {
                self.timers.set_earlier(Timer::Carry(link), until);
            } else {
                self.put_on(link, &committed.message);
            }
        }
    }

    /// What has waited and was not heard meanwhile is read from the log and put on the carrier.
    pub(super) fn on_carry_due(&mut self, link: LinkId) {
        let now = self.now.mono;
        let Some(carrier) = self.carrier_mut(link) else { return };
        let id = carrier.group;
        let mut due = Vec::new();
        while let Some(message) = carrier.take_due(now) {
            due.push(message);
        }
        if let Some(next) = carrier.next_due() {
            self.timers.set_earlier(Timer::Carry(link), next);
        }
        for message in due {
            let pos = self.groups.get(&id).and_then(|group| group.log.position_of(&message));
            if let Some(pos) = pos {
                let after = LogPos(pos.0.saturating_sub(1));
                let read = StoreOp::Read { log: LogId(*id.as_bytes()), after, max_bytes: 1 };
                self.store(Pending::CarryRead(link, message), read);
            }
        }
    }

    pub(super) fn on_carry_read(&mut self, link: LinkId, wanted: MessageId, outcome: StoreOutcome) {
        let StoreOutcome::Items { items, .. } = outcome else { return };
        let found = items.into_iter().find(|LogItem { entry, .. }| entry.id == wanted);
        if let Some(message) = found.and_then(|item| Message::parse(item.bytes).ok()) {
            self.put_on(link, &message);
        }
    }

    /// Puts a message on a carrier, behind the chain it names, unless too much waits there.
    fn put_on(&mut self, link: LinkId, message: &Message) {
        let header = message.header();
        let lane = header.class.lane();
        let own = |hash: &crosscast_wire::ChainHash| {
            let Destination::Multicast(group) = header.to else { return None };
            let chain = self.groups.get(&group)?.chain.as_ref().filter(|chain| chain.hash() == *hash)?;
            Some(Bytes::from(chain.encode()))
        };
        let known = |hash| self.chains.get(hash).map(|known| known.bytes.clone());
        let chain = header.chain.as_ref().and_then(|hash| known(hash).or_else(|| own(hash)));
        if header.chain.is_some() && chain.is_none() {
            // It was forgotten meanwhile; whoever else has the message puts it there.
            return;
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        let Phase::Carrier(carrier) = &mut state.phase else { return };
        if state.out.queued(lane).saturating_add(message.bytes().len() as u64) > limits::CARRIER_QUEUE_BYTES {
            carrier.dropped = carrier.dropped.saturating_add(1);
            return self.rejects.count(Reject::CarrierFull);
        }
        if let Some(chain) = chain {
            state.out.push(RawFrame::new(FrameType::CHAIN, lane, chain));
        }
        state.out.push(Hop::new(0, 0, 0).frame(message.bytes().clone(), lane));
        self.dirty.insert(link);
    }

    /// The tag of what came over a carrier: the first hop, wherever it had been before.
    pub(super) fn hops_of(&self, link: LinkId, hop: &Hop) -> u8 {
        if self.is_carrier(link) { 1 } else { hop.hops.saturating_add(1) }
    }
}
