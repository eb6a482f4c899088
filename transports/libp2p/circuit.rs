//! What goes over a circuit: signalling, and only as much of anything else as its relay lets pass.
//!
//! Relays cut a circuit after 128 KiB or two minutes unless they are told otherwise, and count both ways. So each side
//! writes at a rate that lasts for those two minutes. Links over a circuit are slow and live, and wait for a direct
//! connection to take over; a link that ran into the limit would break and be dialled again, for ever.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Bytes at once. 24 KiB: hellos, chains and subscriptions of some dozens of groups, and a few messages.
const BURST: u64 = 24 * 1024;
/// Bytes a second after that. 768: with the burst 114 KiB in two minutes, which leaves the other side what acknowledging
/// takes.
const RATE: u64 = 768;
/// Least that is written at once, unless less is asked: a frame of the multiplexer has a head of its own.
const LEAST: u64 = 256;

/// What one circuit may still carry, in this direction.
#[derive(Debug)]
pub(crate) struct Budget(Mutex<State>);

#[derive(Debug)]
struct State {
    /// In millionths of a byte, so that short times count.
    level: u64,
    filled: Instant,
}

const MILLION: u64 = 1_000_000;

impl Budget {
    pub(crate) const fn new(now: Instant) -> Self {
        Self(Mutex::new(State { level: BURST * MILLION, filled: now }))
    }

    /// Takes up to so many bytes; how many they are.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub(crate) fn take(&self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let micros = now.saturating_duration_since(state.filled).as_micros();
        let filled = u64::try_from(micros).unwrap_or(u64::MAX).saturating_mul(RATE);
        state.level = state.level.saturating_add(filled).min(BURST * MILLION);
        state.filled = state.filled.max(now);
        let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
        let missing = wanted.min(LEAST).saturating_mul(MILLION).saturating_sub(state.level);
        if missing > 0 {
            return Err(Duration::from_micros(missing.div_ceil(RATE)));
        }
        let taken = wanted.min(state.level / MILLION);
        state.level = state.level.saturating_sub(taken.saturating_mul(MILLION));
        usize::try_from(taken).map_err(|_| Duration::MAX)
    }

    /// Gives back what could not be written.
    pub(crate) fn give_back(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        state.level = state.level.saturating_add(bytes.saturating_mul(MILLION)).min(BURST * MILLION);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn two_minutes_of_writing_stay_within_what_a_relay_lets_pass() {
        let start = Instant::now();
        let (budget, mut now, mut written) = (Budget::new(start), start, 0);
        while now < start + Duration::from_secs(120) {
            match budget.take(16 * 1024, now) {
                Ok(bytes) => written += bytes,
                Err(pause) => now += pause,
            }
        }
        assert!((100 * 1024..=116 * 1024).contains(&written), "{written}");
    }

    #[test]
    fn what_is_short_passes_at_once_and_what_was_not_written_is_given_back() {
        let now = Instant::now();
        let budget = Budget::new(now);
        assert_eq!(budget.take(100_000, now), Ok(24 * 1024));
        let pause = budget.take(50, now).unwrap_err();
        assert!(pause < Duration::from_millis(70) && budget.take(50, now + pause) == Ok(50));
        budget.give_back(1_000_000);
        assert_eq!(budget.take(100_000, now), Ok(24 * 1024));
    }
}
