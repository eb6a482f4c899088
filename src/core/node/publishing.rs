//! Publishing: entries gather, become a sealed and signed message, are committed, and their outcome is followed.

use bytes::Bytes;
use crosscast_seal::{ContentKey, Sealing, Suite, seal_payload};
use crosscast_wire::limits::LIFE_MAX_MS;
use crosscast_wire::{
    Chain, Class, Codec, Destination, Domain, Entry, GroupId, HeaderDraft, Headroom, Instance, Message, MessageId,
    NodeId, Order, PayloadHash, Policy, RefuseCode, Seq, Signature, State, Trail, WallMillis, assemble_in_place,
};

use crate::group::Group;
use crate::group::log::Tag;
use crate::group::publish::{self, Batch};
use crate::timer::Timer;
use crate::{CommandId, Event, Node, Outcome, Refusal, Reply, SignJob, SignKey, limits};

use super::Pending;
use super::entry_keys::keyed;

/// A message that waits for its signature.
pub(super) struct Unsigned {
    pub(super) header: Bytes,
    pub(super) payload: Headroom,
    pub(super) to: Destination,
    pub(super) id: MessageId,
}

/// What is followed of an own message.
pub(super) struct Own {
    to: Destination,
    len: u64,
    acks: u32,
    refused: u32,
    expires: WallMillis,
}

impl Own {
    /// How many next hops have taken it.
    pub(super) const fn acks(&self) -> u32 {
        self.acks
    }
}

impl Node {
    pub(super) fn on_publish(
        &mut self,
        command: CommandId,
        id: GroupId,
        entries: Vec<Entry>,
        class: Class,
        life_ms: Option<u64>,
    ) {
        let Some(entries) = self.without_repeats(command, id, entries) else { return };
        let refusal = match self.groups.get(&id) {
            None => Some(Refusal::UnknownGroup),
            Some(_) if self.is_store_failing() => Some(Refusal::Store),
            Some(_) if entries.is_empty() => Some(Refusal::Empty),
            Some(group) if group.publishes_as(self.config.node, self.now.wall).is_none() => Some(Refusal::NotAllowed),
            Some(group) if group.is_sealed() && self.sealing_key(group).is_none() => Some(Refusal::NoKey),
            Some(group) if group.publisher.waiting_bytes >= self.config.sizes.gather_bytes => Some(Refusal::Busy),
            Some(group) if self.own.len() >= limits::OUTCOMES && !group.neighbours.is_empty() => Some(Refusal::Busy),
            Some(_) => None,
        };
        let weight = publish::weight(&entries);
        let (None, Some(weight)) = (refusal, weight) else {
            return self.reply(command, Reply::Refused(refusal.unwrap_or(Refusal::TooLarge)));
        };
        let life_ms = life_ms.unwrap_or(self.config.times.window_ms).min(LIFE_MAX_MS);
        self.gather_keys(id, &entries);
        if let Some(group) = self.groups.get_mut(&id) {
            group.publisher.gather(command, entries, class, life_ms, weight);
        }
        self.pump_publisher(id);
    }

    /// Makes messages of what waits, as far as signatures, commits and next hops keep up.
    pub(super) fn pump_publisher(&mut self, id: GroupId) {
        while let Some(group) = self.groups.get_mut(&id) {
            let alone = group.neighbours.is_empty();
            let publisher = &mut group.publisher;
            let behind = !alone && publisher.unacked_bytes > UNACKED_BYTES;
            if publisher.signing || publisher.ahead >= limits::SIGNED_AHEAD || behind {
                return;
            }
            if !publisher.is_waiting() {
                return;
            }
            if !publisher.may_make(self.now.mono) {
                return self.timers.set_earlier(Timer::Pace(id), self.now.mono.plus_millis(publish::PACE_MS));
            }
            let Some(batch) = publisher.take_batch() else { return };
            let (commands, keyed) = (batch.commands.clone(), keyed(&batch.entries));
            match self.build(id, batch) {
                Ok((unsigned, key, expires)) => {
                    for (command, first_index) in commands {
                        self.reply(command, Reply::Published { id: unsigned.id, first_index });
                    }
                    self.follow(unsigned.id, unsigned.to, unsigned.payload.len() as u64, expires);
                    self.keys_published(id, &keyed, unsigned.id, expires);
                    let body = unsigned.header.clone();
                    self.sign(Pending::MessageSign(Box::new(unsigned)), SignJob { key, domain: Domain::Message, body });
                }
                Err(refusal) => {
                    self.keys_refused(id, &keyed, refusal);
                    for (command, _) in commands {
                        self.reply(command, Reply::Refused(refusal));
                    }
                }
            }
        }
    }

    /// Lays out, seals and heads a message; its number is taken when nothing can fail any more.
    fn build(&mut self, id: GroupId, batch: Batch) -> Result<(Unsigned, SignKey, WallMillis), Refusal> {
        let now = self.now.wall;
        let nonce = self.keys.bytes();
        let crypto = self.config.crypto.clone();
        let group = self.groups.get(&id).ok_or(Refusal::UnknownGroup)?;
        let content = self.sealing_key(group).cloned();
        let group = self.groups.get_mut(&id).ok_or(Refusal::UnknownGroup)?;
        let from = group.publishes_as(self.config.node, now).ok_or(Refusal::NotAllowed)?;
        let closed = group.policy(now) == Policy::Capability && from == self.config.node;
        let sealed = group.is_sealed();
        let draft = HeaderDraft {
            to: Destination::Multicast(id),
            from,
            instance: self.config.instance,
            seq: group.publisher.next_seq(),
            time: now,
            expires: WallMillis(now.0.saturating_add(batch.life_ms)),
            class: batch.class,
            order: Order::Fifo,
            deps: Vec::new(),
            chain: group.chain.as_ref().filter(|_| closed).map(Chain::hash),
            recipients: Vec::new(),
            codec: if sealed { Codec::Sealed } else { Codec::Entries },
            count: u16::try_from(batch.entries.len()).map_err(|_| Refusal::TooLarge)?,
        };
        let aad = draft.aad();
        let inner = draft.lay_out(&aad, &batch.entries).map_err(|_| Refusal::TooLarge)?;
        let payload = if sealed {
            let content = content.ok_or(Refusal::NoKey)?;
            let key = content.for_sender(id.as_bytes(), &from, self.config.instance);
            let sealing = Sealing {
                suite: Suite::preferred(crypto.as_ref()),
                key: &key,
                nonce: &nonce,
                aad: &aad,
                codec: Codec::Entries,
                pad: batch.class != Class::Bulk,
                wraps: &[],
            };
            seal_payload(crypto.as_ref(), &sealing, inner).map_err(|_| Refusal::TooLarge)?
        } else {
            inner
        };
        let hash = PayloadHash::of_payload(payload.as_slice());
        let header = draft.finish(payload.len(), &hash).map_err(|_| Refusal::TooLarge)?;
        group.publisher.take_seq();
        group.publisher.signing = true;
        group.publisher.unacked_bytes = group.publisher.unacked_bytes.saturating_add(payload.len() as u64);
        let key = self.sign_key(id, from);
        let unsigned = Unsigned { header: header.bytes.into(), payload, to: draft.to, id: header.id };
        Ok((unsigned, key, draft.expires))
    }

    /// What a group's payloads are sealed under now.
    fn sealing_key<'a>(&self, group: &'a Group) -> Option<&'a ContentKey> {
        group.sealing_key().and_then(|named| group.keys.sealing(&named, self.now.mono))
    }

    /// Whose key signs for `from` in a group.
    fn sign_key(&self, id: GroupId, from: NodeId) -> SignKey {
        let secret = self.groups.get(&id).and_then(|group| group.secret.clone());
        match secret {
            Some(secret) if from != self.config.node => SignKey::Group(Box::new(secret)),
            Some(_) | None => SignKey::Node,
        }
    }

    pub(super) fn on_message_signed(&mut self, unsigned: Unsigned, signature: &Signature) {
        let Unsigned { header, payload, to, id } = unsigned;
        let Ok(message) = Message::parse(assemble_in_place(&header, signature, payload)) else { return };
        let class = message.header().class;
        match to {
            Destination::Multicast(group_id) => {
                let Some(group) = self.groups.get_mut(&group_id) else {
                    self.entry_keys.forget(&id);
                    return self.finish(id, State::Dropped);
                };
                group.publisher.signing = false;
                group.publisher.ahead = group.publisher.ahead.saturating_add(1);
                self.keep_keys(&id);
                self.commit_message(message, Tag { hops: 0, class, last: None, trail: Trail::default() }, None);
                self.pump_publisher(group_id);
            }
            Destination::Unicast(node) => self.on_unicast_signed(node, message),
        }
    }

    pub(super) fn on_own_committed(&mut self, id: GroupId) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.publisher.ahead = group.publisher.ahead.saturating_sub(1);
            self.pump_publisher(id);
        }
    }

    /// Follows an own message until it runs out.
    pub(super) fn follow(&mut self, id: MessageId, to: Destination, len: u64, expires: WallMillis) {
        if self.own.len() >= limits::OUTCOMES
            && let Some((_, oldest)) = self.expiries.first().copied()
        {
            // Only a publisher without neighbours gets here: what it said first has waited longest in vain.
            self.finish(oldest, State::Dropped);
        }
        self.own.insert(id, Own { to, len, acks: 0, refused: 0, expires });
        self.expiries.insert((expires, id));
        self.arm_expiry();
    }

    /// A next hop has taken an own message; others' messages are not in the book.
    pub(super) fn on_own_acked(&mut self, id: &MessageId) {
        let Some(own) = self.own.get_mut(id) else { return };
        own.acks = own.acks.saturating_add(1);
        let (acks, to, len) = (own.acks, own.to, own.len);
        self.event(Event::Outcome(Outcome { id: *id, state: State::Sent, links: acks, to: None, code: None }));
        let Destination::Multicast(group) = to else { return self.finish_quietly(id) };
        let neighbours = self.groups.get(&group).map_or(0, |group| group.neighbours.len());
        if acks == 1 {
            self.keys_sent(id);
            self.acknowledged(group, len);
        }
        // Nothing more is to come: every neighbour has it.
        if usize::try_from(acks).is_ok_and(|acks| acks >= neighbours) {
            self.forget_own(id);
        }
    }

    /// A neighbour says, on a new link, what of a group it has: own messages among it that nobody has acknowledged, since
    /// the link before broke meanwhile, are taken.
    pub(super) fn on_own_known(&mut self, group: GroupId, windows: &[(NodeId, Instance, Seq)]) {
        let Some(log) = self.groups.get(&group).map(|group| &group.log) else { return };
        let waiting = self.own.iter().filter(|(_, own)| own.acks == 0 && own.to == Destination::Multicast(group));
        let known = waiting.filter(|(id, _)| {
            let entry = log.position_of(id).and_then(|pos| log.find(pos));
            entry.is_some_and(|entry| {
                let has = |window: &&(NodeId, Instance, Seq)| (window.0, window.1) == (entry.from, entry.instance);
                windows.iter().find(has).is_some_and(|window| entry.seq <= window.2)
            })
        });
        let known: Vec<MessageId> = known.map(|(id, _)| *id).collect();
        known.iter().for_each(|id| self.on_own_acked(id));
    }

    fn acknowledged(&mut self, group: GroupId, len: u64) {
        if let Some(state) = self.groups.get_mut(&group) {
            state.publisher.unacked_bytes = state.publisher.unacked_bytes.saturating_sub(len);
            self.pump_publisher(group);
        }
    }

    pub(super) fn on_own_refused(&mut self, id: &MessageId, code: RefuseCode) {
        let Some(own) = self.own.get_mut(id) else { return };
        tracing::debug!(code = code.word(), "a next hop refused an own message");
        own.refused = own.refused.saturating_add(1);
        let all = match own.to {
            Destination::Unicast(_) => 1,
            Destination::Multicast(group) => self.groups.get(&group).map_or(1, |group| group.neighbours.len()),
        };
        if own.acks == 0 && usize::try_from(own.refused).is_ok_and(|refused| refused >= all) {
            self.keys_void(id);
            self.finish(*id, State::Refused);
        }
    }

    fn forget_own(&mut self, id: &MessageId) -> Option<Own> {
        let own = self.own.remove(id)?;
        self.expiries.remove(&(own.expires, *id));
        Some(own)
    }

    /// Ends the book of an own message whose outcome was told.
    pub(super) fn finish_quietly(&mut self, id: &MessageId) {
        self.forget_own(id);
    }

    /// Ends the book of an own message that no next hop has taken.
    pub(super) fn finish(&mut self, id: MessageId, state: State) {
        let Some(own) = self.forget_own(&id) else { return };
        self.entry_keys.unfollow(&id);
        match own.to {
            Destination::Multicast(group) if own.acks == 0 => self.acknowledged(group, own.len),
            Destination::Multicast(_) => {}
            Destination::Unicast(_) => return self.finish_letter(id, state),
        }
        if own.acks == 0 {
            self.event(Event::Outcome(Outcome { id, state, links: 0, to: None, code: None }));
        }
    }

    fn arm_expiry(&mut self) {
        let Some((expires, _)) = self.expiries.first() else { return self.timers.cancel(Timer::Expiry) };
        let left = expires.0.saturating_add(1).saturating_sub(self.now.wall.0);
        self.timers.set(Timer::Expiry, self.now.mono.plus_millis(left));
    }

    pub(super) fn on_expiry(&mut self) {
        while let Some((expires, id)) = self.expiries.first().copied() {
            if expires >= self.now.wall {
                break;
            }
            self.finish(id, State::Expired);
        }
        self.arm_expiry();
    }
}

/// 4 MiB: own payloads that no next hop has acknowledged, per group, before the next are left to gather; a quarter of
/// the live window, so that a burst is not trimmed before its first hop has it.
const UNACKED_BYTES: u64 = 4 << 20;
