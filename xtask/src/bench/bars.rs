//! The goals of the data path, each held against the results of one run.
//!
//! All but the absolute ones are ratios of medians between systems in the same run: other machines have other figures and
//! much the same ratios. A goal whose systems were not measured has no value and is not met.

use super::results::{Entry, Results};

/// The publisher's choice in most goals: 1 KiB.
const KIB: u64 = 1024;
/// How many publish in the goal about many publishers.
const MANY: u64 = 1000;

/// One goal with what was measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// Its short name.
    pub(crate) id: &'static str,
    /// What is compared.
    pub(crate) text: &'static str,
    /// The figure; `None` when it was not measured.
    pub(crate) value: Option<f64>,
    /// What it must not be beyond.
    pub(crate) bar: f64,
    /// What it would rather be.
    pub(crate) aim: f64,
    /// What the figure is.
    pub(crate) unit: Unit,
    /// Whether more is better.
    pub(crate) at_least: bool,
    /// Whether the figure is within the bar.
    pub(crate) pass: bool,
    /// Whether it is within the aim.
    pub(crate) reached: bool,
    /// The fewest rounds behind it.
    pub(crate) rounds: u64,
    /// Entries in a message of Crosscast's, where that is what makes the figure.
    pub(crate) entries: f64,
}

/// What a figure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Ours divided by theirs.
    Ratio,
    /// Megabytes.
    Megabytes,
    /// Milliseconds.
    Millis,
}

/// A goal before it is held against anything.
struct Goal {
    id: &'static str,
    text: &'static str,
    bar: f64,
    aim: f64,
}

impl Goal {
    /// Our figure divided by theirs.
    fn ratio(self, ours: Option<&Entry>, theirs: Option<&Entry>, pick: impl Fn(&Entry) -> f64) -> Bar {
        let pair = ours.zip(theirs).filter(|(_, theirs)| pick(theirs) > 0.0);
        let value = pair.map(|(ours, theirs)| pick(ours) / pick(theirs));
        self.held(value, Unit::Ratio, [ours, theirs])
    }

    /// Our figure alone.
    fn absolute(self, ours: Option<&Entry>, unit: Unit, pick: impl Fn(&Entry) -> f64) -> Bar {
        self.held(ours.map(pick), unit, [ours, ours])
    }

    fn held(self, value: Option<f64>, unit: Unit, behind: [Option<&Entry>; 2]) -> Bar {
        let rounds = behind.iter().map(|entry| entry.map_or(0, |entry| entry.rounds)).min().unwrap_or(0);
        let entries = behind.first().copied().flatten().map_or(0.0, |entry| entry.entries_per_message);
        let within = |limit: f64| value.is_some_and(|value| value <= limit);
        Bar {
            id: self.id,
            text: self.text,
            value,
            bar: self.bar,
            aim: self.aim,
            unit,
            at_least: false,
            pass: within(self.bar),
            reached: within(self.aim),
            rounds,
            entries,
        }
    }
}

impl Bar {
    /// The same with more being better.
    fn at_least(self) -> Self {
        let beyond = |limit: f64| self.value.is_some_and(|value| value >= limit);
        let (pass, reached) = (beyond(self.bar), beyond(self.aim));
        Self { at_least: true, pass, reached, ..self }
    }
}

const fn goal(id: &'static str, text: &'static str, bar: f64, aim: f64) -> Goal {
    Goal { id, text, bar, aim }
}

/// Every goal, met or not.
pub(crate) fn bars(results: &Results) -> Vec<Bar> {
    let mut bars = signed_and_brokers(results);
    bars.extend(plain(results));
    bars.push(many(results));
    bars.extend(latency(results));
    bars.extend(rest(results));
    bars
}

/// CPU against what signs or encrypts, and against mosquitto.
fn signed_and_brokers(results: &Results) -> Vec<Bar> {
    let against = |system: &str, fanout: u64, goal: Goal| {
        let (ours, theirs) = (results.full("crosscast", KIB, fanout), results.full(system, KIB, fanout));
        goal.ratio(ours, theirs, |entry| entry.cpu_total)
    };
    let gossipsub = goal("gossipsub-1k-10", "gossipsub (signed), 1 KiB, fan-out 10, CPU", 1.0 / 120.0, 1.0 / 300.0);
    let iroh = goal("iroh-1k-10", "iroh-gossip (unsigned), 1 KiB, fan-out 10, CPU", 1.0 / 5.0, 1.0 / 12.0);
    let mosquitto_1 = goal("mosquitto-1k-1", "mosquitto (plaintext), 1 KiB, fan-out 1, CPU", 1.0 / 2.5, 1.0 / 6.0);
    let mosquitto_10 = goal("mosquitto-1k-10", "mosquitto (plaintext), 1 KiB, fan-out 10, CPU", 1.0 / 2.5, 1.0 / 6.0);
    vec![
        against("gossipsub", 10, gossipsub),
        against("iroh", 10, iroh),
        against("mosquitto", 1, mosquitto_1),
        against("mosquitto", 10, mosquitto_10),
    ]
}

/// CPU against the fast plaintext systems.
fn plain(results: &Results) -> Vec<Bar> {
    let against = |system: &str, size: u64, fanout: u64, goal: Goal| {
        let (ours, theirs) = (results.full("crosscast", size, fanout), results.full(system, size, fanout));
        goal.ratio(ours, theirs, |entry| entry.cpu_total)
    };
    let (ours, nats) = (results.full("crosscast", KIB, 10), results.full("nats", KIB, 10));
    let router = goal("router-1k-10", "the router alone and nats-server, 1 KiB, fan-out 10, CPU", 0.6, 0.25);
    vec![
        against("nats", KIB, 1, goal("nats-1k-1", "NATS (plaintext), 1 KiB, fan-out 1, CPU", 1.8, 0.8)),
        against("nats", KIB, 10, goal("nats-1k-10", "NATS, 1 KiB, fan-out 10, CPU", 1.2, 0.5)),
        against("nats", KIB, 100, goal("nats-1k-100", "NATS, 1 KiB, fan-out 100, CPU", 1.2, 0.5)),
        against("nats", 64, 10, goal("nats-64-10", "NATS, 64 B, fan-out 10, CPU", 1.0, 0.4)),
        against("zenoh", KIB, 10, goal("zenoh-1k-10", "zenoh (plaintext), 1 KiB, fan-out 10, CPU", 2.0, 0.8)),
        router.ratio(ours, nats, |entry| entry.cpu.router),
    ]
}

/// Many publishers, one entry a message. Ours must keep up with two messages a second of each.
fn many(results: &Results) -> Bar {
    let of = |system: &str| results.find("many", system, 64, 10).filter(|entry| entry.publishers == MANY);
    let text =
        "gossipsub at the highest rate it sustains, 1,000 publishers, 64 B, one entry a message, fan-out 10, CPU";
    let goal = goal("many-64-10", text, 1.0 / 5.0, 1.0 / 10.0);
    let bar = goal.ratio(of("crosscast"), of("gossipsub"), |entry| entry.cpu_total);
    let keeps_up = of("crosscast").is_some_and(|entry| entry.rate >= 2 * MANY);
    Bar { pass: bar.pass && keeps_up, reached: bar.reached && keeps_up, ..bar }
}

/// Latency at 1,000 messages a second.
fn latency(results: &Results) -> Vec<Bar> {
    let against = |fanout: u64, goal: Goal, pick: fn(&Entry) -> f64| {
        let of = |system: &str| results.at_rate(system, KIB, fanout, 1000);
        goal.ratio(of("crosscast"), of("nats"), pick)
    };
    let (p50, p99) = (|entry: &Entry| entry.p50_us, |entry: &Entry| entry.p99_us);
    vec![
        against(1, goal("p50-1", "NATS at 1,000 messages/s, fan-out 1, p50", 2.2, 1.5), p50),
        against(1, goal("p99-1", "NATS at 1,000 messages/s, fan-out 1, p99", 1.6, 1.1), p99),
        against(10, goal("p50-10", "NATS at 1,000 messages/s, fan-out 10, p50", 2.2, 1.5), p50),
        against(10, goal("p99-10", "NATS at 1,000 messages/s, fan-out 10, p99", 1.6, 1.1), p99),
    ]
}

/// Bytes a second, memory, and what gathering adds.
fn rest(results: &Results) -> Vec<Bar> {
    let (ours, nats) = (results.full("crosscast", 16 << 10, 10), results.full("nats", 16 << 10, 10));
    let memory = || results.find("memory", "crosscast", KIB, 10);
    let half = results.find("half", "crosscast", KIB, 10);
    let speed = goal("mb-16k-10", "NATS, 16 KiB, fan-out 10, MB/s", 0.8, 2.0);
    let router = goal("memory-router", "resident memory of the router, 1 KiB, fan-out 10", 64.0, 32.0);
    let subscriber = goal("memory-subscriber", "resident memory of one subscriber of ten, 1 KiB", 32.0, 16.0);
    let gathering = goal("gathering", "what gathering adds below half load, 1 KiB, fan-out 10, p99", 1.0, 1.0);
    vec![
        speed.ratio(ours, nats, |entry| entry.mb_per_s).at_least(),
        router.absolute(memory(), Unit::Megabytes, |entry| entry.resident_mb.router),
        subscriber.absolute(memory(), Unit::Megabytes, |entry| entry.one_subscriber_mb),
        gathering.absolute(half, Unit::Millis, |entry| entry.gather_p99_us / 1000.0),
    ]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::bench::results::Three;

    fn full(system: &str, size: u64, fanout: u64, cpu_total: f64) -> Entry {
        let mb_per_s = 100.0 / cpu_total;
        let cpu = Three { publisher: 0.0, router: cpu_total / 2.0, subscribers: cpu_total / 2.0 };
        Entry { size, fanout, cpu_total, cpu, mb_per_s, rounds: 5, ..named("full", system) }
    }

    fn named(mode: &str, system: &str) -> Entry {
        Entry { mode: mode.to_owned(), system: system.to_owned(), entries_per_message: 200.0, ..Entry::default() }
    }

    fn of(entries: Vec<Entry>, id: &str) -> Bar {
        let results = Results { entries, ..Results::default() };
        bars(&results).into_iter().find(|bar| bar.id == id).unwrap()
    }

    #[test]
    fn a_ratio_is_ours_divided_by_theirs() {
        let measured = vec![full("crosscast", 1024, 10, 2.0), full("gossipsub", 1024, 10, 320.0)];
        let bar = of(measured, "gossipsub-1k-10");
        assert_eq!((bar.value, bar.pass, bar.reached, bar.rounds), (Some(2.0 / 320.0), true, false, 5));
        let measured = vec![full("crosscast", 1024, 10, 2.0), full("gossipsub", 1024, 10, 200.0)];
        assert!(!of(measured, "gossipsub-1k-10").pass);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let bar = of(vec![full("crosscast", 1024, 10, 2.0)], "iroh-1k-10");
        assert_eq!((bar.value, bar.pass, bar.rounds), (None, false, 0));
    }

    #[test]
    fn the_router_is_compared_with_the_broker_alone() {
        let mut ours = full("crosscast", 1024, 10, 9.0);
        ours.cpu.router = 0.2;
        let bar = of(vec![ours, full("nats", 1024, 10, 2.0)], "router-1k-10");
        assert_eq!((bar.value, bar.pass, bar.reached), (Some(0.2), true, true));
    }

    #[test]
    fn of_megabytes_a_second_more_is_better() {
        let of_cpu = |ours| of(vec![full("crosscast", 16384, 10, ours), full("nats", 16384, 10, 2.0)], "mb-16k-10");
        assert!(of_cpu(1.0).reached);
        assert!(of_cpu(2.0).pass && !of_cpu(2.0).reached);
        assert!(!of_cpu(4.0).pass);
    }

    #[test]
    fn many_publishers_are_a_thousand_and_keep_their_rate() {
        let many = |system, publishers, rate, cpu_total| Entry {
            size: 64,
            fanout: 10,
            publishers,
            rate,
            cpu_total,
            rounds: 5,
            ..named("many", system)
        };
        let bar = of(vec![many("crosscast", 1000, 2000, 60.0), many("gossipsub", 1000, 400, 600.0)], "many-64-10");
        assert_eq!((bar.value, bar.pass, bar.reached), (Some(0.1), true, true));
        let bar = of(vec![many("crosscast", 1000, 1700, 60.0), many("gossipsub", 1000, 400, 600.0)], "many-64-10");
        assert_eq!((bar.value, bar.pass), (Some(0.1), false));
        let bar = of(vec![many("crosscast", 1000, 2000, 60.0), many("gossipsub", 10, 400, 600.0)], "many-64-10");
        assert_eq!(bar.value, None);
    }

    #[test]
    fn latency_counts_at_a_thousand_messages_a_second_only() {
        let at =
            |system, rate, p99_us| Entry { size: 1024, fanout: 10, rate, p99_us, rounds: 5, ..named("rate", system) };
        let measured = vec![at("crosscast", 50, 9e3), at("crosscast", 1000, 600.0), at("nats", 1000, 500.0)];
        let bar = of(measured, "p99-10");
        assert_eq!((bar.value, bar.pass, bar.reached), (Some(1.2), true, false));
    }

    #[test]
    fn memory_and_gathering_are_judged_by_themselves() {
        let resident_mb = Three { publisher: 0.0, router: 65.0, subscribers: 140.0 };
        let memory =
            Entry { size: 1024, fanout: 10, resident_mb, one_subscriber_mb: 15.0, ..named("memory", "crosscast") };
        assert!(!of(vec![memory.clone()], "memory-router").pass);
        assert!(of(vec![memory], "memory-subscriber").reached);
        let half = Entry { size: 1024, fanout: 10, gather_p99_us: 250.0, ..named("half", "crosscast") };
        assert_eq!(of(vec![half], "gathering").value, Some(0.25));
    }

    #[test]
    fn no_goal_is_named_twice() {
        let all = bars(&Results::default());
        let ids: std::collections::BTreeSet<_> = all.iter().map(|bar| bar.id).collect();
        assert_eq!(ids.len(), all.len());
        assert!(all.iter().all(|bar| !bar.pass && !bar.reached));
    }
}
