//! Asking for rights and keys, and answering: requests travel over a group's links until somebody can answer.
//!
//! A node asks to be let in, to be renewed at half of its capability's life, and for a content key that a floor record
//! names and that it lacks. Who cannot answer passes the request on, once, over the other links of the group. The answer
//! is a sealed unicast message that finds its way back, since a verified request shows where its maker lies. A content
//! key is handed on by every member that has it: what a reader may read he could pass on anyway.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crosscast_port::LinkId;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, Domain, GRANT_CONTENT_TYPE, Grant, GrantRefusal, GroupId, InviteProof,
    JoinRequest, JoinRequestFields, Message, Policy, Purpose, RequestId, Rights, SecretKey, Signature, frame,
};

use crate::group::FloorChange;
use crate::timer::Timer;
use crate::{Instant, Node, Refusal, Reject, Reply, SignJob, SignKey, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;
use super::chains::chain_checks;
use super::floors::floor_job;
use super::issuing::For;

/// Requests that have been seen, so that none goes round.
#[derive(Default)]
pub(super) struct Requests {
    seen: BTreeMap<RequestId, Instant>,
    order: VecDeque<RequestId>,
}

impl Requests {
    pub(super) fn has(&self, id: &RequestId) -> bool {
        self.seen.contains_key(id)
    }

    pub(super) fn add(&mut self, id: RequestId, now: Instant) {
        if self.seen.insert(id, now).is_none() {
            self.order.push_back(id);
        }
        let old = |at: &Instant| now.micros_since(*at) >= REMEMBERED_MS * 1_000;
        while let Some(oldest) = self.order.front()
            && (self.order.len() > limits::REQUESTS || self.seen.get(oldest).is_some_and(old))
        {
            let Some(oldest) = self.order.pop_front() else { break };
            self.seen.remove(&oldest);
        }
    }
}

/// A request of our own that waits for a signature.
pub(super) struct Unasked {
    fields: JoinRequestFields,
    /// Set once the invite's proof is made.
    body: Option<Bytes>,
}

impl Node {
    /// What this node has to ask of a group, if anything.
    pub(super) fn wish(&self, id: GroupId) -> Option<Purpose> {
        let group = self.groups.get(&id)?;
        let now = self.now.wall;
        if group.policy(now) != Policy::Capability && group.invite.is_none() {
            return None;
        }
        let Some(chain) = &group.chain else {
            return group.secret.is_none().then_some(Purpose::Join);
        };
        let stands = group.standing.as_ref().is_some_and(|standing| standing.stands(group.floor.as_ref()));
        let leaf = chain.leaf().fields();
        let half = leaf.not_before.0 / 2 + leaf.not_after.0 / 2;
        let keyholder = group.secret.is_some();
        if !stands && !keyholder {
            return Some(Purpose::Renew);
        }
        // Every neighbour can help with a key; whoever renews may be away for weeks.
        if group.awaits_key(now) {
            return Some(Purpose::Key);
        }
        (now.0 >= half && !keyholder).then_some(Purpose::Renew)
    }

    /// A link over which nobody was asked yet is a new chance: what was asked for in vain is asked for again.
    pub(super) fn ask_anew(&mut self, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if let Some((_, at)) = group.asking.last {
            group.asking.next = group.asking.next.min(at.plus_millis(ASK_MS));
        }
    }

    /// Asks for what is wished, not more often than it is worth.
    pub(super) fn consider_asking(&mut self, id: GroupId) {
        let Some(purpose) = self.wish(id) else { return };
        let (node, now) = (self.config.node, self.now);
        if self.ask_links(id).is_empty() {
            return;
        }
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.asking.last.is_some_and(|(last, _)| last != purpose) {
            // In vain was something else.
            group.asking.tries = 0;
            group.asking.next = now.mono;
        }
        if group.asking.next > now.mono {
            return self.timers.set_earlier(Timer::Ask(id), group.asking.next);
        }
        let wait = (ASK_MS << group.asking.tries.min(ASK_DOUBLINGS)).min(ASK_MAX_MS);
        group.asking.tries = group.asking.tries.saturating_add(1);
        group.asking.last = Some((purpose, now.mono));
        group.asking.next = now.mono.plus_millis(self.choices.around(wait));
        let word_by = group.asking.command.map(|_| group.asking.word_by);
        self.timers.set(Timer::Ask(id), word_by.map_or(group.asking.next, |by| by.min(group.asking.next)));
        let name = Some(self.config.name.clone()).filter(|name| !name.is_empty());
        let mut fields = JoinRequestFields {
            group: id,
            node,
            prekey: crosscast_seal::prekey_public(&self.config.prekey),
            time: now.wall,
            nonce: self.keys.bytes(),
            purpose,
            name,
            invite: None,
            chain: group.chain.clone().filter(|_| purpose != Purpose::Join),
            successor: self.config.successor.clone().filter(|_| purpose == Purpose::Renew),
        };
        match group.invite.clone().filter(|_| purpose == Purpose::Join) {
            Some(invite) => {
                fields.invite = Some(InviteProof { key: invite.public(), proof: [0; 64] });
                let body = JoinRequest::invite_body(&id, &node, &fields.prekey, fields.time, &fields.nonce);
                let job = SignJob { key: SignKey::Group(Box::new(invite)), domain: Domain::Invite, body: body.into() };
                self.sign(Pending::AskSign(Box::new(Unasked { fields, body: None })), job);
            }
            None => self.sign_request(fields),
        }
    }

    fn sign_request(&mut self, fields: JoinRequestFields) {
        let Ok(body) = JoinRequest::draft(&fields) else { return };
        let body = Bytes::from(body);
        let job = SignJob { key: SignKey::Node, domain: Domain::JoinRequest, body: body.clone() };
        self.sign(Pending::AskSign(Box::new(Unasked { fields, body: Some(body) })), job);
    }

    pub(super) fn on_ask_signed(&mut self, unasked: Unasked, signature: &Signature) {
        let Unasked { mut fields, body } = unasked;
        let Some(body) = body else {
            if let Some(invite) = &mut fields.invite {
                invite.proof = *signature;
            }
            return self.sign_request(fields);
        };
        let Ok(request) = JoinRequest::parse(&[body.as_ref(), signature.as_slice()].concat()) else { return };
        let id = fields.group;
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.asking.request = Some(request.id());
        self.requests.add(request.id(), self.now.mono);
        self.pass_on(id, &request, 0, None);
    }

    /// Links over which a request of a group may go: whoever has spoken of the group.
    fn ask_links(&self, id: GroupId) -> Vec<LinkId> {
        let speaks = |state: &&crate::peer::link::Link| {
            state.is_open() && (state.feeds.contains_key(&id) || state.foreign.contains_key(&id))
        };
        self.links.values().filter(speaks).map(|state| state.id).collect()
    }

    fn pass_on(&mut self, id: GroupId, request: &JoinRequest, hops: u8, from: Option<LinkId>) {
        let frame = frame::ask(hops, request);
        for link in self.ask_links(id) {
            if Some(link) != from
                && let Some(state) = self.links.get_mut(&link)
            {
                state.out.push(frame.clone());
                self.dirty.insert(link);
            }
        }
    }

    pub(super) fn on_ask(&mut self, link: LinkId, hops: u8, request: JoinRequest) {
        let fields = request.fields();
        let age = self.now.wall.0.saturating_sub(fields.time.0);
        let ahead = fields.time.0.saturating_sub(self.now.wall.0);
        if !self.groups.contains_key(&fields.group) {
            return self.rejects.count(Reject::UnknownTo);
        }
        if age > limits::PUSHED_MS || ahead > limits::FUTURE_MS {
            return self.rejects.count(if ahead > 0 { Reject::TooNew } else { Reject::TooOld });
        }
        if self.requests.has(&request.id()) {
            return self.rejects.count(Reject::Duplicate);
        }
        // The answer could not go back that way; a copy may come by one that shares a group with us.
        let peer = self.links.get(&link).and_then(|state| state.peer);
        if !self.shares_group(link) && peer.is_none_or(|(node, _)| node != fields.node) {
            return self.rejects.count(Reject::NotAllowed);
        }
        let now = self.now.mono;
        if !self.links.get_mut(&link).is_some_and(|state| state.requests.take(now)) {
            return self.rejects.count(Reject::OverRate);
        }
        let job = VerifyJob { signatures: request_checks(&request), payload: None };
        self.verify(Pending::AskCheck(link, hops, Box::new(request)), job);
    }

    pub(super) fn on_ask_checked(&mut self, link: LinkId, hops: u8, request: JoinRequest, verdict: Verdict) {
        if verdict != Verdict::Good {
            return self.blame(link, Reject::BadSignature);
        }
        if self.requests.has(&request.id()) {
            return;
        }
        self.requests.add(request.id(), self.now.mono);
        let fields = request.fields();
        self.learn_route(fields.node, link);
        self.learn_prekey(fields.node, fields.prekey);
        if !self.answer(&request) && hops < limits::HOPS {
            self.pass_on(fields.group, &request, hops.saturating_add(1), Some(link));
        }
    }

    /// A message for this node that the node itself reads; false when it is for its user.
    pub(super) fn take_grant(&mut self, message: &Message) -> bool {
        let Some(entries) = self.entries(message) else { return false };
        let Some(entry) = entries.iter().next() else { return false };
        if entry.meta.content_type.as_deref() != Some(GRANT_CONTENT_TYPE) {
            return false;
        }
        match Grant::parse(&entry.payload) {
            Ok(grant) if self.groups.contains_key(&grant.fields().group) => {
                let fields = grant.fields();
                let mut job = floor_job(&fields.floor, fields.floor_chain.as_ref());
                job.signatures.extend(fields.chain.iter().flat_map(chain_checks));
                self.verify(Pending::GrantCheck(Box::new(grant)), job);
            }
            Ok(_) => self.rejects.count(Reject::UnknownTo),
            Err(_) => self.rejects.count(Reject::Unreadable),
        }
        true
    }

    pub(super) fn on_grant_checked(&mut self, grant: Grant, verdict: Verdict) {
        let fields = grant.into_fields();
        let id = fields.group;
        let Some(group) = self.groups.get(&id) else { return };
        if verdict != Verdict::Good || !fields.floor.is_backed_by(fields.floor_chain.as_ref()) {
            return self.rejects.count(Reject::BadFloor);
        }
        let asked = fields.request.is_some() && fields.request == group.asking.request;
        if let (Some(refusal), true) = (fields.refusal, asked) {
            return self.on_ask_refused(id, refusal);
        }
        let newer = crate::auth::floors::compare(&fields.floor, group.floor.as_ref()).is_gt();
        let checked = crate::auth::floors::check(&fields.floor, fields.floor_chain.as_ref(), self.now.wall);
        let change =
            crate::auth::floors::check_change(&fields.floor, fields.floor_chain.as_ref(), group.floor.as_ref());
        if newer && checked.is_ok() && change.is_ok() {
            self.take_floor(fields.floor, fields.floor_chain, None);
        }
        if let Some(chain) = fields.chain.filter(|chain| self.is_better(id, chain)) {
            self.take_own_chain(id, chain);
        }
        self.take_keys(id, &fields.content_keys);
        let Some(group) = self.groups.get_mut(&id) else { return };
        let settled = group.chain.is_some();
        if let Some(command) = group.asking.command.take_if(|_| settled) {
            group.asking.tries = 0;
            self.reply_group(command, id, None);
        }
        self.consider_asking(id);
    }

    /// Whether a chain gives this node more, or for longer, than the one it has.
    fn is_better(&self, id: GroupId, chain: &Chain) -> bool {
        let Some(group) = self.groups.get(&id) else { return false };
        if chain.subject() != self.config.node || chain.group() != id {
            return false;
        }
        let standing = crate::auth::standing::Standing::of(chain);
        let Some(held) = group.chain.as_ref() else { return standing.stands(group.floor.as_ref()) };
        let held_stands = group.standing.as_ref().is_some_and(|held| held.stands(group.floor.as_ref()));
        let (new, old) = (chain.leaf().fields(), held.leaf().fields());
        let wider = new.rights.contains(old.rights) && (new.rights != old.rights || new.not_after > old.not_after);
        standing.stands(group.floor.as_ref()) && (!held_stands || wider)
    }

    /// Takes content keys: the one that the floor names as the newest, those before it to open what is kept. Nobody needs
    /// our help to forget the ones we have.
    fn take_keys(&mut self, id: GroupId, secrets: &[SecretKey]) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        let named = group.sealing_key();
        let keys: Vec<_> = secrets.iter().map(|key| crosscast_seal::ContentKey::new(*key.expose())).collect();
        let (new, old): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| Some(key.id()) == named);
        let before = group.keys.iter().count();
        new.into_iter().for_each(|key| group.keys.add(key));
        old.into_iter().for_each(|key| group.keys.add_old(key));
        if group.keys.iter().count() != before || !group.lacks_key() {
            group.asking.tries = 0;
            self.keep_group(id);
            self.unlock_readers(id);
        }
    }

    fn on_ask_refused(&mut self, id: GroupId, refusal: GrantRefusal) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        // Nobody has changed his mind a minute later.
        group.asking.tries = ASK_DOUBLINGS.saturating_add(4);
        let refusal = match refusal {
            GrantRefusal::UnknownInvite | GrantRefusal::UsedUp => Refusal::InviteUsed,
            GrantRefusal::Expired => Refusal::InviteExpired,
            GrantRefusal::Revoked | GrantRefusal::NotAllowed => Refusal::NotAdmitted,
        };
        if let Some(command) = group.asking.command.take() {
            self.reply(command, Reply::Refused(refusal));
        }
    }

    /// Makes this node's own capability with an invite that works without its maker.
    pub(super) fn join_by_chain(&mut self, command: crate::CommandId, invite: SecretKey, above: &Chain) {
        let leaf = above.leaf().fields();
        let fields = CapabilityFields {
            group: above.group(),
            subject: self.config.node,
            rights: leaf.rights.without(Rights::ADMIT | Rights::RENEW | Rights::REVOKE),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            epoch: leaf.epoch,
            rate_class: leaf.rate_class,
            depth_left: 0,
            issuer: above.subject(),
            invite: leaf.invite,
        };
        debug_assert!(Capability::draft(&fields).is_ok());
        let key = SignKey::Group(Box::new(invite));
        if let Err(refusal) = self.sign_capability(&fields, key, Some(above.clone()), For::Joined(command)) {
            self.reply(command, Reply::Refused(refusal));
        }
    }

    /// What follows from a new floor: ask for what is lacking now, take back again what it has lost of ours.
    pub(super) fn after_floor(&mut self, id: GroupId) {
        self.consider_asking(id);
        let Some(floor) = self.groups.get(&id).and_then(|group| group.floor.clone()) else { return };
        let lost = self.register.revoked(id).any(|revoked| !floor.revokes(&revoked));
        let full = floor.fields().revoked.len() >= crosscast_wire::limits::REVOKED_MAX;
        if lost && !full && floor.fields().lowest_epoch == 0 && floor.fields().signer != Some(self.config.node) {
            self.change_floor(id, FloorChange::Renew, None);
        }
    }

    /// Tells whoever waits for admission that nobody has answered; asking goes on.
    pub(super) fn on_ask_due(&mut self, id: GroupId) {
        let alone = self.ask_links(id).is_empty();
        let Some(group) = self.groups.get_mut(&id) else { return };
        let overdue = group.asking.word_by <= self.now.mono;
        let unanswered = alone || overdue || group.asking.tries >= TRIES_BEFORE_WORD;
        if let Some(command) = group.asking.command.take_if(|_| unanswered) {
            self.reply(command, Reply::Refused(Refusal::NobodyAdmits));
        }
        self.consider_asking(id);
    }
}

/// Every signature that a request brings: the asker's, the invite's, the chain's.
fn request_checks(request: &JoinRequest) -> Vec<SignatureCheck> {
    let fields = request.fields();
    let own = SignatureCheck {
        key: *fields.node.as_bytes(),
        domain: Domain::JoinRequest,
        body: Bytes::copy_from_slice(request.body()),
        signature: *request.signature(),
    };
    let invite = fields.invite.as_ref().map(|invite| SignatureCheck {
        key: invite.key,
        domain: Domain::Invite,
        body: JoinRequest::invite_body(&fields.group, &fields.node, &fields.prekey, fields.time, &fields.nonce).into(),
        signature: invite.proof,
    });
    std::iter::once(own).chain(invite).chain(fields.chain.iter().flat_map(chain_checks)).collect()
}

/// 60 s: a request has been everywhere within 8 hops by then.
const REMEMBERED_MS: u64 = 60_000;
/// 1 s, doubled from try to try: a round trip over a few hops and a signature.
const ASK_MS: u64 = 1_000;
/// 6: up to a minute and more.
const ASK_DOUBLINGS: u32 = 6;
/// 60 s: an issuer who comes back is noticed within a minute.
const ASK_MAX_MS: u64 = 60_000;
/// 4: after about 7 s whoever waits is told that nobody answers.
const TRIES_BEFORE_WORD: u32 = 4;
