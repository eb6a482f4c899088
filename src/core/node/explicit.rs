//! Sending one message to several named nodes, and sending to nodes that have to be found first.
//!
//! A message with explicit recipients is sealed to each of them, so each has to be known by its prekey. What is sent to
//! nodes that were never heard of waits until they have answered; who does not is left out of a list and told by name.

use bytes::Bytes;
use crosscast_wire::limits::{LIFE_MAX_MS, RECIPIENTS_MAX};
use crosscast_wire::{Entry, NodeId, RefuseCode, State};

use crate::{CommandId, Event, Instant, Node, Outcome, Refusal, Reply, limits};

use super::unicast::Draft;

/// Something to be sent once its recipients were found.
pub(super) struct Waiting {
    pub(super) command: CommandId,
    /// In ascending order.
    pub(super) to: Vec<NodeId>,
    /// Whether it is a list, even of one.
    pub(super) list: bool,
    pub(super) payload: Bytes,
    pub(super) life_ms: u64,
    pub(super) until: Instant,
}

impl Node {
    pub(super) fn on_send_many(
        &mut self,
        command: CommandId,
        mut to: Vec<NodeId>,
        payload: Bytes,
        life_ms: Option<u64>,
    ) {
        to.sort_unstable();
        to.dedup();
        let refusal = if to.is_empty() || to.len() > RECIPIENTS_MAX {
            Some(Refusal::Recipients)
        } else {
            self.send_refusal(&payload)
        };
        if let Some(refusal) = refusal {
            return self.reply(command, Reply::Refused(refusal));
        }
        let life_ms = life_ms.unwrap_or(self.config.times.window_ms).min(LIFE_MAX_MS);
        let waiting = Waiting { command, to, list: true, payload, life_ms, until: self.now.mono };
        if waiting.to.iter().all(|node| self.prekey_of(node).is_some()) {
            return self.send_list(waiting);
        }
        self.send_when_found(waiting);
    }

    /// Sends once the recipients were found, within the time after which they count as not found.
    pub(super) fn send_when_found(&mut self, mut waiting: Waiting) {
        let bytes = self.waiting.iter().fold(0usize, |sum, other| sum.saturating_add(other.payload.len()));
        if self.waiting.len() >= limits::WAITING_SENDS || bytes as u64 > limits::OUTBOX_BYTES {
            return self.reply(waiting.command, Reply::Refused(Refusal::Busy));
        }
        if !self.can_search() {
            // Nobody can be asked: only who is known already is sent to.
            return if waiting.list && waiting.to.iter().any(|node| self.prekey_of(node).is_some()) {
                self.send_list(waiting)
            } else {
                self.reply(waiting.command, Reply::Refused(Refusal::NotLinked))
            };
        }
        waiting.until = self.now.mono.plus_millis(limits::NOT_FOUND_MS.min(waiting.life_ms));
        let missing: Vec<NodeId> = waiting.to.iter().copied().filter(|node| self.prekey_of(node).is_none()).collect();
        self.waiting.push(waiting);
        for node in missing {
            self.search(node);
        }
        self.arm_letters();
    }

    /// Sends what can be sent now, and gives up what has waited long enough.
    pub(super) fn tend_waiting(&mut self) {
        let now = self.now.mono;
        for waiting in std::mem::take(&mut self.waiting) {
            let found = waiting.to.iter().all(|node| self.prekey_of(node).is_some());
            if !found && waiting.until > now {
                self.waiting.push(waiting);
            } else if waiting.list {
                self.send_list(waiting);
            } else {
                self.send_single(waiting);
            }
        }
    }

    /// Sends one message to all of a list that are known.
    fn send_list(&mut self, waiting: Waiting) {
        let Waiting { command, to, payload, life_ms, .. } = waiting;
        let known = |node: &NodeId| self.prekey_of(node).map(|prekey| (*node, prekey));
        let recipients: Vec<_> = to.iter().filter_map(known).collect();
        for (node, _) in &recipients {
            self.know(*node);
        }
        let me = self.config.node;
        let draft = Draft { from: me, to: me, recipients, list: true, entry: Entry::new(payload), life_ms };
        match self.seal_letter(draft) {
            Ok((unsigned, expires, sealed_to)) => {
                let id = unsigned.id;
                self.send_sealed(command, unsigned, expires);
                for node in to.into_iter().filter(|node| !sealed_to.contains(node)) {
                    let (to, code) = (Some(node), Some(RefuseCode::UnknownTo));
                    self.event(Event::Outcome(Outcome { id, state: State::Refused, links: 0, to, code }));
                }
            }
            Err(refusal) => self.reply(command, Reply::Refused(refusal)),
        }
    }
}
