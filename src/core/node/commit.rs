//! Commits: what has passed the gates is written, and only then acknowledged, forwarded and shown.
//!
//! One commit is under way at a time; what is decided meanwhile becomes the next, so batches grow with load. The store
//! keeps commits in order, so the effects behind them happen in order too. A commit that fails is taken back whole.

use bytes::Bytes;
use crosscast_port::{Durability, LinkId, LogEntry, LogId, LogItem, LogPos, Space, StoreOp, StoreOutcome, Write};
use crosscast_wire::{Destination, GroupId, Message, RefuseCode, Seq, WallMillis, frame};

use crate::group::Group;
use crate::group::log::Tag;
use crate::group::order::Admit;
use crate::peer::incoming::Arrival;
use crate::timer::Timer;
use crate::{CommandId, Event, Node, Notice, Refusal, Reject, Reply, limits};

use super::Pending;

/// What waits for a commit.
pub(super) enum After {
    /// A message is in its log.
    Message(Box<Committed>),
    /// Held messages of a group were released up to here.
    Released(GroupId, LogPos),
    /// A command is done.
    Reply(CommandId, Reply),
}

/// A message whose append waits for the store.
pub(super) struct Committed {
    pub(super) message: Message,
    pub(super) tag: Tag,
    pub(super) pos: LogPos,
    pub(super) released: Option<LogPos>,
    pub(super) from: Option<(LinkId, Arrival)>,
}

/// Writes that wait, and what waits for them.
#[derive(Default)]
pub(super) struct Commits {
    writes: Vec<Write>,
    after: Vec<After>,
    underway: Option<Vec<After>>,
    failing: bool,
}

impl Node {
    pub(super) fn write(&mut self, write: Write) {
        self.commits.writes.push(write);
    }

    pub(super) fn after_commit(&mut self, after: After) {
        self.commits.after.push(after);
    }

    pub(super) fn put(&mut self, space: Space, key: &[u8], value: Vec<u8>) {
        self.write(Write::Put { space, key: Bytes::copy_from_slice(key), value: value.into() });
    }

    pub(super) fn start_commit(&mut self) {
        let idle = self.commits.writes.is_empty() && self.commits.after.is_empty();
        if self.commits.underway.is_some() || idle {
            return;
        }
        let writes = std::mem::take(&mut self.commits.writes);
        self.commits.underway = Some(std::mem::take(&mut self.commits.after));
        self.store(Pending::Commit, StoreOp::Commit { writes, durability: Durability::Written });
    }

    pub(super) fn on_committed(&mut self, outcome: &StoreOutcome) {
        let after = self.commits.underway.take().unwrap_or_default();
        let held = matches!(outcome, StoreOutcome::Committed);
        if held == self.commits.failing {
            self.commits.failing = !held;
            if !held {
                self.event(Event::Notice(Notice::StoreFailed { code: "store-failed" }));
            }
        }
        for after in after {
            match (after, held) {
                (After::Message(committed), true) => self.on_message_committed(*committed),
                (After::Message(committed), false) => self.on_message_lost(*committed),
                (After::Released(group, released), true) => self.on_released(group, released),
                // The release is asked for again at the next start; until then the index holds it.
                (After::Released(group, released), false) => self.on_released(group, released),
                (After::Reply(command, reply), true) => self.reply(command, reply),
                (After::Reply(command, _), false) => self.reply(command, Reply::Refused(Refusal::Store)),
            }
        }
    }

    /// Books a message in: window, order and index now, everything that can be seen after the commit.
    pub(super) fn commit_message(&mut self, message: Message, tag: Tag, from: Option<(LinkId, Arrival)>) {
        let pos = self.next_pos();
        let header = message.header();
        let (to, key, seq, order) = (header.to, (header.from, header.instance), header.seq, header.order);
        let mut entry = LogEntry {
            pos,
            id: message.id(),
            from: header.from,
            instance: header.instance,
            seq,
            time: header.time,
            expires: header.expires,
            arrived: self.now.wall,
            released: Some(pos),
            gap: false,
            len: u32::try_from(message.bytes().len()).unwrap_or(u32::MAX),
            tag: tag.pack(),
        };
        let log = LogId(*to.as_bytes());
        match to {
            Destination::Multicast(id) => {
                let (mono, wall) = (self.now.mono, self.now.wall);
                let Some(group) = self.groups.get_mut(&id) else { return };
                group.windows.take(key.0, key.1, seq, wall);
                match group.ordering.admit(key, seq, order, pos, u64::from(entry.len), mono) {
                    Admit::Release { gap } => entry.gap = gap,
                    Admit::Hold | Admit::Late => entry.released = None,
                }
                group.log.append(entry.clone());
            }
            Destination::Unicast(_) => {
                self.inbox.windows.take(key.0, key.1, seq, self.now.wall);
                self.inbox.log.append(entry.clone());
            }
        }
        let released = entry.released;
        self.write(Write::Append { log, item: LogItem { entry, bytes: message.bytes().clone() } });
        self.after_commit(After::Message(Box::new(Committed { message, tag, pos, released, from })));
        if let Destination::Multicast(id) = to {
            if released.is_some() {
                self.release_held(id, key);
            } else {
                self.arm_gap(id);
            }
            self.trim_group(id, false);
        }
    }

    /// Releases what a stream held back behind the message just released.
    pub(super) fn release_held(&mut self, id: GroupId, key: crate::peer::link::PeerKey) {
        let mut last = None;
        while let Some(pos) = self.groups.get_mut(&id).and_then(|group| group.ordering.take_next(key)) {
            last = Some(self.release(id, pos, false));
        }
        if let Some(released) = last {
            self.after_commit(After::Released(id, released));
        }
    }

    /// Releases one held message.
    pub(super) fn release(&mut self, id: GroupId, pos: LogPos, gap: bool) -> LogPos {
        let released = self.next_pos();
        if let Some(group) = self.groups.get_mut(&id) {
            group.log.release(pos, released, gap);
        }
        self.write(Write::Release { log: LogId(*id.as_bytes()), pos, released, gap });
        released
    }

    fn on_message_committed(&mut self, committed: Committed) {
        if let Some((link, arrival)) = committed.from
            && let Some(state) = self.links.get_mut(&link)
        {
            state.inn.done(arrival);
            self.dirty.insert(link);
        }
        match committed.message.header().to {
            Destination::Multicast(id) => {
                let Some(group) = self.groups.get_mut(&id) else { return };
                group.log.durable = group.log.durable.max(committed.pos);
                group.log.shown = group.log.shown.max(committed.released.unwrap_or_default());
                self.forward(id, &committed);
                self.show(crate::Source::Group(id), &committed);
                if committed.from.is_none() {
                    self.on_own_committed(id);
                }
            }
            Destination::Unicast(_) => {
                self.inbox.log.durable = self.inbox.log.durable.max(committed.pos);
                self.inbox.log.shown = self.inbox.log.shown.max(committed.pos);
                self.show(crate::Source::Inbox, &committed);
            }
        }
    }

    fn on_released(&mut self, id: GroupId, released: LogPos) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.log.shown = group.log.shown.max(released);
            self.pump_readers(crate::Source::Group(id));
        }
    }

    /// The store did not take a message: it is as if it had never come, and its sender is told.
    fn on_message_lost(&mut self, committed: Committed) {
        let header = committed.message.header();
        let key = (header.from, header.instance);
        match header.to {
            Destination::Multicast(id) => {
                if let Some(group) = self.groups.get_mut(&id) {
                    group.log.retract(committed.pos);
                    group.windows.free(key.0, key.1, header.seq);
                    group.ordering.retract(key, header.seq);
                }
                if committed.from.is_none() {
                    self.on_own_lost(id, committed.message.id());
                }
            }
            Destination::Unicast(_) => {
                self.inbox.log.retract(committed.pos);
                self.inbox.windows.free(key.0, key.1, header.seq);
            }
        }
        if let Some((link, arrival)) = committed.from {
            self.rejects.count(Reject::StoreFailed);
            if let Some(state) = self.links.get_mut(&link) {
                if let Some(frame) = frame::refuse(arrival.lane(), arrival.number(), RefuseCode::Store) {
                    state.out.push(frame);
                }
                state.inn.done(arrival);
                self.dirty.insert(link);
            }
        }
    }

    /// Keeps a group's log within its bytes, its age and its number of entries; what only remembers ids goes at the tick.
    pub(super) fn trim_group(&mut self, id: GroupId, tick: bool) {
        let (bytes, window_ms) = (self.config.sizes.window_bytes, self.config.times.window_ms);
        let wall = self.now.wall;
        let oldest = WallMillis(wall.0.saturating_sub(window_ms));
        let span = limits::PUSHED_MS.saturating_add(limits::FUTURE_MS).saturating_add(limits::ANSWER_MS);
        let forgotten = WallMillis(wall.0.saturating_sub(span.max(window_ms)));
        let Some(group) = self.groups.get_mut(&id) else { return };
        let log = group.log_id();
        if let Some(through) = group.log.trim(bytes, oldest) {
            self.commits.writes.push(Write::Trim { log, through });
        }
        if !(tick || group.log.is_crowded()) {
            return;
        }
        let (through, windows) = forget(group, forgotten);
        if let Some(through) = through {
            for (key, value) in windows {
                self.commits.writes.push(Write::Put { space: Space::Window, key, value });
            }
            self.commits.writes.push(Write::Forget { log, through });
        }
    }

    /// What has aged goes; windows long silent too.
    pub(super) fn on_window(&mut self) {
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in ids {
            self.trim_group(id, true);
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let log = group.log_id();
            for (from, instance) in group.windows.expire(self.now.wall) {
                group.ordering.forget((from, instance));
                let key = window_key(log, &from, instance);
                self.commits.writes.push(Write::Delete { space: Space::Window, key });
            }
        }
        self.trim_inbox();
        self.timers.set(Timer::Window, self.now.mono.plus_millis(super::WINDOW_TICK_MS));
    }
}

/// Drops aged entries; what their senders' windows were is kept in their place.
fn forget(group: &mut Group, oldest: WallMillis) -> (Option<LogPos>, Vec<(Bytes, Bytes)>) {
    let Some(through) = group.log.forget(oldest) else { return (None, Vec::new()) };
    let log = group.log_id();
    let value = |seq: Seq, last: WallMillis| [seq.0.to_be_bytes(), last.0.to_be_bytes()].concat().into();
    let windows =
        group.windows.states().map(|(from, instance, seq, last)| (window_key(log, &from, instance), value(seq, last)));
    (Some(through), windows.collect())
}

/// The key of a replay window in the store.
pub(super) fn window_key(log: LogId, from: &crosscast_wire::NodeId, instance: crosscast_wire::Instance) -> Bytes {
    [log.0.as_slice(), from.as_bytes(), &instance.0.to_be_bytes()].concat().into()
}
