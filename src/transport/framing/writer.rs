//! From frames to stream bytes, choosing the lane anew at every fragment.
//!
//! Control goes first, then urgent, then normal, then bulk; but a data lane that has been passed over by a set number
//! of bytes comes right after control, so none starves. Bodies are handed out as slices of the message, never copied,
//! except short ones, which gather with their headers into one buffer: a hundred tiny slices cost more than a copy.

use std::collections::VecDeque;

use bytes::{BufMut, Bytes, BytesMut};
use crosscast_wire::{Lane, RawFrame};

use crosscast_wire::limits::FRAGMENT_MAX;

use super::{FRAGMENT_HEADER, FragmentHeader};
use crate::PerLane;

/// Bytes that may pass lane normal before it gets a fragment: 256 KiB, so a flood of urgent leaves it a seventeenth.
pub const NORMAL_PATIENCE: usize = 256 * 1024;

/// Bytes that may pass lane bulk before it gets a fragment: 64 KiB, so it has a fifth beside a saturated lane normal.
pub const BULK_PATIENCE: usize = 64 * 1024;

/// Longest piece that is copied next to its header instead of handed out as a slice, in bytes.
const GATHER_MAX: usize = 1024;

/// Room for headers and short bodies that is allocated at once, in bytes.
const ARENA: usize = 8 * 1024;

/// Cuts frames into fragments; holds what was pushed until it is taken.
#[derive(Debug, Default)]
pub struct FragmentWriter {
    lanes: PerLane<Queue>,
    arena: BytesMut,
    queued: usize,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<RawFrame>,
    /// Bytes of the first frame that are gone already.
    sent: usize,
    /// Body bytes in the queue.
    bytes: usize,
    /// Bytes of higher lanes that went while this one waited.
    passed: usize,
}

impl FragmentWriter {
    /// Makes a writer with nothing to write.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Queues a frame behind the others of its lane.
    pub fn push(&mut self, frame: RawFrame) {
        let queue = self.lanes.get_mut(frame.lane);
        queue.bytes = queue.bytes.saturating_add(frame.body_len());
        self.queued = self.queued.saturating_add(1);
        queue.frames.push_back(frame);
    }

    /// Whether nothing is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Body bytes queued on a lane.
    #[must_use]
    pub const fn queued_bytes(&self, lane: Lane) -> usize {
        self.lanes.get(lane).bytes
    }

    /// Takes about `budget` bytes of the stream (at least one fragment, when anything is queued) as pieces to be
    /// written in order. Returns the body bytes taken per lane. `budget` also bounds each fragment, so that a slow
    /// link changes lanes more often.
    pub fn take(&mut self, budget: usize, into: &mut Vec<Bytes>) -> PerLane<usize> {
        let mut taken: PerLane<usize> = PerLane::default();
        let fragment = budget.clamp(GATHER_MAX, FRAGMENT_MAX);
        let mut total = 0_usize;
        while total < budget
            && let Some(lane) = self.choose()
        {
            let bytes = self.take_fragment(lane, fragment, into);
            self.note_passed(lane, bytes);
            total = total.saturating_add(bytes).saturating_add(FRAGMENT_HEADER);
            let sum = taken.get_mut(lane);
            // As in the core's balance, a frame without a body counts as one byte.
            *sum = sum.saturating_add(bytes.max(1));
        }
        self.flush_arena(into);
        taken
    }

    fn choose(&self) -> Option<Lane> {
        let waits = |lane: Lane| !self.lanes.get(lane).frames.is_empty();
        let starves = |lane: Lane, patience: usize| waits(lane) && self.lanes.get(lane).passed >= patience;
        if waits(Lane::Control) {
            Some(Lane::Control)
        } else if starves(Lane::Normal, NORMAL_PATIENCE) {
            Some(Lane::Normal)
        } else if starves(Lane::Bulk, BULK_PATIENCE) {
            Some(Lane::Bulk)
        } else {
            Lane::ALL.iter().copied().find(|&lane| waits(lane))
        }
    }

    fn note_passed(&mut self, lane: Lane, bytes: usize) {
        self.lanes.get_mut(lane).passed = 0;
        for &lower in Lane::ALL.iter().filter(|&&other| other > lane) {
            let queue = self.lanes.get_mut(lower);
            queue.passed = if queue.frames.is_empty() { 0 } else { queue.passed.saturating_add(bytes) };
        }
    }

    fn take_fragment(&mut self, lane: Lane, most: usize, into: &mut Vec<Bytes>) -> usize {
        let queue = self.lanes.get_mut(lane);
        let Some(frame) = queue.frames.front() else { return 0 };
        let left = frame.body_len().saturating_sub(queue.sent);
        let body_len = left.min(most);
        let more = left > body_len;
        let header = FragmentHeader { body_len, frame_type: frame.frame_type, lane, more };
        let head = piece(&frame.head, queue.sent, body_len);
        let tail_from = queue.sent.saturating_sub(frame.head.len());
        let tail = piece(&frame.tail, tail_from, body_len.saturating_sub(head.len()));
        queue.bytes = queue.bytes.saturating_sub(body_len);
        if more {
            queue.sent = queue.sent.saturating_add(body_len);
        } else {
            queue.sent = 0;
            queue.frames.pop_front();
            self.queued = self.queued.saturating_sub(1);
        }
        self.gather(&header.to_bytes());
        for part in [head, tail] {
            if part.len() <= GATHER_MAX {
                self.gather(&part);
            } else {
                self.flush_arena(into);
                into.push(part);
            }
        }
        body_len
    }

    fn gather(&mut self, bytes: &[u8]) {
        if self.arena.capacity().saturating_sub(self.arena.len()) < bytes.len() {
            self.arena.reserve(ARENA.max(bytes.len()));
        }
        self.arena.put_slice(bytes);
    }

    fn flush_arena(&mut self, into: &mut Vec<Bytes>) {
        if !self.arena.is_empty() {
            into.push(self.arena.split().freeze());
        }
    }
}

/// Up to `most` bytes of a buffer from an offset on, which may lie behind its end.
fn piece(bytes: &Bytes, from: usize, most: usize) -> Bytes {
    let from = from.min(bytes.len());
    let to = from.saturating_add(most).min(bytes.len());
    bytes.slice(from..to)
}
