//! What an operator or an application changes while the node runs: name and limits, targets, cursors kept by name.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosscast_port::{Space, Write};
use crosscast_wire::{GroupId, Locator};

use crate::command::Tuning;
use crate::group::log::Tag;
use crate::view::TrailView;
use crate::{CommandId, Node, Refusal, Reply, limits};

use super::commit::After;

/// Cursors kept by name. 1,024: as many as local readers.
const CURSORS: usize = 1_024;
/// Longest name of a cursor in bytes. 64: as a group's.
const CURSOR_NAME_MAX: usize = 64;
/// Longest cursor in bytes. 8 KiB: the positions of 64 groups with their keys.
const CURSOR_MAX: usize = 8 << 10;
/// What the names of cursors start with in the store.
const PREFIX: &[u8] = b"by-name/";

/// Cursors of applications, by name.
pub(super) type Cursors = BTreeMap<String, Bytes>;

impl Node {
    pub(super) fn on_tune(&mut self, command: CommandId, tuning: Tuning) {
        let Tuning { name, window_bytes, window_ms, inbox_bytes } = tuning;
        self.config.name = name;
        self.config.sizes.window_bytes = window_bytes;
        self.config.sizes.inbox_bytes = inbox_bytes;
        self.config.times.window_ms = window_ms;
        let groups: Vec<GroupId> = self.groups.keys().copied().collect();
        for group in groups {
            self.trim_group(group, false);
        }
        self.reply(command, Reply::Done);
    }

    /// Dials a locator no more; a link that it led to stays until it breaks.
    pub(super) fn on_detach(&mut self, command: CommandId, locator: &Locator) {
        if let Some(number) = self.targets.remove(locator) {
            self.timers.cancel(crate::timer::Timer::Redial(number));
        }
        self.reply(command, Reply::Done);
    }

    pub(super) fn reply_group_peers(&mut self, command: CommandId, group: GroupId) {
        let reply = match self.groups.get(&group) {
            None => Reply::Refused(Refusal::UnknownGroup),
            Some(group) => Reply::Peers(group.neighbours.iter().filter_map(|link| self.view(*link)).collect()),
        };
        self.reply(command, reply);
    }

    pub(super) fn reply_group_trails(&mut self, command: CommandId, group: GroupId) {
        let reply = match self.groups.get(&group) {
            None => Reply::Refused(Refusal::UnknownGroup),
            Some(group) => Reply::Trails(trails(group)),
        };
        self.reply(command, reply);
    }

    pub(super) fn on_keep_cursor(&mut self, command: CommandId, name: String, value: Bytes) {
        let refusal = match self.cursors.len() {
            _ if name.is_empty() || name.len() > CURSOR_NAME_MAX => Some(Refusal::BadName),
            _ if name.chars().any(char::is_control) => Some(Refusal::BadName),
            _ if value.len() > CURSOR_MAX => Some(Refusal::TooLarge),
            CURSORS.. if !self.cursors.contains_key(&name) => Some(Refusal::Limit),
            _ => None,
        };
        if let Some(refusal) = refusal {
            return self.reply(command, Reply::Refused(refusal));
        }
        let key: Bytes = [PREFIX, name.as_bytes()].concat().into();
        if value.is_empty() {
            self.cursors.remove(&name);
            self.write(Write::Delete { space: Space::Cursor, key });
        } else {
            self.write(Write::Put { space: Space::Cursor, key, value: value.clone() });
            self.cursors.insert(name, value);
        }
        self.after_commit(After::Reply(command, Reply::Done));
    }

    pub(super) fn reply_cursor(&mut self, command: CommandId, name: &str) {
        self.reply(command, Reply::Cursor(self.cursors.get(name).cloned()));
    }

    pub(super) fn restore_named_cursor(&mut self, key: &[u8], value: &Bytes) {
        let name = key.strip_prefix(PREFIX).and_then(|name| std::str::from_utf8(name).ok());
        if let Some(name) = name.filter(|_| self.cursors.len() < CURSORS) {
            self.cursors.insert(name.to_owned(), value.clone());
        }
    }
}

/// The newest message of each sender, among the newest of all.
fn trails(group: &crate::group::Group) -> Vec<TrailView> {
    let mut senders = std::collections::BTreeMap::new();
    for entry in group.log.newest().take(limits::TRAILS_LOOKED_AT) {
        senders.entry(entry.from).or_insert_with(|| {
            let tag = Tag::unpack_of_group(entry.tag);
            TrailView { from: entry.from, seq: entry.seq, time: entry.time, hops: tag.hops, trail: tag.trail }
        });
    }
    senders.into_values().collect()
}
