//! A violation: what was broken, in which run, and the one command that shows it again.

use std::fmt;

use crate::agenda::Micros;

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A machine broke the contract of the door, of a transport or of a store.
    Contract,
    /// A machine panicked.
    Panic,
    /// Something was delivered that its sender did not publish.
    Forged,
    /// Something was delivered twice.
    Duplicate,
    /// A sender's messages were delivered out of order.
    Order,
    /// Messages were passed over without a mark, or given up too early.
    Gap,
    /// A reader was given more than its window.
    Window,
    /// A message did not arrive although it had to.
    Lost,
    /// A publisher was told what is not so.
    Outcome,
    /// A queue or a log grew beyond its bound.
    Bound,
    /// A link did not come back.
    Link,
    /// A correct machine was blamed by another.
    Blame,
    /// A right was used that was taken back, or a member went without what it holds.
    Rights,
    /// A command was refused without reason, or never answered.
    Command,
}

/// A rule that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The run's seed.
    pub seed: u64,
    /// Its number of hosts.
    pub nodes: usize,
    /// When, in microseconds since the world began.
    pub at: Micros,
    /// What was broken.
    pub rule: Rule,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at / 1_000_000, self.at % 1_000_000);
        writeln!(f, "seed {}: {:?} at {seconds}.{micros:06}: {}", self.seed, self.rule, self.what)?;
        write!(f, "cargo run --release -p crosscast-sim --bin sim -- --seed {} --nodes {}", self.seed, self.nodes)
    }
}

impl std::error::Error for Violation {}
