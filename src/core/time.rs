//! Time as it comes in through the door: the core has no clock.
//!
//! [`Instant`] counts microseconds of the driver's monotonic clock, [`Now`] adds the wall clock that message times are
//! judged by. Durations are plain microseconds with the unit in the name.

use crosscast_wire::WallMillis;

/// A point on the driver's monotonic clock, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub u64);

impl Instant {
    /// This point, `micros` later; saturates.
    #[must_use]
    pub const fn plus_micros(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This point, `millis` later; saturates.
    #[must_use]
    pub const fn plus_millis(self, millis: u64) -> Self {
        self.plus_micros(millis.saturating_mul(1000))
    }

    /// Microseconds since `earlier`, 0 when that lies ahead.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The driver's clocks at one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// Monotonic: timers and rates.
    pub mono: Instant,
    /// Wall: the time and expiry of messages and records.
    pub wall: WallMillis,
}
