//! What the store held becomes state again: groups, logs, windows, order, pins, the inbox's cursor.

use bytes::Bytes;
use crosscast_port::{LogEntry, LogId, LogPos, Recovered, Space};
use crosscast_wire::{Chain, GroupId, Instance, Locator, NodeId, Seq, WallMillis};

use crate::auth::register;
use crate::group::Group;
use crate::group::log::Log;
use crate::group::state;
use crate::timer::Timer;
use crate::{Instant, Node, Times};

use super::unicast::INBOX_CURSOR;

impl Node {
    pub(super) fn restore(&mut self, recovered: Recovered) {
        let Recovered { logs, pairs, .. } = recovered;
        let mut locators = Vec::new();
        for (space, key, value) in &pairs {
            if *space == Space::Group {
                locators.extend(self.restore_group(key, value));
            }
        }
        for (space, key, value) in &pairs {
            match space {
                Space::Group => {}
                Space::Meta => {
                    self.restore_meta(key, value);
                    self.restore_key(key, value);
                }
                Space::Chain => self.restore_chain(value),
                Space::Grant => {
                    if let Some((group, entry, record)) = register::read(key, value) {
                        self.register.set(group, entry, record);
                    }
                }
                Space::Cursor => self.restore_cursor(key, value),
                Space::Pin => self.restore_pin(key, value),
                Space::Bar => self.restore_bar(value),
                Space::Window => self.restore_window(key, value),
            }
        }
        for (log, entries) in logs {
            self.restore_log(log, entries);
        }
        self.follow_restored_keys();
        for locator in locators {
            self.attach(locator);
        }
    }

    fn restore_group(&mut self, key: &Bytes, value: &Bytes) -> Vec<Locator> {
        let id = <[u8; 32]>::try_from(key.as_ref()).ok().map(GroupId::new);
        let Some((id, state)) = id.zip(state::decode(value)) else { return Vec::new() };
        let locators = state.locators.iter().filter_map(|text| text.parse().ok()).collect();
        self.groups.insert(id, Group::new(id, state));
        locators
    }

    /// A chain in the store was checked before it was put there.
    fn restore_chain(&mut self, value: &Bytes) {
        if let Ok(chain) = Chain::parse(value) {
            let _ = self.chains.insert(&chain, value.clone(), true);
        }
    }

    fn restore_cursor(&mut self, key: &Bytes, value: &Bytes) {
        if key.as_ref() == INBOX_CURSOR {
            self.inbox.acknowledged = LogPos(number(value));
        } else {
            self.restore_named_cursor(key, value);
        }
    }

    fn restore_pin(&mut self, key: &Bytes, value: &Bytes) {
        let locator = std::str::from_utf8(key).ok().and_then(|text| text.parse::<Locator>().ok());
        let node = <[u8; 32]>::try_from(value.as_ref()).ok().map(NodeId::new);
        if let Some((locator, node)) = locator.zip(node) {
            self.pins.insert(locator, node);
        }
    }

    fn restore_window(&mut self, key: &Bytes, value: &Bytes) {
        let Some((log, rest)) = key.split_first_chunk::<32>() else { return };
        let Some((from, instance)) = rest.split_first_chunk::<32>() else { return };
        let (from, instance) = (NodeId::new(*from), Instance(number(instance)));
        let (seq, last) = value.split_first_chunk::<8>().map_or((0, 0), |(seq, last)| (number(seq), number(last)));
        if let Some(group) = self.groups.get_mut(&GroupId::new(*log)) {
            group.windows.restore(from, instance, Seq(seq), WallMillis(last));
            group.ordering.restore_released((from, instance), Seq(seq));
        }
    }

    fn restore_log(&mut self, log: LogId, entries: Vec<LogEntry>) {
        let (mono, times) = (self.now.mono, self.config.times);
        if log == self.inbox_log() {
            for entry in entries {
                self.restore_letter(&entry);
                self.inbox.log.append(entry);
            }
            confirm(&mut self.inbox.log);
            return;
        }
        let id = GroupId::new(log.0);
        let Some(group) = self.groups.get_mut(&id) else { return };
        for entry in &entries {
            group.windows.take(entry.from, entry.instance, entry.seq, entry.time);
            group.log.append(entry.clone());
            if entry.released.is_some() {
                group.ordering.restore_released((entry.from, entry.instance), entry.seq);
            }
        }
        confirm(&mut group.log);
        let held = entries.iter().filter(|entry| entry.released.is_none());
        for entry in held {
            let key = (entry.from, entry.instance);
            group.ordering.restore_held(key, entry.seq, entry.pos, u64::from(entry.len), mono);
        }
        self.arm_restored_gap(id, mono, &times);
    }

    fn arm_restored_gap(&mut self, id: GroupId, mono: Instant, times: &Times) {
        if let Some(due) = self.groups.get(&id).and_then(|group| group.ordering.next_due(times)) {
            self.timers.set(Timer::Gap(id), due.min(mono.plus_millis(1_000)));
        }
    }
}

/// Everything in a restored log is confirmed.
fn confirm(log: &mut Log) {
    log.durable = log.last();
    log.shown = log.head;
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}
