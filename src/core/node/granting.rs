//! Commands about rights: invite, grant, revoke, policy; and what is handed to those who are granted something.

use bytes::Bytes;
use crosscast_port::{Space, Write};
use crosscast_wire::{
    Chain, Entry, EntryMeta, GRANT_CONTENT_TYPE, Grant, GrantFields, GrantRefusal, GroupId, Locator, NodeId, Policy,
    RequestId, RevocationId, Rights, SecretKey, Ticket, TicketFields, WallMillis,
};

use crate::auth::register::{self, Granted, Invite, Record};
use crate::command::InviteOptions;
use crate::group::FloorChange;
use crate::{CommandId, Node, Refusal, Reply, Revoked};

use super::issuing::{For, Wanted};

impl Node {
    pub(super) fn on_invite(&mut self, command: CommandId, id: GroupId, options: &InviteOptions) {
        let Some(group) = self.groups.get(&id) else {
            return self.reply(command, Reply::Refused(Refusal::UnknownGroup));
        };
        let locators = self.ticket_locators(&options.locators);
        if group.policy(self.now.wall) != Policy::Capability {
            return self.reply_ticket(command, id, None, &locators);
        }
        let rights = options.rights.unwrap_or(Rights::PUBLISH | Rights::SUBSCRIBE);
        let until = WallMillis(self.now.wall.0.saturating_add(options.valid_ms.unwrap_or(INVITE_LIFE_MS)));
        if !self.may_issue(id, Rights::ADMIT) || !self.register.has_room(id) {
            return self.reply(command, Reply::Refused(Refusal::NoRight));
        }
        let invite = SecretKey::new(self.keys.bytes());
        let life_ms = options.life_ms.unwrap_or(GRANT_LIFE_MS);
        if options.offline {
            // One link more is left below it: the joiner's own.
            let subject = NodeId::new(invite.public());
            let wanted = Wanted { subject, rights, depth: 1, life_ms, invite: Some(invite.public()) };
            let purpose = For::Ticket(command, invite, locators, until);
            if let Err(refusal) = self.issue(id, wanted, purpose) {
                self.reply(command, Reply::Refused(refusal));
            }
            return;
        }
        let uses_left = options.uses.unwrap_or(1).max(1);
        let record = Record::Invite(Invite { rights, expires: until, uses_left, life_ms });
        self.keep_record(id, register::Entry::Invite(invite.public()), record);
        self.reply_ticket(command, id, Some((invite, None, until)), &locators);
    }

    /// Where a joiner can dial: as told, else where this node listens.
    pub(super) fn ticket_locators(&self, chosen: &[Locator]) -> Vec<String> {
        let own = || self.listening.iter().map(|locator| locator.clone().with_node(self.config.node).to_string());
        if chosen.is_empty() {
            own().take(8).collect()
        } else {
            chosen.iter().take(8).map(ToString::to_string).collect()
        }
    }

    pub(super) fn reply_ticket(
        &mut self,
        command: CommandId,
        id: GroupId,
        invite: Option<(SecretKey, Option<Chain>, WallMillis)>,
        locators: &[String],
    ) {
        let reply = match self.ticket(id, invite, locators) {
            Some(ticket) => Reply::Ticket(Box::new(ticket)),
            None => Reply::Refused(Refusal::TooLarge),
        };
        // An invite is worth nothing until its record is kept.
        self.after_commit(super::commit::After::Reply(command, reply));
    }

    /// A ticket for a group: with the content key where it lets in by itself, with an invite where somebody has to.
    pub(super) fn ticket(
        &self,
        id: GroupId,
        invite: Option<(SecretKey, Option<Chain>, WallMillis)>,
        locators: &[String],
    ) -> Option<Ticket> {
        let group = self.groups.get(&id)?;
        let closed = group.policy(self.now.wall) == Policy::Capability;
        let offline = invite.as_ref().is_some_and(|(_, chain, _)| chain.is_some());
        let named = group.sealing_key().and_then(|named| group.keys.find(&named)).filter(|_| !closed || offline);
        let (key, chain, until) =
            invite.map_or((None, None, None), |(key, chain, until)| (Some(key), chain, Some(until)));
        let fields = TicketFields {
            group: id,
            name: group.name.clone(),
            floor: group.floor.clone()?,
            content_key: named.map(|key| SecretKey::new(*key.expose())),
            allows: Rights::PUBLISH | Rights::SUBSCRIBE,
            locators: locators.to_vec(),
            invite: key,
            invite_chain: chain,
            invite_until: until,
        };
        Ticket::new(fields).ok()
    }

    pub(super) fn on_grant_command(&mut self, command: CommandId, id: GroupId, wanted: Wanted) {
        let refusal = match self.groups.get(&id) {
            None => Some(Refusal::UnknownGroup),
            Some(group) if group.policy(self.now.wall) != Policy::Capability => Some(Refusal::NoCapabilities),
            Some(_) if !self.register.has_room(id) => Some(Refusal::Limit),
            Some(_) => self.issue(id, wanted, For::Grant(command, wanted)).err(),
        };
        if let Some(refusal) = refusal {
            self.reply(command, Reply::Refused(refusal));
        }
    }

    /// A capability for somebody named by a command is made: booked, and handed over if there is a way.
    pub(super) fn on_granted(&mut self, command: CommandId, id: GroupId, wanted: &Wanted, chain: Chain) {
        let leaf = chain.leaf().fields().clone();
        self.book_grant(id, wanted, leaf.not_after);
        self.register_forgive(id, leaf.subject);
        if self.can_reach(leaf.subject) {
            self.send_grant(id, leaf.subject, None, Some(chain), None);
        }
        let reply = Reply::Granted { subject: leaf.subject, rights: leaf.rights, not_after: leaf.not_after };
        self.after_commit(super::commit::After::Reply(command, reply));
    }

    /// Whoever is granted something anew is not to be revoked again by our own memory.
    fn register_forgive(&mut self, id: GroupId, subject: NodeId) {
        self.drop_record(id, register::Entry::Revoked(RevocationId::of_subject(&subject)));
    }

    pub(super) fn book_grant(&mut self, id: GroupId, wanted: &Wanted, not_after: WallMillis) {
        let Wanted { subject, rights, depth, life_ms, invite } = *wanted;
        let record = Record::Grant(Granted { rights, depth, life_ms, not_after, invite });
        self.keep_record(id, register::Entry::Grant(subject), record);
    }

    pub(super) fn keep_record(&mut self, id: GroupId, entry: register::Entry, record: Record) {
        self.put(Space::Grant, &register::key(id, &entry), register::value(&record));
        self.register.set(id, entry, record);
    }

    pub(super) fn drop_record(&mut self, id: GroupId, entry: register::Entry) {
        self.write(Write::Delete { space: Space::Grant, key: register::key(id, &entry).into() });
        self.register.remove(id, entry);
    }

    pub(super) fn on_revoke(&mut self, command: CommandId, id: GroupId, whom: Revoked) {
        match self.groups.get(&id) {
            None => return self.reply(command, Reply::Refused(Refusal::UnknownGroup)),
            Some(group) if group.policy(self.now.wall) != Policy::Capability => {
                return self.reply(command, Reply::Refused(Refusal::NoCapabilities));
            }
            Some(group) if group.secret.is_none() && !group.may(Rights::REVOKE, self.now.wall) => {
                return self.reply(command, Reply::Refused(Refusal::NoRight));
            }
            Some(_) => {}
        }
        let (ids, gone) = match whom {
            Revoked::Subject(node) => (vec![RevocationId::of_subject(&node)], vec![register::Entry::Grant(node)]),
            Revoked::Invite(key) => {
                let by = |(entry, record): (&register::Entry, &Record)| match record {
                    Record::Grant(granted) if granted.invite == Some(key) => Some(*entry),
                    Record::Grant(_) | Record::Invite(_) | Record::Revoked(_) => None,
                };
                let let_in = self.register.of(id).filter_map(by);
                let gone = let_in.chain([register::Entry::Invite(key)]).collect();
                (vec![RevocationId::of_invite(&key)], gone)
            }
        };
        for entry in gone {
            self.drop_record(id, entry);
        }
        for revoked in &ids {
            self.keep_record(id, register::Entry::Revoked(*revoked), Record::Revoked(self.now.wall));
        }
        self.change_floor(id, FloorChange::Revoke(ids), Some(command));
    }

    pub(super) fn on_set_policy(&mut self, command: CommandId, id: GroupId, policy: Policy) {
        let keyholder = self.groups.get(&id).is_some_and(|group| group.secret.is_some());
        let chainless = self.groups.get(&id).is_some_and(|group| group.chain.is_none());
        self.change_floor(id, FloorChange::Policy(policy), Some(command));
        if policy == Policy::Capability && keyholder && chainless {
            self.issue_own(id, None);
        }
    }

    /// The holder of the group's key gives itself every right, so that it speaks under its own name.
    pub(super) fn issue_own(&mut self, id: GroupId, command: Option<CommandId>) {
        let wanted = Wanted {
            subject: self.config.node,
            rights: Rights::ALL,
            depth: 2,
            life_ms: super::groups::FLOOR_LIFE_MS,
            invite: None,
        };
        if let (Err(refusal), Some(command)) = (self.issue(id, wanted, For::Own(command)), command) {
            self.reply(command, Reply::Refused(refusal));
        }
    }

    /// Sends what somebody is granted: floor record, chain, content keys, sealed to its prekey.
    pub(super) fn send_grant(
        &mut self,
        id: GroupId,
        to: NodeId,
        request: Option<RequestId>,
        chain: Option<Chain>,
        refusal: Option<GrantRefusal>,
    ) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(floor) = group.floor.clone() else { return };
        // Whoever only relays is not told what it carries.
        let blind =
            chain.as_ref().is_some_and(|chain| chain.rights().common(Rights::PUBLISH | Rights::SUBSCRIBE).is_empty());
        let keys = group.keys.iter().filter(|_| refusal.is_none() && !blind);
        let fields = GrantFields {
            group: id,
            request,
            chain,
            content_keys: keys.map(|key| SecretKey::new(*key.expose())).collect(),
            floor,
            floor_chain: group.floor_chain.clone(),
            refusal,
            name: Some(group.name.clone()),
        };
        let Ok(grant) = Grant::new(fields) else { return };
        let meta = EntryMeta { content_type: Some(GRANT_CONTENT_TYPE.into()), ..EntryMeta::default() };
        let entry = Entry { payload: Bytes::copy_from_slice(&grant.encode()), meta };
        self.send_quietly(to, entry, GRANT_WAIT_MS);
    }
}

/// 30 days: the protocol's life of a capability.
pub(super) const GRANT_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// 7 days: an invite is used within a week or forgotten in a mailbox.
const INVITE_LIFE_MS: u64 = 7 * 24 * 3_600_000;
/// 2 minutes: whoever asked asks again.
const GRANT_WAIT_MS: u64 = 120_000;
