//! Stores: what the core asks to be kept and what comes back.
//!
//! A store holds logs (one per destination: a group, or an inbox) of messages as they were received, under positions
//! that the core chooses and that only rise, and small key-value spaces. The core keeps the index of the logs in
//! memory and the bytes in the store. Writes of one [`StoreOp::Commit`] are all kept or, after a crash, all absent;
//! commits are kept in order: after a crash the store holds a prefix of what it was told.

use bytes::Bytes;
use crosscast_wire::{Instance, MessageId, NodeId, Seq, WallMillis};

/// Repeated in the answer to an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpId(pub u64);

/// A position in the node's log; rises by at least one with every log record, over restarts too. Also the local cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LogPos(pub u64);

/// Which log: the destination key (a GroupId's or NodeId's bytes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId(pub [u8; 32]);

/// How safe a commit must be before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Survives the death of the process: written to the operating system.
    Written,
    /// Survives the loss of power: synced to the disk.
    Synced,
}

/// The key-value spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Space {
    /// Groups this node is part of, by GroupId: name, floor record, keys.
    Group = 1,
    /// Cursors of local subscribers, by name.
    Cursor = 2,
    /// First-seen keys of dialled addresses, by locator.
    Pin = 3,
    /// Replay windows, by destination, sender and instance.
    Window = 4,
    /// Everything else, by name.
    Meta = 5,
    /// Capability chains that kept messages name, by chain hash.
    Chain = 6,
    /// What this node has granted: by group, kind and key.
    Grant = 7,
    /// Proofs that a sender claimed one number twice, by sender and instance.
    Bar = 8,
}

impl Space {
    /// The space with this number on disk.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Group),
            2 => Some(Self::Cursor),
            3 => Some(Self::Pin),
            4 => Some(Self::Window),
            5 => Some(Self::Meta),
            6 => Some(Self::Chain),
            7 => Some(Self::Grant),
            8 => Some(Self::Bar),
            _ => None,
        }
    }
}

/// What the index knows of one log record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it stands.
    pub pos: LogPos,
    /// The message.
    pub id: MessageId,
    /// Its sender.
    pub from: NodeId,
    /// Its sender's instance.
    pub instance: Instance,
    /// Its number.
    pub seq: Seq,
    /// When it was sent.
    pub time: WallMillis,
    /// When it stops mattering.
    pub expires: WallMillis,
    /// When it was committed here.
    pub arrived: WallMillis,
    /// Where it was released to local applications: its own `pos` when it came in order, a later one after a gap was
    /// filled or given up, `None` while it is held back.
    pub released: Option<LogPos>,
    /// Whether it was released behind a gap that was given up.
    pub gap: bool,
    /// Length of the kept bytes; 0 when only the entry is kept.
    pub len: u32,
    /// Routing facts the core wants back with the bytes (hops, network, path), opaque to the store.
    pub tag: u64,
}

/// A log record with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogItem {
    /// The index entry.
    pub entry: LogEntry,
    /// The message as received.
    pub bytes: Bytes,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Adds a record to a log. `entry.pos` is above every position written before.
    Append {
        /// Which log.
        log: LogId,
        /// The record.
        item: LogItem,
    },
    /// Releases a record that was held back.
    Release {
        /// Which log.
        log: LogId,
        /// The record.
        pos: LogPos,
        /// Its place in the order of release; above every position written before.
        released: LogPos,
        /// Whether a gap before it was given up.
        gap: bool,
    },
    /// Frees the bytes of all records of a log up to and including `through`; their entries stay.
    Trim {
        /// Which log.
        log: LogId,
        /// Last record to free.
        through: LogPos,
    },
    /// Drops all records of a log up to and including `through`, entries too.
    Forget {
        /// Which log.
        log: LogId,
        /// Last record to drop.
        through: LogPos,
    },
    /// Sets a key.
    Put {
        /// In which space.
        space: Space,
        /// At most 256 bytes.
        key: Bytes,
        /// At most 64 KiB.
        value: Bytes,
    },
    /// Removes a key.
    Delete {
        /// From which space.
        space: Space,
        /// The key.
        key: Bytes,
    },
}

/// What the core asks of the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOp {
    /// Make changes, all or none.
    Commit {
        /// In this order.
        writes: Vec<Write>,
        /// How safe before it is answered.
        durability: Durability,
    },
    /// Read the kept records of a log in order of `pos`, starting after `after`.
    Read {
        /// Which log.
        log: LogId,
        /// Last position already had.
        after: LogPos,
        /// Stop after this many bytes; at least one record is read when there is one.
        max_bytes: u32,
    },
    /// Read the kept and released records of a log in order of `released`, starting after `after`.
    ReadReleased {
        /// Which log.
        log: LogId,
        /// Last release position already had.
        after: LogPos,
        /// Stop after this many bytes; at least one record is read when there is one.
        max_bytes: u32,
    },
}

/// Why a store could not do as asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or the quota is full.
    Full,
    /// The disk failed; the word is the operating system's kind of error.
    Io(String),
    /// The store's files are damaged beyond a torn tail.
    Corrupt(String),
    /// Another process has the store open.
    Locked,
}

/// A store's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOutcome {
    /// The commit holds.
    Committed,
    /// What was read.
    Items {
        /// In the order asked for.
        items: Vec<LogItem>,
        /// Whether nothing follows the last of them.
        end: bool,
    },
    /// It was not done.
    Failed(StoreError),
}

/// What a store holds when it is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// One above the highest position (or release position) ever written; at least 1.
    pub next_pos: u64,
    /// The entries of every log, ascending by `pos`.
    pub logs: Vec<(LogId, Vec<LogEntry>)>,
    /// Every key and value.
    pub pairs: Vec<(Space, Bytes, Bytes)>,
    /// Bytes of a torn tail that were cut off.
    pub torn_bytes: u64,
}
