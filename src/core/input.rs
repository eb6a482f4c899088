//! What goes into the core: one thing at a time.

use crosscast_port::{OpId, Report, StoreOutcome};
use crosscast_wire::Signature;

use crate::Command;

/// Names a command; chosen by the driver, repeated in everything that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A transport reports.
    Link(Report),
    /// The time asked for by `poll_timeout` has come (or the driver looks in early; both are fine).
    Timeout,
    /// The application asks for something.
    Command(CommandId, Command),
    /// A store operation ended.
    Stored(OpId, StoreOutcome),
    /// A signature is made.
    Signed(OpId, Signature),
    /// A check is made.
    Verified(OpId, Verdict),
}

/// The result of a [`crate::VerifyJob`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every signature holds and the payload has its hash.
    Good,
    /// A signature does not hold.
    BadSignature,
    /// The signatures hold, the payload is not what the header says.
    BadPayload,
}
