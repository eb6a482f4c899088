//! What one link gets of one group: from the log while it is behind, as it comes once it has caught up.
//!
//! A peer that subscribes says in RESUME what it has; the feed walks the log from its start, skips that, and goes live
//! at its end. A live feed whose lane is full goes back to the log, so a slow link costs a position and no memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crosscast_port::{LogEntry, LogPos};
use crosscast_wire::{ChainHash, Instance, MessageId, NodeId, Seq};

use crate::auth::standing::Standing;
use crate::{Instant, limits};

/// Where a feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The peer has not said yet what it has.
    Waiting,
    /// Everything up to this position is dealt with; the rest is read from the log.
    Behind {
        /// Last position dealt with.
        after: LogPos,
        /// Whether a read is under way.
        reading: bool,
    },
    /// New messages go straight to the lanes.
    Live,
}

/// What one link gets of one group.
pub(crate) struct Feed {
    pub(crate) mode: Mode,
    /// What entitles the peer, where the policy asks for it: the chain it named and what that allows.
    pub(crate) pass: Option<(ChainHash, Standing)>,
    have: BTreeMap<(NodeId, Instance), Seq>,
    frames: usize,
    resumed_at: Option<Instant>,
    known: BTreeSet<Known>,
    known_order: VecDeque<Known>,
}

/// Half of an id: nobody finds two messages with the same half, and a ring of them weighs half as much.
type Known = [u8; 16];

fn half(id: &MessageId) -> Known {
    id.as_bytes().first_chunk().copied().unwrap_or_default()
}

impl Feed {
    pub(crate) fn new(pass: Option<(ChainHash, Standing)>) -> Self {
        Self {
            mode: Mode::Waiting,
            pass,
            have: BTreeMap::new(),
            frames: 0,
            resumed_at: None,
            known: BTreeSet::new(),
            known_order: VecDeque::new(),
        }
    }

    /// Takes a RESUME frame; returns whether the feed may start.
    pub(crate) fn resume(&mut self, windows: &[(NodeId, Instance, Seq)], more: bool, now: Instant) -> bool {
        // A complete exchange a second is enough for any honest peer; the rest is ignored, not stored.
        if self.frames == 0 {
            if self.resumed_at.is_some_and(|at| now.micros_since(at) < 500_000) {
                return false;
            }
            self.have.clear();
        }
        self.frames = self.frames.saturating_add(1);
        if self.frames <= limits::RESUME_FRAMES {
            self.have.extend(windows.iter().map(|(from, instance, seq)| ((*from, *instance), *seq)));
        }
        if more {
            return false;
        }
        self.frames = 0;
        self.resumed_at = Some(now);
        self.mode = Mode::Behind { after: LogPos(0), reading: false };
        true
    }

    /// The peer has said what it has before it was listened to, and may not say it again: it gets everything.
    pub(crate) const fn start_blind(&mut self) {
        self.mode = Mode::Behind { after: LogPos(0), reading: false };
    }

    /// The peer has this message, or it is on its way over this link: it sent it, or was sent it.
    pub(crate) fn knows(&mut self, id: &MessageId) {
        if self.known.insert(half(id)) {
            self.known_order.push_back(half(id));
            if self.known_order.len() > limits::KNOWN_IDS
                && let Some(oldest) = self.known_order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// The peer could not take this message now; it may be offered again.
    pub(crate) fn forgets(&mut self, id: &MessageId) {
        self.known.remove(&half(id));
    }

    /// Whether the peer lacks a message, as far as it is known here.
    pub(crate) fn wants(&self, entry: &LogEntry) -> bool {
        let had = self.have.get(&(entry.from, entry.instance)).is_some_and(|seq| entry.seq <= *seq);
        !had && !self.known.contains(&half(&entry.id))
    }

    /// Goes on where the feed of another link to the same peer stands; what entitles the peer stays this link's.
    pub(crate) fn take_over(&mut self, before: Self) {
        let pass = self.pass.take();
        *self = Self { pass, ..before };
        if let Mode::Behind { reading, .. } = &mut self.mode {
            // The read belongs to the other link.
            *reading = false;
        }
    }

    /// Forgets what the peer had: the log has been walked, and what comes is newer.
    pub(crate) fn go_live(&mut self) {
        self.mode = Mode::Live;
        self.have.clear();
    }
}
