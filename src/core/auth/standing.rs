//! What a verified chain allows, in the few bytes that a router can afford per subscriber.
//!
//! The signatures were checked when the chain came; whether it holds *now* depends on the floor record, which changes. So
//! a standing keeps what that judgement needs: rights, life, epoch, and of each revocation id of each link eight bytes.
//! Whoever made two ids that agree in them has only got his own revoked with the other's.

use crosscast_wire::{Chain, FloorRecord, RevocationId, Rights, WallMillis};

/// First bytes of a revocation id.
type Mark = u64;

fn mark(id: &RevocationId) -> Mark {
    id.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// What a verified chain allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) rights: Rights,
    not_before: WallMillis,
    not_after: WallMillis,
    epoch: u64,
    pub(crate) rate_class: u8,
    marks: Box<[Mark]>,
}

impl Standing {
    /// Of a chain whose signatures hold.
    pub(crate) fn of(chain: &Chain) -> Self {
        let leaf = chain.leaf().fields();
        let marks: Vec<Mark> =
            chain.links().flat_map(|link| link.revocation_ids().map(|id| mark(&id)).collect::<Vec<_>>()).collect();
        Self {
            rights: leaf.rights,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            epoch: chain.epoch(),
            rate_class: leaf.rate_class,
            marks: marks.into(),
        }
    }

    /// Whether it gives one of these rights at a time, and the floor has not taken it back.
    pub(crate) fn allows(&self, any_of: Rights, at: WallMillis, floor: Option<&FloorRecord>) -> bool {
        !self.rights.common(any_of).is_empty() && (self.not_before..=self.not_after).contains(&at) && self.stands(floor)
    }

    /// Whether the floor leaves it standing: its epoch is not too low and no link of it is revoked.
    pub(crate) fn stands(&self, floor: Option<&FloorRecord>) -> bool {
        let Some(floor) = floor.map(FloorRecord::fields) else { return true };
        self.epoch >= floor.lowest_epoch && !floor.revoked.iter().any(|id| self.marks.contains(&mark(id)))
    }

    /// Bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>().saturating_add(size_of_val(&*self.marks))
    }
}
