//! A local reader: a cursor over the released messages of a log, with a window of bytes.
//!
//! While it keeps up it is handed messages as they are committed; when its window is full it falls back to reading the
//! log from its cursor, so a slow application costs no memory. What was freed before it was read is a reported gap.

use crosscast_port::LogPos;

use crate::{ReaderId, Source};

/// Where a reader stands.
pub(crate) struct Reader {
    pub(crate) id: ReaderId,
    pub(crate) source: Source,
    window: u64,
    in_flight: u64,
    /// Last release position handed out or skipped.
    pub(crate) after: LogPos,
    /// Whether it is fed as messages come; else from the log.
    pub(crate) live: bool,
    /// Whether a read of the log is under way.
    pub(crate) reading: bool,
    /// Whether it waits for a content key.
    pub(crate) locked: bool,
}

impl Reader {
    pub(crate) fn new(id: ReaderId, source: Source, window: u32, after: LogPos) -> Self {
        let window = u64::from(window).max(1);
        Self { id, source, window, in_flight: 0, after, live: false, reading: false, locked: false }
    }

    /// Whether another message may be handed out: while anything is left of the window, so one always fits.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight < self.window
    }

    /// Books a message handed out. It weighs at least one byte, so that empty ones are bounded too.
    pub(crate) fn handed(&mut self, released: LogPos, bytes: u64) {
        self.after = self.after.max(released);
        self.in_flight = self.in_flight.saturating_add(bytes.max(1));
    }

    /// The application has taken bytes out of the window.
    pub(crate) fn consumed(&mut self, bytes: u32) {
        self.in_flight = self.in_flight.saturating_sub(u64::from(bytes));
    }
}
