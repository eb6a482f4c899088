//! Messages on their way to single nodes: own ones and those passed on for others, until the next hop has them.
//!
//! A parcel is one message with one branch for each recipient that it still has to be handed on for. A branch is queued
//! on one link at a time; an acknowledgement ends it, a lost link frees it to go another way. Sequence numbers per
//! recipient live here too, and the prekeys of nodes that were heard of, so that sealing works while they are away. A
//! parcel may go out twice; the receiver's replay window makes copies harmless.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_port::LinkId;
use crosscast_wire::{Lane, MessageId, NodeId, Seq};

use crate::{Instant, limits};

/// One recipient of a parcel that it still has to be handed on for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    /// Its place among explicit recipients; 0 where there is only one.
    pub(crate) bit: u8,
    /// The link its copy came over, and is never sent back over; `None` for what was made here. Two copies of one
    /// message may come over two links, each for other recipients.
    pub(crate) came_over: Option<LinkId>,
    /// Links its copy crossed to get here.
    pub(crate) hops: u8,
    /// The link it is queued on or awaits its acknowledgement from.
    pub(crate) on: Option<LinkId>,
    /// With how many it may share a copy, itself included: a copy is taken or refused as a whole, so those of a refused
    /// one go on in halves until each is judged by itself.
    pub(crate) share: u8,
    /// How often a next hop said no.
    pub(crate) refusals: u8,
    /// Not tried again before.
    pub(crate) not_before: Instant,
}

impl Branch {
    /// A branch that is queued nowhere yet.
    pub(crate) const fn new(bit: u8, came_over: Option<LinkId>, hops: u8) -> Self {
        Self { bit, came_over, hops, on: None, share: u8::MAX, refusals: 0, not_before: Instant(0) }
    }
}

/// One copy of a message, and for whom it goes over a link.
#[derive(Default)]
pub(crate) struct Batch {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) bits: u32,
    pub(crate) hops: u8,
    /// The least that one of them may share a copy with.
    share: Option<u8>,
}

impl Batch {
    /// Adds a recipient where the shares of all allow it; who is left out goes when this copy is answered.
    pub(crate) fn add(&mut self, node: NodeId, branch: &Branch) {
        let share = self.share.map_or(branch.share, |share| share.min(branch.share));
        if self.nodes.is_empty() || self.nodes.len() < usize::from(share) {
            self.nodes.push(node);
            self.bits |= bit_of(branch.bit);
            self.hops = self.hops.max(branch.hops);
            self.share = Some(share);
        }
    }
}

/// The bit of a recipient's place.
pub(crate) const fn bit_of(place: u8) -> u32 {
    match 1u32.checked_shl(place as u32) {
        Some(bit) => bit,
        None => 0,
    }
}

/// One message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) id: MessageId,
    pub(crate) bytes: Bytes,
    pub(crate) lane: Lane,
    /// The link it came over first, which its bytes are booked to; `None` for what was made here.
    pub(crate) came_over: Option<LinkId>,
    /// Milliseconds it had been on its way when it came.
    pub(crate) age_ms: u32,
    pub(crate) since: Instant,
    /// When it is given up; what is followed ends with its life instead.
    pub(crate) until: Option<Instant>,
    /// Whether it has explicit recipients.
    pub(crate) list: bool,
    /// Routers still to cross.
    pub(crate) via: Vec<NodeId>,
    pub(crate) branches: BTreeMap<NodeId, Branch>,
}

impl Parcel {
    /// Whether it was made here.
    pub(crate) const fn is_own(&self) -> bool {
        self.came_over.is_none()
    }

    fn weight(&self) -> u64 {
        (self.bytes.len() as u64).saturating_add(PARCEL_OVERHEAD)
    }
}

/// What a parcel weighs beside its bytes.
const PARCEL_OVERHEAD: u64 = 256;

/// Everything on its way to single nodes.
#[derive(Default)]
pub(crate) struct Outbox {
    parcels: BTreeMap<u64, Parcel>,
    ids: BTreeMap<MessageId, u64>,
    by_node: BTreeMap<NodeId, BTreeSet<u64>>,
    next: u64,
    own_bytes: u64,
    transit: BTreeMap<LinkId, u64>,
    seqs: BTreeMap<(NodeId, NodeId), u64>,
    /// Numbers up to here may have been used with a recipient whose count was forgotten.
    seq_base: u64,
    prekeys: BTreeMap<NodeId, [u8; 32]>,
}

impl Outbox {
    /// Remembers what to seal with for a node that has proven it.
    pub(crate) fn learn_prekey(&mut self, node: NodeId, prekey: [u8; 32]) {
        if self.prekeys.len() >= limits::PREKEYS && !self.prekeys.contains_key(&node) {
            // Whom nothing is owed to is forgotten first.
            let idle = self.prekeys.keys().find(|node| !self.by_node.contains_key(node)).copied();
            let Some(idle) = idle else { return };
            self.prekeys.remove(&idle);
        }
        self.prekeys.insert(node, prekey);
    }

    pub(crate) fn prekey(&self, node: &NodeId) -> Option<[u8; 32]> {
        self.prekeys.get(node).copied()
    }

    /// Whether an own message of this length may wait.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        self.own_bytes.saturating_add(len as u64) <= limits::OUTBOX_BYTES
    }

    /// Whether another's message of this length that came over this link may wait: no link fills more than its share.
    pub(crate) fn has_transit_room(&self, link: LinkId, len: usize) -> bool {
        let len = len as u64;
        let all = self.transit.values().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
        let share = self.transit.get(&link).copied().unwrap_or(0);
        all.saturating_add(len) <= limits::TRANSIT_BYTES && share.saturating_add(len) <= limits::TRANSIT_BYTES / 4
    }

    /// The number of the next message from one key to another; a number is never used twice while the process runs.
    pub(crate) fn next_seq(&mut self, from: NodeId, to: NodeId) -> Seq {
        let key = (from, to);
        if self.seqs.len() >= limits::CORRESPONDENTS
            && !self.seqs.contains_key(&key)
            && let Some((_, forgotten)) = self.seqs.pop_first()
        {
            // Whoever is counted anew starts behind every count that was forgotten.
            self.seq_base = self.seq_base.max(forgotten);
        }
        let seq = self.seqs.entry(key).or_insert(self.seq_base);
        *seq = seq.saturating_add(1);
        Seq(*seq)
    }

    /// Adds a parcel, or its further branches to one that is there; returns its number.
    pub(crate) fn add(&mut self, parcel: Parcel) -> u64 {
        if let Some(number) = self.ids.get(&parcel.id).copied()
            && let Some(there) = self.parcels.get_mut(&number)
        {
            // What comes later has its own time.
            there.until = there.until.max(parcel.until);
            for (node, branch) in parcel.branches {
                there.branches.entry(node).or_insert(branch);
                self.by_node.entry(node).or_default().insert(number);
            }
            return number;
        }
        self.next = self.next.saturating_add(1);
        let number = self.next;
        match parcel.came_over {
            None => self.own_bytes = self.own_bytes.saturating_add(parcel.weight()),
            Some(link) => {
                let bytes = self.transit.entry(link).or_default();
                *bytes = bytes.saturating_add(parcel.weight());
            }
        }
        for node in parcel.branches.keys() {
            self.by_node.entry(*node).or_default().insert(number);
        }
        self.ids.insert(parcel.id, number);
        self.parcels.insert(number, parcel);
        number
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Parcel> {
        self.parcels.get(&number)
    }

    pub(crate) fn number_of(&self, id: &MessageId) -> Option<u64> {
        self.ids.get(id).copied()
    }

    /// The parcels for a node, oldest first.
    pub(crate) fn waiting(&self, node: &NodeId) -> Vec<u64> {
        self.by_node.get(node).into_iter().flatten().copied().collect()
    }

    /// Marks branches as queued on a link.
    pub(crate) fn queued(&mut self, number: u64, nodes: &[NodeId], link: LinkId) {
        let Some(parcel) = self.parcels.get_mut(&number) else { return };
        for node in nodes {
            if let Some(branch) = parcel.branches.get_mut(node) {
                branch.on = Some(link);
            }
        }
    }

    /// The branches of a message that are queued on a link.
    pub(crate) fn on_link(&self, id: &MessageId, link: LinkId) -> Vec<NodeId> {
        let parcel = self.number_of(id).and_then(|number| self.parcels.get(&number));
        let branches = parcel.into_iter().flat_map(|parcel| &parcel.branches);
        branches.filter(|(_, branch)| branch.on == Some(link)).map(|(node, _)| *node).collect()
    }

    /// A next hop said no to a branch: it is free again, not to be tried before `not_before`. Returns how often it was
    /// refused.
    pub(crate) fn refused(&mut self, number: u64, node: &NodeId, not_before: Instant) -> u8 {
        let branch = self.parcels.get_mut(&number).and_then(|parcel| parcel.branches.get_mut(node));
        let Some(branch) = branch else { return u8::MAX };
        *branch = Branch { on: None, refusals: branch.refusals.saturating_add(1), not_before, ..*branch };
        branch.refusals
    }

    /// A next hop said no to a copy for several: they are free again, to go in copies for half as many.
    pub(crate) fn halve(&mut self, number: u64, nodes: &[NodeId]) {
        let Some(parcel) = self.parcels.get_mut(&number) else { return };
        let share = u8::try_from(nodes.len() / 2).unwrap_or(u8::MAX).max(1);
        for node in nodes {
            if let Some(branch) = parcel.branches.get_mut(node) {
                *branch = Branch { on: None, share, ..*branch };
            }
        }
    }

    /// Ends a branch, and with its last one the parcel; returns whether that is gone.
    pub(crate) fn end_branch(&mut self, number: u64, node: &NodeId) -> bool {
        let Some(parcel) = self.parcels.get_mut(&number) else { return true };
        parcel.branches.remove(node);
        let empty = parcel.branches.is_empty();
        self.unlist(node, number);
        if empty {
            self.remove(number);
        }
        empty
    }

    fn unlist(&mut self, node: &NodeId, number: u64) {
        if let Some(numbers) = self.by_node.get_mut(node) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_node.remove(node);
            }
        }
    }

    /// Takes a parcel out.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Parcel> {
        let parcel = self.parcels.remove(&number)?;
        self.ids.remove(&parcel.id);
        for node in parcel.branches.keys() {
            self.unlist(node, number);
        }
        match parcel.came_over {
            None => self.own_bytes = self.own_bytes.saturating_sub(parcel.weight()),
            Some(link) => {
                if let Some(bytes) = self.transit.get_mut(&link) {
                    *bytes = bytes.saturating_sub(parcel.weight());
                    if *bytes == 0 {
                        self.transit.remove(&link);
                    }
                }
            }
        }
        Some(parcel)
    }

    /// A link is gone: what was queued on it is free again. Returns the parcels concerned, oldest first.
    pub(crate) fn link_lost(&mut self, link: LinkId) -> Vec<u64> {
        let mut freed = Vec::new();
        for (number, parcel) in &mut self.parcels {
            let mut any = false;
            for branch in parcel.branches.values_mut().filter(|branch| branch.on == Some(link)) {
                branch.on = None;
                any = true;
            }
            if any {
                freed.push(*number);
            }
        }
        freed
    }

    /// Parcels with a branch that is queued nowhere, oldest first.
    pub(crate) fn stuck(&self) -> Vec<u64> {
        let stuck = |parcel: &Parcel| parcel.branches.values().any(|branch| branch.on.is_none());
        self.parcels.iter().filter(|(_, parcel)| stuck(parcel)).map(|(number, _)| *number).collect()
    }

    /// Parcels whose time is over.
    pub(crate) fn overdue(&self, now: Instant) -> Vec<u64> {
        let over = |parcel: &Parcel| parcel.until.is_some_and(|until| until <= now);
        self.parcels.iter().filter(|(_, parcel)| over(parcel)).map(|(number, _)| *number).collect()
    }

    /// Whether a message for a node, an own one or another's, is queued nowhere.
    pub(crate) fn is_wanted(&self, node: &NodeId, own: bool) -> bool {
        let waits = |number: &u64| {
            let parcel = self.parcels.get(number).filter(|parcel| parcel.is_own() == own);
            parcel.and_then(|parcel| parcel.branches.get(node)).is_some_and(|branch| branch.on.is_none())
        };
        self.by_node.get(node).into_iter().flatten().any(waits)
    }

    /// The link that all came over what waits for a node: then a way over it is none.
    pub(crate) fn all_came_over(&self, node: &NodeId) -> Option<LinkId> {
        let waiting = |number: &u64| self.parcels.get(number).and_then(|parcel| parcel.branches.get(node));
        let mut branches = self.by_node.get(node).into_iter().flatten().filter_map(waiting);
        let first = branches.find(|branch| branch.on.is_none())?.came_over;
        first.filter(|_| branches.all(|branch| branch.on.is_some() || branch.came_over == first))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parcels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(number: u8) -> NodeId {
        NodeId::new([number; 32])
    }

    fn parcel(id: u8, came_over: Option<LinkId>, to: &[u8]) -> Parcel {
        let branches = to.iter().map(|number| (node(*number), Branch::new(0, came_over, 0))).collect();
        Parcel {
            id: MessageId::new([id; 32]),
            bytes: Bytes::from_static(&[0; 1_000]),
            lane: Lane::Normal,
            came_over,
            age_ms: 0,
            since: Instant(0),
            until: None,
            list: to.len() > 1,
            via: Vec::new(),
            branches,
        }
    }

    #[test]
    fn a_branch_ends_with_its_acknowledgement_and_the_parcel_with_its_last_branch() {
        let mut outbox = Outbox::default();
        let number = outbox.add(parcel(1, None, &[1, 2, 3]));
        outbox.queued(number, &[node(1), node(2)], LinkId(9));
        assert_eq!(outbox.on_link(&MessageId::new([1; 32]), LinkId(9)), [node(1), node(2)]);
        assert!(!outbox.end_branch(number, &node(1)));
        assert_eq!(outbox.link_lost(LinkId(9)), [number]);
        assert!([2, 3].iter().all(|number| outbox.is_wanted(&node(*number), true)));
        assert!(!outbox.is_wanted(&node(1), true) && !outbox.is_wanted(&node(2), false));
        assert!(!outbox.end_branch(number, &node(2)));
        assert!(outbox.end_branch(number, &node(3)));
        assert!(outbox.is_empty() && outbox.by_node.is_empty() && outbox.own_bytes == 0);
    }

    #[test]
    fn one_link_fills_no_more_than_its_share_of_what_is_passed_on() {
        let mut outbox = Outbox::default();
        let mut id = 0;
        while outbox.has_transit_room(LinkId(1), 1_256) {
            id += 1;
            let mut parcel = parcel(0, Some(LinkId(1)), &[1]);
            let mut key = [0; 32];
            key.iter_mut().zip(u32::to_be_bytes(id)).for_each(|(byte, from)| *byte = from);
            parcel.id = MessageId::new(key);
            outbox.add(parcel);
        }
        assert!(u64::from(id) * 1_256 <= limits::TRANSIT_BYTES / 4);
        assert!(outbox.has_transit_room(LinkId(2), 1_256));
        for number in outbox.waiting(&node(1)) {
            outbox.remove(number);
        }
        assert!(outbox.has_transit_room(LinkId(1), 1_256) && outbox.transit.is_empty());
    }

    #[test]
    fn numbers_rise_and_start_behind_what_was_forgotten() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.next_seq(node(1), node(0)), Seq(1));
        assert_eq!(outbox.next_seq(node(1), node(0)), Seq(2));
        assert_eq!(outbox.next_seq(node(2), node(0)), Seq(1));
        for number in 0..limits::CORRESPONDENTS as u64 {
            let mut key = [0xff; 32];
            key.iter_mut().zip(number.to_be_bytes()).for_each(|(byte, from)| *byte = from);
            outbox.next_seq(node(3), NodeId::new(key));
        }
        assert!(outbox.seqs.len() <= limits::CORRESPONDENTS);
        assert_eq!(outbox.next_seq(node(1), node(0)), Seq(3), "forgotten, and still not repeated");
    }
}
