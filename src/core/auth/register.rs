//! What this node has handed out: invites, grants, and what it took back; bounded per group and kept in the store.
//!
//! A router needs none of it. Whoever admits keeps it for himself: an invite is worth what its maker's register says,
//! a grant can be made again for whoever lost it, and what was revoked stays so when another record crosses ours.

use std::collections::BTreeMap;

use crosscast_wire::cbor::{CborError, Reader, Writer};
use crosscast_wire::{GroupId, NodeId, RevocationId, Rights, WallMillis};

use crate::limits;

/// An invite that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invite {
    pub(crate) rights: Rights,
    pub(crate) expires: WallMillis,
    pub(crate) uses_left: u32,
    /// How long what it lets in lives, in milliseconds.
    pub(crate) life_ms: u64,
}

/// A right that was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Granted {
    pub(crate) rights: Rights,
    pub(crate) depth: u8,
    pub(crate) life_ms: u64,
    /// When the last capability made of it runs out.
    pub(crate) not_after: WallMillis,
    pub(crate) invite: Option<[u8; 32]>,
}

/// What a record is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// By the invite's public key.
    Invite([u8; 32]),
    /// By the subject.
    Grant(NodeId),
    /// By what was revoked.
    Revoked(RevocationId),
}

/// A record's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    Invite(Invite),
    Grant(Granted),
    /// When.
    Revoked(WallMillis),
}

/// All records of this node.
#[derive(Default)]
pub(crate) struct Register {
    records: BTreeMap<(GroupId, Entry), Record>,
}

impl Register {
    pub(crate) fn invite(&self, group: GroupId, key: &[u8; 32]) -> Option<Invite> {
        match self.records.get(&(group, Entry::Invite(*key))) {
            Some(Record::Invite(invite)) => Some(*invite),
            Some(Record::Grant(_) | Record::Revoked(_)) | None => None,
        }
    }

    pub(crate) fn granted(&self, group: GroupId, subject: NodeId) -> Option<Granted> {
        match self.records.get(&(group, Entry::Grant(subject))) {
            Some(Record::Grant(granted)) => Some(*granted),
            Some(Record::Invite(_) | Record::Revoked(_)) | None => None,
        }
    }

    pub(crate) fn is_revoked(&self, group: GroupId, id: &RevocationId) -> bool {
        self.records.contains_key(&(group, Entry::Revoked(*id)))
    }

    /// Everything of a group.
    pub(crate) fn of(&self, group: GroupId) -> impl Iterator<Item = (&Entry, &Record)> {
        let first = (group, Entry::Invite([0; 32]));
        let of_group = move |(key, _): &(&(GroupId, Entry), &Record)| key.0 == group;
        self.records.range(first..).take_while(of_group).map(|((_, entry), record)| (entry, record))
    }

    /// What was revoked in a group, ascending.
    pub(crate) fn revoked(&self, group: GroupId) -> impl Iterator<Item = RevocationId> {
        self.of(group).filter_map(|(entry, _)| match entry {
            Entry::Revoked(id) => Some(*id),
            Entry::Invite(_) | Entry::Grant(_) => None,
        })
    }

    /// Whether a group may have another record.
    pub(crate) fn has_room(&self, group: GroupId) -> bool {
        self.of(group).count() < limits::REGISTER
    }

    pub(crate) fn set(&mut self, group: GroupId, entry: Entry, record: Record) {
        self.records.insert((group, entry), record);
    }

    pub(crate) fn remove(&mut self, group: GroupId, entry: Entry) {
        self.records.remove(&(group, entry));
    }

    /// Forgets a group; returns its entries.
    pub(crate) fn forget(&mut self, group: GroupId) -> Vec<Entry> {
        let entries: Vec<Entry> = self.of(group).map(|(entry, _)| *entry).collect();
        for entry in &entries {
            self.remove(group, *entry);
        }
        entries
    }
}

/// The key of a record in the store: group ‖ kind ‖ name.
pub(crate) fn key(group: GroupId, entry: &Entry) -> Vec<u8> {
    let (kind, name) = match entry {
        Entry::Invite(key) => (1, key),
        Entry::Grant(subject) => (2, subject.as_bytes()),
        Entry::Revoked(id) => (3, id.as_bytes()),
    };
    [group.as_bytes().as_slice(), &[kind], name].concat()
}

/// The value of a record in the store.
pub(crate) fn value(record: &Record) -> Vec<u8> {
    let mut w = Writer::with_capacity(80);
    match record {
        Record::Invite(invite) => {
            w.array(4).uint(invite.rights.bits()).uint(invite.expires.0).uint(invite.uses_left.into());
            w.uint(invite.life_ms);
        }
        Record::Grant(granted) => {
            w.array(5).uint(granted.rights.bits()).uint(granted.depth.into()).uint(granted.life_ms);
            w.uint(granted.not_after.0).bytes(granted.invite.as_ref().map_or(&[][..], |key| key.as_slice()));
        }
        Record::Revoked(at) => {
            w.array(1).uint(at.0);
        }
    }
    w.into_bytes()
}

/// Reads a record of the store; `None` when it is not one.
pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<(GroupId, Entry, Record)> {
    let (group, rest) = key.split_first_chunk::<32>()?;
    let (kind, name) = rest.split_first()?;
    let name = <[u8; 32]>::try_from(name).ok()?;
    let entry = match kind {
        1 => Entry::Invite(name),
        2 => Entry::Grant(NodeId::new(name)),
        3 => Entry::Revoked(RevocationId::new(name)),
        _ => return None,
    };
    let record = read_record(&entry, value).ok()?;
    Some((GroupId::new(*group), entry, record))
}

fn read_record(entry: &Entry, value: &[u8]) -> Result<Record, CborError> {
    let mut r = Reader::new(value);
    r.array_within(1, 5)?;
    let record = match entry {
        Entry::Invite(_) => Record::Invite(Invite {
            rights: Rights::from_known_bits(r.uint()?),
            expires: WallMillis(r.uint()?),
            uses_left: r.u32()?,
            life_ms: r.uint()?,
        }),
        Entry::Grant(_) => Record::Grant(Granted {
            rights: Rights::from_known_bits(r.uint()?),
            depth: r.u8()?,
            life_ms: r.uint()?,
            not_after: WallMillis(r.uint()?),
            invite: <[u8; 32]>::try_from(r.bytes()?).ok(),
        }),
        Entry::Revoked(_) => Record::Revoked(WallMillis(r.uint()?)),
    };
    r.finish()?;
    Ok(record)
}
