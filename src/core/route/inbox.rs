//! What came for this node: a log like a group's, kept until the application acknowledges it.

use crosscast_port::LogPos;

use crate::Config;
use crate::auth::replay::Windows;
use crate::group::log::Log;

/// The inbox.
pub(crate) struct Inbox {
    pub(crate) log: Log,
    pub(crate) windows: Windows,
    /// Everything up to here has been taken by the application.
    pub(crate) acknowledged: LogPos,
}

impl Inbox {
    pub(crate) fn new(_config: &Config) -> Self {
        Self { log: Log::default(), windows: Windows::default(), acknowledged: LogPos(0) }
    }
}
