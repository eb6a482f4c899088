//! The driver's alarm: one sleep for the core's timers, for asking a busy core again, and for the end of a stop.
//!
//! Setting a sleep costs a lock, so it is only moved when it must ring earlier; when it rings too early, it is set anew.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;

use crosscast_core::Instant;
use tokio::time::{Sleep, sleep_until};

use crate::clock::Clock;

#[derive(Debug, Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it rings; `None` when it has rung or was never set.
    set_for: Option<Instant>,
    stop_by: Option<(Instant, Clock)>,
}

impl Timer {
    /// Whether it rings at the earliest of these times, or before.
    pub(super) fn rings_by(&self, times: [Option<Instant>; 2]) -> bool {
        times.into_iter().flatten().min().is_none_or(|at| self.set_for.is_some_and(|set| set <= at))
    }

    /// Rings at the earliest of these times, or before.
    pub(super) fn set(&mut self, clock: &Clock, times: [Option<Instant>; 2]) {
        let stop = self.stop_by.as_ref().map(|(at, _)| *at);
        let Some(at) = times.into_iter().chain([stop]).flatten().min() else { return };
        if self.set_for.is_some_and(|set| set <= at) {
            return;
        }
        self.set_for = Some(at);
        let deadline = clock.deadline(at);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(sleep_until(deadline))),
        }
    }

    /// Ends everything at this time.
    pub(super) fn stop_by(&mut self, clock: &Clock, at: Instant) {
        self.stop_by = Some((at, *clock));
    }

    /// Whether the time for a stop is over.
    pub(super) fn is_over(&self) -> bool {
        self.stop_by.as_ref().is_some_and(|(at, clock)| *at <= clock.now().mono)
    }

    /// Whether it rings now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let rings =
            self.set_for.is_some() && self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if rings {
            self.set_for = None;
        }
        rings
    }
}
