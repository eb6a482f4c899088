//! One value per lane, reached by name instead of by number.
//!
//! Queues, balances and counters of a link come in fours; this keeps them apart without an index that could miss.

use crosscast_wire::Lane;

/// One value for each lane of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerLane<T> {
    /// For lane control.
    pub control: T,
    /// For lane urgent.
    pub urgent: T,
    /// For lane normal.
    pub normal: T,
    /// For lane bulk.
    pub bulk: T,
}

impl<T> PerLane<T> {
    /// The value of a lane.
    pub const fn get(&self, lane: Lane) -> &T {
        match lane {
            Lane::Control => &self.control,
            Lane::Urgent => &self.urgent,
            Lane::Normal => &self.normal,
            Lane::Bulk => &self.bulk,
        }
    }

    /// The value of a lane, to change it.
    pub const fn get_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Urgent => &mut self.urgent,
            Lane::Normal => &mut self.normal,
            Lane::Bulk => &mut self.bulk,
        }
    }
}
