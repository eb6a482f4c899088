//! Capabilities and floor records made here: drafted, signed as an effect, put to use.
//!
//! The group key issues where this node holds it; otherwise the node's own key does, as the subject of its own chain.
//! Floor records of a group are made one at a time, so that two commands do not make two records of one number.

use bytes::Bytes;
use crosscast_seal::ContentKey;
use crosscast_wire::{
    Capability, CapabilityFields, Chain, Domain, FloorFields, FloorRecord, GroupId, NodeId, RequestId, RevocationId,
    Rights, SecretKey, Signature, WallMillis,
};

use crate::group::FloorChange;
use crate::{CommandId, Node, Refusal, Reply, SignJob, SignKey, limits};

use super::Pending;
use super::commit::After;

/// What a capability is to say; the rest follows from who issues it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) subject: NodeId,
    pub(super) rights: Rights,
    pub(super) depth: u8,
    pub(super) life_ms: u64,
    pub(super) invite: Option<[u8; 32]>,
}

/// A capability that waits for its signature.
pub(super) struct Unissued {
    body: Bytes,
    above: Option<Chain>,
    group: GroupId,
    purpose: For,
}

/// What a new capability is for.
pub(super) enum For {
    /// This node itself, in a group it has made or holds the key of.
    Own(Option<CommandId>),
    /// This node itself, by an invite that works without its maker.
    Joined(CommandId),
    /// Somebody named by a command.
    Grant(CommandId, Wanted),
    /// The key inside a ticket that works without its maker.
    Ticket(CommandId, SecretKey, Vec<String>, WallMillis),
    /// Whoever asked.
    Answer(NodeId, RequestId),
}

/// A floor record that waits for its signature.
pub(super) struct Unfloored {
    body: Bytes,
    chain: Option<Chain>,
    group: GroupId,
    content: Option<ContentKey>,
    change: FloorChange,
    command: Option<CommandId>,
}

/// Who issues in a group here: with which key, under whose name, below which chain.
struct Issuer {
    key: SignKey,
    node: NodeId,
    above: Option<Chain>,
}

impl Node {
    fn issuer(&self, id: GroupId) -> Option<Issuer> {
        let group = self.groups.get(&id)?;
        if let Some(secret) = &group.secret {
            let key = SignKey::Group(Box::new(secret.clone()));
            return Some(Issuer { key, node: NodeId::new(*id.as_bytes()), above: None });
        }
        let stands = group.standing.as_ref().is_some_and(|standing| standing.stands(group.floor.as_ref()));
        let above = group.chain.clone().filter(|chain| stands && chain.leaf().fields().depth_left > 0)?;
        Some(Issuer { key: SignKey::Node, node: self.config.node, above: Some(above) })
    }

    /// Whether this node may let others in, or renew them.
    pub(super) fn may_issue(&self, id: GroupId, right: Rights) -> bool {
        let holds = self.groups.get(&id).is_some_and(|group| group.secret.is_some() || group.may(right, self.now.wall));
        holds && self.issuer(id).is_some()
    }

    /// Drafts a capability and asks for its signature.
    pub(super) fn issue(&mut self, id: GroupId, wanted: Wanted, purpose: For) -> Result<(), Refusal> {
        let Issuer { key, node, above } = self.issuer(id).ok_or(Refusal::NoRight)?;
        let fields = self.capability(id, &wanted, node, above.as_ref()).ok_or(Refusal::NoRight)?;
        self.sign_capability(&fields, key, above, purpose)
    }

    pub(super) fn sign_capability(
        &mut self,
        fields: &CapabilityFields,
        key: SignKey,
        above: Option<Chain>,
        purpose: For,
    ) -> Result<(), Refusal> {
        let body = Bytes::from(Capability::draft(fields).map_err(|_| Refusal::NoRight)?);
        let job = SignJob { key, domain: Domain::Capability, body: body.clone() };
        let unissued = Unissued { body, above, group: fields.group, purpose };
        self.sign(Pending::CapabilitySign(Box::new(unissued)), job);
        Ok(())
    }

    /// What a capability says: as wanted, as far as its issuer may give it.
    fn capability(
        &self,
        id: GroupId,
        wanted: &Wanted,
        issuer: NodeId,
        above: Option<&Chain>,
    ) -> Option<CapabilityFields> {
        let lowest_epoch = self.groups.get(&id)?.floor.as_ref().map_or(0, |floor| floor.fields().lowest_epoch);
        let now = self.now.wall.0;
        let mut fields = CapabilityFields {
            group: id,
            subject: wanted.subject,
            rights: wanted.rights,
            // The subject's clock may be behind ours.
            not_before: WallMillis(now.saturating_sub(limits::FUTURE_MS)),
            not_after: WallMillis(now.saturating_add(wanted.life_ms.clamp(LIFE_MIN_MS, LIFE_MAX_MS))),
            epoch: lowest_epoch,
            rate_class: limits::UNLIMITED_RATE_CLASS,
            depth_left: wanted.depth.min(2),
            issuer,
            invite: wanted.invite,
        };
        if let Some(above) = above.map(|chain| chain.leaf().fields()) {
            fields.rights = fields.rights.common(above.rights);
            fields.not_before = fields.not_before.max(above.not_before);
            fields.not_after = fields.not_after.min(above.not_after);
            fields.epoch = above.epoch;
            fields.rate_class = above.rate_class;
            fields.depth_left = fields.depth_left.min(above.depth_left.saturating_sub(1));
            if above.rights.common(Rights::ADMIT | Rights::RENEW).is_empty() {
                // Without them it can only speak for a device of its own.
                fields.depth_left = 0;
                fields.rights = fields.rights.without(Rights::ADMIT | Rights::RENEW | Rights::REVOKE);
            }
        }
        (!fields.rights.is_empty() && fields.not_after > fields.not_before).then_some(fields)
    }

    pub(super) fn on_capability_signed(&mut self, unissued: Unissued, signature: &Signature) {
        let Unissued { body, above, group, purpose } = unissued;
        let link = Capability::parse(&[body.as_ref(), signature.as_slice()].concat()).ok();
        let chain = link.and_then(|link| match above {
            Some(above) => above.extend(link).ok(),
            None => Chain::new(vec![link]).ok(),
        });
        match (purpose, chain) {
            (For::Own(command), Some(chain)) => {
                self.take_own_chain(group, chain);
                if let Some(command) = command {
                    self.reply_created(command, group);
                }
            }
            (For::Joined(command), Some(chain)) => {
                self.take_own_chain(group, chain);
                self.reply_group(command, group, None);
            }
            (For::Grant(command, wanted), Some(chain)) => self.on_granted(command, group, &wanted, chain),
            (For::Ticket(command, invite, locators, until), Some(chain)) => {
                self.reply_ticket(command, group, Some((invite, Some(chain), until)), &locators);
            }
            (For::Answer(node, request), Some(chain)) => self.send_grant(group, node, Some(request), Some(chain), None),
            (
                For::Own(Some(command)) | For::Joined(command) | For::Grant(command, _) | For::Ticket(command, ..),
                None,
            ) => self.reply(command, Reply::Refused(Refusal::NoRight)),
            (For::Own(None) | For::Answer(..), None) => {}
        }
    }

    /// Takes a chain of this node's own whose signatures hold, and subscribes by it.
    pub(super) fn take_own_chain(&mut self, id: GroupId, chain: Chain) {
        let Some(group) = self.groups.get_mut(&id) else { return };
        group.standing = Some(crate::auth::standing::Standing::of(&chain));
        group.chain = Some(chain.clone());
        group.invite = None;
        self.keep_group(id);
        self.learn_chain(&chain, false);
        let links: Vec<_> = self.links.values().filter(|state| state.is_open()).map(|state| state.id).collect();
        for link in links {
            self.subscribe_to(link, id);
        }
    }

    /// Queues a change of a group's floor record.
    pub(super) fn change_floor(&mut self, id: GroupId, change: FloorChange, command: Option<CommandId>) {
        let refusal = match self.groups.get(&id) {
            None => Some(Refusal::UnknownGroup),
            Some(group) if group.floor_changes.len() >= limits::FLOOR_CHANGES => Some(Refusal::Busy),
            Some(group) => {
                let key = group.secret.is_some();
                let revoker = group.may(Rights::REVOKE, self.now.wall) && !matches!(change, FloorChange::Policy(_));
                (!key && !revoker).then_some(Refusal::NoRight)
            }
        };
        match (refusal, command) {
            (Some(refusal), Some(command)) => self.reply(command, Reply::Refused(refusal)),
            (Some(_), None) => {}
            (None, command) => {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.floor_changes.push_back((change, command));
                }
                self.next_floor(id);
            }
        }
    }

    /// Drafts the next floor record that waits, unless one is under way.
    fn next_floor(&mut self, id: GroupId) {
        let now = self.now.wall;
        let key_bytes = self.keys.bytes();
        let Some(group) = self.groups.get_mut(&id).filter(|group| !group.floor_under_way) else { return };
        let Some((change, command)) = group.floor_changes.pop_front() else { return };
        let Some(floor) = &group.floor else {
            return self.refuse_change(id, command, Refusal::NoRight);
        };
        let mut fields = floor.fields().clone();
        fields.number = fields.number.saturating_add(1);
        fields.issued = now;
        fields.valid_until = fields.valid_until.max(WallMillis(now.0.saturating_add(super::groups::FLOOR_LIFE_MS)));
        let mut content = None;
        match &change {
            FloorChange::Revoke(ids) => {
                revoke(&mut fields, ids);
                content = fields.content_key.is_some().then(|| ContentKey::new(key_bytes));
                fields.content_key = content.as_ref().map(ContentKey::id).or(fields.content_key);
            }
            FloorChange::Policy(policy) => fields.policy = *policy,
            FloorChange::Renew => revoke(&mut fields, &self.register.revoked(id).collect::<Vec<_>>()),
        }
        let (key, chain) = match &group.secret {
            Some(secret) => (SignKey::Group(Box::new(secret.clone())), None),
            None => (SignKey::Node, group.chain.clone()),
        };
        fields.signer = chain.is_some().then_some(self.config.node);
        let Ok(body) = FloorRecord::draft(&fields) else {
            return self.refuse_change(id, command, Refusal::TooLarge);
        };
        group.floor_under_way = true;
        let body = Bytes::from(body);
        let job = SignJob { key, domain: Domain::Floor, body: body.clone() };
        let unfloored = Unfloored { body, chain, group: id, content, change, command };
        self.sign(Pending::FloorChangeSign(Box::new(unfloored)), job);
    }

    fn refuse_change(&mut self, id: GroupId, command: Option<CommandId>, refusal: Refusal) {
        if let Some(command) = command {
            self.reply(command, Reply::Refused(refusal));
        }
        self.next_floor(id);
    }

    pub(super) fn on_floor_change_signed(&mut self, unfloored: Unfloored, signature: &Signature) {
        let Unfloored { body, chain, group: id, content, change, command } = unfloored;
        let Some(group) = self.groups.get_mut(&id) else {
            return self.refuse_change(id, command, Refusal::UnknownGroup);
        };
        group.floor_under_way = false;
        let Ok(floor) = FloorRecord::parse(&[body.as_ref(), signature.as_slice()].concat()) else {
            return self.refuse_change(id, command, Refusal::TooLarge);
        };
        if crate::auth::floors::compare(&floor, group.floor.as_ref()).is_le() {
            // Another's record came meanwhile: ours is made again on top of it.
            group.floor_changes.push_front((change, command));
            return self.next_floor(id);
        }
        if let Some(key) = content {
            group.keys.add(key);
        }
        self.take_floor(floor, chain, None);
        if let Some(command) = command {
            self.after_commit(After::Reply(command, Reply::Done));
        }
        self.next_floor(id);
    }
}

/// Adds to what is revoked; when the list is full a new epoch begins, in which only what is issued anew holds.
fn revoke(fields: &mut FloorFields, ids: &[RevocationId]) {
    fields.revoked.extend_from_slice(ids);
    fields.revoked.sort_unstable();
    fields.revoked.dedup();
    if fields.revoked.len() > crosscast_wire::limits::REVOKED_MAX {
        fields.revoked.clear();
        fields.lowest_epoch = fields.lowest_epoch.saturating_add(1);
    }
}

/// 1 minute: shorter than clocks agree is no life at all.
const LIFE_MIN_MS: u64 = 60_000;
/// 10 years: a capability that outlives its device is a key under the mat.
const LIFE_MAX_MS: u64 = 10 * 365 * 24 * 3_600_000;
