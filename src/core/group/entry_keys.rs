//! Entry keys: which entry of a sender was the first with its key, so that a retried publish is delivered once.
//!
//! What this node published is remembered in the store too, in the commit of its message; what it read of others only
//! for as long as it runs. Both are kept for a day within bounds: then the oldest key of the same sender goes first.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crosscast_port::{Space, Write};
use crosscast_wire::limits::ENTRY_KEY_LEN;
use crosscast_wire::{GroupId, MessageId, NodeId, WallMillis};

use crate::CommandId;

/// How long a key is remembered, in milliseconds. 24 h: what a retry may take, by the format.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Own keys remembered. 131,072: one and a half a second, all day; about 20 MB.
const OWN_KEYS: usize = 131_072;
/// Keys of others remembered. 65,536: 10 MB.
const SEEN_KEYS: usize = 65_536;
/// Keys of one other sender in one group remembered. 4,096: nobody displaces what the others sent.
const SEEN_KEYS_PER_SENDER: usize = 4_096;
/// What the names of keys start with in the store's space for everything else.
const PREFIX: &[u8] = b"entry-key/";

type Key = [u8; ENTRY_KEY_LEN];

/// Who publishes where.
pub(crate) type Stream = (GroupId, NodeId);

/// The first entry with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) id: MessageId,
    pub(crate) index: u16,
    /// When it was remembered.
    pub(crate) at: WallMillis,
    /// When its message stops mattering.
    pub(crate) expires: WallMillis,
    /// Whether a next hop has taken it.
    pub(crate) sent: bool,
    /// Whether it was refused by all: then the key may be used again.
    pub(crate) void: bool,
    /// What readers here were shown under this key first: itself, or one that came to nothing elsewhere.
    pub(crate) shown: (MessageId, u16),
}

impl First {
    /// An entry of a message that is about to be signed.
    pub(crate) const fn new(id: MessageId, index: u16, at: WallMillis, expires: WallMillis) -> Self {
        Self { id, index, at, expires, sent: false, void: false, shown: (id, index) }
    }
}

/// The keys of one stream.
#[derive(Default)]
struct Keys {
    firsts: BTreeMap<Key, First>,
    /// Oldest first; an entry whose key was forgotten meanwhile has another time, or none.
    order: VecDeque<(WallMillis, Key)>,
}

impl Keys {
    fn pop_oldest(&mut self) -> Option<Key> {
        while let Some((at, key)) = self.order.pop_front() {
            if self.firsts.get(&key).is_some_and(|first| first.at == at) {
                self.firsts.remove(&key);
                return Some(key);
            }
        }
        None
    }
}

/// Streams and their keys, within a bound.
#[derive(Default)]
struct Table {
    streams: BTreeMap<Stream, Keys>,
    count: usize,
}

impl Table {
    fn get(&self, stream: &Stream, key: &Key) -> Option<&First> {
        self.streams.get(stream)?.firsts.get(key)
    }

    fn remove(&mut self, stream: &Stream, key: &Key) {
        let known = self.streams.get_mut(stream).is_some_and(|keys| keys.firsts.remove(key).is_some());
        self.count = self.count.saturating_sub(usize::from(known));
    }

    /// Remembers a key; returns the one of the same stream that had to go.
    fn insert(&mut self, stream: Stream, key: Key, first: First, most: usize, most_of_stream: usize) -> Option<Key> {
        let full = self.count >= most;
        let held = self.streams.get(&stream).map_or(0, |keys| keys.firsts.len());
        if full && held == 0 {
            return None;
        }
        let keys = self.streams.entry(stream).or_default();
        let gone = if full || held >= most_of_stream { keys.pop_oldest() } else { None };
        let is_new = keys.firsts.insert(key, first).is_none();
        keys.order.push_back((first.at, key));
        self.count = self.count.saturating_add(usize::from(is_new)).saturating_sub(usize::from(gone.is_some()));
        gone
    }

    /// Forgets what was remembered before a time.
    fn expire(&mut self, before: WallMillis) -> Vec<(Stream, Key)> {
        let mut gone = Vec::new();
        for (stream, keys) in &mut self.streams {
            while keys.order.front().is_some_and(|(at, _)| *at < before) {
                let Some((at, key)) = keys.order.pop_front() else { break };
                if keys.firsts.get(&key).is_some_and(|first| first.at == at) {
                    keys.firsts.remove(&key);
                    gone.push((*stream, key));
                }
            }
        }
        self.count = self.count.saturating_sub(gone.len());
        self.streams.retain(|_, keys| !keys.firsts.is_empty());
        gone
    }
}

/// What is known of entry keys.
#[derive(Default)]
pub(crate) struct EntryKeys {
    own: Table,
    seen: Table,
    /// Keys of entries that wait for their message, with the commands that repeated them meanwhile.
    gathering: BTreeMap<(Stream, Key), Vec<CommandId>>,
    /// Keys of own messages that no next hop has taken; as many messages as are followed.
    unsent: BTreeMap<MessageId, Vec<(Stream, Key)>>,
}

impl EntryKeys {
    /// The first entry with this key within a day; one that nobody took within its life does not count.
    pub(crate) fn first(&self, stream: &Stream, key: &Key, now: WallMillis) -> Option<First> {
        let first = self.own.get(stream, key).or_else(|| self.seen.get(stream, key))?;
        let is_young = now.0.saturating_sub(first.at.0) <= KEPT_MS;
        (is_young && !first.void && (first.sent || first.expires >= now)).then_some(*first)
    }

    /// Whether an entry with this key waits for its message.
    pub(crate) fn is_gathering(&self, stream: &Stream, key: &Key) -> bool {
        self.gathering.contains_key(&(*stream, *key))
    }

    /// An entry with this key waits for its message.
    pub(crate) fn gather(&mut self, stream: Stream, key: Key) {
        self.gathering.entry((stream, key)).or_default();
    }

    /// A command repeated an entry that waits: it is answered as the first.
    pub(crate) fn wait(&mut self, stream: Stream, key: Key, command: CommandId) {
        self.gathering.entry((stream, key)).or_default().push(command);
    }

    /// An entry waits no longer; returns the commands that repeated it.
    pub(crate) fn gathered(&mut self, stream: Stream, key: Key) -> Vec<CommandId> {
        self.gathering.remove(&(stream, key)).unwrap_or_default()
    }

    /// Nothing waits for a group any more; returns the commands that repeated something.
    pub(crate) fn abandon(&mut self, group: &GroupId) -> Vec<CommandId> {
        let gone = self.gathering.extract_if(.., |(stream, _), _| stream.0 == *group);
        gone.flat_map(|(_, commands)| commands).collect()
    }

    /// Remembers an own entry; returns the key that had to go.
    pub(crate) fn publish(&mut self, stream: Stream, key: Key, mut first: First) -> Option<Key> {
        if let Some(before) = self.own.get(&stream, &key) {
            first.shown = before.shown;
        }
        if !first.sent && !first.void {
            self.unsent.entry(first.id).or_default().push((stream, key));
        }
        self.own.insert(stream, key, first, OWN_KEYS, OWN_KEYS)
    }

    /// The keys of an own message that no next hop has taken, with what is remembered of them.
    pub(crate) fn unsent(&self, id: &MessageId) -> Vec<(Stream, Key, First)> {
        let names = self.unsent.get(id).into_iter().flatten();
        names.filter_map(|(stream, key)| Some((*stream, *key, *self.own.get(stream, key)?))).collect()
    }

    /// A next hop has taken an own message; returns its keys as they are remembered from now on.
    pub(crate) fn sent(&mut self, id: &MessageId) -> Vec<(Stream, Key, First)> {
        self.change(id, |first| first.sent = true)
    }

    fn change(&mut self, id: &MessageId, change: impl Fn(&mut First)) -> Vec<(Stream, Key, First)> {
        let mut changed = Vec::new();
        for (stream, key) in self.unsent.remove(id).unwrap_or_default() {
            let keys = self.own.streams.get_mut(&stream);
            if let Some(first) = keys.and_then(|keys| keys.firsts.get_mut(&key)).filter(|first| first.id == *id) {
                change(first);
                changed.push((stream, key, *first));
            }
        }
        changed
    }

    /// An own message was refused by all: its entries may be published again. Returns its keys as they are remembered
    /// from now on, for readers here have seen it.
    pub(crate) fn refused(&mut self, id: &MessageId) -> Vec<(Stream, Key, First)> {
        self.change(id, |first| first.void = true)
    }

    /// An own message never came to be: its keys are forgotten.
    pub(crate) fn forget(&mut self, id: &MessageId) {
        for (stream, key) in self.unsent.remove(id).unwrap_or_default() {
            if self.own.get(&stream, &key).is_some_and(|first| first.id == *id) {
                self.own.remove(&stream, &key);
            }
        }
    }

    /// An own message is no longer followed.
    pub(crate) fn unfollow(&mut self, id: &MessageId) {
        self.unsent.remove(id);
    }

    /// Whether an entry that is about to be read repeats another one; if not, it is the first from now on.
    pub(crate) fn repeats(&mut self, stream: Stream, key: Key, id: MessageId, index: u16, now: WallMillis) -> bool {
        let known = self.own.get(&stream, &key).or_else(|| self.seen.get(&stream, &key));
        if let Some(first) = known.filter(|first| now.0.saturating_sub(first.at.0) <= KEPT_MS) {
            return first.shown != (id, index);
        }
        let first = First { sent: true, ..First::new(id, index, now, now) };
        self.seen.insert(stream, key, first, SEEN_KEYS, SEEN_KEYS_PER_SENDER);
        false
    }

    /// Forgets what is older than a day; returns the own keys among it.
    pub(crate) fn expire(&mut self, now: WallMillis) -> Vec<(Stream, Key)> {
        let before = WallMillis(now.0.saturating_sub(KEPT_MS));
        self.seen.expire(before);
        self.own.expire(before)
    }

    /// Takes back what the store held, in any order; [`EntryKeys::restored`] ends it.
    pub(crate) fn restore(&mut self, stream: Stream, key: Key, first: First) {
        self.publish(stream, key, first);
    }

    /// Puts what was restored in order; returns the messages that no next hop had taken.
    pub(crate) fn restored(&mut self) -> Vec<(MessageId, GroupId, WallMillis)> {
        for keys in self.own.streams.values_mut() {
            keys.order.make_contiguous().sort_unstable();
        }
        let mut unsent = Vec::new();
        for (id, names) in &self.unsent {
            if let Some(((group, from), key)) = names.first()
                && let Some(first) = self.own.get(&(*group, *from), key)
            {
                unsent.push((*id, *group, first.expires));
            }
        }
        unsent
    }
}

/// Whether a write keeps a key.
pub(crate) fn is_kept_by(write: &Write) -> bool {
    matches!(write, Write::Put { space: Space::Meta, key, .. } if key.starts_with(PREFIX))
}

/// The name of a key in the store.
pub(crate) fn name(stream: &Stream, key: &Key) -> Bytes {
    [PREFIX, stream.0.as_bytes(), stream.1.as_bytes(), key].concat().into()
}

/// What the store keeps of a first entry.
pub(crate) fn encode(first: &First) -> Vec<u8> {
    let (index, at, expires) = (first.index.to_be_bytes(), first.at.0.to_be_bytes(), first.expires.0.to_be_bytes());
    let flags = [u8::from(first.sent) | u8::from(first.void) << 1];
    let (shown, shown_index) = (first.shown.0.as_bytes(), first.shown.1.to_be_bytes());
    [first.id.as_bytes().as_slice(), &index, &at, &expires, &flags, shown, &shown_index].concat()
}

/// Reads a name and a value of the store; `None` when they are not of a key.
pub(crate) fn decode(name: &[u8], value: &[u8]) -> Option<(Stream, Key, First)> {
    let (group, rest) = name.strip_prefix(PREFIX)?.split_first_chunk::<32>()?;
    let (from, key) = rest.split_first_chunk::<32>()?;
    let key = Key::try_from(key).ok()?;
    let (id, rest) = value.split_first_chunk::<32>()?;
    let (index, rest) = rest.split_first_chunk::<2>()?;
    let (at, rest) = rest.split_first_chunk::<8>()?;
    let (expires, rest) = rest.split_first_chunk::<8>()?;
    let (flags, rest) = rest.split_first()?;
    let (shown, rest) = rest.split_first_chunk::<32>()?;
    let first = First {
        id: MessageId::new(*id),
        index: u16::from_be_bytes(*index),
        at: WallMillis(u64::from_be_bytes(*at)),
        expires: WallMillis(u64::from_be_bytes(*expires)),
        sent: flags & 1 == 1,
        void: flags & 2 == 2,
        shown: (MessageId::new(*shown), u16::from_be_bytes(*rest.first_chunk()?)),
    };
    Some(((GroupId::new(*group), NodeId::new(*from)), key, first))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    const STREAM: Stream = (GroupId::new([1; 32]), NodeId::new([2; 32]));

    fn key(number: u32) -> Key {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&number.to_be_bytes());
        key
    }

    fn first(id: u8, at: u64) -> First {
        First::new(MessageId::new([id; 32]), 3, WallMillis(at), WallMillis(at + 10))
    }

    #[test]
    fn what_the_store_keeps_reads_back_the_same() {
        let entry = First { sent: true, shown: (MessageId::new([9; 32]), 1), ..first(7, 1_000) };
        assert_eq!(decode(&name(&STREAM, &key(5)), &encode(&entry)), Some((STREAM, key(5), entry)));
        assert_eq!(decode(b"something else", &encode(&entry)), None);
        assert_eq!(decode(&name(&STREAM, &key(5)), b"short"), None);
    }

    #[test]
    fn a_key_is_known_for_a_day_and_unless_its_message_came_to_nothing() {
        let mut keys = EntryKeys::default();
        keys.publish(STREAM, key(1), first(1, 1_000));
        assert_eq!(keys.first(&STREAM, &key(1), WallMillis(1_010)), Some(first(1, 1_000)));
        assert_eq!(keys.first(&STREAM, &key(1), WallMillis(1_011)), None, "nobody took it within its life");
        assert_eq!(keys.sent(&MessageId::new([1; 32])).len(), 1);
        assert!(keys.first(&STREAM, &key(1), WallMillis(1_011)).unwrap().sent);
        assert!(keys.first(&STREAM, &key(1), WallMillis(1_000 + KEPT_MS)).is_some());
        assert_eq!(keys.first(&STREAM, &key(1), WallMillis(1_001 + KEPT_MS)), None);
        assert_eq!(keys.expire(WallMillis(1_001 + KEPT_MS)), [(STREAM, key(1))]);
        keys.publish(STREAM, key(2), first(2, 5));
        assert_eq!(keys.refused(&MessageId::new([2; 32])).len(), 1);
        assert_eq!(keys.first(&STREAM, &key(2), WallMillis(5)), None);
        keys.publish(STREAM, key(2), first(3, 6));
        assert!(keys.first(&STREAM, &key(2), WallMillis(6)).is_some());
        assert!(keys.repeats(STREAM, key(2), MessageId::new([3; 32]), 3, WallMillis(6)), "readers saw the refused one");
        assert!(!keys.repeats(STREAM, key(2), MessageId::new([2; 32]), 3, WallMillis(6)));
    }

    #[test]
    fn another_message_with_a_known_key_is_a_repetition_and_the_same_one_is_not() {
        let (mut keys, now) = (EntryKeys::default(), WallMillis(9));
        let (one, two) = (MessageId::new([1; 32]), MessageId::new([2; 32]));
        assert!(!keys.repeats(STREAM, key(1), one, 0, now));
        assert!(!keys.repeats(STREAM, key(1), one, 0, now), "read again by another reader");
        assert!(keys.repeats(STREAM, key(1), one, 1, now));
        assert!(keys.repeats(STREAM, key(1), two, 0, now));
        assert!(!keys.repeats((STREAM.0, NodeId::new([9; 32])), key(1), two, 0, now), "another sender's key");
        assert!(!keys.repeats(STREAM, key(1), two, 0, WallMillis(10 + KEPT_MS)), "a day later");
    }

    #[test]
    fn a_sender_of_many_keys_displaces_only_its_own() {
        let (mut keys, now) = (EntryKeys::default(), WallMillis(9));
        let other = (STREAM.0, NodeId::new([3; 32]));
        keys.repeats(other, key(0), MessageId::new([1; 32]), 0, now);
        for number in 0..=SEEN_KEYS_PER_SENDER as u32 {
            keys.repeats(STREAM, key(number), MessageId::new([1; 32]), 0, now);
        }
        assert_eq!(keys.seen.count, SEEN_KEYS_PER_SENDER + 1);
        assert!(keys.repeats(other, key(0), MessageId::new([2; 32]), 0, now));
        assert!(!keys.repeats(STREAM, key(0), MessageId::new([2; 32]), 0, now), "its oldest is forgotten");
    }
}
