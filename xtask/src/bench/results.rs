//! The results of a run, as its file has them: one line of JSON a round, one a result.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// What a run came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// In the order in which they were run.
    pub(crate) rounds: Vec<Round>,
    /// Medians over the rounds, in the order of the file.
    pub(crate) entries: Vec<Entry>,
    /// Cases of which no round was kept: something was lost, or the rate was not.
    pub(crate) nothing: Vec<Entry>,
}

/// One round.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Round {
    /// How long it took.
    pub(crate) secs: f64,
    /// The machine's load over a minute, at its start and at its end.
    pub(crate) load: (f64, f64),
    /// What the machine runs at once.
    pub(crate) cores: u64,
}

/// Publisher, router and subscribers, each a process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Three {
    pub(crate) publisher: f64,
    pub(crate) router: f64,
    pub(crate) subscribers: f64,
}

/// One case of one system, measured in `rounds` rounds.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Entry {
    /// `full`, `rate`, `half`, `memory` or `many`.
    pub(crate) mode: String,
    pub(crate) system: String,
    /// Payload bytes.
    pub(crate) size: u64,
    /// Subscribers.
    pub(crate) fanout: u64,
    /// Messages a second; 0 is as fast as the window lets.
    pub(crate) rate: u64,
    pub(crate) publishers: u64,
    /// Most messages in flight.
    pub(crate) window: u64,
    /// Rounds that count.
    pub(crate) rounds: u64,
    pub(crate) deliveries_per_s: f64,
    pub(crate) mb_per_s: f64,
    /// CPU seconds per million deliveries.
    pub(crate) cpu_total: f64,
    pub(crate) cpu: Three,
    /// The smallest and the largest total of a round.
    pub(crate) cpu_range: (f64, f64),
    pub(crate) entries_per_message: f64,
    pub(crate) resident_mb: Three,
    /// Of the last process of subscribers.
    pub(crate) one_subscriber_mb: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) gather_p99_us: f64,
}

impl Results {
    /// Reads a file; cases that came to nothing are kept apart.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut results = Self::default();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let value: Value =
                serde_json::from_str(line).with_context(|| format!("line {}", number.saturating_add(1)))?;
            match value.get("kind").and_then(Value::as_str) {
                Some("round") => results.rounds.push(round(&value)),
                Some("result") => results.entries.push(entry(&value)),
                Some(_) | None => {}
            }
        }
        (results.entries, results.nothing) = results.entries.into_iter().partition(|entry| entry.rounds > 0);
        Ok(results)
    }

    /// The result of a system at full rate.
    pub(crate) fn full(&self, system: &str, size: u64, fanout: u64) -> Option<&Entry> {
        self.find("full", system, size, fanout)
    }

    /// The first result of a mode.
    pub(crate) fn find(&self, mode: &str, system: &str, size: u64, fanout: u64) -> Option<&Entry> {
        let is_it = |entry: &&Entry| {
            (entry.mode.as_str(), entry.system.as_str(), entry.size, entry.fanout) == (mode, system, size, fanout)
        };
        self.entries.iter().find(is_it)
    }

    /// The result of a system at a fixed rate.
    pub(crate) fn at_rate(&self, system: &str, size: u64, fanout: u64, rate: u64) -> Option<&Entry> {
        let mut of_mode = self.entries.iter().filter(|entry| entry.mode == "rate" && entry.rate == rate);
        of_mode.find(|entry| (entry.system.as_str(), entry.size, entry.fanout) == (system, size, fanout))
    }
}

fn number(value: &Value, name: &str) -> f64 {
    value.get(name).and_then(Value::as_f64).unwrap_or(0.0)
}

fn whole(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn round(value: &Value) -> Round {
    let load = |name: &str| value.get(name).and_then(|list| list.get(0)).and_then(Value::as_f64).unwrap_or(0.0);
    Round { secs: number(value, "secs"), load: (load("load_start"), load("load_end")), cores: whole(value, "cores") }
}

fn three(value: &Value, name: &str) -> Three {
    let of = |role: &str| value.get(name).map_or(0.0, |roles| number(roles, role));
    Three { publisher: of("publisher"), router: of("router"), subscribers: of("subscribers") }
}

fn range(value: &Value, name: &str) -> (f64, f64) {
    let totals = value.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64);
    totals.fold((f64::INFINITY, 0.0), |(low, high), total| (f64::min(low, total), f64::max(high, total)))
}

fn entry(value: &Value) -> Entry {
    Entry {
        mode: text(value, "mode"),
        system: text(value, "system"),
        size: whole(value, "size"),
        fanout: whole(value, "fanout"),
        rate: whole(value, "rate"),
        publishers: whole(value, "publishers"),
        window: whole(value, "window"),
        rounds: whole(value, "rounds"),
        deliveries_per_s: number(value, "deliveries_per_s"),
        mb_per_s: number(value, "mb_per_s"),
        cpu_total: number(value, "cpu_s_per_million"),
        cpu: three(value, "cpu"),
        cpu_range: range(value, "cpu_totals"),
        entries_per_message: number(value, "entries_per_message"),
        resident_mb: three(value, "resident_mb"),
        one_subscriber_mb: number(value, "one_subscriber_mb"),
        p50_us: number(value, "p50_us"),
        p99_us: number(value, "p99_us"),
        gather_p99_us: number(value, "gather_p99_us"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_is_read_line_by_line_and_what_came_to_nothing_is_kept_apart() {
        let text = "{\"kind\":\"round\",\"secs\":9.5,\"load_start\":[0.5,1,2],\"load_end\":[2,1,2],\"cores\":2}\n\n\
            {\"kind\":\"result\",\"mode\":\"full\",\"system\":\"nats\",\"size\":64,\"fanout\":10,\"rounds\":5,\
             \"cpu_s_per_million\":1.5,\"cpu\":{\"publisher\":0.25,\"router\":1,\"subscribers\":0.25},\"cpu_totals\":[1.5,1.25,2]}\n\
            {\"kind\":\"result\",\"mode\":\"full\",\"system\":\"zenoh\",\"size\":64,\"fanout\":10,\"rounds\":0}\n";
        let results = Results::parse(text).unwrap();
        assert_eq!(results.rounds, [Round { secs: 9.5, load: (0.5, 2.0), cores: 2 }]);
        let nats = results.full("nats", 64, 10).unwrap();
        assert_eq!((nats.rounds, nats.cpu_total, nats.cpu.router), (5, 1.5, 1.0));
        assert_eq!(nats.cpu_range, (1.25, 2.0));
        assert_eq!(results.full("zenoh", 64, 10), None);
        assert_eq!(results.nothing.iter().map(|entry| entry.system.as_str()).collect::<Vec<_>>(), ["zenoh"]);
        assert!(Results::parse("{").is_err());
    }
}
