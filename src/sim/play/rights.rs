//! Groups of capabilities: who is let in how, whose rights are taken back, and what must never be kept.
//!
//! The owner hands out an invite, an offline ticket or a grant for each member, as planned, and takes rights back as
//! planned, again until it has been told that it is done. What machines hand to their stores is watched: once a floor
//! record that revokes a sender is in force at a host, no message of that sender may enter its log. From the moment
//! of the command on nothing is owed to, or expected of, the host whose rights are taken back.

use crosscast_core::{Command, GroupView, InviteOptions, Refusal, Revoked};
use crosscast_port::Write;
use crosscast_wire::{Purpose, RevocationId, Rights, Ticket, TicketFields};

use super::{Action, Asked, Play};
use crate::agenda::{MILLI, SECOND};
use crate::ledger::{Broken, To};
use crate::machine::Machine;
use crate::scenario::{Entry, GroupPlan, RightsPlan};
use crate::spy;
use crate::violation::Rule;
use crate::world::HostId;

impl<M: Machine> Play<'_, M> {
    pub(super) fn rights(&self, number: usize) -> Option<&RightsPlan> {
        self.scenario.groups.get(number)?.rights.as_ref()
    }

    /// The owner of a new group asks for what each member is let in by, and plans whose rights it takes back.
    pub(super) fn hand_out(&mut self, number: usize) {
        let scenario = self.scenario;
        let Some(plan) = scenario.groups.get(number) else { return };
        let Some(rights) = plan.rights.as_ref() else { return };
        let hosts: Vec<HostId> = plan.members.iter().copied().filter(|host| *host != plan.owner).collect();
        for host in hosts {
            self.hand_to(host, number);
        }
        for (host, at) in &rights.revoked {
            self.at(*at, Action::Revoke(*host, number));
        }
    }

    /// The owner asks for what lets one member in.
    fn hand_to(&mut self, host: HostId, number: usize) {
        let scenario = self.scenario;
        let Some(plan) = scenario.groups.get(number) else { return };
        let Some(group) = self.group_ids.get(&number).copied() else { return };
        let Some(rights) = plan.rights.as_ref() else { return };
        let life_ms = rights.life_ms;
        let options = InviteOptions { life_ms, ..InviteOptions::default() };
        match rights.entries.get(&host) {
            Some(Entry::Invite) => {
                self.ask(plan.owner, Command::Invite { group, options }, Asked::Ticket(host, number));
            }
            Some(Entry::Offline) => {
                let options = InviteOptions { offline: true, ..options };
                self.ask(plan.owner, Command::Invite { group, options }, Asked::Ticket(host, number));
            }
            Some(Entry::Key) | None => self.grant(host, number),
        }
    }

    fn grant(&mut self, host: HostId, number: usize) {
        let scenario = self.scenario;
        let Some(plan) = scenario.groups.get(number) else { return };
        let group = self.group_ids.get(&number).copied();
        let Some((group, subject)) = group.zip(self.world.node(host)) else { return };
        let life_ms = plan.rights.as_ref().and_then(|rights| rights.life_ms);
        let rights = Rights::PUBLISH | Rights::SUBSCRIBE;
        let grant = Command::Grant { group, subject, rights, depth: 0, life_ms };
        self.ask(plan.owner, grant, Asked::Grant);
    }

    /// A ticket for one member is made.
    pub(super) fn on_ticket(&mut self, host: HostId, number: usize, ticket: &Ticket) {
        let own_locators = self.scenario.groups.get(number).is_some_and(|plan| plan.locators);
        let locators = if own_locators { ticket.fields().locators.clone() } else { Vec::new() };
        if let Ok(ticket) = Ticket::new(TicketFields { locators, ..ticket.fields().clone() }) {
            self.personal.insert((host, number), ticket);
        }
    }

    /// What a member joins by: its own ticket where it has one. `None` while that is not made.
    pub(super) fn ticket_of(&self, host: HostId, number: usize) -> Option<&Ticket> {
        let by_key = self.rights(number).is_none_or(|plan| plan.entries.get(&host) == Some(&Entry::Key));
        let own = self.personal.get(&(host, number));
        own.or_else(|| self.tickets.get(&number).filter(|_| by_key || self.quiet))
    }

    /// What was lost with its owner's power is made again; then by key, which takes no ticket.
    pub(super) fn hand_out_again(&mut self, number: usize) {
        let scenario = self.scenario;
        let Some(plan) = scenario.groups.get(number).filter(|plan| plan.rights.is_some()) else { return };
        let missing = |host: &HostId| {
            *host != plan.owner && !self.joined.contains(&(*host, number)) && !self.is_revoked(*host, number)
        };
        let hosts: Vec<HostId> = plan.members.iter().copied().filter(missing).collect();
        for host in hosts {
            self.grant(host, number);
        }
    }

    pub(super) fn is_revoked(&self, host: HostId, number: usize) -> bool {
        self.excuses.revoked.contains_key(&(host, number))
    }

    /// The owner takes a member's rights back, as soon as it can.
    pub(super) fn revoke(&mut self, host: HostId, number: usize) {
        let now = self.world.now();
        let Some(owner) = self.scenario.groups.get(number).map(|plan| plan.owner) else { return };
        let group = self.group_ids.get(&number).copied();
        let Some((group, node)) =
            group.zip(self.world.node(host)).filter(|_| !self.revokes_done.contains(&(host, number)))
        else {
            return;
        };
        // Asked for again until it is told to be done: the owner may have died over it.
        self.at(now.saturating_add(2 * SECOND), Action::Revoke(host, number));
        let under_way =
            |asked: &(HostId, u64, u64, Asked)| matches!(asked.3, Asked::Revoke(of, at) if (of, at) == (host, number));
        if !self.world.is_up(owner) || self.asked.values().any(under_way) {
            return;
        }
        self.excuses.revoked.entry((host, number)).or_insert(now);
        // What only it had goes nowhere any more.
        self.excuses.losses.push((host, now, Some(number)));
        self.ask(owner, Command::Revoke { group, whom: Revoked::Subject(node) }, Asked::Revoke(host, number));
    }

    /// A refusal that has to do with rights; `false` when it has not.
    pub(super) fn on_rights_refused(&mut self, host: HostId, asked: &Asked, refusal: Refusal) -> bool {
        match (asked, refusal) {
            (Asked::Join(number), Refusal::NobodyAdmits) if self.rights(*number).is_some() => {
                let at = self.world.now().saturating_add(self.prng.range(SECOND, 4 * SECOND));
                self.at(at, Action::Join(host, *number));
                true
            }
            // What the owner had handed out was lost with its power, or it is what was taken back.
            (Asked::Join(number), Refusal::NotAdmitted | Refusal::InviteUsed) => {
                let owner = self.scenario.groups.get(*number).map(|plan| plan.owner);
                self.is_revoked(host, *number) || owner.is_some_and(|owner| self.lost_power(owner))
            }
            (Asked::Rejoin, _) => true,
            (Asked::Ticket(..) | Asked::Grant | Asked::Revoke(..), _) => self.disk_refuses(host),
            (Asked::Publish(tokens), Refusal::NotAllowed | Refusal::NoKey) => {
                let To::Group(number) = self.ledger.destination(tokens) else { return false };
                let taken_back = self.is_revoked(host, number);
                let key_changes = self.excuses.revoked.keys().any(|(_, group)| *group == number);
                let keyless = refusal == Refusal::NoKey && key_changes;
                let excused = keyless || taken_back || self.lost_power(host);
                if excused && self.rights(number).is_some() {
                    self.ledger.refused(tokens);
                    if !taken_back {
                        self.rejoin(host, number);
                    }
                    return true;
                }
                false
            }
            _ => false,
        }
    }

    /// Joins again what was joined before the power was lost.
    fn rejoin(&mut self, host: HostId, number: usize) {
        if let Some(ticket) = self.ticket_of(host, number).cloned() {
            self.ask(host, Command::JoinGroup { ticket: Box::new(ticket), name: None }, Asked::Rejoin);
        }
    }

    /// A machine hands writes to its store.
    pub(super) fn on_wrote(&mut self, host: HostId, writes: &[Write]) -> Result<(), Broken> {
        for write in writes {
            if let Some(kept) = spy::group_of(write) {
                match kept.floor {
                    Some(floor) => self.floors.insert((host, kept.group), floor),
                    None => self.floors.remove(&(host, kept.group)),
                };
            }
            let Write::Append { log, item } = write else { continue };
            let group = crosscast_wire::GroupId::new(log.0);
            // A commit that failed is handed over again, with what was decided before the record came.
            let first = self.taken.insert((host, item.entry.id));
            let Some(floor) = self.floors.get(&(host, group)).filter(|_| first) else { continue };
            if floor.revokes(&RevocationId::of_subject(&item.entry.from)) {
                let (id, number) = (item.entry.id, floor.fields().number);
                let what = format!("n{} takes {id:?} of {:?}, revoked by record {number}", host.0, item.entry.from);
                return Err((Rule::Rights, what));
            }
        }
        Ok(())
    }

    /// What a member may do, and what it waits for.
    pub(super) fn check_rights(&mut self, host: HostId, views: &[GroupView]) {
        for number in 0..self.scenario.groups.len() {
            if self.rights(number).is_none() || self.is_revoked(host, number) {
                continue;
            }
            let id = self.group_ids.get(&number).copied();
            let Some(view) = views.iter().find(|view| Some(view.group) == id) else { continue };
            let lacks = view.rights.common(Rights::PUBLISH | Rights::SUBSCRIBE).is_empty();
            if lacks && self.joined.contains(&(host, number)) && self.lost_power(host) {
                self.rejoin(host, number);
            }
            let wants = lacks || view.asking == Some(Purpose::Key);
            self.wanting.insert((host, number), wants.then_some(view.asking));
        }
    }

    /// Nobody goes without what he holds.
    pub(super) fn check_rights_end(&self) -> Result<(), Broken> {
        let wanting = self.wanting.iter().filter_map(|(key, asking)| Some((key, (*asking)?)));
        for ((host, number), asking) in wanting {
            if self.joined.contains(&(*host, *number)) && !self.is_revoked(*host, *number) {
                let what = format!("n{} goes without its rights or the key of group {number}: asks {asking:?}", host.0);
                return Err((Rule::Rights, what));
            }
        }
        for (number, plan) in self.scenario.groups.iter().enumerate() {
            let planned = plan.rights.iter().flat_map(|rights| rights.revoked.keys());
            for host in planned {
                if !self.revokes_done.contains(&(*host, number)) {
                    return Err((Rule::Command, format!("the rights of n{} in group {number} stay", host.0)));
                }
                self.check_heard(*host, number, plan)?;
            }
        }
        Ok(())
    }

    /// Everybody who stays knows whose rights were taken back, unless that was lost with the owner's power.
    fn check_heard(&self, gone: HostId, number: usize, plan: &GroupPlan) -> Result<(), Broken> {
        let Some((group, node)) = self.group_ids.get(&number).copied().zip(self.world.node(gone)) else {
            return Ok(());
        };
        let tag = RevocationId::of_subject(&node);
        for host in plan.members.iter().filter(|host| !self.is_revoked(**host, number)) {
            let deaf = self.floors.get(&(*host, group)).is_some_and(|floor| !floor.revokes(&tag));
            if deaf && !self.lost_power(plan.owner) {
                let what = format!("n{} has not heard that the rights of n{} were taken back", host.0, gone.0);
                return Err((Rule::Rights, what));
            }
        }
        Ok(())
    }

    /// A host's process ended: which of its last writes were done is not known.
    pub(super) fn forget_floors(&mut self, host: HostId) {
        self.floors.retain(|(other, _), _| *other != host);
    }

    /// When somebody whose ticket is not made yet tries to join again.
    pub(super) fn try_later(&mut self, host: HostId, number: usize) {
        let at = self.world.now().saturating_add(500 * MILLI);
        self.at(at, Action::Join(host, number));
    }
}
