//! The receiving half of a link: what was granted, what came, what has been dealt with.
//!
//! Data frames are numbered per lane as they arrive. They are dealt with in any order (a duplicate at once, a fresh
//! message after its commit), but acknowledged cumulatively, so an early answer waits for those before it. The first
//! acknowledgement after a pause goes at once; in a steady stream they gather, since each costs both sides a wake-up.

use std::collections::VecDeque;

use crosscast_wire::Lane;
use crosscast_wire::limits::FRAME_MAX;

use crate::peer::outgoing::CHARGE_OVERHEAD;
use crate::{Instant, Reject, limits};

/// A data frame on its way through the gates; answered by exactly one [`Incoming::done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Arrival {
    lane: Lane,
    number: u64,
    charge: u64,
}

impl Arrival {
    pub(crate) const fn lane(self) -> Lane {
        self.lane
    }

    pub(crate) const fn number(self) -> u64 {
        self.number
    }
}

/// What the largest data frame costs.
const CHARGE_MAX: u64 = FRAME_MAX as u64 + CHARGE_OVERHEAD;

#[derive(Default)]
struct InLane {
    granted: u64,
    announced: u64,
    charged: u64,
    received: u64,
    acked: u64,
    announced_ack: u64,
    open: VecDeque<bool>,
}

/// The receiving half of a link.
pub(crate) struct Incoming {
    urgent: InLane,
    normal: InLane,
    bulk: InLane,
    credit: u64,
    /// When frames were last acknowledged; `None` before the first.
    acked_at: Option<Instant>,
    /// Charges of frames that could be acknowledged since.
    unsaid: u64,
    /// Bytes of bodies received.
    pub(crate) bytes: u64,
}

impl Incoming {
    /// Starts with the credit that the hello announced for each data lane.
    pub(crate) fn new(credit: u64) -> Self {
        let lane = || InLane { granted: credit, announced: credit, ..InLane::default() };
        Self { urgent: lane(), normal: lane(), bulk: lane(), credit, acked_at: None, unsaid: 0, bytes: 0 }
    }

    fn lane_mut(&mut self, lane: Lane) -> Option<&mut InLane> {
        match lane {
            Lane::Control => None,
            Lane::Urgent => Some(&mut self.urgent),
            Lane::Normal => Some(&mut self.normal),
            Lane::Bulk => Some(&mut self.bulk),
        }
    }

    /// Whether a data frame is within what was granted.
    pub(crate) fn has_room(&mut self, lane: Lane, body_len: usize) -> bool {
        let charge = (body_len as u64).saturating_add(CHARGE_OVERHEAD);
        self.lane_mut(lane).is_some_and(|state| state.charged.saturating_add(charge) <= state.granted)
    }

    /// Books a data frame in.
    ///
    /// # Errors
    /// [`Reject::WrongLane`] on the control lane, [`Reject::OverCredit`] beyond what was granted.
    pub(crate) fn arrive(&mut self, lane: Lane, body_len: usize) -> Result<Arrival, Reject> {
        let charge = (body_len as u64).saturating_add(CHARGE_OVERHEAD);
        let state = self.lane_mut(lane).ok_or(Reject::WrongLane)?;
        state.charged = state.charged.saturating_add(charge);
        if state.charged > state.granted {
            return Err(Reject::OverCredit);
        }
        state.received = state.received.saturating_add(1);
        state.open.push_back(false);
        Ok(Arrival { lane, number: state.received, charge })
    }

    /// A data frame has been dealt with: its credit is granted anew and it can be acknowledged.
    pub(crate) fn done(&mut self, arrival: Arrival) {
        self.unsaid = self.unsaid.saturating_add(arrival.charge);
        let Some(state) = self.lane_mut(arrival.lane) else { return };
        state.granted = state.granted.saturating_add(arrival.charge);
        let place = arrival.number.saturating_sub(state.acked).saturating_sub(1);
        if let Some(open) = usize::try_from(place).ok().and_then(|place| state.open.get_mut(place)) {
            *open = true;
        }
        while state.open.front() == Some(&true) {
            state.open.pop_front();
            state.acked = state.acked.saturating_add(1);
        }
    }

    /// When what has been dealt with is to be acknowledged; `None` when nothing is new. `along` is whether other frames
    /// go to the peer anyway.
    pub(crate) fn ack_due(&self, along: bool) -> Option<Instant> {
        let fresh = [&self.urgent, &self.normal, &self.bulk].iter().any(|lane| lane.acked > lane.announced_ack);
        let gathers = !along && self.unsaid < limits::ACK_BYTES;
        let last = self.acked_at.filter(|_| gathers);
        fresh.then(|| last.map_or(Instant(0), |last| last.plus_millis(limits::ACK_MS)))
    }

    /// What is to be acknowledged, lanes ascending; empty when nothing is new.
    pub(crate) fn take_acks(&mut self, now: Instant) -> Vec<(Lane, u64)> {
        self.acked_at = Some(now);
        self.unsaid = 0;
        let mut acks = Vec::new();
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            if let Some(state) = self.lane_mut(lane)
                && state.acked > state.announced_ack
            {
                state.announced_ack = state.acked;
                acks.push((lane, state.acked));
            }
        }
        acks
    }

    /// What is to be granted now: a lane's total once a quarter of its window is free again, or at once when what the
    /// peer has left may be less than its next message needs.
    pub(crate) fn take_credits(&mut self) -> Vec<(Lane, u64)> {
        let quarter = self.credit / 4;
        let mut credits = Vec::new();
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            if let Some(state) = self.lane_mut(lane)
                && state.granted > state.announced
                && (state.granted.saturating_sub(state.announced) >= quarter
                    || state.announced.saturating_sub(state.charged) < CHARGE_MAX)
            {
                state.announced = state.granted;
                credits.push((lane, state.granted));
            }
        }
        credits
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn acknowledgements_wait_for_those_before_them() {
        let mut incoming = Incoming::new(1 << 20);
        let first = incoming.arrive(Lane::Normal, 10).unwrap();
        let second = incoming.arrive(Lane::Normal, 10).unwrap();
        incoming.done(second);
        assert_eq!(incoming.ack_due(true), None);
        incoming.done(first);
        assert_eq!(incoming.ack_due(false), Some(Instant(0)));
        assert_eq!(incoming.take_acks(Instant(0)), [(Lane::Normal, 2)]);
        assert_eq!(incoming.ack_due(true), None);
    }

    #[test]
    fn acknowledgements_gather_for_a_while_unless_something_goes_anyway_or_much_has_come() {
        let mut incoming = Incoming::new(1 << 20);
        let deal = |incoming: &mut Incoming, len| {
            let arrival = incoming.arrive(Lane::Normal, len).unwrap();
            incoming.done(arrival);
        };
        let now = Instant(5_000_000);
        deal(&mut incoming, 10);
        assert!(incoming.ack_due(false) <= Some(now), "the first goes at once");
        incoming.take_acks(now);
        deal(&mut incoming, 10);
        assert_eq!(incoming.ack_due(false), Some(now.plus_millis(limits::ACK_MS)));
        assert!(incoming.ack_due(true) <= Some(now));
        deal(&mut incoming, usize::try_from(limits::ACK_BYTES).unwrap());
        assert!(incoming.ack_due(false) <= Some(now));
        assert_eq!(incoming.take_acks(now), [(Lane::Normal, 3)]);
    }

    #[test]
    fn credit_runs_out() {
        let mut incoming = Incoming::new(1_024);
        incoming.arrive(Lane::Bulk, 512).unwrap();
        assert_eq!(incoming.arrive(Lane::Bulk, 1), Err(Reject::OverCredit));
        assert_eq!(incoming.arrive(Lane::Control, 1), Err(Reject::WrongLane));
    }

    #[test]
    fn credit_comes_back_by_quarters() {
        let mut incoming = Incoming::new(4 << 20);
        let part = (1 << 19) - usize::try_from(CHARGE_OVERHEAD).unwrap();
        let first = incoming.arrive(Lane::Bulk, part).unwrap();
        let second = incoming.arrive(Lane::Bulk, part).unwrap();
        incoming.done(first);
        assert!(incoming.take_credits().is_empty());
        incoming.done(second);
        assert_eq!(incoming.take_credits(), [(Lane::Bulk, 5 << 20)]);
    }

    #[test]
    fn a_peer_with_too_little_left_for_a_large_message_is_granted_at_once() {
        let credit = 300_000;
        let mut incoming = Incoming::new(credit);
        let small = incoming.arrive(Lane::Bulk, 50_000).unwrap();
        incoming.done(small);
        let granted = credit + 50_000 + CHARGE_OVERHEAD;
        assert_eq!(incoming.take_credits(), [(Lane::Bulk, granted)], "250,000 would not take the largest");
        assert!(incoming.take_credits().is_empty());
    }
}
