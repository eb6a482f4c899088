//! The receiving half of a link: what was granted, what came, what has been dealt with.
//!
//! Data frames are numbered per lane as they arrive. They are dealt with in any order (a duplicate at once, a fresh
//! message after its commit), but acknowledged cumulatively, so an early answer waits for those before it. The first
//! acknowledgement after a pause goes at once; in a steady stream they gather, since each costs both sides a wake-up.
//!
//! A lane whose whole credit is used up fast is granted twice as much, up to a bound, as flow control windows are tuned
//! elsewhere (QUIC, yamux): a first credit that suits thousands of quiet links would hold a fast one up.

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
    /// What may be under way: the first credit, or more.
    window: u64,
    /// When the credit that is used up now began to be, and what had been granted then.
    round: (Option<Instant>, u64),
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
        let lane = || InLane {
            granted: credit,
            announced: credit,
            window: credit,
            round: (None, credit),
            ..InLane::default()
        };
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

    /// Lanes whose whole credit was used up within two round trips, or [`limits::CREDIT_FAST_MS`].
    pub(crate) fn used_up(&mut self, now: Instant, rtt_us: Option<u64>) -> Vec<Lane> {
        let fast_us = rtt_us.unwrap_or(0).saturating_mul(2).max(limits::CREDIT_FAST_MS.saturating_mul(1_000));
        let mut lanes = Vec::new();
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            let Some(state) = self.lane_mut(lane) else { continue };
            let (since, before) = state.round;
            if state.granted.saturating_sub(before) < state.window {
                continue;
            }
            state.round = (Some(now), state.granted);
            if state.window < limits::CREDIT_WIDE && since.is_some_and(|since| now.micros_since(since) < fast_us) {
                lanes.push(lane);
            }
        }
        lanes
    }

    /// Grants a lane twice what it had, within `room` and [`limits::CREDIT_WIDE`].
    pub(crate) fn widen(&mut self, lane: Lane, room: u64) {
        let Some(state) = self.lane_mut(lane) else { return };
        let more = state.window.min(limits::CREDIT_WIDE.saturating_sub(state.window)).min(room);
        state.window = state.window.saturating_add(more);
        state.granted = state.granted.saturating_add(more);
        state.round.1 = state.granted;
    }

    /// What is granted beyond the first credit.
    pub(crate) fn widened(&self) -> u64 {
        let lanes = [&self.urgent, &self.normal, &self.bulk];
        lanes.iter().fold(0, |sum, lane| sum.saturating_add(lane.window.saturating_sub(self.credit)))
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

    /// Uses a lane's credit up, in so many milliseconds each time; how much may be under way at last.
    fn tuned(incoming: &mut Incoming, millis: u64, rtt_us: Option<u64>, room: u64) -> u64 {
        let part = (1 << 18) - usize::try_from(CHARGE_OVERHEAD).unwrap();
        let mut now = Instant(9_000_000);
        for _ in 0..8 {
            for _ in 0..incoming.normal.window >> 18 {
                let arrival = incoming.arrive(Lane::Normal, part).unwrap();
                incoming.done(arrival);
            }
            now = now.plus_millis(millis);
            for lane in incoming.used_up(now, rtt_us) {
                incoming.widen(lane, room);
            }
            incoming.take_credits();
        }
        incoming.normal.granted - incoming.normal.charged
    }

    #[test]
    fn credit_that_is_used_up_fast_is_doubled_up_to_its_bound() {
        let base = 1 << 20;
        let mut fast = Incoming::new(base);
        assert_eq!(tuned(&mut fast, 20, None, u64::MAX), limits::CREDIT_WIDE);
        assert_eq!(fast.widened(), limits::CREDIT_WIDE - base);
        assert_eq!(tuned(&mut Incoming::new(base), 200, None, u64::MAX), base, "a slow link has enough");
        assert_eq!(tuned(&mut Incoming::new(base), 200, Some(150_000), u64::MAX), limits::CREDIT_WIDE, "a far one not");
        assert_eq!(tuned(&mut Incoming::new(base), 20, None, 0), base, "others have it all");
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
