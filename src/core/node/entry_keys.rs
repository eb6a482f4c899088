//! Entry keys at work: a retried publish is answered as the first, and what repeats an entry is marked for readers.
//!
//! A key is written in the commit of its message, so that after a crash either both are there or neither.

use crosscast_port::{Space, Write};
use crosscast_wire::{Destination, Entries, Entry, GroupId, MessageId, NodeId, State, WallMillis};

use crate::group::entry_keys::{self, First, Stream};
use crate::{CommandId, Event, Node, Outcome, Refusal, Reply, Source};

/// An entry's key and its place in the message.
pub(super) type Keyed = ([u8; 16], u16);

/// The keys of entries, with their places.
pub(super) fn keyed(entries: &[Entry]) -> Vec<Keyed> {
    (0u16..).zip(entries).filter_map(|(index, entry)| Some((entry.meta.key?, index))).collect()
}

impl Node {
    /// As whom this node publishes to a group; `None` when it may not.
    fn own_stream(&self, group: GroupId) -> Option<Stream> {
        let from = self.groups.get(&group)?.publishes_as(self.config.node, self.now.wall)?;
        Some((group, from))
    }

    /// The entries of a command that were not published before; `None` when it has been answered, or will be with the
    /// entry that it repeats.
    pub(super) fn without_repeats(
        &mut self,
        command: CommandId,
        group: GroupId,
        entries: Vec<Entry>,
    ) -> Option<Vec<Entry>> {
        if entries.iter().all(|entry| entry.meta.key.is_none()) {
            return Some(entries);
        }
        let now = self.now.wall;
        let Some(stream) = self.own_stream(group) else { return Some(entries) };
        let (mut fresh, mut before, mut gathering) = (Vec::<Entry>::new(), None, None);
        for entry in entries {
            let Some(key) = entry.meta.key else {
                fresh.push(entry);
                continue;
            };
            if let Some(first) = self.entry_keys.first(&stream, &key, now) {
                before.get_or_insert(first);
            } else if self.entry_keys.is_gathering(&stream, &key) {
                gathering.get_or_insert(key);
            } else if !fresh.iter().any(|other| other.meta.key == Some(key)) {
                fresh.push(entry);
            }
        }
        match (before, gathering) {
            _ if !fresh.is_empty() => return Some(fresh),
            (Some(first), _) => self.reply_repeated(command, first),
            (None, Some(key)) => self.entry_keys.wait(stream, key, command),
            (None, None) => return Some(fresh),
        }
        None
    }

    fn reply_repeated(&mut self, command: CommandId, first: First) {
        self.reply(command, Reply::Repeated { id: first.id, index: first.index });
        let acks = self.own.get(&first.id).map_or(0, super::publishing::Own::acks);
        if first.sent {
            let (id, state) = (first.id, State::Sent);
            self.event(Event::Outcome(Outcome { id, state, links: acks.max(1), to: None, code: None }));
        }
    }

    /// Entries of a command wait for their message.
    pub(super) fn gather_keys(&mut self, group: GroupId, entries: &[Entry]) {
        let Some(stream) = self.own_stream(group) else { return };
        for entry in entries {
            if let Some(key) = entry.meta.key {
                self.entry_keys.gather(stream, key);
            }
        }
    }

    /// Entries became part of a message: whoever repeated them meanwhile is answered.
    pub(super) fn keys_published(&mut self, group: GroupId, keyed: &[Keyed], id: MessageId, expires: WallMillis) {
        if keyed.is_empty() {
            return;
        }
        let Some(stream) = self.own_stream(group) else { return };
        for (key, index) in keyed {
            let first = First::new(id, *index, self.now.wall, expires);
            for command in self.entry_keys.gathered(stream, *key) {
                self.reply_repeated(command, first);
            }
            if let Some(gone) = self.entry_keys.publish(stream, *key, first) {
                self.write(Write::Delete { space: Space::Meta, key: entry_keys::name(&stream, &gone) });
            }
        }
    }

    /// Entries became no message: whoever repeated them hears of it too.
    pub(super) fn keys_refused(&mut self, group: GroupId, keyed: &[Keyed], refusal: Refusal) {
        // Who may not publish has lost that right meanwhile: then nothing of the group waits.
        let Some(stream) = self.own_stream(group) else { return self.abandon_keys(group, refusal) };
        for (key, _) in keyed {
            for command in self.entry_keys.gathered(stream, *key) {
                self.reply(command, Reply::Refused(refusal));
            }
        }
    }

    /// Nothing waits for a group any more.
    pub(super) fn abandon_keys(&mut self, group: GroupId, refusal: Refusal) {
        for command in self.entry_keys.abandon(&group) {
            self.reply(command, Reply::Refused(refusal));
        }
    }

    /// Writes the keys of a message that is about to be committed.
    pub(super) fn keep_keys(&mut self, id: &MessageId) {
        for (stream, key, first) in self.entry_keys.unsent(id) {
            self.put(Space::Meta, &entry_keys::name(&stream, &key), entry_keys::encode(&first));
        }
    }

    /// A next hop has taken an own message for the first time.
    pub(super) fn keys_sent(&mut self, id: &MessageId) {
        for (stream, key, first) in self.entry_keys.sent(id) {
            self.put(Space::Meta, &entry_keys::name(&stream, &key), entry_keys::encode(&first));
        }
    }

    /// An own message was refused by all: its entries may be published again.
    pub(super) fn keys_void(&mut self, id: &MessageId) {
        for (stream, key, first) in self.entry_keys.refused(id) {
            self.put(Space::Meta, &entry_keys::name(&stream, &key), entry_keys::encode(&first));
        }
    }

    /// What is older than a day goes.
    pub(super) fn expire_keys(&mut self) {
        for (stream, key) in self.entry_keys.expire(self.now.wall) {
            self.write(Write::Delete { space: Space::Meta, key: entry_keys::name(&stream, &key) });
        }
    }

    pub(super) fn restore_key(&mut self, name: &[u8], value: &[u8]) {
        if let Some((stream, key, first)) = entry_keys::decode(name, value) {
            self.entry_keys.restore(stream, key, first);
        }
    }

    /// What no next hop had taken is followed again, so that a retry learns what became of it.
    pub(super) fn follow_restored_keys(&mut self) {
        for (id, group, expires) in self.entry_keys.restored() {
            if expires >= self.now.wall && self.own.len() < crate::limits::OUTCOMES {
                self.follow(id, Destination::Multicast(group), 0, expires);
            } else {
                self.entry_keys.unfollow(&id);
            }
        }
    }

    /// The entries of a message that repeat others.
    pub(super) fn repeated(&mut self, source: Source, from: NodeId, id: MessageId, entries: &Entries) -> Vec<u16> {
        let Source::Group(group) = source else { return Vec::new() };
        if !entries.has_meta() {
            return Vec::new();
        }
        let now = self.now.wall;
        let places = (0u16..).zip(entries.iter()).filter_map(|(index, entry)| Some((entry.meta.key?, index)));
        let repeated = places.filter(|(key, index)| self.entry_keys.repeats((group, from), *key, id, *index, now));
        repeated.map(|(_, index)| index).collect()
    }
}
