//! Rights in a group as the library's callers name them.

use crosscast_wire::{NodeId, Rights, WallMillis};

/// Rights to be given to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub subject: NodeId,
    /// Which; what the issuer does not have is left out.
    pub rights: Rights,
    /// How many more links may follow below it: with 1 it can name devices of its own, or, with `admit`, let others in.
    pub depth: u8,
    /// How long it holds unless it is renewed, in milliseconds; `None` is 30 days.
    pub life_ms: Option<u64>,
}

/// Rights that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To whom.
    pub subject: NodeId,
    /// Which.
    pub rights: Rights,
    /// Last millisecond of their life.
    pub not_after: WallMillis,
}
