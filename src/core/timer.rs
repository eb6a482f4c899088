//! Why the core wants to be woken.

/// Why `poll_timeout` names its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A hello takes too long.
    Hello,
    /// A link has been silent.
    Idle,
    /// A locator is to be dialled again.
    Redial,
    /// A message waits for an earlier one.
    Gap,
    /// Kept messages have aged.
    Window,
    /// Something published or sent runs out of time.
    Expiry,
    /// A closing link or a shutdown is overdue.
    Drain,
}
