//! Unicast to linked nodes and to this node itself: sealed to the recipient's prekey, kept until acknowledged.

use bytes::Bytes;
use crosscast_port::{LinkId, LogPos, Space, Write};
use crosscast_seal::{ContentKey, Sealing, Suite, prekey_public, seal_payload, wrap, wrap_prologue};
use crosscast_wire::limits::{ENTRY_MAX, LIFE_MAX_MS};
use crosscast_wire::{
    Class, Codec, Destination, Domain, Entry, HeaderDraft, Hop, Message, MessageId, NodeId, Order, PayloadHash, State,
    WallMillis, encode_entries,
};

use crate::group::log::Tag;
use crate::peer::outgoing::Cargo;
use crate::route::outbox::Letter;
use crate::{CommandId, Event, Node, Outcome, Refusal, Reply, SignJob, SignKey, limits};

use super::Pending;
use super::commit::After;
use super::publishing::Unsigned;

impl Node {
    pub(super) fn on_send(&mut self, command: CommandId, to: NodeId, payload: Bytes, life_ms: Option<u64>) {
        match self.build_unicast(to, Entry::new(payload), life_ms) {
            Ok((unsigned, expires)) => {
                self.reply(command, Reply::Published { id: unsigned.id, first_index: 0 });
                self.follow(unsigned.id, unsigned.to, unsigned.payload.len() as u64, expires);
                let job = SignJob { key: SignKey::Node, domain: Domain::Message, body: unsigned.header.clone() };
                self.sign(Pending::MessageSign(Box::new(unsigned)), job);
            }
            Err(refusal) => self.reply(command, Reply::Refused(refusal)),
        }
    }

    /// Sends an entry of the node's own business: nobody follows what becomes of it.
    pub(super) fn send_quietly(&mut self, to: NodeId, entry: Entry, life_ms: u64) {
        if let Ok((unsigned, _)) = self.build_unicast(to, entry, Some(life_ms)) {
            let job = SignJob { key: SignKey::Node, domain: Domain::Message, body: unsigned.header.clone() };
            self.sign(Pending::MessageSign(Box::new(unsigned)), job);
        }
    }

    /// Whether something can be sealed for a node and sent to it now.
    pub(super) fn can_reach(&self, node: NodeId) -> bool {
        self.outbox.prekey(&node).is_some() && self.next_hop(node.as_bytes()).is_some()
    }

    fn build_unicast(
        &mut self,
        to: NodeId,
        entry: Entry,
        life_ms: Option<u64>,
    ) -> Result<(Unsigned, WallMillis), Refusal> {
        if entry.payload.len() > ENTRY_MAX {
            return Err(Refusal::TooLarge);
        }
        if !self.outbox.has_room(entry.payload.len()) || self.own.len() >= limits::OUTCOMES {
            return Err(Refusal::Busy);
        }
        if !self.outbox.knows_or_has_room(&to) {
            return Err(Refusal::Limit);
        }
        let own = to == self.config.node;
        let prekey = if own { Some(prekey_public(&self.config.prekey)) } else { self.outbox.prekey(&to) };
        let prekey = prekey.ok_or(Refusal::NotLinked)?;
        let inner = encode_entries(&[entry]).map_err(|_| Refusal::TooLarge)?;
        let (now, me, instance) = (self.now.wall, self.config.node, self.config.instance);
        let life_ms = life_ms.unwrap_or(self.config.times.window_ms).min(LIFE_MAX_MS);
        let draft = HeaderDraft {
            to: Destination::Unicast(to),
            from: me,
            instance,
            seq: self.outbox.next_seq(to),
            time: now,
            expires: WallMillis(now.0.saturating_add(life_ms)),
            class: Class::Normal,
            order: Order::None,
            deps: Vec::new(),
            chain: None,
            recipients: Vec::new(),
            codec: Codec::Sealed,
            count: 1,
        };
        let content = ContentKey::new(self.keys.bytes());
        let prologue = wrap_prologue(to.as_bytes(), &to, &me, instance);
        let wrapped = wrap(&self.keys.bytes(), &prekey, &prologue, &content).map_err(|_| Refusal::NotLinked)?;
        let crypto = self.config.crypto.clone();
        let sealing = Sealing {
            suite: Suite::preferred(crypto.as_ref()),
            key: &content.for_sender(to.as_bytes(), &me, instance),
            nonce: &self.keys.bytes(),
            aad: &draft.aad(),
            codec: Codec::Entries,
            inner: &inner,
            pad: true,
            wraps: &[wrapped],
        };
        let payload = seal_payload(crypto.as_ref(), &sealing).map_err(|_| Refusal::TooLarge)?;
        let header = draft.finish(payload.len(), &PayloadHash::of_payload(&payload)).map_err(|_| Refusal::TooLarge)?;
        Ok((Unsigned { header: header.bytes.into(), payload, to: draft.to, id: header.id }, draft.expires))
    }

    pub(super) fn on_unicast_signed(&mut self, to: NodeId, message: Message) {
        let class = message.header().class;
        if to == self.config.node {
            let id = message.id();
            self.commit_message(message, Tag { hops: 0, class, last: None }, None);
            self.event(Event::Outcome(Outcome { id, state: State::Sent, links: 0 }));
            return self.finish_quietly(&id);
        }
        let letter = Letter { id: message.id(), bytes: message.bytes().clone(), lane: class.lane() };
        self.outbox.add(to, letter.clone());
        if let Some(link) = self.next_hop(to.as_bytes()) {
            self.post(link, letter);
        }
    }

    /// The preferred link to any run of a node.
    pub(super) fn link_to(&self, node: &NodeId) -> Option<LinkId> {
        let runs = self.peers.range((*node, crosscast_wire::Instance(0))..=(*node, crosscast_wire::Instance(u64::MAX)));
        runs.last().and_then(|(_, links)| links.first().copied())
    }

    fn post(&mut self, link: LinkId, letter: Letter) {
        if let Some(state) = self.links.get_mut(&link) {
            let frame = Hop::new(0, 0, 0).frame(letter.bytes, letter.lane);
            state.out.push_data(frame, Cargo::Unicast(letter.id));
            self.dirty.insert(link);
        }
    }

    /// Sends all that waits for a node that has just been linked.
    pub(super) fn send_outbox(&mut self, node: NodeId) {
        let Some(link) = self.link_to(&node) else { return };
        for letter in self.outbox.waiting(&node) {
            self.post(link, letter);
        }
    }

    pub(super) fn on_unicast_acked(&mut self, peer: Option<NodeId>, id: &MessageId) {
        if let Some(node) = peer {
            self.outbox.remove(&node, id);
        }
        self.on_own_acked(id);
    }

    pub(super) fn on_acknowledge_inbox(&mut self, command: CommandId, through: LogPos) {
        let through = through.min(self.inbox.log.shown);
        if through > self.inbox.acknowledged {
            self.inbox.acknowledged = through;
            self.inbox.log.trim_through(through);
            self.write(Write::Trim { log: self.inbox_log(), through });
            self.put(Space::Cursor, INBOX_CURSOR, through.0.to_be_bytes().to_vec());
        }
        self.after_commit(After::Reply(command, Reply::Done));
    }

    pub(super) const fn inbox_log(&self) -> crosscast_port::LogId {
        crosscast_port::LogId(*self.config.node.as_bytes())
    }

    /// What was taken and can no longer be pushed again goes.
    pub(super) fn trim_inbox(&mut self) {
        let span = limits::PUSHED_MS.saturating_add(limits::FUTURE_MS);
        let oldest = WallMillis(self.now.wall.0.saturating_sub(span));
        let log = self.inbox_log();
        if let Some(through) = self.inbox.log.forget(oldest) {
            self.write(Write::Forget { log, through });
        }
        self.inbox.windows.expire(self.now.wall, self.now.mono);
    }
}

/// The inbox's own cursor in the store.
pub(super) const INBOX_CURSOR: &[u8] = b"inbox";
