//! Answering requests: whoever can let in, renew or hand on the key does so; see `asking` for how requests travel.

use crosscast_wire::{GrantRefusal, GroupId, JoinRequest, NodeId, Purpose, RevocationId, Rights, WallMillis};

use crate::auth::register;
use crate::{Node, limits};

use super::issuing::{For, Wanted};

impl Node {
    /// Answers a request whose signatures hold; false when that is for others to do.
    pub(super) fn answer(&mut self, request: &JoinRequest) -> bool {
        match request.fields().purpose {
            Purpose::Join => self.answer_join(request),
            Purpose::Renew => self.answer_renew(request),
            Purpose::Key => self.answer_key(request),
        }
    }

    fn answer_join(&mut self, request: &JoinRequest) -> bool {
        let fields = request.fields();
        let (id, node) = (fields.group, fields.node);
        if !self.may_issue(id, Rights::ADMIT) {
            return false;
        }
        let granted = self.register.granted(id, node).filter(|_| !self.is_revoked_here(id, &node));
        let (wanted, invite) = match (granted, &fields.invite) {
            // Asked again: the answer was lost, or its home was.
            (Some(granted), _) => (wanted_again(node, &granted), None),
            (None, None) => return false,
            (None, Some(proof)) => {
                let Some(invite) = self.register.invite(id, &proof.key) else { return false };
                let refusal = match () {
                    () if self.is_revoked_here(id, &node) => Some(GrantRefusal::Revoked),
                    () if invite.expires < self.now.wall => Some(GrantRefusal::Expired),
                    () if invite.uses_left == 0 => Some(GrantRefusal::UsedUp),
                    () => None,
                };
                if refusal.is_some() {
                    self.send_grant(id, node, Some(request.id()), None, refusal);
                    return true;
                }
                let register::Invite { rights, life_ms, .. } = invite;
                (
                    Wanted { subject: node, rights, depth: 0, life_ms, invite: Some(proof.key) },
                    Some((proof.key, invite)),
                )
            }
        };
        if !self.register.has_room(id) || self.issue(id, wanted, For::Answer(node, request.id())).is_err() {
            return false;
        }
        if let Some((key, mut invite)) = invite {
            invite.uses_left = invite.uses_left.saturating_sub(1);
            self.keep_record(id, register::Entry::Invite(key), register::Record::Invite(invite));
        }
        let until = WallMillis(self.now.wall.0.saturating_add(wanted.life_ms));
        self.book_grant(id, &wanted, until);
        true
    }

    fn is_revoked_here(&self, id: GroupId, node: &NodeId) -> bool {
        let tag = RevocationId::of_subject(node);
        let floor = self.groups.get(&id).and_then(|group| group.floor.as_ref());
        self.register.is_revoked(id, &tag) || floor.is_some_and(|floor| floor.revokes(&tag))
    }

    /// Renews what has not been revoked: same subject or its successor, no wider rights.
    fn answer_renew(&mut self, request: &JoinRequest) -> bool {
        let fields = request.fields();
        let (id, node) = (fields.group, fields.node);
        let Some(chain) = &fields.chain else { return false };
        if !self.may_issue(id, Rights::RENEW) {
            return false;
        }
        let succeeds = |successor: &crosscast_wire::Successor| {
            successor.fields().old == chain.subject() && successor.verify(self.config.crypto.as_ref())
        };
        if chain.subject() != node && !fields.successor.as_ref().is_some_and(succeeds) {
            return false;
        }
        let leaf = chain.leaf().fields();
        let floor = self.groups.get(&id).and_then(|group| group.floor.clone());
        let revoked = chain.links().any(|link| floor.as_ref().is_some_and(|floor| floor.revokes_link(link)))
            || chain.links().any(|link| link.revocation_ids().any(|tag| self.register.is_revoked(id, &tag)))
            || self.is_revoked_here(id, &node);
        // Of an epoch gone by only those are let in again whom this node let in itself.
        let lowest = floor.as_ref().map_or(0, |floor| floor.fields().lowest_epoch);
        let foreign = chain.epoch() < lowest && self.register.granted(id, chain.subject()).is_none();
        if revoked || foreign {
            self.send_grant(id, node, Some(request.id()), None, Some(GrantRefusal::Revoked));
            return true;
        }
        let grace = leaf.not_after.0.saturating_add(super::granting::GRANT_LIFE_MS);
        if self.now.wall.0 > grace {
            self.send_grant(id, node, Some(request.id()), None, Some(GrantRefusal::Expired));
            return true;
        }
        // Whoever issued it let it begin before its time, for the sake of clocks that are behind.
        let life_ms = leaf.not_after.0.saturating_sub(leaf.not_before.0).saturating_sub(limits::FUTURE_MS);
        let (rights, depth) = (leaf.rights, leaf.depth_left);
        let wanted = Wanted { subject: node, rights, depth, life_ms, invite: leaf.invite };
        self.issue(id, wanted, For::Answer(node, request.id())).is_ok()
    }

    /// Hands the content key on to whoever may read.
    fn answer_key(&mut self, request: &JoinRequest) -> bool {
        let fields = request.fields();
        let Some(group) = self.groups.get(&fields.group) else { return false };
        let Some(chain) = &fields.chain else { return false };
        let standing = crate::auth::standing::Standing::of(chain);
        let may = standing.allows(Rights::PUBLISH | Rights::SUBSCRIBE, self.now.wall, group.floor.as_ref());
        if group.lacks_key() || !may || chain.subject() != fields.node {
            return false;
        }
        self.send_grant(fields.group, fields.node, Some(request.id()), None, None);
        true
    }
}

fn wanted_again(node: NodeId, granted: &register::Granted) -> Wanted {
    let register::Granted { rights, depth, life_ms, invite, .. } = *granted;
    Wanted { subject: node, rights, depth, life_ms, invite }
}
