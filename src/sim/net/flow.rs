//! One direction of a connection: the sender's lanes, the bytes under way, and what a break holds up.
//!
//! A lane takes frames while its balance is above zero. Frames leave in parcels of about one read's size, the most
//! urgent lane first, a long frame piece by piece; when a frame has left, its bytes are granted again. The pipe holds
//! so much unread; a receiver that does not read stops the sender.

use std::collections::{BTreeMap, VecDeque};

use crosscast_wire::{Lane, RawFrame};

use crate::agenda::Micros;

/// Most bytes that leave at once; a more urgent lane may overtake after them. The fragment size of streams.
const PARCEL_BYTES: u64 = 16 << 10;
/// Bytes that a kernel and a transport keep of a direction before the reader must read.
const PIPE_BYTES: u64 = 512 << 10;
/// Bytes that a frame costs on a stream beside its body.
const FRAME_OVERHEAD: u64 = 5;

/// Frames that left together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) frames: Vec<RawFrame>,
    /// Bytes taken off the lanes, frames unfinished included.
    pub(crate) bytes: u64,
    /// Body bytes of finished frames, by lane.
    pub(crate) grants: BTreeMap<Lane, u32>,
    /// The sender ends the stream behind it.
    pub(crate) fin: bool,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    /// With the bytes that have still to leave.
    frames: VecDeque<(RawFrame, u64)>,
    balance: i64,
}

/// One direction.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    lanes: BTreeMap<Lane, Queue>,
    pub(crate) bytes_per_s: u64,
    /// A parcel is leaving.
    pub(crate) sending: bool,
    /// Left and not yet read.
    in_pipe: u64,
    /// Earliest arrival of the next parcel, by lane.
    arrives: BTreeMap<Lane, Micros>,
    /// Held up by a break, in order.
    pub(crate) held: VecDeque<Parcel>,
    /// All that leaves vanishes.
    pub(crate) void: bool,
    /// The stream ends when the lanes are empty.
    pub(crate) fin: bool,
    /// A look at its progress is planned.
    pub(crate) watched: bool,
    /// When something was last read, or nothing was outstanding.
    pub(crate) progress_at: Micros,
}

impl Flow {
    pub(crate) fn new(bytes_per_s: u64) -> Self {
        Self {
            lanes: Lane::ALL.iter().map(|lane| (*lane, Queue::default())).collect(),
            bytes_per_s: bytes_per_s.max(1),
            sending: false,
            in_pipe: 0,
            arrives: BTreeMap::new(),
            held: VecDeque::new(),
            void: false,
            fin: false,
            watched: false,
            progress_at: 0,
        }
    }

    /// Grants bytes on a lane.
    pub(crate) fn grant(&mut self, lane: Lane, bytes: u32) {
        let queue = self.lanes.entry(lane).or_default();
        queue.balance = queue.balance.saturating_add(i64::from(bytes));
    }

    /// Takes a frame; false when the lane's balance does not allow one.
    pub(crate) fn push(&mut self, now: Micros, frame: RawFrame) -> bool {
        if self.outstanding() == 0 {
            self.progress_at = now;
        }
        let queue = self.lanes.entry(frame.lane).or_default();
        if queue.balance <= 0 {
            return false;
        }
        let body = frame.body_len() as u64;
        queue.balance = queue.balance.saturating_sub_unsigned(body);
        queue.frames.push_back((frame, body.saturating_add(FRAME_OVERHEAD)));
        true
    }

    /// The next parcel, when the pipe has room and there is something to leave.
    pub(crate) fn cut(&mut self) -> Option<Parcel> {
        if self.sending || self.in_pipe >= PIPE_BYTES {
            return None;
        }
        let mut parcel = Parcel::default();
        for (lane, queue) in &mut self.lanes {
            while parcel.bytes < PARCEL_BYTES
                && let Some((_, left)) = queue.frames.front_mut()
            {
                let part = PARCEL_BYTES.saturating_sub(parcel.bytes).min(*left);
                *left = left.saturating_sub(part);
                parcel.bytes = parcel.bytes.saturating_add(part);
                if *left == 0
                    && let Some((frame, _)) = queue.frames.pop_front()
                {
                    let grant = parcel.grants.entry(*lane).or_default();
                    *grant = grant.saturating_add(u32::try_from(frame.body_len()).unwrap_or(u32::MAX));
                    parcel.frames.push(frame);
                }
            }
        }
        if parcel.bytes == 0 {
            return None;
        }
        self.sending = true;
        self.in_pipe = self.in_pipe.saturating_add(parcel.bytes);
        Some(parcel)
    }

    /// The bytes were read at the other end.
    pub(crate) const fn was_read(&mut self, now: Micros, bytes: u64) {
        self.in_pipe = self.in_pipe.saturating_sub(bytes);
        self.progress_at = now;
    }

    /// Bytes taken from the machine and not yet read at the other end.
    pub(crate) fn outstanding(&self) -> u64 {
        self.in_pipe.saturating_add(self.queued())
    }

    /// Bytes taken from the machine that have not left.
    pub(crate) fn queued(&self) -> u64 {
        let queues = self.lanes.values().flat_map(|queue| &queue.frames);
        queues.map(|(_, left)| *left).fold(0, u64::saturating_add)
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.lanes.values().any(|queue| !queue.frames.is_empty())
    }

    /// Drops what has not left.
    pub(crate) fn clear(&mut self) {
        self.lanes.values_mut().for_each(|queue| queue.frames.clear());
        self.held.clear();
    }

    /// Nothing arrives before this.
    pub(crate) fn arrives_from(&mut self, at: Micros) {
        for lane in Lane::ALL {
            self.arrives.insert(*lane, at);
        }
    }

    /// The arrival of a parcel that would arrive at `at` were it alone, and keeps what comes later behind it.
    pub(crate) fn arrival(&mut self, at: Micros, lane: Option<Lane>) -> Micros {
        let lanes = Lane::ALL.iter().filter(|other| lane.is_none_or(|lane| lane == **other));
        let last = lanes.clone().filter_map(|lane| self.arrives.get(lane)).max().copied().unwrap_or(0);
        let at = at.max(last);
        for lane in lanes {
            self.arrives.insert(*lane, at);
        }
        at
    }

    /// When the last that is under way arrives.
    pub(crate) fn last_arrival(&self) -> Micros {
        self.arrives.values().max().copied().unwrap_or(0)
    }
}

impl Parcel {
    /// The end of a stream.
    pub(crate) fn fin() -> Self {
        Self { fin: true, ..Self::default() }
    }

    /// One parcel for each lane; the bytes of unfinished frames go with the last.
    pub(crate) fn by_lane(self) -> Vec<(Lane, Self)> {
        let Self { frames, bytes, grants: _, fin } = self;
        let mut lanes: BTreeMap<Lane, Self> = BTreeMap::new();
        let mut rest = bytes;
        for frame in frames {
            let parcel = lanes.entry(frame.lane).or_default();
            let part = (frame.body_len() as u64).saturating_add(FRAME_OVERHEAD).min(rest);
            rest = rest.saturating_sub(part);
            parcel.bytes = parcel.bytes.saturating_add(part);
            parcel.frames.push(frame);
        }
        let mut last = lanes.last_entry();
        let default = (Lane::Bulk, Self { bytes: rest, fin, ..Self::default() });
        if let Some(last) = last.as_mut() {
            last.get_mut().bytes = last.get().bytes.saturating_add(rest);
            last.get_mut().fin = fin;
        } else {
            lanes.insert(default.0, default.1);
        }
        lanes.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use bytes::Bytes;
    use crosscast_wire::FrameType;

    fn frame(lane: Lane, len: usize) -> RawFrame {
        RawFrame::new(FrameType::MESSAGE, lane, Bytes::from(vec![0; len]))
    }

    #[test]
    fn a_frame_may_overdraw_a_lane_once() {
        let mut flow = Flow::new(1);
        flow.grant(Lane::Bulk, 10);
        assert!(flow.push(0, frame(Lane::Bulk, 100)));
        assert!(!flow.push(0, frame(Lane::Bulk, 1)));
        assert!(!flow.push(0, frame(Lane::Urgent, 1)), "lanes do not share");
        flow.grant(Lane::Bulk, 90);
        assert!(!flow.push(0, frame(Lane::Bulk, 1)), "a balance of zero allows nothing");
    }

    #[test]
    fn an_urgent_frame_leaves_between_the_pieces_of_a_long_one() {
        let mut flow = Flow::new(1);
        Lane::ALL.iter().for_each(|lane| flow.grant(*lane, 1 << 20));
        assert!(flow.push(0, frame(Lane::Bulk, 40_000)));
        let first = flow.cut().unwrap();
        assert_eq!((first.frames.len(), first.bytes), (0, PARCEL_BYTES));
        assert_eq!(flow.cut(), None, "one parcel at a time");
        flow.sending = false;
        assert!(flow.push(0, frame(Lane::Urgent, 100)));
        let second = flow.cut().unwrap();
        assert_eq!(second.frames[0].lane, Lane::Urgent);
        flow.sending = false;
        assert_eq!(flow.cut().unwrap().grants, BTreeMap::from([(Lane::Bulk, 40_000)]));
    }

    #[test]
    fn a_full_pipe_stops_the_sender_until_it_is_read() {
        let mut flow = Flow::new(1);
        flow.grant(Lane::Normal, 4 << 20);
        (0..100).for_each(|_| assert!(flow.push(0, frame(Lane::Normal, 20_000))));
        let mut left = 0;
        while let Some(parcel) = flow.cut() {
            left += parcel.bytes;
            flow.sending = false;
        }
        assert_eq!(left, PIPE_BYTES);
        flow.was_read(0, PARCEL_BYTES);
        assert!(flow.cut().is_some());
    }

    #[test]
    fn lanes_apart_keep_every_byte() {
        let mut flow = Flow::new(1);
        Lane::ALL.iter().for_each(|lane| flow.grant(*lane, 1 << 20));
        assert!(flow.push(0, frame(Lane::Urgent, 10)) && flow.push(0, frame(Lane::Bulk, 30_000)));
        let parcel = flow.cut().unwrap();
        let bytes = parcel.bytes;
        let apart = parcel.by_lane();
        assert_eq!(apart.iter().map(|(_, parcel)| parcel.bytes).sum::<u64>(), bytes);
        flow.sending = false;
        let rest = flow.cut().unwrap();
        let bytes = rest.bytes;
        assert_eq!(rest.by_lane().iter().map(|(_, parcel)| parcel.bytes).sum::<u64>(), bytes);
    }
}
