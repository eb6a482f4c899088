//! The sending half of a link: queues per lane, what the transport takes, what the peer has granted, what is unacked.
//!
//! The core keeps the queues and emits only within both balances: the transport's (`Writable`) and, for data, the
//! peer's (`CREDIT`, `docs/spec/frames.md`). A data frame is charged its body and a fixed overhead, so that many small
//! messages cost what they cost. An `ACK` is cumulative per lane; what it covers is what "sent" means.

use std::collections::VecDeque;

use crosscast_wire::{FrameType, GroupId, Lane, MessageId, RawFrame};

use crate::{Instant, Reject};

/// Added to a data frame's body length when credit is charged: what a frame costs a receiver beside its bytes.
pub(crate) const CHARGE_OVERHEAD: u64 = 256;

/// 64 KiB: what a lane may hold that does not move; with a hundred frames it goes on at once when it moves again.
const STUCK_BYTES: u64 = 64 << 10;

/// What credit a data frame costs.
pub(crate) fn charge(frame: &RawFrame) -> u64 {
    (frame.body_len() as u64).saturating_add(CHARGE_OVERHEAD)
}

/// What a data frame carries, so that its acknowledgement can be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cargo {
    /// A group message.
    Group(GroupId, MessageId),
    /// A unicast message.
    Unicast(MessageId),
    /// A message that the peer has refused.
    Refused,
}

#[derive(Default)]
struct OutLane {
    queue: VecDeque<(RawFrame, Option<Cargo>)>,
    queued_bytes: u64,
    /// Below zero after a frame that overdrew: the next grants pay for it first.
    writable: i64,
    granted: u64,
    charged: u64,
    sent: u64,
    acked: u64,
    unacked: VecDeque<Cargo>,
    waiting_since: Option<Instant>,
}

impl OutLane {
    /// Whether the frame at the head may go now.
    fn may_send(&self, control: bool) -> bool {
        let Some((frame, _)) = self.queue.front() else { return false };
        self.writable > 0 && (control || self.charged.saturating_add(charge(frame)) <= self.granted)
    }
}

/// The sending half of a link.
#[derive(Default)]
pub(crate) struct Outgoing {
    control: OutLane,
    urgent: OutLane,
    normal: OutLane,
    bulk: OutLane,
    /// Bytes of bodies handed to the transport.
    pub(crate) bytes: u64,
}

impl Outgoing {
    fn lane(&self, lane: Lane) -> &OutLane {
        match lane {
            Lane::Control => &self.control,
            Lane::Urgent => &self.urgent,
            Lane::Normal => &self.normal,
            Lane::Bulk => &self.bulk,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut OutLane {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
            Lane::Bulk => &mut self.bulk,
        }
    }

    /// Queues a frame about the link.
    pub(crate) fn push(&mut self, frame: RawFrame) {
        self.push_with(frame, None);
    }

    /// Queues a data frame.
    pub(crate) fn push_data(&mut self, frame: RawFrame, cargo: Cargo) {
        self.push_with(frame, Some(cargo));
    }

    fn push_with(&mut self, frame: RawFrame, cargo: Option<Cargo>) {
        let lane = self.lane_mut(frame.lane);
        lane.queued_bytes = lane.queued_bytes.saturating_add(frame.body_len() as u64);
        lane.queue.push_back((frame, cargo));
    }

    /// Takes what may go now, in lane order.
    pub(crate) fn pump(&mut self, now: Instant) -> Vec<RawFrame> {
        let mut frames = Vec::new();
        for lane in Lane::ALL {
            while self.lane(*lane).may_send(*lane == Lane::Control) {
                let state = self.lane_mut(*lane);
                let Some((frame, cargo)) = state.queue.pop_front() else { break };
                let len = frame.body_len() as u64;
                state.queued_bytes = state.queued_bytes.saturating_sub(len);
                state.writable = state.writable.saturating_sub_unsigned(len.max(1));
                if let Some(cargo) = cargo {
                    state.charged = state.charged.saturating_add(charge(&frame));
                    state.sent = state.sent.saturating_add(1);
                    state.unacked.push_back(cargo);
                    state.waiting_since.get_or_insert(now);
                }
                self.bytes = self.bytes.saturating_add(len);
                frames.push(frame);
            }
        }
        frames
    }

    /// The transport takes more.
    pub(crate) fn writable(&mut self, lane: Lane, bytes: u32) {
        let state = self.lane_mut(lane);
        state.writable = state.writable.saturating_add(i64::from(bytes));
    }

    /// The peer grants, as a total since link-up.
    ///
    /// # Errors
    /// [`Reject::BadAck`] when the total goes back or the lane has no credit.
    pub(crate) fn credit(&mut self, lane: Lane, total: u64) -> Result<(), Reject> {
        let state = self.lane_mut(lane);
        if lane == Lane::Control || total < state.granted {
            return Err(Reject::BadAck);
        }
        state.granted = total;
        Ok(())
    }

    /// The peer has dealt with this many data frames since link-up; returns what the newly covered ones carried.
    ///
    /// # Errors
    /// [`Reject::BadAck`] when the count goes back or beyond what was sent.
    pub(crate) fn acked(&mut self, lane: Lane, count: u64, now: Instant) -> Result<Vec<Cargo>, Reject> {
        let state = self.lane_mut(lane);
        if lane == Lane::Control || count < state.acked || count > state.sent {
            return Err(Reject::BadAck);
        }
        let newly = usize::try_from(count.saturating_sub(state.acked)).map_err(|_| Reject::BadAck)?;
        state.acked = count;
        let cargo = state.unacked.drain(..newly.min(state.unacked.len())).collect();
        state.waiting_since = if state.unacked.is_empty() { None } else { Some(now) };
        Ok(cargo)
    }

    /// The peer refuses the data frame with this number, counted from 1 on its lane; returns what it carried.
    ///
    /// # Errors
    /// [`Reject::BadAck`] when no such frame is unacknowledged.
    pub(crate) fn refused(&mut self, lane: Lane, number: u64) -> Result<Cargo, Reject> {
        let state = self.lane_mut(lane);
        let index = number.checked_sub(state.acked).and_then(|index| index.checked_sub(1)).ok_or(Reject::BadAck)?;
        let index = usize::try_from(index).map_err(|_| Reject::BadAck)?;
        let cargo = state.unacked.get_mut(index).ok_or(Reject::BadAck)?;
        Ok(std::mem::replace(cargo, Cargo::Refused))
    }

    /// Group messages that are queued or not acknowledged, oldest first within a lane.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = (GroupId, MessageId)> + '_ {
        let lanes = [&self.urgent, &self.normal, &self.bulk].into_iter();
        let cargo = |lane: &'_ OutLane| {
            let queued: Vec<Cargo> = lane.queue.iter().filter_map(|(_, cargo)| *cargo).collect();
            lane.unacked.iter().copied().chain(queued).collect::<Vec<Cargo>>()
        };
        lanes.flat_map(cargo).filter_map(|cargo| match cargo {
            Cargo::Group(group, id) => Some((group, id)),
            Cargo::Unicast(_) | Cargo::Refused => None,
        })
    }

    /// Since when data waits for an acknowledgement.
    pub(crate) fn waiting_since(&self) -> Option<Instant> {
        [&self.urgent, &self.normal, &self.bulk].into_iter().filter_map(|lane| lane.waiting_since).min()
    }

    /// Whether a lane has frames waiting and has heard no acknowledgement for so long: then more of them only take room.
    pub(crate) fn is_stuck(&self, lane: Lane, now: Instant, patience_us: u64) -> bool {
        let state = self.lane(lane);
        state.queued_bytes > STUCK_BYTES
            && state.waiting_since.is_some_and(|since| now.micros_since(since) >= patience_us)
    }

    /// Whether a lane has sent something and never heard that it arrived.
    pub(crate) fn is_unheard(&self, lane: Lane) -> bool {
        let state = self.lane(lane);
        state.acked == 0 && (state.sent > 0 || !state.queue.is_empty())
    }

    /// Whether a lane has heard that something arrived.
    pub(crate) fn has_heard(&self, lane: Lane) -> bool {
        self.lane(lane).acked > 0
    }

    /// Bytes queued on a lane.
    pub(crate) fn queued(&self, lane: Lane) -> u64 {
        self.lane(lane).queued_bytes
    }

    /// Bytes queued on all lanes.
    pub(crate) fn queued_total(&self) -> u64 {
        Lane::ALL.iter().fold(0, |sum, lane| sum.saturating_add(self.lane(*lane).queued_bytes))
    }

    /// Whether a lane has frames of this type waiting: one PING at a time is enough.
    pub(crate) fn has_waiting(&self, frame_type: FrameType) -> bool {
        self.control.queue.iter().any(|(frame, _)| frame.frame_type == frame_type)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn a_frame_that_overdrew_is_paid_for_before_the_next_goes() {
        let mut out = Outgoing::default();
        for _ in 0..2 {
            out.push(RawFrame::new(FrameType::FLOOR, Lane::Control, Bytes::from_static(&[0; 100])));
        }
        out.writable(Lane::Control, 10);
        assert_eq!(out.pump(Instant(0)).len(), 1);
        out.writable(Lane::Control, 90);
        assert_eq!(out.pump(Instant(0)).len(), 0, "the balance is zero");
        out.writable(Lane::Control, 1);
        assert_eq!(out.pump(Instant(0)).len(), 1);
    }
}
