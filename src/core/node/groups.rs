//! Groups made, joined, left and shared; floor records as they come.

use bytes::Bytes;
use crosscast_port::{LinkId, Space, Write};
use crosscast_seal::ContentKey;
use crosscast_wire::{
    Chain, Domain, FloorFields, FloorRecord, GroupId, Locator, Policy, Rights, SecretKey, Signature, Ticket,
    TicketFields, WallMillis, frame,
};

use crate::group::Group;
use crate::group::publish::Publisher;
use crate::group::state::GroupState;
use crate::{CommandId, Node, Refusal, Reject, Reply, SignJob, SignKey, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;
use super::commit::After;

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
        if policy == Policy::Capability {
            return self.reply(command, Reply::Refused(Refusal::Unsupported));
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
        let state = GroupState {
            name,
            floor: Some(floor),
            secret: Some(secret),
            content,
            locators: Vec::new(),
            joined: self.now.wall,
        };
        self.add_group(id, state);
        let ticket = self.ticket(id, &[]).map(Box::new);
        self.reply_group(command, id, ticket);
    }

    fn reply_group(&mut self, command: CommandId, id: GroupId, ticket: Option<Box<Ticket>>) {
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
        for locator in locators {
            self.attach(locator);
        }
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.subscribe_on(link, id);
        }
    }

    fn keep_group(&mut self, id: GroupId) {
        if let Some(state) = self.groups.get(&id).map(Group::encode_state) {
            self.put(Space::Group, id.as_bytes(), state);
        }
    }

    pub(super) fn on_join_group(&mut self, command: CommandId, ticket: Ticket, name: Option<String>) {
        let id = ticket.fields().group;
        if self.groups.contains_key(&id) {
            return self.reply_group(command, id, None);
        }
        let name = name.unwrap_or_else(|| ticket.fields().name.clone());
        if let Some(refusal) = self.new_group_refusal(&name, Some(id)) {
            return self.reply(command, Reply::Refused(refusal));
        }
        let floor = &ticket.fields().floor;
        // Without chains only the group key itself vouches for a floor.
        if floor.fields().group != id || !floor.is_backed_by(None) {
            return self.reply(command, Reply::Refused(Refusal::BadTicket));
        }
        let job = floor_job(floor, None);
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
        if !self.groups.contains_key(&id) {
            let content = fields.content_key.as_ref().map(|key| ContentKey::new(*key.expose()));
            let floor = Some(fields.floor.clone());
            let state = GroupState {
                name,
                floor,
                secret: None,
                content,
                locators: fields.locators.clone(),
                joined: self.now.wall,
            };
            self.add_group(id, state);
        }
        self.reply_group(command, id, None);
    }

    pub(super) fn on_leave_group(&mut self, command: CommandId, id: GroupId) {
        let Some(group) = self.groups.remove(&id) else {
            return self.reply(command, Reply::Refused(Refusal::UnknownGroup));
        };
        for link in &group.neighbours {
            if let Some(state) = self.links.get_mut(link) {
                state.feeds.remove(&id);
                state.foreign.insert(id);
            }
        }
        let open: Vec<LinkId> = self.links.values().filter(|state| state.is_open()).map(|state| state.id).collect();
        for link in open {
            if let Some(state) = self.links.get_mut(&link) {
                state.out.push(frame::subscribe(&id, false, None));
                self.dirty.insert(link);
            }
        }
        self.timers.cancel(crate::timer::Timer::Gap(id));
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

    pub(super) fn on_invite(&mut self, command: CommandId, id: GroupId, locators: &[Locator]) {
        let reply = match self.groups.contains_key(&id) {
            false => Reply::Refused(Refusal::UnknownGroup),
            true => match self.ticket(id, locators) {
                Some(ticket) => Reply::Ticket(Box::new(ticket)),
                None => Reply::Refused(Refusal::TooLarge),
            },
        };
        self.reply(command, reply);
    }

    fn ticket(&self, id: GroupId, locators: &[Locator]) -> Option<Ticket> {
        let group = self.groups.get(&id)?;
        let own: Vec<Locator> =
            self.listening.iter().map(|locator| locator.clone().with_node(self.config.node)).collect();
        let chosen = if locators.is_empty() { own.as_slice() } else { locators };
        let fields = TicketFields {
            group: id,
            name: group.name.clone(),
            floor: group.floor.clone()?,
            invite: None,
            content_key: group.content.as_ref().map(|key| SecretKey::new(*key.expose())),
            allows: Rights::PUBLISH | Rights::SUBSCRIBE,
            locators: chosen.iter().take(8).map(ToString::to_string).collect(),
            invite_chain: None,
            invite_until: None,
        };
        Ticket::new(fields).ok()
    }

    pub(super) fn on_floor(&mut self, link: LinkId, floor: FloorRecord, chain: Option<Chain>) {
        let Some(group) = self.groups.get(&floor.fields().group) else { return };
        match floor.fields().number.cmp(&group.floor_number()) {
            // Every link-up begins with it.
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Less => return self.rejects.count(Reject::OldFloor),
            std::cmp::Ordering::Greater => {}
        }
        if !floor.is_backed_by(chain.as_ref()) {
            return self.blame(link, Reject::BadFloor);
        }
        let job = floor_job(&floor, chain.as_ref());
        self.verify(Pending::FloorCheck(link, Box::new(floor)), job);
    }

    pub(super) fn on_floor_checked(&mut self, link: LinkId, floor: FloorRecord, verdict: Verdict) {
        let id = floor.fields().group;
        let Some(group) = self.groups.get_mut(&id) else { return };
        if verdict != Verdict::Good {
            return self.blame(link, Reject::BadFloor);
        }
        let looser =
            openness(floor.fields().policy) > group.floor.as_ref().map_or(0, |old| openness(old.fields().policy));
        if looser && floor.fields().signer.is_some() {
            return self.blame(link, Reject::BadFloor);
        }
        if floor.fields().number <= group.floor_number() {
            return;
        }
        let neighbours: Vec<LinkId> = group.neighbours.iter().copied().filter(|other| *other != link).collect();
        let frame = frame::floor(&floor, None);
        group.floor = Some(floor);
        self.keep_group(id);
        for other in neighbours {
            if let Some(state) = self.links.get_mut(&other) {
                state.out.push(frame.clone());
                self.dirty.insert(other);
            }
        }
    }
}

/// 365 days: the maker of an open group need not come back to keep it open; a tighter policy is a new record.
const FLOOR_LIFE_MS: u64 = 365 * 24 * 3_600_000;

/// How many may publish: a record that raises this must be the group key's own.
const fn openness(policy: Policy) -> u8 {
    match policy {
        Policy::Keyholder => 0,
        Policy::Capability => 1,
        Policy::Open => 2,
    }
}

/// The signatures that a floor record and its chain stand on.
fn floor_job(floor: &FloorRecord, chain: Option<&Chain>) -> VerifyJob {
    let own = SignatureCheck {
        key: *floor.signer_key(),
        domain: Domain::Floor,
        body: Bytes::copy_from_slice(floor.body()),
        signature: *floor.signature(),
    };
    let links = chain.into_iter().flat_map(Chain::links).map(|link| SignatureCheck {
        key: *link.fields().issuer.as_bytes(),
        domain: Domain::Capability,
        body: Bytes::copy_from_slice(link.body()),
        signature: *link.signature(),
    });
    VerifyJob { signatures: std::iter::once(own).chain(links).collect(), payload: None }
}
