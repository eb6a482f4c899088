//! What is seen in a drill: floor records and keys as they come into force, messages, deliveries, and what should not be.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::Delivery;
use crosscast_port::Write;
use crosscast_wire::{
    Destination, FloorRecord, GroupId, Hop, Message, MessageId, NodeId, RawFrame, RevocationId, RustCrypto, SecretKey,
};

use crate::agenda::Micros;
use crate::spy;
use crate::world::HostId;

/// When a rogue's message may be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forbidden {
    /// Never.
    Always,
    /// By nobody who knows that its sender's rights were taken back.
    OnceRevoked(RevocationId),
}

/// A message that a member published.
#[derive(Clone, Copy, Debug)]
pub(super) struct Published {
    pub(super) host: HostId,
    pub(super) at: Micros,
}

/// Everything that is seen.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The group that the drill is about.
    pub(super) group: Option<GroupId>,
    /// Keys of groups whose makers' stores were seen.
    pub(super) secrets: BTreeMap<GroupId, SecretKey>,
    floors: BTreeMap<HostId, FloorRecord>,
    /// When something was first known to be revoked at a host.
    pub(super) revoked_at: BTreeMap<(HostId, RevocationId), Micros>,
    /// When a host first had the content key that its floor record names, by the record's number.
    pub(super) keyed_at: BTreeMap<(HostId, u64), Micros>,
    /// Content keys that a host ever had.
    pub(super) keys: BTreeMap<HostId, BTreeSet<[u8; 32]>>,
    /// Everybody's messages of the group that some store kept, sealed as they are.
    pub(super) messages: BTreeMap<MessageId, Message>,
    pub(super) published: BTreeMap<MessageId, Published>,
    pub(super) delivered: BTreeMap<MessageId, BTreeMap<HostId, Micros>>,
    /// Links that came up: when, where, with whom.
    pub(super) links_up: Vec<(Micros, HostId, NodeId)>,
    /// Whose grants are read by the book, with the prekey that opens them.
    pub(super) tapped: Option<(NodeId, HostId, [u8; 32])>,
    pub(super) forbidden: BTreeMap<MessageId, Forbidden>,
    /// Forbidden messages that an honest node has kept, has sent on, has delivered.
    pub(super) kept_forbidden: u64,
    pub(super) sent_forbidden: u64,
    pub(super) delivered_forbidden: u64,
    /// Messages of rogues that were kept while that was right.
    pub(super) kept_in_time: u64,
    /// Floor records that loosened what was in force: never.
    pub(super) loosened: u64,
}

impl Book {
    /// The number of the floor record in force at a host.
    pub(super) fn floor_number(&self, host: HostId) -> u64 {
        self.floors.get(&host).map_or(0, |floor| floor.fields().number)
    }

    fn is_forbidden(&self, host: HostId, id: &MessageId) -> bool {
        match self.forbidden.get(id) {
            None => false,
            Some(Forbidden::Always) => true,
            Some(Forbidden::OnceRevoked(tag)) => self.revoked_at.contains_key(&(host, *tag)),
        }
    }

    /// An honest host hands writes to its store.
    pub(super) fn wrote(&mut self, now: Micros, host: HostId, writes: &[Write]) {
        for write in writes {
            if let Some(kept) = spy::group_of(write) {
                self.kept_group(now, host, kept);
            } else if let Some(message) = spy::message_of(write) {
                self.kept_message(host, message);
            }
        }
    }

    fn kept_group(&mut self, now: Micros, host: HostId, kept: spy::KeptGroup) {
        self.secrets.extend(kept.secret.map(|secret| (kept.group, secret)));
        if self.group != Some(kept.group) {
            return;
        }
        self.keys.entry(host).or_default().extend(kept.keys.iter().copied());
        let Some(floor) = kept.floor else { return };
        let fields = floor.fields();
        let has = |key: &[u8; 32]| fields.content_key == Some(crosscast_wire::ContentKeyId::of_key(key));
        if kept.keys.iter().any(has) {
            self.keyed_at.entry((host, fields.number)).or_insert(now);
        }
        if let Some(held) = self.floors.get(&host)
            && (held.fields().number > fields.number || !held.fields().revoked.iter().all(|id| floor.revokes(id)))
        {
            self.loosened = self.loosened.saturating_add(1);
        }
        for revoked in &fields.revoked {
            self.revoked_at.entry((host, *revoked)).or_insert(now);
        }
        self.floors.insert(host, floor);
    }

    fn kept_message(&mut self, host: HostId, message: Message) {
        let id = message.id();
        if self.is_forbidden(host, &id) {
            self.kept_forbidden = self.kept_forbidden.saturating_add(1);
        } else if self.forbidden.contains_key(&id) {
            self.kept_in_time = self.kept_in_time.saturating_add(1);
        }
        if message.header().to.group() == self.group {
            self.messages.insert(id, message);
        }
    }

    /// An honest host sends messages over a link.
    pub(super) fn sent(&mut self, frames: &[RawFrame]) {
        for frame in frames {
            let mut body = frame.head.to_vec();
            body.extend_from_slice(&frame.tail);
            let Some(message) = Hop::split(&body.into()).ok().and_then(|(_, bytes)| Message::parse(bytes).ok()) else {
                continue;
            };
            if self.forbidden.get(&message.id()) == Some(&Forbidden::Always) {
                self.sent_forbidden = self.sent_forbidden.saturating_add(1);
            }
            if let (Destination::Unicast(to), Some((node, host, prekey))) = (message.header().to, self.tapped)
                && to == node
            {
                let keys = spy::granted(&RustCrypto, &message, &prekey);
                self.keys.entry(host).or_default().extend(keys);
            }
        }
    }

    /// A reader of the group got a message.
    pub(super) fn delivered(&mut self, now: Micros, host: HostId, delivery: &Delivery) {
        if self.is_forbidden(host, &delivery.id) {
            self.delivered_forbidden = self.delivered_forbidden.saturating_add(1);
        }
        self.delivered.entry(delivery.id).or_default().entry(host).or_insert(now);
    }
}
