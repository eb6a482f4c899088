//! Two messages that claim one number: how their sender is convicted, and what everyone does then.
//!
//! A second message under a number that is taken is refused in any case. If its signature holds too, the two headers
//! convict their sender, whoever shows them: the run is barred, the neighbours of that group are told, and each of them
//! that knows the run checks both signatures before it does the same. Payloads stay out of it.

use std::collections::VecDeque;

use crosscast_port::{LinkId, LogPos, Space, StoreOp, StoreOutcome, Write};
use crosscast_wire::{Destination, Domain, Equivocation, GroupId, Instance, Message, NodeId, frame};

use crate::auth::bars;
use crate::peer::incoming::Arrival;
use crate::{Event, Node, Notice, Reject, SignatureCheck, Verdict, VerifyJob, limits};

use super::Pending;

/// A message under a number that another one has, and where that other one stands.
pub(super) struct SecondClaim {
    group: GroupId,
    message: Message,
    first: LogPos,
}

impl Node {
    /// A message whose number is taken: refused, and looked into when the one that has the number is still here.
    pub(super) fn on_number_taken(&mut self, link: LinkId, arrival: Arrival, message: Message) {
        self.refuse_message(link, arrival, &message, Reject::Replayed);
        let Some(claim) = self.second_claim(link, message) else { return };
        let body = claim.message.bytes().slice(..claim.message.header_bytes().len());
        let (key, signature) = (*claim.message.header().from.as_bytes(), *claim.message.signature());
        let check = SignatureCheck { key, domain: Domain::Message, body, signature };
        let job = VerifyJob { signatures: vec![check], payload: None };
        self.verify(Pending::SecondClaimCheck(link, Box::new(claim)), job);
    }

    /// A message that was being verified while another one took its number.
    pub(super) fn on_number_lost(&mut self, link: LinkId, message: Message) {
        if let Some(claim) = self.second_claim(link, message) {
            self.read_first(claim);
        }
    }

    fn second_claim(&mut self, link: LinkId, message: Message) -> Option<SecondClaim> {
        let header = message.header();
        let Destination::Multicast(group) = header.to else { return None };
        if self.bars.is_barred(header.from, header.instance) {
            return None;
        }
        // To find the other one takes a walk through the log.
        if !self.links.get_mut(&link)?.suspicions.take(self.now.mono) {
            return None;
        }
        let log = &self.groups.get(&group)?.log;
        let first = log.holder_of(header.from, header.instance, header.seq).filter(|entry| entry.id != message.id())?;
        Some(SecondClaim { group, first: first.pos, message })
    }

    pub(super) fn on_second_claim_checked(&mut self, link: LinkId, claim: SecondClaim, verdict: Verdict) {
        if verdict == Verdict::Good {
            self.read_first(claim);
        } else {
            self.blame(link, Reject::BadSignature);
        }
    }

    fn read_first(&mut self, claim: SecondClaim) {
        let Some(group) = self.groups.get(&claim.group) else { return };
        let after = LogPos(claim.first.0.saturating_sub(1));
        let read = StoreOp::Read { log: group.log_id(), after, max_bytes: 1 };
        self.store(Pending::FirstClaimRead(Box::new(claim)), read);
    }

    pub(super) fn on_first_claim_read(&mut self, claim: &SecondClaim, outcome: StoreOutcome) {
        let items = match outcome {
            StoreOutcome::Items { items, .. } => items,
            StoreOutcome::Committed | StoreOutcome::Failed(_) => return,
        };
        let first = items.into_iter().find(|item| item.entry.pos == claim.first);
        let Some(first) = first.and_then(|item| Message::parse(item.bytes).ok()) else { return };
        // Its signature and ours were checked when they came.
        if let Ok(proof) = Equivocation::new(&first, &claim.message) {
            self.convict(&proof, None);
        }
    }

    /// Somebody shows a proof. It concerns this node when the run has been heard here.
    pub(super) fn on_equivocation(&mut self, link: LinkId, proof: Equivocation) {
        let (from, instance) = (proof.from(), proof.instance());
        let Destination::Multicast(id) = proof.to() else { return };
        let Some(group) = self.groups.get(&id) else { return };
        if self.bars.is_barred(from, instance) {
            return;
        }
        if !group.windows.knows(from, instance) {
            self.early_proofs.push_back((link, proof));
            if self.early_proofs.len() > limits::EARLY_PROOFS {
                self.early_proofs.pop_front();
            }
            return;
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        if !state.suspicions.take(self.now.mono) {
            return self.rejects.count(Reject::Rate);
        }
        let signatures = proof.claims().map(|(body, signature)| SignatureCheck {
            key: *from.as_bytes(),
            domain: Domain::Message,
            body,
            signature,
        });
        let job = VerifyJob { signatures: signatures.into(), payload: None };
        self.verify(Pending::EquivocationCheck(link, Box::new(proof)), job);
    }

    /// A run is heard for the first time: what was shown about it before concerns this node now.
    pub(super) fn look_at_early_proofs(&mut self, from: NodeId, instance: Instance) {
        if self.early_proofs.is_empty() {
            return;
        }
        let about = |(_, proof): &(LinkId, Equivocation)| proof.from() == from && proof.instance() == instance;
        let (now, later): (VecDeque<_>, VecDeque<_>) =
            std::mem::take(&mut self.early_proofs).into_iter().partition(about);
        self.early_proofs = later;
        for (link, proof) in now {
            self.on_equivocation(link, proof);
        }
    }

    pub(super) fn on_equivocation_checked(&mut self, link: LinkId, proof: &Equivocation, verdict: Verdict) {
        if verdict == Verdict::Good {
            self.convict(proof, Some(link));
        } else {
            self.blame(link, Reject::BadSignature);
        }
    }

    /// Bars a run, once, and tells the group's neighbours.
    fn convict(&mut self, proof: &Equivocation, shown_by: Option<LinkId>) {
        let (from, instance) = (proof.from(), proof.instance());
        let Destination::Multicast(id) = proof.to() else { return };
        if self.bars.is_barred(from, instance) {
            return;
        }
        let now = self.now.wall;
        if let Some((node, run)) = self.bars.bar(from, instance, now) {
            self.write(Write::Delete { space: Space::Bar, key: bars::key(&node, run) });
        }
        let (key, value) = (bars::key(&from, instance), bars::value(now, proof));
        self.write(Write::Put { space: Space::Bar, key, value });
        self.event(Event::Notice(Notice::Equivocated { node: from, instance, group: id }));
        let neighbours = self.groups.get(&id).map(|group| group.neighbours.iter().copied().collect::<Vec<_>>());
        for link in neighbours.into_iter().flatten().filter(|link| Some(*link) != shown_by) {
            if let Some(state) = self.links.get_mut(&link) {
                state.out.push(frame::equivocation(proof));
                self.dirty.insert(link);
            }
        }
    }

    /// A proof in the store was checked before it was put there.
    pub(super) fn restore_bar(&mut self, value: &[u8]) {
        if let Some((at, proof)) = bars::read(value) {
            let _ = self.bars.bar(proof.from(), proof.instance(), at);
        }
    }

    /// Convictions whose time is over go.
    pub(super) fn expire_bars(&mut self) {
        for (from, instance) in self.bars.expire(self.now.wall) {
            self.write(Write::Delete { space: Space::Bar, key: bars::key(&from, instance) });
        }
    }
}
