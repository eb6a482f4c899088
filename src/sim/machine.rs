//! What the simulator drives: anything with the core's four verbs.
//!
//! [`Node`] is the machine that matters; the trait exists so that a toy can prove the engine, and a node wrapped in
//! lies can prove that the checks would notice.

use crosscast_core::{Config, Input, Instant, Node, Now, Output};
use crosscast_port::Recovered;

/// A machine behind the core's door.
pub trait Machine {
    /// Builds it from its configuration and what its store held.
    fn boot(config: Config, recovered: Recovered, now: Now) -> Self;

    /// Takes exactly one thing that happened.
    fn handle(&mut self, now: Now, input: Input);

    /// The next thing to be done; `None` when there is nothing left.
    fn poll_output(&mut self) -> Option<Output>;

    /// When to look in next.
    fn poll_timeout(&self) -> Option<Instant>;
}

impl Machine for Node {
    fn boot(config: Config, recovered: Recovered, now: Now) -> Self {
        Self::new(config, recovered, now)
    }

    fn handle(&mut self, now: Now, input: Input) {
        Self::handle(self, now, input);
    }

    fn poll_output(&mut self) -> Option<Output> {
        Self::poll_output(self)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self).map(|(at, _reason)| at)
    }
}
