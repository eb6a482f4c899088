//! A host's clocks: a monotonic one that starts anew with each run, and a wall clock that may be wrong.

use crosscast_core::{Instant, Now};
use crosscast_wire::WallMillis;

use crate::agenda::{MILLI, Micros};
use crate::prng::PPM;

/// Wall-clock time at which every world begins: 1 January 2026, in milliseconds.
pub const WALL_BEGIN_MS: u64 = 1_767_225_600_000;

/// How a host sees the world's time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    /// When the process started, and what its monotonic clock said then.
    started_at: Micros,
    mono_base: u64,
    /// Microseconds that the monotonic clock gains in a second.
    drift_ppm: u32,
    /// What the wall clock is ahead.
    skew_ms: i64,
}

impl Clock {
    pub(crate) const fn restart(&mut self, at: Micros, mono_base: u64, drift_ppm: u32) {
        self.started_at = at;
        self.mono_base = mono_base;
        self.drift_ppm = drift_ppm;
    }

    pub(crate) const fn set_skew(&mut self, skew_ms: i64) {
        self.skew_ms = skew_ms;
    }

    const fn mono(&self, at: Micros) -> u64 {
        let ran = at.saturating_sub(self.started_at);
        let gained = ran.saturating_mul(self.drift_ppm as u64) / PPM as u64;
        self.mono_base.saturating_add(ran).saturating_add(gained)
    }

    /// What the host's clocks say at a time of the world.
    pub(crate) const fn read(&self, at: Micros) -> Now {
        Now { mono: Instant(self.mono(at)), wall: WallMillis(self.wall_ms(at)) }
    }

    pub(crate) const fn wall_ms(&self, at: Micros) -> u64 {
        WALL_BEGIN_MS.saturating_add(at / MILLI).saturating_add_signed(self.skew_ms)
    }

    /// The first time of the world at which the monotonic clock has reached `mono`.
    pub(crate) fn when(&self, mono: Instant) -> Micros {
        let ahead = mono.0.saturating_sub(self.mono_base);
        let rate = u128::from(PPM).saturating_add(u128::from(self.drift_ppm));
        let ran = u128::from(ahead).saturating_mul(u128::from(PPM)) / rate.max(1);
        let mut at = self.started_at.saturating_add(u64::try_from(ran).unwrap_or(u64::MAX));
        while self.mono(at) < mono.0 && at < u64::MAX {
            at = at.saturating_add(1);
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_never_fires_early_and_at_most_a_tick_late() {
        for drift in [0, 1, 37, 500] {
            let mut clock = Clock::default();
            clock.restart(1_000, 77, drift);
            for mono in (0..3_000_000).step_by(7_919) {
                let at = clock.when(Instant(mono));
                assert!(clock.mono(at) >= mono);
                assert!(at == 1_000 || clock.mono(at - 1) < mono, "{drift} {mono}");
            }
        }
    }

    #[test]
    fn the_wall_clock_is_as_wrong_as_it_is_told() {
        let mut clock = Clock::default();
        clock.set_skew(-1_500);
        assert_eq!(clock.read(2_000_000).wall, WallMillis(WALL_BEGIN_MS + 500));
    }
}
