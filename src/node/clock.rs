//! The only clock of the node: monotonic and wall time, read together and handed through the core's door.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crosscast_core::{Instant, Now};
use crosscast_wire::WallMillis;

/// Counts from the moment it was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
    pub(crate) fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { mono: self.mono(), wall: WallMillis(wall_millis()) }
    }

    pub(crate) fn mono(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// A point of the core's time on the runtime's clock.
    pub(crate) fn deadline(&self, at: Instant) -> tokio::time::Instant {
        let start = tokio::time::Instant::from_std(self.start);
        start.checked_add(Duration::from_micros(at.0)).unwrap_or_else(|| far(start))
    }
}

/// Seconds since the Unix epoch, for the instance.
pub(crate) fn wall_seconds() -> u32 {
    u32::try_from(wall_millis() / 1000).unwrap_or(u32::MAX)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads a clock")]
fn wall_millis() -> u64 {
    // A clock before 1970 reads as 1970: messages are then refused for their time, which the peers report.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A day ahead: nothing is waited for that long, and the timer is set anew long before.
fn far(from: tokio::time::Instant) -> tokio::time::Instant {
    from.checked_add(Duration::from_secs(86_400)).unwrap_or(from)
}
