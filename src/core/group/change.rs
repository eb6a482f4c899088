//! Changes of a group's floor record, as they wait to be made.

use crosscast_wire::{Policy, RevocationId};

/// A change of the floor record.
#[derive(Clone, Debug)]
pub(crate) enum FloorChange {
    /// Take back what these ids name.
    Revoke(Vec<RevocationId>),
    /// Let others publish than before.
    Policy(Policy),
    /// Take back again what another record of the same number has lost, and live on.
    Renew,
}
