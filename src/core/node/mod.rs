//! The machine: one input in, outputs out, and a time to be woken at.
//!
//! This is the only room that sees all children; it is a table of one-line arms, and the work behind them is in the
//! files beside this one.

use std::collections::VecDeque;

use crosscast_port::Recovered;

use crate::timer::Reason;
use crate::{Config, Input, Instant, Now, Output};

/// A Crosscast node without any IO.
pub struct Node {
    config: Config,
    outputs: VecDeque<Output>,
}

impl Node {
    /// Builds a node from its configuration and what its store held.
    #[must_use]
    pub fn new(config: Config, recovered: Recovered, now: Now) -> Self {
        let _ = (recovered, now);
        Self { config, outputs: VecDeque::new() }
    }

    /// Takes exactly one thing that happened; infallible.
    pub fn handle(&mut self, now: Now, input: Input) {
        let _ = (now, input, &self.config);
    }

    /// The next thing to be done; drain to `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to look in next, and why; ask after draining the outputs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        None
    }
}
