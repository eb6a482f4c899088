//! Hostile peers against one core.
//!
//! [`Victim`] is a real core with a store, its effects done at once; [`Attacker`] speaks to it over links of its own with
//! real hellos. [`forge`] floods in a victim's name, [`mutate`] sends broken frames of every kind. Both count what the
//! core refused by name and are run reduced by the tests and in full by `cargo xtask prove`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm, missing_docs)]

mod attacker;
mod forge;
mod mutate;
mod rejects;
mod victim;

pub use attacker::Attacker;
pub use forge::{ForgeReport, forge};
pub use mutate::{MutateReport, mutate};
pub use victim::Victim;

/// SplitMix64: attacks are replayed from their seed.
pub struct Chance(pub u64);

impl Chance {
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.draw() % end.max(1) as u64) as usize
    }
}
