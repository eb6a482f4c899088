//! Groups made, joined, left and shared; floor records as they come.

use bytes::Bytes;
use crosscast_port::{LinkId, Space, Write};
use crosscast_seal::ContentKey;
use crosscast_wire::{
    Domain, FloorFields, FloorRecord, GroupId, Locator, Policy, Rights, SecretKey, Signature, Ticket, WallMillis, frame,
};

use crate::auth::register;
use crate::group::Group;
use crate::group::publish::Publisher;
use crate::group::state::GroupState;
use crate::timer::Timer;
use crate::{CommandId, Node, Refusal, Reply, SignJob, SignKey, Verdict, VerifyJob, limits};

use super::Pending;
use super::chains::chain_checks;
use super::commit::After;
use super::floors::floor_job;

/// A group whose first floor record waits for its signature.
pub(super) struct NewGroup {
    command: CommandId,
    name: String,
    body: Bytes,
    secret: SecretKey,
    content: Option<ContentKey>,
}

/// A ticket whose floor record is being checked.
pub(super) struct Joining {
    command: CommandId,
    name: String,
    ticket: Ticket,
}

impl Node {
    pub(super) fn on_create_group(&mut self, command: CommandId, name: String, policy: Policy, public: bool) {
        if let Some(refusal) = self.new_group_refusal(&name, None) {
            return self.reply(command, Reply::Refused(refusal));
        }
        let secret = SecretKey::new(self.keys.bytes());
        let content = if public { None } else { Some(ContentKey::new(self.keys.bytes())) };
        let fields = FloorFields {
            group: GroupId::new(secret.public()),
            number: 1,
            issued: self.now.wall,
            valid_until: WallMillis(self.now.wall.0.saturating_add(FLOOR_LIFE_MS)),
            policy,
            lowest_epoch: 0,
            revoked: Vec::new(),
            content_key: content.as_ref().map(ContentKey::id),
            signer: None,
        };
        let Ok(body) = FloorRecord::draft(&fields) else {
            return self.reply(command, Reply::Refused(Refusal::TooLarge));
        };
        let body = Bytes::from(body);
        let job = SignJob { key: SignKey::Group(Box::new(secret.clone())), domain: Domain::Floor, body: body.clone() };
        self.sign(Pending::FloorSign(Box::new(NewGroup { command, name, body, secret, content })), job);
    }

    /// Why a group of this name or key cannot be added.
    fn new_group_refusal(&self, name: &str, id: Option<GroupId>) -> Option<Refusal> {
        let legal = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
        if !legal {
            return Some(Refusal::BadName);
        }
        if self.groups.len() >= limits::GROUPS {
            return Some(Refusal::Limit);
        }
        let taken = |group: &Group| group.name == name && Some(group.id) != id;
        self.groups.values().any(taken).then_some(Refusal::NameTaken)
    }

    pub(super) fn on_floor_signed(&mut self, new: NewGroup, signature: &Signature) {
        let bytes = [new.body.as_ref(), signature.as_slice()].concat();
        let NewGroup { command, name, secret, content, .. } = new;
        let Ok(floor) = FloorRecord::parse(&bytes) else {
            return self.reply(command, Reply::Refused(Refusal::TooLarge));
        };
        if let Some(refusal) = self.new_group_refusal(&name, None) {
            return self.reply(command, Reply::Refused(refusal));
        }
        let id = floor.fields().group;
        let closed = floor.fields().policy == Policy::Capability;
        let state = GroupState {
            name,
            floor: Some(floor),
            secret: Some(secret),
            contents: content.into_iter().collect(),
            joined: self.now.wall,
            ..GroupState::default()
        };
        self.add_group(id, state);
        if closed { self.issue_own(id, Some(command)) } else { self.reply_created(command, id) }
    }

    /// A group is made: its maker gets a ticket, which in a group of capabilities lets nobody in by itself.
    pub(super) fn reply_created(&mut self, command: CommandId, id: GroupId) {
        let locators = self.ticket_locators(&[]);
        let ticket = self.ticket(id, None, &locators).map(Box::new);
        self.reply_group(command, id, ticket);
    }

    pub(super) fn reply_group(&mut self, command: CommandId, id: GroupId, ticket: Option<Box<Ticket>>) {
        let name = self.groups.get(&id).map(|group| group.name.clone()).unwrap_or_default();
        self.after_commit(After::Reply(command, Reply::Group { group: id, name, ticket }));
    }

    /// Takes a group in: kept, subscribed on every link, its locators dialled.
    fn add_group(&mut self, id: GroupId, state: GroupState) {
        let locators: Vec<Locator> = state.locators.iter().filter_map(|text| text.parse().ok()).collect();
        let mut group = Group::new(id, state);
        if let Some(last_seq) = self.left.remove(&id) {
            group.publisher = Publisher::after(last_seq);
        }
        self.groups.insert(id, group);
        self.keep_group(id);
        self.tend_meetings();
        for locator in locators {
            self.attach(locator);
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.subscribe_on(link, id);
        }
    }

    pub(super) fn keep_group(&mut self, id: GroupId) {
        if let Some(state) = self.groups.get(&id).map(Group::encode_state) {
            self.put(Space::Group, id.as_bytes(), state);
        }
    }

    pub(super) fn on_join_group(&mut self, command: CommandId, ticket: Ticket, name: Option<String>) {
        let id = ticket.fields().group;
        if self.groups.contains_key(&id) && !self.is_outside(id) {
            return self.reply_group(command, id, None);
        }
        let name = name.unwrap_or_else(|| ticket.fields().name.clone());
        if let Some(refusal) = self.new_group_refusal(&name, Some(id)) {
            return self.reply(command, Reply::Refused(refusal));
        }
        let fields = ticket.fields();
        let mut job = VerifyJob { signatures: Vec::new(), payload: None };
        if fields.floor.is_backed_by(None) {
            job = floor_job(&fields.floor, None);
        }
        job.signatures.extend(fields.invite_chain.iter().flat_map(chain_checks));
        self.verify(Pending::TicketCheck(Box::new(Joining { command, name, ticket })), job);
    }

    pub(super) fn on_ticket_checked(&mut self, joining: Joining, verdict: Verdict) {
        let Joining { command, name, ticket } = joining;
        let fields = ticket.fields();
        let id = fields.group;
        if verdict != Verdict::Good {
            return self.reply(command, Reply::Refused(Refusal::BadTicket));
        }
        if let Some(refusal) = self.new_group_refusal(&name, Some(id)) {
            return self.reply(command, Reply::Refused(refusal));
        }
        if self.groups.contains_key(&id) {
            return self.join_again(command, &ticket);
        }
        let invite = fields.invite.clone();
        let state = GroupState {
            name,
            // A record of somebody other than the group key comes with what entitles him, from a neighbour.
            floor: Some(fields.floor.clone()).filter(|floor| floor.is_backed_by(None)),
            contents: fields.content_key.iter().map(|key| ContentKey::new(*key.expose())).collect(),
            locators: fields.locators.clone(),
            joined: self.now.wall,
            invite: invite.clone().filter(|_| fields.invite_chain.is_none()),
            ..GroupState::default()
        };
        self.add_group(id, state);
        match (&fields.invite_chain, invite) {
            (Some(above), Some(invite)) => self.join_by_chain(command, invite, above),
            (Some(_), None) | (None, _) => self.await_admission(command, id),
        }
    }

    /// Whether this node has a group of capabilities in which it may do nothing.
    fn is_outside(&self, id: GroupId) -> bool {
        let outside = |group: &Group| {
            let closed = group.policy(self.now.wall) == Policy::Capability && group.secret.is_none();
            closed && !group.may(Rights::ALL, self.now.wall)
        };
        self.groups.get(&id).is_some_and(outside)
    }

    /// Joins a group that is here and in which this node may do nothing yet: a new invite takes the place of the old one.
    fn join_again(&mut self, command: CommandId, ticket: &Ticket) {
        let fields = ticket.fields();
        let id = fields.group;
        if !self.is_outside(id) {
            return self.reply_group(command, id, None);
        }
        if let (Some(above), Some(invite)) = (&fields.invite_chain, fields.invite.clone()) {
            return self.join_by_chain(command, invite, above);
        }
        if let (Some(group), Some(invite)) = (self.groups.get_mut(&id), fields.invite.clone()) {
            group.invite = Some(invite);
            (group.chain, group.standing) = (None, None);
            group.asking.tries = 0;
            self.keep_group(id);
        }
        self.ask_anew(id);
        self.await_admission(command, id);
    }

    /// Answers a join at once where nobody has to be asked, else when somebody has answered.
    fn await_admission(&mut self, command: CommandId, id: GroupId) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        if group.policy(self.now.wall) != Policy::Capability {
            return self.reply_group(command, id, None);
        }
        let other = group.asking.command.replace(command);
        group.asking.word_by = self.now.mono.plus_millis(ADMISSION_MS);
        self.timers.set(Timer::Ask(id), group.asking.word_by);
        if let Some(other) = other {
            self.reply(other, Reply::Refused(Refusal::NobodyAdmits));
        }
        self.consider_asking(id);
    }

    pub(super) fn on_leave_group(&mut self, command: CommandId, id: GroupId) {
        let Some(group) = self.groups.remove(&id) else {
            return self.reply(command, Reply::Refused(Refusal::UnknownGroup));
        };
        for state in self.links.values_mut() {
            if let Some(feed) = state.feeds.remove(&id) {
                state.foreign.insert(id, feed.pass.map(|(hash, _)| hash));
            }
        }
        let open: Vec<LinkId> = self.links.values().filter(|state| state.is_open()).map(|state| state.id).collect();
        for link in open {
            if let Some(state) = self.links.get_mut(&link) {
                state.out.push(frame::subscribe(&id, false, None));
                self.dirty.insert(link);
            }
        }
        for entry in self.register.forget(id) {
            self.write(Write::Delete { space: Space::Grant, key: register::key(id, &entry).into() });
        }
        self.tend_meetings();
        self.timers.cancel(Timer::Ask(id));
        self.timers.cancel(Timer::Gap(id));
        self.readers.retain(|_, reader| reader.source != crate::Source::Group(id));
        let (log, through) = (group.log_id(), group.log.last());
        let (last_seq, waiting) = group.publisher.close();
        for command in waiting {
            self.reply(command, Reply::Refused(Refusal::UnknownGroup));
        }
        if self.left.len() >= limits::GROUPS {
            self.left.pop_first();
        }
        self.left.insert(id, last_seq);
        self.write(Write::Forget { log, through });
        self.write(Write::Delete { space: Space::Group, key: Bytes::copy_from_slice(id.as_bytes()) });
        self.after_commit(After::Reply(command, Reply::Done));
    }
}

/// 365 days: the maker of an open group need not come back to keep it open; a tighter policy is a new record.
pub(super) const FLOOR_LIFE_MS: u64 = 365 * 24 * 3_600_000;
/// 20 s: how long a join waits at most, be there no link yet over which to ask, or nobody who answers.
const ADMISSION_MS: u64 = 20_000;
