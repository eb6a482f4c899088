//! How many bytes a link lets the node send: enough to keep the network busy, no more than is worth holding here.
//!
//! A grant is outstanding until its bytes have left for the network. New grants bring each lane back to its target,
//! in steps that are worth a report. What the node keeps it can still reorder, replace or drop.

use crosscast_wire::Lane;

use crate::PerLane;

/// Bytes granted on lane control: 64 KiB, several rounds of everything a node says about a link at once.
pub const CONTROL_GRANT: u32 = 64 * 1024;

/// Bytes granted on each data lane before the link's speed is known: 256 KiB, one message of the largest size.
pub const DATA_GRANT: u32 = 256 * 1024;

/// The outstanding grants of a link.
#[derive(Debug)]
pub struct Grants {
    data_target: u32,
    /// Granted and not yet gone; below zero while an overdraft is being paid back.
    outstanding: PerLane<i64>,
}

impl Default for Grants {
    fn default() -> Self {
        Self { data_target: DATA_GRANT, outstanding: PerLane::default() }
    }
}

impl Grants {
    /// Sets how much each data lane may have outstanding, in bytes.
    pub const fn set_data_target(&mut self, bytes: u32) {
        self.data_target = bytes;
    }

    /// Notes that body bytes have left for the network.
    pub const fn left(&mut self, lane: Lane, bytes: usize) {
        let outstanding = self.outstanding.get_mut(lane);
        *outstanding = outstanding.saturating_sub_unsigned(bytes as u64);
    }

    /// What to grant on a lane now, in bytes; 0 while less than a quarter of the target is missing.
    #[must_use]
    pub fn take_due(&mut self, lane: Lane) -> u32 {
        let due = self.due(lane);
        let outstanding = self.outstanding.get_mut(lane);
        *outstanding = outstanding.saturating_add(i64::from(due));
        due
    }

    /// Whether there is something to grant on a lane now.
    #[must_use]
    pub fn is_due(&self, lane: Lane) -> bool {
        self.due(lane) > 0
    }

    fn due(&self, lane: Lane) -> u32 {
        let target = match lane {
            Lane::Control => CONTROL_GRANT,
            Lane::Urgent | Lane::Normal | Lane::Bulk => self.data_target,
        };
        let missing = i64::from(target).saturating_sub(*self.outstanding.get(lane));
        if missing < i64::from(target / 4) { 0 } else { u32::try_from(missing).unwrap_or(u32::MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_come_back_to_the_target_in_quarters() {
        let mut grants = Grants::default();
        assert_eq!((grants.take_due(Lane::Control), grants.take_due(Lane::Bulk)), (CONTROL_GRANT, DATA_GRANT));
        assert_eq!(grants.take_due(Lane::Bulk), 0);
        grants.left(Lane::Bulk, 65_535);
        assert_eq!(grants.take_due(Lane::Bulk), 0);
        grants.left(Lane::Bulk, 1);
        assert_eq!((grants.take_due(Lane::Bulk), grants.take_due(Lane::Urgent)), (65_536, DATA_GRANT));
    }

    #[test]
    fn a_paid_overdraft_is_granted_back_and_a_lower_target_is_reached_by_waiting() {
        let mut grants = Grants::default();
        assert_eq!(grants.take_due(Lane::Normal), DATA_GRANT);
        grants.left(Lane::Normal, 500_000);
        assert_eq!(grants.take_due(Lane::Normal), 500_000);
        grants.set_data_target(32_768);
        grants.left(Lane::Normal, 229_376);
        assert_eq!(grants.take_due(Lane::Normal), 0);
        grants.left(Lane::Normal, 8192);
        assert_eq!(grants.take_due(Lane::Normal), 8192);
    }
}
