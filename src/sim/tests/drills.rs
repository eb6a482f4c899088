//! The named scenarios, smaller and shorter than they are proven.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_sim::{Millis, absence, revocation};

#[test]
fn rights_taken_back_while_a_quarter_is_away_are_gone_everywhere_and_nobody_else_loses_anything() {
    // One seed in which the maker takes them back, one in which another does.
    for seed in [2, 3] {
        let out = revocation(seed, 20, 240);
        assert!(out.pass(), "{}", out.json());
        assert_eq!(out.by_holder, seed == 3);
        // What must be none could have been some.
        assert!(out.required > 1_000 && out.sealed_late > 50 && out.rogue_kept_in_time > 0, "{}", out.json());
        assert_eq!((out.admitted.0, out.away, out.floor.count()), (20, 5, 14));
    }
}

#[test]
fn a_maker_away_for_two_weeks_and_an_edge_away_for_one_come_back_with_their_rights() {
    let out = absence(1, 5);
    assert!(out.pass(), "{}", out.json());
    assert!(out.renewed == 4 && out.required > 100 && out.virtual_h > 30 * 24, "{}", out.json());
}

#[test]
fn a_drill_is_a_function_of_its_seed() {
    assert_eq!(revocation(5, 12, 160), revocation(5, 12, 160));
    assert_ne!(revocation(5, 12, 160), revocation(6, 12, 160));
}

#[test]
fn percentiles_are_those_of_whole_milliseconds() {
    let millis = Millis::of_micros((1..=100).map(|number| number * 1_000));
    assert_eq!(
        (millis.count(), millis.percentile(50), millis.percentile(95), millis.percentile(100)),
        (100, 50, 95, 100)
    );
    assert_eq!((millis.within(60), Millis::default().percentile(95)), (60, 0));
}
