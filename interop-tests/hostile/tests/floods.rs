//! The floods at reduced size; `cargo xtask prove first-message` runs them in full.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_hostile::{forge, mutate};

#[test]
fn forging_a_sender_does_not_silence_it() {
    let report = forge(2_000, 1);
    assert!(report.holds(), "{report:?}");
}

#[test]
fn mutated_frames_are_refused_by_name_and_every_reject_can_happen() {
    let report = mutate(2_000, 20, 1);
    assert!(report.holds(), "{report:?}");
}
