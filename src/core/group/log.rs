//! The index of one destination's log: what is kept, in which order it came and was released, and how much it weighs.
//!
//! The bytes are in the store; the core keeps one [`LogEntry`] per message for as long as the message could be pushed
//! again, so that a duplicate is known by its id. Links and local readers are fed by walking this index.

use std::collections::{BTreeMap, VecDeque};

use crosscast_port::{LogEntry, LogPos};
use crosscast_wire::{Class, Instance, MessageId, Network, NodeId, PathKind, Seq, Trail, WallMillis};

use crate::limits;

/// Facts about how a message came, packed into the store's opaque tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Links it crossed to get here; 0 when it was published here.
    pub(crate) hops: u8,
    /// Its class, which decides its lane.
    pub(crate) class: Class,
    /// Network and path of the last link.
    pub(crate) last: Option<(Network, PathKind)>,
    /// The networks of all links, as far as routers said so; only of group messages.
    pub(crate) trail: Trail,
}

/// Where the trail begins in a tag; the inbox has marks of its own there.
const TRAIL_SHIFT: u32 = 36;

impl Tag {
    pub(crate) fn pack(self) -> u64 {
        let last = self
            .last
            .map_or(0, |(network, path)| 0x1_0000 | u64::from(network.number()) << 8 | u64::from(path.number()));
        // The last network is known already; seven more fit.
        let before = u64::from(self.trail.bits() >> 4) << TRAIL_SHIFT;
        u64::from(self.hops) | u64::from(self.class.number()) << 8 | last << 16 | before
    }

    /// As [`Self::unpack`], of a group's message.
    pub(crate) fn unpack_of_group(tag: u64) -> Self {
        let plain = Self::unpack(tag);
        let before = Trail::from_bits(u32::try_from(tag >> TRAIL_SHIFT).unwrap_or(0));
        let trail = plain.last.map_or(Trail::default(), |(network, _)| before.then(network));
        Self { trail, ..plain }
    }

    pub(crate) fn unpack(tag: u64) -> Self {
        let network = Network::from_number((tag >> 24) & 0xff);
        let path = PathKind::from_number((tag >> 16) & 0xff);
        let known = tag >> 32 & 1 == 1;
        Self {
            hops: u8::try_from(tag & 0xff).unwrap_or(u8::MAX),
            class: Class::from_number((tag >> 8) & 0xff).unwrap_or(Class::Normal),
            last: network.zip(path).filter(|_| known),
            trail: Trail::default(),
        }
    }
}

/// The index of one log.
#[derive(Default)]
pub(crate) struct Log {
    entries: VecDeque<LogEntry>,
    ids: BTreeMap<MessageId, LogPos>,
    released: BTreeMap<LogPos, LogPos>,
    trimmed: LogPos,
    /// Entries before the first that is not freed, when that is known.
    freed: Option<usize>,
    bytes: u64,
    kept: u64,
    /// Highest release position freed: a reader before it has missed something.
    pub(crate) lost_released: LogPos,
    /// Highest release position.
    pub(crate) head: LogPos,
    /// Highest position that the store has confirmed.
    pub(crate) durable: LogPos,
    /// Highest release position that the store has confirmed: what readers may see.
    pub(crate) shown: LogPos,
}

impl Log {
    /// Takes a new entry; its position is above all others.
    pub(crate) fn append(&mut self, entry: LogEntry) {
        self.bytes = self.bytes.saturating_add(u64::from(entry.len));
        if entry.len > 0 {
            self.kept = self.kept.saturating_add(1);
        } else {
            self.trimmed = self.trimmed.max(entry.pos);
            self.freed = None;
            self.lost_released = self.lost_released.max(entry.released.unwrap_or_default());
        }
        self.ids.insert(entry.id, entry.pos);
        if let Some(released) = entry.released {
            self.released.insert(released, entry.pos);
            self.head = self.head.max(released);
        }
        self.entries.push_back(entry);
    }

    /// Marks an entry as released.
    pub(crate) fn release(&mut self, pos: LogPos, released: LogPos, gap: bool) {
        if let Some(entry) = self.find_mut(pos) {
            entry.released = Some(released);
            entry.gap = gap;
            let freed = entry.len == 0;
            if freed {
                self.lost_released = self.lost_released.max(released);
            }
            self.released.insert(released, pos);
            self.head = self.head.max(released);
        }
    }

    fn place(&self, pos: LogPos) -> usize {
        // The newest is asked for most, and a search through a long log misses the cache at every step.
        match self.entries.back() {
            Some(last) if last.pos < pos => self.entries.len(),
            Some(last) if last.pos == pos => self.entries.len().saturating_sub(1),
            Some(_) | None => self.entries.partition_point(|entry| entry.pos < pos),
        }
    }

    fn find_mut(&mut self, pos: LogPos) -> Option<&mut LogEntry> {
        let place = self.place(pos);
        self.entries.get_mut(place).filter(|entry| entry.pos == pos)
    }

    pub(crate) fn find(&self, pos: LogPos) -> Option<&LogEntry> {
        self.entries.get(self.place(pos)).filter(|entry| entry.pos == pos)
    }

    pub(crate) fn position_of(&self, id: &MessageId) -> Option<LogPos> {
        self.ids.get(id).copied()
    }

    /// The kept message that has a sender's number; walks the log from its end.
    pub(crate) fn holder_of(&self, from: NodeId, instance: Instance, seq: Seq) -> Option<&LogEntry> {
        let kept = self.entries.iter().rev().filter(|entry| entry.len > 0);
        kept.into_iter().find(|entry| (entry.seq, entry.instance, entry.from) == (seq, instance, from))
    }

    /// Entries with kept bytes after a position.
    /// All entries, the newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &LogEntry> {
        self.entries.iter().rev()
    }

    pub(crate) fn after(&self, pos: LogPos) -> impl Iterator<Item = &LogEntry> {
        let place = self.entries.partition_point(|entry| entry.pos <= pos);
        self.entries.range(place..).filter(|entry| entry.len > 0)
    }

    /// The release position before the first entry sent at or after `time`.
    pub(crate) fn released_before(&self, time: WallMillis) -> LogPos {
        let sent = |pos: &LogPos| self.find(*pos).is_some_and(|entry| entry.time >= time && entry.len > 0);
        let first = self.released.iter().find(|(_, pos)| sent(pos)).map(|(released, _)| *released);
        first.map_or(self.head, |released| LogPos(released.0.saturating_sub(1)))
    }

    /// Frees the bytes of the oldest entries until at most `max_bytes` are kept and none that came before `oldest` is;
    /// returns the last position freed.
    pub(crate) fn trim(&mut self, max_bytes: u64, oldest: WallMillis) -> Option<LogPos> {
        let max_bytes = self.with_slack(max_bytes);
        self.free_while(|entry, bytes, kept| {
            bytes > max_bytes || entry.arrived < oldest || kept > limits::LOG_ENTRIES as u64
        })
    }

    /// Frees the bytes of the oldest entries, as far as they were released up to `read`, until at most `max_bytes` are
    /// kept; returns the last position freed.
    pub(crate) fn trim_read(&mut self, max_bytes: u64, read: LogPos) -> Option<LogPos> {
        let max_bytes = self.with_slack(max_bytes);
        self.free_while(|entry, bytes, _| bytes > max_bytes && entry.released.is_some_and(|released| released <= read))
    }

    /// Down to seven eighths, so that a full log is not trimmed at every message.
    const fn with_slack(&self, max_bytes: u64) -> u64 {
        if self.bytes > max_bytes { max_bytes.saturating_sub(max_bytes / 8) } else { max_bytes }
    }

    /// Frees the oldest entries while each of them `goes`, given the bytes and the entries kept.
    fn free_while(&mut self, goes: impl Fn(&LogEntry, u64, u64) -> bool) -> Option<LogPos> {
        let mut freed = None;
        let start = self.freed.unwrap_or_else(|| self.entries.partition_point(|entry| entry.pos <= self.trimmed));
        let mut count = start;
        for entry in self.entries.range_mut(start.min(self.entries.len())..) {
            if !goes(entry, self.bytes, self.kept) {
                break;
            }
            self.bytes = self.bytes.saturating_sub(u64::from(entry.len));
            self.kept = self.kept.saturating_sub(u64::from(entry.len > 0));
            entry.len = 0;
            self.trimmed = entry.pos;
            self.lost_released = self.lost_released.max(entry.released.unwrap_or_default());
            freed = Some(entry.pos);
            count = count.saturating_add(1);
        }
        self.freed = Some(count);
        freed
    }

    /// Whether entries go beyond their bound by a quarter: then the oldest are dropped before the tick.
    pub(crate) fn is_crowded(&self) -> bool {
        self.entries.len() > limits::LOG_ENTRIES.saturating_add(limits::LOG_ENTRIES / 4)
    }

    /// Drops freed entries that came before `oldest`, and the oldest beyond the bound; returns the last one dropped.
    pub(crate) fn forget(&mut self, oldest: WallMillis) -> Option<LogPos> {
        let mut dropped = None;
        while let Some(entry) = self.entries.front() {
            if entry.len > 0 || (entry.arrived >= oldest && self.entries.len() <= limits::LOG_ENTRIES) {
                break;
            }
            let Some(entry) = self.entries.pop_front() else { break };
            self.freed = self.freed.and_then(|freed| freed.checked_sub(1));
            self.ids.remove(&entry.id);
            if let Some(released) = entry.released {
                self.released.remove(&released);
            }
            dropped = Some(entry.pos);
        }
        dropped
    }

    /// Frees everything up to a position.
    pub(crate) fn trim_through(&mut self, through: LogPos) {
        for entry in self.entries.iter_mut().take_while(|entry| entry.pos <= through) {
            self.bytes = self.bytes.saturating_sub(u64::from(entry.len));
            self.kept = self.kept.saturating_sub(u64::from(entry.len > 0));
            entry.len = 0;
        }
        self.trimmed = self.trimmed.max(through);
        self.freed = None;
    }

    /// The newest position.
    pub(crate) fn last(&self) -> LogPos {
        self.entries.back().map_or(self.trimmed, |entry| entry.pos)
    }

    /// Messages and bytes kept.
    pub(crate) fn weight(&self) -> (u64, u64) {
        (self.kept, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use crosscast_wire::{Instance, NodeId, Seq};

    use super::*;

    fn log(released: &[Option<u64>]) -> Log {
        let mut log = Log::default();
        for (pos, released) in (1u64..).zip(released) {
            log.append(LogEntry {
                pos: LogPos(pos),
                id: MessageId::of_header(&pos.to_be_bytes()),
                from: NodeId::new([1; 32]),
                instance: Instance(1),
                seq: Seq(pos),
                time: WallMillis(pos),
                expires: WallMillis(u64::MAX),
                arrived: WallMillis(pos),
                released: released.map(LogPos),
                gap: false,
                len: 100,
                tag: 0,
            });
        }
        log
    }

    #[test]
    fn trimming_goes_on_where_it_stopped_whatever_was_forgotten_or_freed_between() {
        let mut all = log(&(1..=20).map(Some).collect::<Vec<_>>());
        assert_eq!(all.trim(1_900, WallMillis(0)), Some(LogPos(4)), "down to seven eighths");
        assert_eq!(all.forget(WallMillis(3)), Some(LogPos(2)));
        assert_eq!(all.trim(9_999, WallMillis(6)), Some(LogPos(5)));
        assert_eq!(all.forget(WallMillis(100)), Some(LogPos(5)), "no further than what is freed");
        assert_eq!(all.weight(), (15, 1_500));
        all.trim_through(LogPos(8));
        assert_eq!(all.trim(9_999, WallMillis(10)), Some(LogPos(9)));
        assert_eq!((all.weight(), all.last()), ((11, 1_100), LogPos(20)));
        assert_eq!(all.find(LogPos(20)).map(|entry| entry.pos), Some(LogPos(20)));
        assert_eq!(all.find(LogPos(10)).map(|entry| entry.pos), Some(LogPos(10)));
        assert!(all.find(LogPos(21)).is_none() && all.find(LogPos(2)).is_none());
        assert_eq!(all.trim(9_999, WallMillis(100)), Some(LogPos(20)));
        assert_eq!(all.weight(), (0, 0));
    }

    #[test]
    fn what_a_reader_or_an_earlier_message_still_waits_for_is_not_trimmed_as_read() {
        let mut all = log(&[Some(1), Some(2), Some(3), Some(4), Some(5)]);
        assert_eq!(all.trim_read(500, LogPos(9)), None, "within its bytes");
        assert_eq!(all.trim_read(300, LogPos(2)), Some(LogPos(2)), "the reader has had two");
        assert_eq!(all.trim_read(100, LogPos(9)), Some(LogPos(5)));
        assert_eq!((all.weight(), all.lost_released), ((0, 0), LogPos(5)));
        let mut held = log(&[Some(1), None, Some(3)]);
        assert_eq!(held.trim_read(0, LogPos(9)), Some(LogPos(1)), "the second is held back");
        assert!(held.position_of(&MessageId::of_header(&1u64.to_be_bytes())).is_some(), "still known by its id");
    }
}
