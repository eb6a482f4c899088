//! Floor records as they come: checked, taken, passed on, and everything judged anew that they change.

use bytes::Bytes;
use crosscast_port::LinkId;
use crosscast_wire::{Chain, Domain, FloorRecord, GroupId, frame};

use crate::auth::floors;
use crate::{Event, Node, Notice, Reject, SignatureCheck, Verdict, VerifyJob};

use super::Pending;
use super::chains::chain_checks;

/// A floor record that a link offers, with what entitles its signer.
pub(super) struct Offered {
    pub(super) floor: FloorRecord,
    pub(super) chain: Option<Chain>,
}

impl Node {
    pub(super) fn on_floor(&mut self, link: LinkId, floor: FloorRecord, chain: Option<Chain>) {
        let id = floor.fields().group;
        let Some(group) = self.groups.get(&id) else { return };
        match floors::compare(&floor, group.floor.as_ref()) {
            // Every link-up begins with it.
            std::cmp::Ordering::Equal => return,
            std::cmp::Ordering::Less => {
                self.rejects.count(Reject::OldFloor);
                return self.tell_floor(link, id);
            }
            std::cmp::Ordering::Greater => {}
        }
        if let Err(reject) = floors::check(&floor, chain.as_ref(), self.now.wall) {
            return self.blame(link, reject);
        }
        let job = floor_job(&floor, chain.as_ref());
        self.verify(Pending::FloorCheck(link, Box::new(Offered { floor, chain })), job);
    }

    /// Answers an older record with ours, once a link and until its peer leaves: who goes on with it has heard of ours.
    fn tell_floor(&mut self, link: LinkId, id: GroupId) {
        let Some(group) = self.groups.get(&id) else { return };
        let Some(floor) = &group.floor else { return };
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.floors_told.insert(id, floor.fields().number) != Some(floor.fields().number) {
            state.out.push(frame::floor(floor, group.floor_chain.as_ref()));
            self.dirty.insert(link);
        }
    }

    pub(super) fn on_floor_checked(&mut self, link: LinkId, offered: Offered, verdict: Verdict) {
        let Offered { floor, chain } = offered;
        let Some(group) = self.groups.get(&floor.fields().group) else { return };
        if verdict != Verdict::Good {
            return self.blame(link, Reject::BadFloor);
        }
        if floors::compare(&floor, group.floor.as_ref()).is_le() {
            return;
        }
        match floors::check_change(&floor, chain.as_ref(), group.floor.as_ref()) {
            Ok(()) => self.take_floor(floor, chain, Some(link)),
            Err(reject) => self.blame(link, reject),
        }
    }

    /// Takes a floor record whose signatures hold, and passes it on.
    pub(super) fn take_floor(&mut self, floor: FloorRecord, chain: Option<Chain>, from: Option<LinkId>) {
        let id = floor.fields().group;
        let now = self.now.mono;
        let Some(group) = self.groups.get_mut(&id) else { return };
        let known_key = group.sealing_key();
        let stood = group.standing.as_ref().is_some_and(|standing| standing.stands(group.floor.as_ref()));
        let frame = frame::floor(&floor, chain.as_ref());
        group.floor = Some(floor);
        group.floor_chain = chain;
        if let Some(before) = known_key.filter(|before| group.sealing_key() != Some(*before)) {
            group.keys.begin_epoch(before, now);
        }
        let lost = stood && !group.standing.as_ref().is_some_and(|standing| standing.stands(group.floor.as_ref()));
        let links: Vec<LinkId> = group.neighbours.iter().copied().filter(|link| Some(*link) != from).collect();
        self.keep_group(id);
        for link in links {
            if let Some(state) = self.links.get_mut(&link) {
                state.out.push(frame.clone());
                self.dirty.insert(link);
            }
        }
        if lost {
            self.event(Event::Notice(Notice::RightsLost { group: id }));
        }
        self.judge_feeds(id);
        self.judge_foreign(id);
        self.after_floor(id);
    }

    /// A new floor may let those in who were not.
    fn judge_foreign(&mut self, id: GroupId) {
        let asked = |state: &crate::peer::link::Link| state.foreign.get(&id).map(|chain| (state.id, *chain));
        let waiting: Vec<_> = self.links.values().filter_map(asked).collect();
        for (link, chain) in waiting {
            self.on_subscribe(link, id, true, chain);
        }
    }
}

/// The signatures that a floor record and its chain stand on.
pub(super) fn floor_job(floor: &FloorRecord, chain: Option<&Chain>) -> VerifyJob {
    let own = SignatureCheck {
        key: *floor.signer_key(),
        domain: Domain::Floor,
        body: Bytes::copy_from_slice(floor.body()),
        signature: *floor.signature(),
    };
    let signatures = std::iter::once(own).chain(chain.into_iter().flat_map(chain_checks)).collect();
    VerifyJob { signatures, payload: None }
}
