//! Runs: a seed, its scenario, its verdict.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crosscast_core::Node;

use crate::machine::Machine;
use crate::play::Play;
use crate::report::Report;
use crate::scenario::Scenario;
use crate::violation::{Rule, Violation};

/// Hosts in a run, unless told otherwise.
pub const NODES: u32 = 20;

/// Runs the random scenario of a seed with the core.
///
/// # Errors
/// The first rule that did not hold.
pub fn run_seed(seed: u64) -> Result<Report, Violation> {
    run_scenario::<Node>(&Scenario::random(seed, NODES))
}

/// Runs a scenario with machines of one kind.
///
/// # Errors
/// The first rule that did not hold; a panic of a machine is one of them.
pub fn run_scenario<M: Machine>(scenario: &Scenario) -> Result<Report, Violation> {
    run_traced::<M>(scenario, false).0
}

/// Runs a scenario and keeps its trace as text when it is asked for.
///
/// # Errors
/// As [`run_scenario`], in the first value.
pub fn run_traced<M: Machine>(scenario: &Scenario, with_text: bool) -> (Result<Report, Violation>, String) {
    let mut play: Play<'_, M> = Play::new(scenario, with_text);
    let verdict = catch_unwind(AssertUnwindSafe(|| play.run()))
        .unwrap_or_else(|panic| Err(play.violation((Rule::Panic, words_of(panic.as_ref())))));
    let text = play.world.trace.text().unwrap_or_default().to_owned();
    (verdict, text)
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
