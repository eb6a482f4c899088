//! Unicast messages from links: to this node, through it, or both, through the gates of `docs/spec/gates.md`.
//!
//! A message to this node or a service of it goes to the inbox, a stranger's as a request within bounds. One to another
//! node is passed on as it came when both links share a group with this node, once for each recipient, and is
//! acknowledged when it is queued on the next link. What the signature of such a message proves is also where its
//! sender lies.

use crosscast_port::{LinkId, LogEntry, LogItem, Write};
use crosscast_wire::{Destination, Entries, Header, Hop, Message, MessageId, NodeId, WallMillis};

use crate::auth::gate;
use crate::auth::replay::Windows;
use crate::group::log::Tag;
use crate::peer::incoming::Arrival;
use crate::route::inbox::Mark;
use crate::route::outbox::{Branch, Parcel, bit_of};
use crate::{Node, Reject, limits};

use super::accept::Candidate;
use super::commit::{After, Committed};
use super::locating::RECORD_TYPE;

/// Where a message that came is to go.
struct Plan {
    /// Which of its recipients is here.
    here: Option<NodeId>,
    /// Recipients that lie ahead, with their places.
    ahead: Vec<(NodeId, u8)>,
    /// Routers still to cross behind this one.
    via: Vec<NodeId>,
}

impl Node {
    /// Whether a key is this node's or that of a service of it.
    pub(super) fn is_here(&self, node: &NodeId) -> bool {
        *node == self.config.node || self.services.contains_key(node)
    }

    /// Finds out whom a message concerns; reads only.
    fn plan(&self, link: LinkId, hop: &Hop, message: &Message) -> Result<Plan, Reject> {
        let header = message.header();
        let to = header.to.node().ok_or(Reject::UnknownTo)?;
        if header.from == self.config.node && header.instance == self.config.instance {
            // It was led in a circle: whoever sent it on knows no way and shall look for one.
            return Err(Reject::UnknownTo);
        }
        if hop.hops >= limits::HOPS {
            return Err(Reject::TooFar);
        }
        let list = !header.recipients.is_empty();
        // A list is its sender's own: nobody else's key stands for it.
        if list && to != header.from {
            return Err(Reject::UnknownTo);
        }
        let recipients = if list { header.recipients.as_slice() } else { std::slice::from_ref(&to) };
        let wanted = if list { hop.remaining.unwrap_or(u32::MAX) } else { 1 };
        let via = match hop.via() {
            [first, rest @ ..] if *first == self.config.node && !list => rest.to_vec(),
            ahead if !list => ahead.to_vec(),
            _ => Vec::new(),
        };
        let (served, came_after) = self.transit.served(&message.id());
        // Copies come by other ways too; one that this node has sent on itself has crossed two more links at least.
        let circles = hop.hops > came_after.saturating_add(1);
        let mut plan = Plan { here: None, ahead: Vec::new(), via };
        for (place, node) in (0u8..).zip(recipients) {
            let bit = bit_of(place);
            if wanted & bit == 0 {
                continue;
            }
            if self.is_here(node) {
                plan.here = Some(*node);
            } else if served & bit != 0 && circles {
                return Err(Reject::UnknownTo);
            } else if served & bit != 0 || (list && *node == header.from) {
                // A copy, or the sender's own.
            } else if hop.hops.saturating_add(1) < limits::HOPS && self.passes(link, plan.via.first().unwrap_or(node)) {
                plan.ahead.push((*node, place));
            } else {
                // All or none: whoever sent it would never hear of one that was left out.
                return Err(Reject::UnknownTo);
            }
        }
        match (plan.here, plan.ahead.is_empty()) {
            (None, true) => Err(Reject::Duplicate),
            (Some(_), _) | (None, false) => Ok(plan),
        }
    }

    /// Whether there is a way on from a link to a node: not back, and only among links that share a group. The node
    /// itself may still be asking to take part: what it waits for is the answer.
    fn passes(&self, link: LinkId, heading: &NodeId) -> bool {
        let Some(next) = self.next_hop(heading.as_bytes(), false).filter(|next| *next != link) else { return false };
        let last = self.peer_of(next) == *heading && self.speaks_of_group(next);
        self.shares_group(link) && (last || self.shares_group(next))
    }

    /// The gates of a unicast message before its signature; nothing but tokens is taken.
    pub(super) fn letter_gates(&mut self, link: LinkId, hop: &Hop, message: &Message) -> Result<(), Reject> {
        if matches!(message.header().to, Destination::Multicast(_)) {
            return Ok(());
        }
        let plan = self.plan(link, hop, message)?;
        gate::time(message.header(), false, self.now.wall)?;
        let here = plan.here.map_or(Err(Reject::Duplicate), |here| self.inbox_gates(link, &here, message));
        match here {
            Ok(()) => {}
            // What is here already may still be for others.
            Err(Reject::Duplicate) if !plan.ahead.is_empty() => {}
            Err(reject) => return Err(reject),
        }
        if plan.ahead.is_empty() {
            return Ok(());
        }
        self.transit_gates(link, message)?;
        let paid = self.transit.pay(link, message.bytes().len(), self.now.mono);
        if paid { Ok(()) } else { Err(Reject::LinkRate) }
    }

    fn transit_gates(&self, link: LinkId, message: &Message) -> Result<(), Reject> {
        let origin = &self.links.get(&link).ok_or(Reject::UnknownTo)?.origin;
        if self.bars.hold(message.header().from, message.header().instance) {
            return Err(Reject::NotAllowed);
        }
        self.transit.check(&message.id(), message.header(), origin, self.now)?;
        let room = self.outbox.has_transit_room(link, message.bytes().len());
        if room { Ok(()) } else { Err(Reject::TransitFull) }
    }

    /// The replay windows of a message to one of this node's keys.
    fn windows_for(&self, here: &NodeId, list: bool) -> Option<&Windows> {
        match self.services.get(here) {
            _ if list => Some(&self.inbox.lists),
            Some(service) => Some(&service.windows),
            None => (*here == self.config.node).then_some(&self.inbox.windows),
        }
    }

    fn inbox_gates(&self, link: LinkId, here: &NodeId, message: &Message) -> Result<(), Reject> {
        let (header, wall) = (message.header(), self.now.wall);
        if self.inbox.log.position_of(&message.id()).is_some() {
            return Err(Reject::Duplicate);
        }
        let windows = self.windows_for(here, !header.recipients.is_empty()).ok_or(Reject::UnknownTo)?;
        windows.check(header.from, header.instance, header.seq, wall)?;
        if self.bars.hold(header.from, header.instance) {
            return Err(Reject::NotAllowed);
        }
        let len = message.bytes().len() as u64;
        // Who is looked for or asked answers, and what it answers takes no room; what else it says is judged when opened.
        let asked = || self.groups.values().any(|group| group.asking.request.is_some());
        if !self.is_known(&header.from, link) && !self.searches.contains_key(&header.from) && !asked() {
            self.inbox.contacts.check(&header.from, self.peer_of(link), len, wall)?;
        }
        let (_, kept) = self.inbox.log.weight();
        let fits = kept.saturating_add(len) <= self.config.sizes.inbox_bytes;
        if fits { Ok(()) } else { Err(Reject::InboxFull) }
    }

    /// The node at the other end of a link.
    fn peer_of(&self, link: LinkId) -> NodeId {
        let peer = self.links.get(&link).and_then(|state| state.peer);
        peer.map_or(self.config.node, |(node, _)| node)
    }

    /// Whether a sender is no stranger: it was written to or accepted, has published in a group of this node, is the
    /// other end of a link that shares a group, or of one that this node's operator asked for.
    fn is_known(&self, from: &NodeId, link: LinkId) -> bool {
        let linked = self.peer_of(link) == *from && (self.shares_group(link) || self.targets.expects(*from));
        *from == self.config.node
            || linked
            || self.inbox.contacts.knows(from)
            || self.groups.values().any(|group| group.windows.has_heard(from))
    }

    /// Everything holds: looks again at what may have changed meanwhile, then passes on and takes in.
    pub(super) fn accept_letter(&mut self, candidate: Candidate) {
        let Candidate { link, arrival, tag, hop, message } = candidate;
        if self.is_store_failing() {
            return self.refuse_message(link, arrival, &message, Reject::StoreFailed);
        }
        let plan = match self.plan(link, &hop, &message) {
            Ok(plan) => plan,
            Err(reject) => return self.refuse_message(link, arrival, &message, reject),
        };
        self.learn_route(message.header().from, link);
        let passed_on = if plan.ahead.is_empty() { Ok(()) } else { self.transit_gates(link, &message) };
        let taken = passed_on.and_then(|()| match plan.here {
            Some(here) => self.take_letter(link, arrival, tag, &here, message.clone()),
            None => Err(Reject::Duplicate),
        });
        match taken {
            Ok(()) => {}
            Err(Reject::Duplicate) if !plan.ahead.is_empty() => {
                if plan.here.is_some() {
                    self.rejects.count(Reject::Duplicate);
                }
                self.settle(link, arrival);
            }
            Err(reject) => return self.refuse_message(link, arrival, &message, reject),
        }
        if !plan.ahead.is_empty() {
            self.hand_on(link, &hop, &message, plan.ahead, plan.via);
        }
    }

    fn hand_on(&mut self, link: LinkId, hop: &Hop, message: &Message, ahead: Vec<(NodeId, u8)>, via: Vec<NodeId>) {
        let (id, header) = (message.id(), message.header());
        let bits = ahead.iter().fold(0, |bits, (_, place)| bits | bit_of(*place));
        if let Some(state) = self.links.get(&link) {
            self.transit.take(id, header, (bits, hop.hops), &state.origin, self.now);
        }
        let hops = hop.hops.saturating_add(1);
        let branch = |(node, bit)| (node, Branch::new(bit, Some(link), hops));
        let number = self.outbox.add(Parcel {
            id,
            bytes: message.bytes().clone(),
            lane: header.class.lane(),
            came_over: Some(link),
            age_ms: hop.age_ms,
            since: self.now.mono,
            until: Some(self.now.mono.plus_millis(limits::TRANSIT_WAIT_MS)),
            list: !header.recipients.is_empty(),
            via,
            branches: ahead.into_iter().map(branch).collect(),
        });
        self.post(number);
        self.arm_letters();
    }

    /// Takes in a message to one of this node's keys: what the overlay says to itself is heeded, the rest is kept.
    fn take_letter(
        &mut self,
        link: LinkId,
        arrival: Arrival,
        tag: Tag,
        here: &NodeId,
        message: Message,
    ) -> Result<(), Reject> {
        self.inbox_gates(link, here, &message)?;
        let (from, len) = (message.header().from, message.bytes().len() as u64);
        let list = !message.header().recipients.is_empty();
        let entries = self.entries(&message).ok_or(Reject::Unreadable)?;
        if self.heed(&message, &entries) {
            let header = message.header();
            self.take_number(here, list, header.from, header.instance, header.seq, self.now.wall);
            self.settle(link, arrival);
            return Ok(());
        }
        let request = !self.is_known(&from, link);
        if request {
            self.inbox.contacts.check(&from, self.peer_of(link), len, self.now.wall)?;
        }
        let mark = Mark { request, list, service: self.service_number(here) };
        self.commit_letter(message, tag, mark, Some((link, arrival)));
        Ok(())
    }

    /// Whether a message is the overlay's own business; then it is dealt with and not shown.
    fn heed(&mut self, message: &Message, entries: &Entries) -> bool {
        let Some(entry) = entries.iter().next() else { return false };
        match entry.meta.content_type.as_deref() {
            Some(RECORD_TYPE) => self.on_record(message.header().from, &entry.payload),
            Some(_) | None => return message.header().to.node() == Some(self.config.node) && self.take_grant(message),
        }
        true
    }

    /// Takes a number from the windows of one of this node's keys.
    fn take_number(
        &mut self,
        here: &NodeId,
        list: bool,
        from: NodeId,
        instance: crosscast_wire::Instance,
        seq: crosscast_wire::Seq,
        wall: WallMillis,
    ) {
        match self.services.get_mut(here).filter(|_| !list) {
            Some(service) => service.windows.take(from, instance, seq, wall),
            None => self.inbox.take(list, from, instance, seq, wall),
        }
    }

    /// Whether a kept message is a stranger's, and which service it was sent to.
    pub(super) fn letter_facts(&self, header: &Header, id: &MessageId) -> (bool, Option<NodeId>) {
        let to = match header.to {
            Destination::Multicast(_) => return (false, None),
            Destination::Unicast(to) => to,
        };
        let log = &self.inbox.log;
        let mark = log.position_of(id).and_then(|pos| log.find(pos)).map(|entry| Mark::unpack(entry.tag));
        let mark = mark.unwrap_or_default();
        // Who was accepted meanwhile is a stranger no more.
        let request = mark.request && !self.inbox.contacts.knows(&header.from);
        let service = if mark.list { self.service_with(mark.service) } else { Some(to) };
        (request, service.filter(|service| *service != self.config.node))
    }

    /// What the store kept of a message becomes state again.
    pub(super) fn restore_letter(&mut self, entry: &LogEntry) {
        let mark = Mark::unpack(entry.tag);
        let here = self.service_with(mark.service).unwrap_or(self.config.node);
        if mark.service == 0 || here != self.config.node {
            self.take_number(&here, mark.list, entry.from, entry.instance, entry.seq, entry.time);
        }
        if mark.request && entry.len > 0 && !self.inbox.contacts.knows(&entry.from) {
            self.inbox.contacts.add(entry.pos, entry.from, None, u64::from(entry.len), entry.arrived);
        }
    }

    /// Books a message into the inbox.
    pub(super) fn commit_letter(&mut self, message: Message, tag: Tag, mark: Mark, from: Option<(LinkId, Arrival)>) {
        let pos = self.next_pos();
        let header = message.header();
        let len = u32::try_from(message.bytes().len()).unwrap_or(u32::MAX);
        let entry = LogEntry {
            pos,
            id: message.id(),
            from: header.from,
            instance: header.instance,
            seq: header.seq,
            time: header.time,
            expires: header.expires,
            arrived: self.now.wall,
            released: Some(pos),
            gap: false,
            len,
            tag: tag.pack() | mark.pack(),
        };
        let (sender, log) = (header.from, self.inbox_log());
        let (instance, seq) = (header.instance, header.seq);
        let here = self.service_with(mark.service).unwrap_or(self.config.node);
        self.take_number(&here, mark.list, sender, instance, seq, self.now.wall);
        if mark.request {
            let through = from.map(|(link, _)| self.peer_of(link));
            self.inbox.contacts.add(pos, sender, through, u64::from(len), self.now.wall);
        }
        self.inbox.log.append(entry.clone());
        self.write(Write::Append { log, item: LogItem { entry, bytes: message.bytes().clone() } });
        self.after_commit(After::Message(Box::new(Committed { message, tag, pos, released: Some(pos), from })));
    }
}
