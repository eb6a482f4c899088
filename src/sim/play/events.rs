//! What the machines tell their applications.

use crosscast_core::Command;
use crosscast_core::{CommandId, Delivery, Event, GroupView, PeerView, ReaderId, Refusal, Reply};

use super::apps::WINDOW_SPARE;
use super::{Action, Asked, Play};
use crate::agenda::{Micros, SECOND};
use crate::ledger::{Broken, Stream};
use crate::machine::Machine;
use crate::prng::PPM;
use crate::violation::Rule;
use crate::world::HostId;

/// Most that waits for a peer on the control lane: the core's own word.
const CONTROL_BYTES: u64 = 1 << 20;
/// What a data lane may hold beyond its bound: a read of the log and a full message.
const LANE_SPARE: u64 = 1 << 20;

impl<M: Machine> Play<'_, M> {
    pub(super) fn on_event(&mut self, host: HostId, run: u64, event: Event) -> Result<(), Broken> {
        if self.runs.get(&host) != Some(&run) {
            return Err((Rule::Contract, format!("n{}: event of run {run} in run {:?}", host.0, self.runs.get(&host))));
        }
        match event {
            Event::Reply(id, reply) => self.on_reply(host, id, reply),
            Event::Deliver(reader, delivery) => self.on_delivery(host, run, reader, &delivery),
            Event::ReaderGap(reader) => self.on_reader_gap(host, reader),
            Event::Outcome(outcome) => self.ledger.outcome(host, run, self.world.wall_ms(host), outcome),
            Event::Notice(_) => Ok(()),
        }
    }

    fn on_reply(&mut self, host: HostId, id: CommandId, reply: Reply) -> Result<(), Broken> {
        let Some((of, _, _, asked)) = self.asked.remove(&id) else {
            return Err((Rule::Command, format!("n{} answered command {} twice or unasked: {reply:?}", host.0, id.0)));
        };
        if of != host {
            return Err((Rule::Command, format!("n{} answered the command {} of n{}", host.0, id.0, of.0)));
        }
        match (asked, reply) {
            (Asked::Create(number), Reply::Group { group, ticket: Some(ticket), .. }) => {
                self.group_ids.insert(number, group);
                self.ledger.add_group(group, number);
                self.share(number, &ticket);
                self.member(host, number);
            }
            (Asked::Join(number), Reply::Group { .. }) => self.member(host, number),
            (Asked::Rejoin, Reply::Group { .. }) | (Asked::Grant, Reply::Granted { .. }) => {}
            (Asked::Ticket(of, number), Reply::Ticket(ticket)) => self.on_ticket(of, number, &ticket),
            (Asked::Revoke(of, number), Reply::Done) => {
                self.revokes_done.insert((of, number));
            }
            (Asked::Subscribe(stream), Reply::Reading(reader)) => {
                let now = self.world.now();
                if let Some(chain) = self.ledger.chain_mut(host, stream) {
                    chain.reader = Some(reader);
                    chain.began(now);
                }
            }
            (Asked::Publish(tokens), Reply::Published { id, first_index }) => {
                return self.ledger.published(id, first_index, &tokens);
            }
            (Asked::AckInbox(through), Reply::Done) => {
                if let Some(chain) = self.ledger.chain_mut(host, Stream::Inbox) {
                    chain.acknowledged(through);
                }
            }
            (Asked::Unsubscribe(stream), Reply::Done) => self.read_stream(host, stream),
            (Asked::Ping, Reply::Pong { .. }) => {}
            (Asked::Leave(number), Reply::Done) => self.part(host, number),
            (Asked::Peers, Reply::Peers(peers)) => return self.check_peers(host, &peers),
            (Asked::Groups, Reply::Groups(groups)) => {
                self.check_rights(host, &groups);
                return self.check_groups(host, &groups);
            }
            (Asked::Status, Reply::Status(status)) => return self.count_rejects(host, &status.rejects),
            (Asked::Done | Asked::Accept, Reply::Done) => {}
            (asked, Reply::Refused(refusal)) => return self.on_refused(host, asked, refusal),
            (asked, reply) => {
                return Err((Rule::Command, format!("n{} answered {asked:?} by {reply:?}", host.0)));
            }
        }
        Ok(())
    }

    /// A host has become part of a group: it reads.
    fn member(&mut self, host: HostId, number: usize) {
        if self.joined.insert((host, number)) {
            self.read_group(host, number);
        }
    }

    fn on_refused(&mut self, host: HostId, asked: Asked, refusal: Refusal) -> Result<(), Broken> {
        let count = self.refusals.entry(format!("{refusal:?}")).or_default();
        *count = count.saturating_add(1);
        let store = refusal == Refusal::Store && self.disk_refuses(host);
        match (&asked, refusal) {
            (_, Refusal::ShuttingDown) => {}
            _ if self.on_rights_refused(host, &asked, refusal) => {}
            // The store lost the joining with the power; it is done again.
            (Asked::Subscribe(Stream::Group(number) | Stream::Tail(number)), Refusal::UnknownGroup)
                if self.lost_power(host) =>
            {
                self.joined.remove(&(host, *number));
                self.join(host, *number);
            }
            // It had left before it was killed, and was not told.
            (Asked::Subscribe(Stream::Group(number) | Stream::Tail(number)), Refusal::UnknownGroup)
                if self.left(host, *number) =>
            {
                self.part(host, *number);
            }
            // Leaving ended the reader first.
            (Asked::Unsubscribe(Stream::Group(number) | Stream::Tail(number)), Refusal::UnknownReader)
                if self.left(host, *number) => {}
            (Asked::Ping, Refusal::NotLinked) => {}
            (Asked::Publish(tokens), Refusal::UnknownGroup) if self.has_left(host) => self.ledger.refused(tokens),
            (Asked::Leave(_), _) if store => {}
            (Asked::Subscribe(stream), Refusal::NoHistory) if self.scenario.small_window => {
                self.torn.insert((host, *stream));
                self.read_stream(host, *stream);
            }
            (Asked::Publish(tokens), Refusal::Busy | Refusal::Limit) => self.ledger.refused(tokens),
            (Asked::Publish(tokens), Refusal::NotLinked | Refusal::NotFound) => self.ledger.refused(tokens),

            (Asked::Publish(tokens), Refusal::UnknownGroup) if self.lost_power(host) => self.ledger.refused(tokens),
            (Asked::Join(number), _) if store => {
                let at = self.world.now().saturating_add(SECOND);
                self.at(at, Action::Join(host, *number));
            }
            (Asked::AckInbox(_) | Asked::Accept, _) if store => {}
            (Asked::Publish(tokens), _) if store => self.ledger.refused(tokens),
            _ => return Err((Rule::Command, format!("n{} refused {asked:?}: {refusal:?}", host.0))),
        }
        if let (Asked::Publish(tokens), Refusal::ShuttingDown) = (&asked, refusal) {
            self.ledger.refused(tokens);
        }
        Ok(())
    }

    pub(super) fn lost_power(&self, host: HostId) -> bool {
        self.excuses.losses.iter().any(|(other, _, group)| *other == host && group.is_none())
    }

    fn left(&self, host: HostId, number: usize) -> bool {
        self.excuses.losses.iter().any(|(other, _, group)| *other == host && *group == Some(number))
    }

    fn has_left(&self, host: HostId) -> bool {
        self.excuses.losses.iter().any(|(other, _, group)| *other == host && group.is_some())
    }

    pub(super) fn disk_refuses(&self, host: HostId) -> bool {
        // A machine that stood still, or tries again after a while, learns later that its disk works again.
        let now = self.world.now();
        let learnt = |until: Micros| until.max(self.scenario.quiet_from).saturating_add(10 * SECOND);
        self.disks.iter().any(|(other, from, until)| *other == host && (*from..=learnt(*until)).contains(&now))
    }

    fn on_delivery(&mut self, host: HostId, run: u64, reader: ReaderId, delivery: &Delivery) -> Result<(), Broken> {
        let now = self.world.now();
        let stream = self.ledger.deliver(host, reader, now, delivery)?;
        let takes = match stream {
            Stream::Inbox => {
                if self.prng.chance(PPM / 2) {
                    let through = delivery.cursor;
                    self.ask(host, Command::AcknowledgeInbox { through }, Asked::AckInbox(through));
                }
                0
            }
            Stream::Group(number) => self.reader_plan(host, number).map_or(0, |plan| plan.takes),
            Stream::Tail(_) => 0,
        };
        if takes == 0 {
            self.consume(host, run, stream, delivery.weight);
        } else {
            self.at(now.saturating_add(takes), Action::Consume(host, run, stream, delivery.weight));
        }
        Ok(())
    }

    fn on_reader_gap(&mut self, host: HostId, reader: ReaderId) -> Result<(), Broken> {
        if !self.scenario.small_window {
            return Err((
                Rule::Gap,
                format!("n{}: reader {} fell behind, though everything is kept", host.0, reader.0),
            ));
        }
        for stream in self.streams() {
            if let Some(chain) = self.ledger.chain_mut(host, stream).filter(|chain| chain.reader == Some(reader)) {
                chain.fell_behind();
            }
        }
        Ok(())
    }

    fn check_peers(&mut self, host: HostId, peers: &[PeerView]) -> Result<(), Broken> {
        let lanes = self.scenario.sizes.lane_queue_bytes.saturating_add(LANE_SPARE).saturating_mul(3);
        let bound = lanes.saturating_add(CONTROL_BYTES);
        for peer in peers {
            self.max_queued_bytes = self.max_queued_bytes.max(peer.queued_bytes);
            if peer.queued_bytes > bound {
                let what = format!("n{} queues {} bytes of {bound} for {:?}", host.0, peer.queued_bytes, peer.node);
                return Err((Rule::Bound, what));
            }
        }
        Ok(())
    }

    fn check_groups(&self, host: HostId, groups: &[GroupView]) -> Result<(), Broken> {
        let bound = self.scenario.sizes.window_bytes.saturating_add(WINDOW_SPARE);
        match groups.iter().find(|group| group.bytes > bound) {
            Some(group) => Err((Rule::Bound, format!("n{} keeps {} bytes of {:?}", host.0, group.bytes, group.group))),
            None => Ok(()),
        }
    }
}
