//! Commits: what has passed the gates is written, and only then acknowledged, forwarded and shown.
//!
//! One commit is under way at a time; what is decided meanwhile becomes the next, so batches grow with load. The store
//! keeps commits in order, so the effects behind them happen in order too. A commit that fails is tried again, together
//! with what was decided meanwhile (which may free room), and until it holds nothing new is taken: every message is
//! refused with that reason, and what was missed is asked for once the store is back.

use bytes::Bytes;
use crosscast_port::{Durability, LinkId, LogEntry, LogId, LogItem, LogPos, Space, StoreOp, StoreOutcome, Write};
use crosscast_wire::{Destination, GroupId, Message, Seq, WallMillis};

use crate::group::Group;
use crate::group::log::Tag;
use crate::group::order::Admit;
use crate::peer::incoming::Arrival;
use crate::timer::Timer;
use crate::{CommandId, Event, Node, Notice, Reply, limits};

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
    underway: Option<(Vec<Write>, Vec<After>)>,
    /// Whether the last commit failed and waits to be tried again.
    failing: bool,
    /// Whether the store has failed and not held since.
    reported: bool,
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
        if self.commits.failing || self.commits.underway.is_some() || idle {
            return;
        }
        let writes = std::mem::take(&mut self.commits.writes);
        // A second hold on the same bytes, for the case that the store fails.
        self.commits.underway = Some((writes.clone(), std::mem::take(&mut self.commits.after)));
        self.store(Pending::Commit, StoreOp::Commit { writes, durability: Durability::Written });
    }

    pub(super) fn on_committed(&mut self, outcome: &StoreOutcome) {
        let Some((mut writes, mut after)) = self.commits.underway.take() else { return };
        if !matches!(outcome, StoreOutcome::Committed) {
            writes.append(&mut self.commits.writes);
            after.append(&mut self.commits.after);
            self.commits.writes = writes;
            self.commits.after = after;
            self.commits.failing = true;
            if !std::mem::replace(&mut self.commits.reported, true) {
                self.event(Event::Notice(Notice::StoreFailed { code: "store-failed" }));
            }
            return self.timers.set(Timer::Store, self.now.mono.plus_millis(STORE_RETRY_MS));
        }
        for after in after {
            match after {
                After::Message(committed) => self.on_message_committed(*committed),
                After::Released(group, released) => self.on_released(group, released),
                After::Reply(command, reply) => self.reply(command, reply),
            }
        }
        if std::mem::take(&mut self.commits.reported) {
            self.ask_everyone();
        }
    }

    /// Tries a failed commit again.
    pub(super) fn on_store_retry(&mut self) {
        self.commits.failing = false;
    }

    /// Whether the store refuses writes: then nothing new is taken.
    pub(super) const fn is_store_failing(&self) -> bool {
        self.commits.reported
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

/// 1 s: a full disk is not helped by asking more often.
const STORE_RETRY_MS: u64 = 1_000;

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
