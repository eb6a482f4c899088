//! How much to hand down at once, from how fast it drains.
//!
//! What is encrypted or in the kernel cannot be overtaken any more. So both are kept at about ten to thirty
//! milliseconds of the link's measured speed: little enough that a control frame passes a saturated slow link, enough
//! that a fast one never runs dry before this task runs again. The speed is what the kernel took between two moments
//! when it was full, which is exactly what drained; an idle moment between them voids the measurement.

use core::time::Duration;
use std::time::Instant;

/// Most that is encrypted at once, in bytes: 16 TLS records, one system call.
pub const CHUNK_MAX: usize = 256 * 1024;

/// Least that is encrypted at once, in bytes: two full segments of a common path, after framing, so that a slow link
/// does not pay for half-empty packets.
const CHUNK_MIN: usize = 2_720;

/// First chunk, before anything is known: as on the slowest link, since the first 20 ms tell.
const CHUNK_START: usize = CHUNK_MIN;

/// Bounds of the unsent bytes in the kernel.
const UNSENT_MIN: usize = 2 * CHUNK_MIN;
const UNSENT_START: usize = 8 * 1024;
const UNSENT_MAX: usize = 1024 * 1024;

/// Bounds of the grants on each data lane: from a few chunks up to four of the largest messages.
const GRANT_MIN: usize = 32 * 1024;
const GRANT_MAX: usize = 1024 * 1024;

/// Shortest measurement. Shorter ones see single acknowledgements instead of a speed.
const WINDOW: Duration = Duration::from_millis(20);

/// Milliseconds of the link's speed in a chunk, unsent in the kernel, and granted to the node. The kernel wakes the
/// task when half of the unsent bytes are gone, which leaves it 15 ms to come round.
const CHUNK_MS: usize = 5;
const UNSENT_MS: usize = 30;
const GRANT_MS: usize = 100;

/// Measures a link's speed and derives its sizes.
#[derive(Debug, Default)]
pub struct Pace {
    /// Bytes per millisecond; none before the first measurement.
    speed: Option<usize>,
    full_since: Option<Instant>,
    taken: usize,
}

impl Pace {
    /// Notes that the kernel took bytes.
    pub const fn took(&mut self, bytes: usize) {
        self.taken = self.taken.saturating_add(bytes);
    }

    /// Notes that the kernel is full; true when the speed was measured anew.
    pub fn full(&mut self, now: Instant) -> bool {
        let Some(since) = self.full_since else {
            self.full_since = Some(now);
            self.taken = 0;
            return false;
        };
        let elapsed = now.saturating_duration_since(since);
        if elapsed < WINDOW {
            return false;
        }
        let micros = usize::try_from(elapsed.as_micros()).unwrap_or(usize::MAX);
        let sample = self.taken.saturating_mul(1000).checked_div(micros).unwrap_or(0);
        self.full_since = Some(now);
        self.taken = 0;
        self.speed = Some(match self.speed {
            // Upwards at once, or a fast link would start slowly; downwards smoothly, as one lost packet is no speed.
            Some(speed) if sample < speed => speed.saturating_mul(3).saturating_add(sample) / 4,
            Some(_) | None => sample,
        });
        true
    }

    /// Notes that there is nothing to send.
    pub const fn idle(&mut self) {
        self.full_since = None;
    }

    /// Bytes to encrypt at once.
    #[must_use]
    pub fn chunk(&self) -> usize {
        self.size(CHUNK_MS, CHUNK_START, CHUNK_MIN, CHUNK_MAX)
    }

    /// Bytes that may wait in the kernel for their first transmission.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.size(UNSENT_MS, UNSENT_START, UNSENT_MIN, UNSENT_MAX)
    }

    /// Bytes that each data lane may have from the node.
    #[must_use]
    pub fn grant(&self) -> usize {
        self.size(GRANT_MS, GRANT_MAX / 4, GRANT_MIN, GRANT_MAX)
    }

    fn size(&self, millis: usize, start: usize, least: usize, most: usize) -> usize {
        self.speed.map_or(start, |speed| speed.saturating_mul(millis).clamp(least, most))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    /// Drains at a speed in bytes per millisecond for a while, always full.
    fn drain(pace: &mut Pace, start: Instant, millis: u64, speed: usize) -> Instant {
        let mut now = start;
        for _ in 0..millis / 5 {
            pace.full(now);
            pace.took(5 * speed);
            now += Duration::from_millis(5);
        }
        pace.full(now);
        now
    }

    #[test]
    fn a_slow_link_queues_forty_milliseconds_and_a_fast_one_the_most() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let now = drain(&mut pace, start, 100, 250);
        assert_eq!((pace.chunk(), pace.unsent(), pace.grant()), (CHUNK_MIN, 7_500, GRANT_MIN));
        drain(&mut pace, now, 100, 1_500_000);
        assert_eq!((pace.chunk(), pace.unsent(), pace.grant()), (CHUNK_MAX, UNSENT_MAX, GRANT_MAX));
    }

    #[test]
    fn the_speed_falls_by_quarters_so_one_bad_moment_is_no_new_speed() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let now = drain(&mut pace, start, 20, 4_000);
        assert_eq!(pace.speed, Some(4_000));
        let now = drain(&mut pace, now, 20, 0);
        assert_eq!(pace.speed, Some(3_000));
        drain(&mut pace, now, 1_000, 100);
        assert!(pace.speed.unwrap() < 110, "{:?}", pace.speed);
    }

    #[test]
    fn a_link_that_was_idle_between_is_not_measured() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(!pace.full(now));
        pace.took(1000);
        pace.idle();
        assert!(!pace.full(now + Duration::from_secs(10)));
        assert_eq!(pace.speed, None);
        assert_eq!(pace.chunk(), CHUNK_START);
    }
}
