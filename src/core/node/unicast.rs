//! Sending to single nodes: sealed to the recipients' prekeys, kept until the next hop has it, sent the way that is known.
//!
//! The next hop is the recipient itself when it is linked, else the neighbour behind which it lies. What finds no way
//! waits; a link that is lost frees what it had not acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_port::{LinkId, LogPos, Space, Write};
use crosscast_seal::{
    ContentKey, MessageKey, Sealing, Suite, prekey_public, seal_payload, unwrap, wrap, wrap_prologue,
};
use crosscast_wire::limits::{ENTRY_MAX, LIFE_MAX_MS};
use crosscast_wire::{
    Class, Codec, Destination, Domain, Entry, Header, HeaderDraft, Hop, Message, MessageId, NodeId, Order, PayloadHash,
    RefuseCode, Sealed, State, Trail, WallMillis,
};

use crate::group::log::Tag;
use crate::peer::link::PeerKey;
use crate::peer::outgoing::Cargo;
use crate::route::inbox::Mark;
use crate::route::outbox::{Batch, Branch, Parcel};
use crate::timer::Timer;
use crate::{CommandId, Event, Node, Outcome, Refusal, Reject, Reply, SignJob, SignKey, limits};

use super::Pending;
use super::commit::After;
use super::explicit::Waiting;
use super::publishing::Unsigned;

/// What is to be sealed and sent.
pub(super) struct Draft {
    /// This node, or a service of it.
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    /// Who can open it, with their prekeys; in ascending order.
    pub(super) recipients: Vec<(NodeId, [u8; 32])>,
    /// Whether these stand in the header.
    pub(super) list: bool,
    pub(super) entry: Entry,
    pub(super) life_ms: u64,
}

impl Node {
    pub(super) fn on_send(&mut self, command: CommandId, to: NodeId, payload: Bytes, life_ms: Option<u64>) {
        if let Some(refusal) = self.send_refusal(&payload) {
            return self.reply(command, Reply::Refused(refusal));
        }
        let life_ms = life_ms.unwrap_or(self.config.times.window_ms).min(LIFE_MAX_MS);
        let waiting = Waiting { command, to: vec![to], list: false, payload, life_ms, until: self.now.mono };
        if self.prekey_of(&to).is_some() {
            return self.send_single(waiting);
        }
        self.send_when_found(waiting);
    }

    /// Why something cannot be sent to anybody now.
    pub(super) fn send_refusal(&self, payload: &Bytes) -> Option<Refusal> {
        let busy = !self.outbox.has_room(payload.len()) || self.own.len() >= limits::OUTCOMES;
        if payload.len() > ENTRY_MAX { Some(Refusal::TooLarge) } else { busy.then_some(Refusal::Busy) }
    }

    /// What to seal with for a node or service, this one and its own included.
    pub(super) fn prekey_of(&self, node: &NodeId) -> Option<[u8; 32]> {
        self.own_prekey(node).map(|secret| prekey_public(&secret)).or_else(|| self.outbox.prekey(node))
    }

    /// Sends to one node whose prekey is known.
    pub(super) fn send_single(&mut self, waiting: Waiting) {
        let Waiting { command, to, payload, life_ms, .. } = waiting;
        let found = to.first().and_then(|to| Some((*to, self.prekey_of(to)?)));
        let Some((to, prekey)) = found else { return self.reply(command, Reply::Refused(Refusal::NotFound)) };
        self.know(to);
        let (from, entry) = (self.config.node, Entry::new(payload));
        let draft = Draft { from, to, recipients: vec![(to, prekey)], list: false, entry, life_ms };
        match self.seal_letter(draft) {
            Ok((unsigned, expires, _)) => self.send_sealed(command, unsigned, expires),
            Err(refusal) => self.reply(command, Reply::Refused(refusal)),
        }
    }

    /// Tells the application the id and has the message signed.
    pub(super) fn send_sealed(&mut self, command: CommandId, unsigned: Unsigned, expires: WallMillis) {
        self.reply(command, Reply::Published { id: unsigned.id, first_index: 0 });
        self.follow(unsigned.id, unsigned.to, unsigned.payload.len() as u64, expires);
        let job = SignJob { key: SignKey::Node, domain: Domain::Message, body: unsigned.header.clone() };
        self.sign(Pending::MessageSign(Box::new(unsigned)), job);
    }

    /// Sends an entry of the node's own business: nobody follows what becomes of it.
    pub(super) fn send_quietly(&mut self, to: NodeId, entry: Entry, life_ms: u64) {
        self.send_as(self.config.node, to, self.outbox.prekey(&to), entry, life_ms);
    }

    /// Sends an entry for this node or a service of it, which nobody follows.
    pub(super) fn send_as(&mut self, from: NodeId, to: NodeId, prekey: Option<[u8; 32]>, entry: Entry, life_ms: u64) {
        let Some((prekey, key)) = prekey.zip(self.letter_signer(&from)) else { return };
        if !self.outbox.has_room(entry.payload.len()) {
            return self.rejects.count(Reject::OverRate);
        }
        let draft = Draft { from, to, recipients: vec![(to, prekey)], list: false, entry, life_ms };
        if let Ok((unsigned, _, _)) = self.seal_letter(draft) {
            let job = SignJob { key, domain: Domain::Message, body: unsigned.header.clone() };
            self.sign(Pending::MessageSign(Box::new(unsigned)), job);
        }
    }

    /// Whether something can be sealed for a node and sent to it now.
    pub(super) fn can_reach(&self, node: NodeId) -> bool {
        self.outbox.prekey(&node).is_some() && self.next_hop(node.as_bytes(), true).is_some()
    }

    /// Seals and heads a message; its number is taken. Recipients with whose prekey nothing can be agreed are left out
    /// of a list; those that are left are returned.
    pub(super) fn seal_letter(&mut self, letter: Draft) -> Result<(Unsigned, WallMillis, Vec<NodeId>), Refusal> {
        let Draft { from, to, recipients, list, entry, life_ms } = letter;
        let (now, instance) = (self.now.wall, self.config.instance);
        let content = ContentKey::new(self.keys.bytes());
        let (mut nodes, mut wraps) = (Vec::new(), Vec::new());
        for (node, prekey) in recipients {
            let prologue = wrap_prologue(to.as_bytes(), &node, &from, instance);
            if let Ok(wrapped) = wrap(&self.keys.bytes(), &prekey, &prologue, &content) {
                nodes.push(node);
                wraps.push(wrapped);
            }
        }
        if nodes.is_empty() {
            return Err(Refusal::NotFound);
        }
        let draft = HeaderDraft {
            to: Destination::Unicast(to),
            from,
            instance,
            seq: self.outbox.next_seq(from, to),
            time: now,
            expires: WallMillis(now.0.saturating_add(life_ms)),
            class: Class::Normal,
            order: Order::None,
            deps: Vec::new(),
            chain: None,
            recipients: if list { nodes.clone() } else { Vec::new() },
            codec: Codec::Sealed,
            count: 1,
        };
        let (crypto, aad) = (self.config.crypto.clone(), draft.aad());
        let inner = draft.lay_out(&aad, &[entry]).map_err(|_| Refusal::TooLarge)?;
        let sealing = Sealing {
            suite: Suite::preferred(crypto.as_ref()),
            key: &content.for_sender(to.as_bytes(), &from, instance),
            nonce: &self.keys.bytes(),
            aad: &aad,
            codec: Codec::Entries,
            pad: true,
            wraps: &wraps,
        };
        let payload = seal_payload(crypto.as_ref(), &sealing, inner).map_err(|_| Refusal::TooLarge)?;
        let hash = PayloadHash::of_payload(payload.as_slice());
        let header = draft.finish(payload.len(), &hash).map_err(|_| Refusal::TooLarge)?;
        Ok((Unsigned { header: header.bytes.into(), payload, to: draft.to, id: header.id }, draft.expires, nodes))
    }

    /// What opens a message that this node or a service of it is a recipient of.
    pub(super) fn letter_key(&self, header: &Header, sealed: &Sealed) -> Option<MessageKey> {
        let to = header.to.node()?;
        let mut wraps = match header.recipients.as_slice() {
            [] => vec![(to, sealed.wraps.first()?)],
            recipients => recipients.iter().copied().zip(&sealed.wraps).collect(),
        };
        wraps.retain(|(node, _)| self.is_here(node));
        let (node, wrapped) = wraps.first()?;
        let prologue = wrap_prologue(to.as_bytes(), node, &header.from, header.instance);
        let content = unwrap(&self.own_prekey(node)?, &prologue, wrapped)?;
        Some(content.for_sender(to.as_bytes(), &header.from, header.instance))
    }

    pub(super) fn on_unicast_signed(&mut self, to: NodeId, message: Message) {
        let (id, class) = (message.id(), message.header().class);
        let list = !message.header().recipients.is_empty();
        let left_ms = message.header().expires.0.saturating_sub(self.now.wall.0);
        let everyone = if list { message.header().recipients.clone() } else { vec![to] };
        let mut branches = BTreeMap::new();
        let mut here = None;
        for (bit, node) in (0u8..).zip(everyone) {
            if self.is_here(&node) {
                here = Some(node);
                let to = list.then_some(node);
                self.event(Event::Outcome(Outcome { id, state: State::Sent, links: 0, to, code: None }));
            } else {
                branches.insert(node, Branch::new(bit, None, 0));
            }
        }
        let parcel = Parcel {
            id,
            bytes: message.bytes().clone(),
            lane: class.lane(),
            came_over: None,
            age_ms: 0,
            since: self.now.mono,
            until: (!self.own.contains_key(&id)).then(|| self.now.mono.plus_millis(left_ms)),
            list,
            via: Vec::new(),
            branches,
        };
        if let Some(node) = here {
            let mark = Mark { request: false, list, service: self.service_number(&node) };
            self.commit_letter(message, Tag { hops: 0, class, last: None, trail: Trail::default() }, mark, None);
        }
        if parcel.branches.is_empty() {
            return self.finish_quietly(&id);
        }
        let number = self.outbox.add(parcel);
        self.post(number);
        self.search_for_stuck(number);
        self.arm_letters();
    }

    /// The preferred link to any run of a node.
    pub(super) fn link_to(&self, node: &NodeId) -> Option<LinkId> {
        self.runs(node).next_back().and_then(|(_, links)| links.first().copied())
    }

    /// The runs of a node that are linked, with their links.
    pub(super) fn runs(&self, node: &NodeId) -> impl DoubleEndedIterator<Item = (&PeerKey, &Vec<LinkId>)> {
        self.peers.range((*node, crosscast_wire::Instance(0))..=(*node, crosscast_wire::Instance(u64::MAX)))
    }

    /// Queues a parcel's branches on the links that lead to their recipients, one copy a link.
    pub(super) fn post(&mut self, number: u64) {
        let now = self.now.mono;
        let Some(parcel) = self.outbox.get(number) else { return };
        // A link is asked again for the same message once it has answered: its answer is for all it was asked.
        let busy: BTreeSet<LinkId> = parcel.branches.values().filter_map(|branch| branch.on).collect();
        let mut ways: BTreeMap<LinkId, Batch> = BTreeMap::new();
        for (node, branch) in &parcel.branches {
            let heading = parcel.via.first().unwrap_or(node);
            let way = self.next_hop(heading.as_bytes(), parcel.is_own());
            let free = branch.on.is_none() && branch.not_before <= now;
            let may = |link: &LinkId| free && !busy.contains(link) && self.may_carry(*link, parcel, branch, node);
            if let Some(link) = way.filter(may) {
                ways.entry(link).or_default().add(*node, branch);
            }
        }
        let own = parcel.is_own();
        let waited = u32::try_from(now.micros_since(parcel.since) / 1_000).unwrap_or(u32::MAX);
        let age_ms = parcel.age_ms.saturating_add(waited);
        let (via, list, lane, bytes, id) =
            (parcel.via.clone(), parcel.list, parcel.lane, parcel.bytes.clone(), parcel.id);
        let room = self.config.sizes.lane_queue_bytes;
        for (link, batch) in ways {
            let Some(state) = self.links.get_mut(&link) else { continue };
            // Own messages are bounded by the outbox, those of others by the lane too.
            if !own && state.out.queued(lane).saturating_add(bytes.len() as u64) > room {
                continue;
            }
            let hop = Hop::new(0, batch.hops, age_ms).with_via(via.clone()).unwrap_or_default();
            let hop = if list { hop.with_remaining(batch.bits) } else { hop };
            state.out.push_data(hop.frame(bytes.clone(), lane), Cargo::Unicast(id));
            self.dirty.insert(link);
            self.outbox.queued(number, &batch.nodes, link);
        }
    }

    /// Whether a branch may go over a link: to its recipient itself, or to a neighbour in a group; never back.
    fn may_carry(&self, link: LinkId, parcel: &Parcel, branch: &Branch, recipient: &NodeId) -> bool {
        let peer = self.links.get(&link).and_then(|state| state.peer).map(|(node, _)| node);
        let direct = parcel.is_own() && peer == Some(*recipient);
        let last = peer == Some(*recipient) && self.speaks_of_group(link);
        branch.came_over != Some(link) && (direct || last || self.shares_group(link))
    }

    /// Sends all that waits for a node to which a way was found.
    pub(super) fn send_outbox(&mut self, node: NodeId) {
        for number in self.outbox.waiting(&node) {
            self.post(number);
        }
    }

    /// The next hop has taken a message: what was queued there is no longer this node's to hand on.
    pub(super) fn on_letter_acked(&mut self, link: LinkId, id: &MessageId) {
        let Some(number) = self.outbox.number_of(id) else { return };
        let Some((own, list)) = self.outbox.get(number).map(|parcel| (parcel.is_own(), parcel.list)) else { return };
        let mut gone = false;
        for node in self.outbox.on_link(id, link) {
            gone = self.outbox.end_branch(number, &node);
            if own && list && self.own.contains_key(id) {
                let outcome = Outcome { id: *id, state: State::Sent, links: 1, to: Some(node), code: None };
                self.event(Event::Outcome(outcome));
            }
        }
        match (own, list) {
            (true, false) => self.on_own_acked(id),
            (true, true) if gone => self.finish_quietly(id),
            (true, true) | (false, _) => {}
        }
        self.post(number);
    }

    /// The next hop has not taken a message: another way is tried where that may help, within reason.
    pub(super) fn on_letter_refused(&mut self, link: LinkId, id: &MessageId, code: RefuseCode) {
        let Some(number) = self.outbox.number_of(id) else { return };
        let peer = self.links.get(&link).and_then(|state| state.peer).map(|(node, _)| node);
        tracing::debug!(code = code.word(), "a next hop refused a message");
        let nodes = self.outbox.on_link(id, link);
        if nodes.len() > 1 && !concerns_everybody(code) {
            // It may be for the sake of one of them.
            self.outbox.halve(number, &nodes);
            self.post(number);
            return self.arm_letters();
        }
        for node in nodes {
            let by_recipient = peer == Some(node);
            if code == RefuseCode::UnknownTo && !by_recipient {
                self.routes.forget(&node);
            }
            let own = self.outbox.get(number).is_some_and(Parcel::is_own);
            let most = if own { OWN_REFUSALS } else { OTHERS_REFUSALS };
            let again = !by_recipient && is_passing(code);
            let not_before = self.now.mono.plus_millis(RETRY_MS);
            if self.outbox.refused(number, &node, not_before) > most || !again {
                self.give_up(number, &node, code);
            }
        }
        self.post(number);
        self.search_for_stuck(number);
        self.arm_letters();
    }

    /// Ends a branch that no next hop takes.
    fn give_up(&mut self, number: u64, node: &NodeId, code: RefuseCode) {
        let Some((id, list)) = self.outbox.get(number).map(|parcel| (parcel.id, parcel.list)) else { return };
        let followed = self.own.contains_key(&id);
        let gone = self.outbox.end_branch(number, node);
        if followed {
            let (to, code) = (list.then_some(*node), Some(code));
            self.event(Event::Outcome(Outcome { id, state: State::Refused, links: 0, to, code }));
            if gone {
                self.finish_quietly(&id);
            }
        }
    }

    /// Ends an own message that is not through everywhere.
    pub(super) fn finish_letter(&mut self, id: MessageId, state: State) {
        let parcel = self.outbox.number_of(&id).and_then(|number| self.outbox.remove(number));
        let left = parcel.filter(|parcel| parcel.list).map(|parcel| parcel.branches.into_keys().map(Some).collect());
        for to in left.unwrap_or_else(|| vec![None]) {
            let code = (state == State::Expired).then_some(RefuseCode::UnknownTo);
            self.event(Event::Outcome(Outcome { id, state, links: 0, to, code }));
        }
    }

    /// A link is gone: what it had not acknowledged goes another way, or waits.
    pub(super) fn letters_lost(&mut self, link: LinkId) {
        self.routes.drop_link(link);
        self.transit.drop_link(link);
        for number in self.outbox.link_lost(link) {
            self.post(number);
            self.search_for_stuck(number);
        }
        self.arm_letters();
    }

    /// Looks after all that waits: ways that opened, searches, time that ran out.
    pub(super) fn on_letters(&mut self) {
        for number in self.outbox.overdue(self.now.mono) {
            self.outbox.remove(number);
        }
        for number in self.outbox.stuck() {
            self.post(number);
            self.search_for_stuck(number);
        }
        self.tend_searches();
        self.tend_waiting();
        self.arm_letters();
    }

    pub(super) fn arm_letters(&mut self) {
        if !(self.outbox.is_empty() && self.searches.is_empty() && self.waiting.is_empty()) {
            self.timers.set_earlier(Timer::Letters, self.now.mono.plus_millis(LETTERS_MS));
        }
    }

    pub(super) fn on_acknowledge_inbox(&mut self, command: CommandId, through: LogPos) {
        let through = through.min(self.inbox.log.shown);
        if through > self.inbox.acknowledged {
            self.inbox.acknowledged = through;
            self.inbox.log.trim_through(through);
            self.inbox.contacts.taken_through(through);
            self.write(Write::Trim { log: self.inbox_log(), through });
            self.put(Space::Cursor, INBOX_CURSOR, through.0.to_be_bytes().to_vec());
        }
        self.after_commit(After::Reply(command, Reply::Done));
    }

    pub(super) const fn inbox_log(&self) -> crosscast_port::LogId {
        crosscast_port::LogId(*self.config.node.as_bytes())
    }

    /// What was taken and can no longer be pushed again goes.
    pub(super) fn trim_inbox(&mut self) {
        let span = limits::PUSHED_MS.saturating_add(limits::FUTURE_MS);
        let oldest = WallMillis(self.now.wall.0.saturating_sub(span));
        let log = self.inbox_log();
        if let Some(through) = self.inbox.log.forget(oldest) {
            self.write(Write::Forget { log, through });
        }
        self.inbox.expire(self.now.wall, self.now.mono);
        self.transit.expire(self.now.wall, self.now.mono);
        for service in self.services.values_mut() {
            service.windows.expire(self.now.wall, self.now.mono);
        }
    }
}

/// Whether another way, or another time, may do better.
const fn is_passing(code: RefuseCode) -> bool {
    match code {
        RefuseCode::UnknownTo | RefuseCode::Full | RefuseCode::Store | RefuseCode::Other | RefuseCode::Rate => true,
        RefuseCode::Time
        | RefuseCode::NotAllowed
        | RefuseCode::Replayed
        | RefuseCode::Invalid
        | RefuseCode::NoChain => false,
    }
}

/// Whether a copy for several was refused for what it is, so that none of them would be served alone either.
const fn concerns_everybody(code: RefuseCode) -> bool {
    match code {
        RefuseCode::Time | RefuseCode::NotAllowed | RefuseCode::Invalid | RefuseCode::NoChain => true,
        RefuseCode::UnknownTo
        | RefuseCode::Full
        | RefuseCode::Store
        | RefuseCode::Other
        | RefuseCode::Rate
        | RefuseCode::Replayed => false,
    }
}

/// The inbox's own cursor in the store.
pub(super) const INBOX_CURSOR: &[u8] = b"inbox";
/// 1 s: a way that opens is mostly found by what opened it; this is for the rest.
const LETTERS_MS: u64 = 1_000;
/// 500 ms: a full lane has moved, an answer with another way has come.
const RETRY_MS: u64 = 500;
/// 4: ways are looked for anew after each.
const OWN_REFUSALS: u8 = 4;
/// 2: the sender is told nothing of it, so others' messages are not held for long.
const OTHERS_REFUSALS: u8 = 2;
