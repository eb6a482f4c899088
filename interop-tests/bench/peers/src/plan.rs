//! What a run measures: the cases that a goal speaks of in every round, the others in every other round.

use crate::options::{Options, SYSTEMS};

/// How a case is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As fast as the window lets.
    Full,
    /// At a fixed rate, for the latency.
    Rate,
    /// Just below half of the round's full rate, for the delay that gathering adds.
    Half,
    /// Full, with one subscriber in a process of its own, for its memory.
    Memory,
    /// Many publishers, two messages a second each where the system sustains it.
    Many,
}

impl Mode {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Rate => "rate",
            Self::Half => "half",
            Self::Memory => "memory",
            Self::Many => "many",
        }
    }
}

/// One thing that is measured.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) mode: Mode,
    pub(crate) system: String,
    pub(crate) size: u64,
    pub(crate) fanout: u64,
    /// Messages a second; 0 is as fast as the window lets.
    pub(crate) rate: u64,
    pub(crate) publishers: u64,
    /// Most messages in flight.
    pub(crate) window: u64,
    /// Whether it is measured in every round.
    pub(crate) always: bool,
}

impl Case {
    fn new(mode: Mode, system: &str, size: u64, fanout: u64) -> Self {
        let window = crosscast_bench::window(size);
        Self { mode, system: system.to_owned(), size, fanout, rate: 0, publishers: 1, window, always: true }
    }

    fn at(self, rate: u64) -> Self {
        Self { rate, ..self }
    }

    fn of_many(self, publishers: u64) -> Self {
        Self { publishers, ..self }
    }

    /// Whether it is measured in this round, counted from 1.
    pub(crate) fn is_in(&self, round: u64) -> bool {
        self.always || round % 2 == 1
    }

    /// Its name in the lines of a run.
    pub(crate) fn name(&self) -> String {
        let rate = if self.rate > 0 { format!(" at {}/s", self.rate) } else { String::new() };
        let many = if self.publishers > 1 { format!(" from {}", self.publishers) } else { String::new() };
        format!("{} {} {} B x {}{many}{rate}", self.mode.word(), self.system, self.size, self.fanout)
    }
}

pub(crate) fn cases(options: &Options) -> Vec<Case> {
    if !options.chosen {
        return default_cases();
    }
    if let Some(publishers) = options.many {
        let signed = options.systems.iter().filter(|system| ["crosscast", "gossipsub"].contains(&system.as_str()));
        return signed.map(|system| many(system, publishers)).collect();
    }
    let mode = if options.latency.is_some() { Mode::Rate } else { Mode::Full };
    let mut cases = Vec::new();
    for size in &options.sizes {
        for fanout in &options.fanouts {
            for system in &options.systems {
                let case = Case::new(mode, system, *size, *fanout).at(options.latency.unwrap_or(0));
                let window = options.window.unwrap_or(case.window);
                cases.push(Case { window, ..case });
            }
        }
    }
    cases
}

/// Two messages a second each; what gossipsub sustains is found out.
fn many(system: &str, publishers: u64) -> Case {
    Case::new(Mode::Many, system, 64, 10).at(2 * publishers).of_many(publishers)
}

/// What a goal speaks of: the systems at full rate, by size and fan-out.
const GOALS: [(u64, u64, &[&str]); 5] = [
    (1024, 10, &SYSTEMS),
    (1024, 1, &["crosscast", "nats", "mosquitto"]),
    (1024, 100, &["crosscast", "nats"]),
    (64, 10, &["crosscast", "nats"]),
    (16384, 10, &["crosscast", "nats"]),
];

fn default_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (size, fanout, systems) in GOALS {
        cases.extend(systems.iter().map(|system| Case::new(Mode::Full, system, size, fanout)));
    }
    cases.push(Case::new(Mode::Half, "crosscast", 1024, 10));
    cases.push(Case::new(Mode::Memory, "crosscast", 1024, 10));
    for fanout in [1, 10] {
        cases.extend(["crosscast", "nats"].map(|system| Case::new(Mode::Rate, system, 1024, fanout).at(1000)));
    }
    cases.extend(["crosscast", "gossipsub"].map(|system| many(system, 1000)));
    cases.extend(wide_cases());
    cases
}

/// The rest of the table.
fn wide_cases() -> Vec<Case> {
    let is_goal = |system: &str, size: u64, fanout: u64| {
        GOALS.iter().any(|goal| (goal.0, goal.1) == (size, fanout) && goal.2.contains(&system))
    };
    let mut cases = Vec::new();
    for size in [64, 1024, 16384] {
        for fanout in [1, 10, 100] {
            // A hundred deliveries cost gossipsub so much that 2.5 s hold few messages.
            let fit = SYSTEMS.iter().filter(|system| fanout < 100 || **system != "gossipsub");
            let more = fit.filter(|system| !is_goal(system, size, fanout));
            cases.extend(more.map(|system| Case::new(Mode::Full, system, size, fanout)));
        }
    }
    // What gossipsub does with a message costs it more the longer its queues are: with little in flight it does best.
    cases.extend([1, 10].map(|fanout| Case { window: 64, ..Case::new(Mode::Full, "gossipsub", 1024, fanout) }));
    for fanout in [1, 10] {
        cases.extend(["mosquitto", "zenoh"].map(|system| Case::new(Mode::Rate, system, 1024, fanout).at(1000)));
        let slow = ["crosscast", "nats", "iroh", "gossipsub"];
        cases.extend(slow.map(|system| Case::new(Mode::Rate, system, 1024, fanout).at(50)));
    }
    cases.into_iter().map(|case| Case { always: false, ..case }).collect()
}
