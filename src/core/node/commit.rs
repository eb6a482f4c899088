//! Commits: what has passed the gates is written, and only then acknowledged, forwarded and shown.
//!
//! One commit is under way at a time; what is decided meanwhile becomes the next, so batches grow with load. The store
//! keeps commits in order, so the effects behind them happen in order too. A commit that fails is tried again, together
//! with what was decided meanwhile (which may free room), and until it holds nothing new is taken: every message is
//! refused with that reason, and what was missed is asked for once the store is back.

use std::collections::VecDeque;

use bytes::Bytes;
use crosscast_port::{
    Durability, Judgement, LinkId, LogEntry, LogId, LogItem, LogPos, Space, StoreOp, StoreOutcome, Write,
};
use crosscast_wire::{Destination, GroupId, Message, Seq, WallMillis};

use crate::group::feed::Mode;
use crate::group::log::Tag;
use crate::group::order::Admit;
use crate::group::{Group, entry_keys};
use crate::peer::incoming::Arrival;
use crate::timer::Timer;
use crate::{CommandId, Event, Node, Notice, Reply, Source, limits};

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

/// A write, or what waits for all writes before it.
enum Step {
    Write(Write),
    After(After),
}

/// Writes that wait, and what waits for them, in the order of decisions.
#[derive(Default)]
pub(super) struct Commits {
    steps: VecDeque<Step>,
    underway: Option<(Vec<Write>, Vec<After>)>,
    /// Whether the last commit failed and waits to be tried again.
    failing: bool,
    /// Whether the store has failed and not held since.
    reported: bool,
}

impl Commits {
    /// Takes what goes into one commit.
    fn take(&mut self) -> (Vec<Write>, Vec<After>) {
        let max = if self.reported { RETRY_BYTES } else { COMMIT_BYTES };
        let (mut writes, mut after, mut bytes) = (Vec::new(), Vec::new(), 0usize);
        // The key of an entry stands before its message: both are kept, or neither.
        let mut bound = false;
        while bytes < max || bound {
            match self.steps.pop_front() {
                Some(Step::Write(write)) => {
                    bound = entry_keys::is_kept_by(&write);
                    bytes = bytes.saturating_add(weight(&write));
                    writes.push(write);
                }
                Some(Step::After(step)) => after.push(step),
                None => break,
            }
        }
        (writes, after)
    }

    /// Puts a failed commit back in front of what was decided meanwhile.
    fn put_back(&mut self, writes: Vec<Write>, after: Vec<After>) {
        let waiting = std::mem::take(&mut self.steps);
        let failed = writes.into_iter().map(Step::Write).chain(after.into_iter().map(Step::After));
        self.steps = failed.chain(waiting).collect();
    }
}

impl Node {
    pub(super) fn write(&mut self, write: Write) {
        self.commits.steps.push_back(Step::Write(write));
    }

    pub(super) fn after_commit(&mut self, after: After) {
        self.commits.steps.push_back(Step::After(after));
    }

    pub(super) fn put(&mut self, space: Space, key: &[u8], value: Vec<u8>) {
        self.write(Write::Put { space, key: Bytes::copy_from_slice(key), value: value.into() });
    }

    pub(super) fn start_commit(&mut self) {
        if self.commits.failing || self.commits.underway.is_some() || self.commits.steps.is_empty() {
            return;
        }
        let (writes, after) = self.commits.take();
        // A second hold on the same bytes, for the case that the store fails.
        self.commits.underway = Some((writes.clone(), after));
        self.store(Pending::Commit, StoreOp::Commit { writes, durability: Durability::Written });
    }

    pub(super) fn on_committed(&mut self, outcome: &StoreOutcome) {
        let Some((writes, after)) = self.commits.underway.take() else { return };
        if !matches!(outcome, StoreOutcome::Committed) {
            self.commits.put_back(writes, after);
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
        if let Some(chain) = header.chain {
            let time = header.time;
            self.keep_chain(&chain, time);
        }
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
            Destination::Unicast(_) => {}
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
            && self.is_carrier(link)
        {
            self.settle_carried(link, arrival, Judgement::Accept);
        } else if let Some((link, arrival)) = committed.from
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
                self.carry(id, &committed);
                self.show(Source::Group(id), &committed);
                if committed.from.is_none() {
                    self.on_own_committed(id);
                }
            }
            Destination::Unicast(_) => {
                self.inbox.log.durable = self.inbox.log.durable.max(committed.pos);
                self.inbox.log.shown = self.inbox.log.shown.max(committed.pos);
                self.show(Source::Inbox, &committed);
            }
        }
    }

    fn on_released(&mut self, id: GroupId, released: LogPos) {
        if let Some(group) = self.groups.get_mut(&id) {
            group.log.shown = group.log.shown.max(released);
            self.pump_readers(Source::Group(id));
        }
    }

    /// Keeps a group's log within its bytes, its age and its number of entries; what only remembers ids goes at the tick.
    pub(super) fn trim_group(&mut self, id: GroupId, tick: bool) {
        let (bytes, window_ms) = (self.config.sizes.window_bytes, self.config.times.window_ms);
        let wall = self.now.wall;
        let oldest = WallMillis(wall.0.saturating_sub(window_ms));
        let span = limits::PUSHED_MS.saturating_add(limits::FUTURE_MS).saturating_add(limits::ANSWER_MS);
        let forgotten = WallMillis(wall.0.saturating_sub(span.max(window_ms)));
        let leaf = self.config.sizes.leaf_bytes.filter(|_| self.is_leaf(id)).map(|bytes| (bytes, self.read_by_all(id)));
        let Some(group) = self.groups.get_mut(&id) else { return };
        let log = group.log_id();
        let trimmed =
            group.log.trim(bytes, oldest).max(leaf.and_then(|(bytes, read)| group.log.trim_read(bytes, read)));
        let (through, windows) =
            if tick || group.log.is_crowded() { forget(group, forgotten) } else { (None, Vec::new()) };
        if let Some(through) = trimmed {
            self.write(Write::Trim { log, through });
        }
        if let Some(through) = through {
            for (key, value) in windows {
                self.write(Write::Put { space: Space::Window, key, value });
            }
            self.write(Write::Forget { log, through });
        }
    }

    /// Whether nobody can ask for what is kept of a group, but who links to this node later.
    fn is_leaf(&self, id: GroupId) -> bool {
        let Some(group) = self.groups.get(&id).filter(|group| group.publisher.unacked_bytes == 0) else { return false };
        let mut links = group.neighbours.iter().filter_map(|link| self.links.get(link)?.feeds.get(&id));
        links.next().is_some_and(|feed| feed.mode == Mode::Live) && links.next().is_none()
    }

    /// Up to which release all readers of a group have been handed what there is.
    fn read_by_all(&self, id: GroupId) -> LogPos {
        let readers = self.readers.values().filter(|reader| reader.source == Source::Group(id));
        readers.map(|reader| reader.after).min().unwrap_or(LogPos(u64::MAX))
    }

    /// What has aged goes; windows long silent too.
    pub(super) fn on_window(&mut self) {
        let ids: Vec<GroupId> = self.groups.keys().copied().collect();
        for id in ids {
            self.trim_group(id, true);
            self.consider_asking(id);
            self.judge_feeds(id);
            self.unlock_readers(id);
            let Some(group) = self.groups.get_mut(&id) else { continue };
            let log = group.log_id();
            group.ordering.history_before(WallMillis(self.now.wall.0.saturating_sub(self.config.times.window_ms)));
            let silent = group.windows.expire(self.now.wall, self.now.mono);
            for (from, instance) in &silent {
                group.ordering.forget((*from, *instance));
            }
            for (from, instance) in silent {
                self.write(Write::Delete { space: Space::Window, key: window_key(log, &from, instance) });
            }
        }
        self.tend_meetings();
        self.trim_inbox();
        self.release_chains();
        self.expire_bars();
        self.budgets.expire(self.now.mono);
        self.expire_keys();
        self.timers.set(Timer::Window, self.now.mono.plus_millis(super::WINDOW_TICK_MS));
    }
}

/// 8 MiB: large enough that a commit's fixed costs vanish, small enough that what waits behind it does not wait long.
const COMMIT_BYTES: usize = 8 << 20;
/// 32 MiB: a failed commit and, behind it, the writes that may free the room it needs.
const RETRY_BYTES: usize = 32 << 20;

/// About what a write weighs in the store.
fn weight(write: &Write) -> usize {
    let bytes = match write {
        Write::Append { item, .. } => item.bytes.len(),
        Write::Put { key, value, .. } => key.len().saturating_add(value.len()),
        Write::Delete { key, .. } => key.len(),
        Write::Release { .. } | Write::Trim { .. } | Write::Forget { .. } => 0,
    };
    bytes.saturating_add(166)
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
