//! Timers as a table: each key has at most one time, and the earliest is what the driver is told.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_port::LinkId;
use crosscast_wire::GroupId;

use crate::Instant;

/// Why the core wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A hello takes too long.
    Hello,
    /// A link has been silent.
    Idle,
    /// Messages are to be acknowledged.
    Ack,
    /// A locator is to be dialled again.
    Redial,
    /// A message waits for an earlier one.
    Gap,
    /// Kept messages have aged.
    Window,
    /// Something published or sent runs out of time.
    Expiry,
    /// A failed commit is to be tried again.
    Store,
    /// A message has waited for its chain.
    Chain,
    /// Rights or keys are to be asked for.
    Ask,
    /// Entries have gathered for long enough.
    Pace,
    /// Messages beyond a link's refusals have waited.
    Rate,
    /// A message is to be put on a carrier.
    Carry,
    /// A closing link or a shutdown is overdue.
    Drain,
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Hello(LinkId),
    Idle(LinkId),
    Ack(LinkId),
    Drain(LinkId),
    Redial(u64),
    Gap(GroupId),
    Window,
    Expiry,
    Store,
    Parked,
    Pace(GroupId),
    Ask(GroupId),
    Refusals,
    Challenge(LinkId),
    Letters,
    Carry(LinkId),
    Shutdown,
}

impl Timer {
    const fn reason(self) -> Reason {
        match self {
            Self::Hello(_) => Reason::Hello,
            Self::Idle(_) | Self::Challenge(_) => Reason::Idle,
            Self::Drain(_) | Self::Shutdown => Reason::Drain,
            Self::Redial(_) => Reason::Redial,
            Self::Gap(_) => Reason::Gap,
            Self::Ack(_) => Reason::Ack,
            Self::Window => Reason::Window,
            Self::Expiry | Self::Letters => Reason::Expiry,
            Self::Store => Reason::Store,
            Self::Parked => Reason::Chain,
            Self::Pace(_) => Reason::Pace,
            Self::Ask(_) => Reason::Ask,
            Self::Refusals => Reason::Rate,
            Self::Carry(_) => Reason::Carry,
        }
    }
}

/// The table.
#[derive(Default)]
pub(crate) struct Timers {
    at: BTreeMap<Timer, Instant>,
    order: BTreeSet<(Instant, Timer)>,
}

impl Timers {
    /// Sets or moves a timer.
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        if let Some(before) = self.at.insert(timer, at) {
            self.order.remove(&(before, timer));
        }
        self.order.insert((at, timer));
    }

    /// Sets a timer unless it already rings earlier.
    pub(crate) fn set_earlier(&mut self, timer: Timer, at: Instant) {
        if self.at.get(&timer).is_none_or(|before| at < *before) {
            self.set(timer, at);
        }
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at.contains_key(&timer)
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        if let Some(before) = self.at.remove(&timer) {
            self.order.remove(&(before, timer));
        }
    }

    /// Takes a timer that is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.order.first()?;
        if at > now {
            return None;
        }
        self.cancel(timer);
        Some(timer)
    }

    pub(crate) fn next(&self) -> Option<(Instant, Reason)> {
        self.order.first().map(|(at, timer)| (*at, timer.reason()))
    }
}
