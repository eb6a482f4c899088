//! The results of a run in Markdown: the goals, the systems at full rate, latency, many publishers, the machine.

use std::fmt::Write as _;

use super::ROUNDS_MIN;
use super::bars::{Bar, Unit};
use super::results::{Entry, Results, Three};

/// Everything, under headings of the third level.
pub(crate) fn all(results: &Results, bars: &[Bar]) -> String {
    let mut text = String::new();
    goals(&mut text, bars);
    full(&mut text, results);
    latency(&mut text, results);
    many(&mut text, results);
    nothing(&mut text, results);
    machine(&mut text, results);
    text
}

/// A line; writing into a `String` cannot fail.
fn line(text: &mut String, args: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(args);
    text.push('\n');
}

fn goals(text: &mut String, bars: &[Bar]) {
    if bars.iter().all(|bar| bar.value.is_none()) {
        return;
    }
    line(text, format_args!("### The goals\n\nOurs divided by theirs, in the same run; an aim is beyond its bar.\n"));
    line(text, format_args!("| Crosscast and | measured | bar | aim | met | entries a message | rounds |"));
    line(text, format_args!("|---|---|---|---|---|---|---|"));
    for bar in bars {
        let value = bar.value.map_or_else(|| "not measured".to_owned(), |value| figure(value, bar.unit));
        let met = match (bar.value.is_some(), bar.pass, bar.reached) {
            (false, _, _) => "",
            (true, true, true) => "yes, and the aim",
            (true, true, false) => "yes",
            (true, false, _) => "**no**",
        };
        let most = if bar.at_least { "≥" } else { "≤" };
        let (limit, aim) = (figure(bar.bar, bar.unit), figure(bar.aim, bar.unit));
        let entries = bar.entries;
        let text_of = bar.text;
        let rounds = bar.rounds;
        line(text, format_args!("| {text_of} | {value} | {most} {limit} | {aim} | {met} | {entries:.1} | {rounds} |"));
    }
    text.push('\n');
}

/// A ratio far below one reads better as a fraction.
fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Ratio if value > 0.0 && value < 0.22 => format!("1/{}", sized(1.0 / value)),
        Unit::Ratio => format!("{value:.2} ×"),
        Unit::Megabytes => format!("{value:.0} MB"),
        Unit::Millis => format!("{value:.2} ms"),
    }
}

/// Three digits or so.
fn sized(value: f64) -> String {
    if value >= 9.95 { format!("{value:.0}") } else { format!("{value:.1}").trim_end_matches(".0").to_owned() }
}

/// Thousands apart.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn bytes(size: u64) -> String {
    if size >= 1024 { format!("{} KiB", size / 1024) } else { format!("{size} B") }
}

fn roles(three: &Three, decimals: usize) -> String {
    let Three { publisher, router, subscribers } = three;
    format!("{publisher:.decimals$} / {router:.decimals$} / {subscribers:.decimals$}")
}

/// What Crosscast puts into a message; the others put one.
fn entries(entry: &Entry) -> String {
    if entry.system == "crosscast" { format!("{:.1}", entry.entries_per_message) } else { "1".to_owned() }
}

fn full(text: &mut String, results: &Results) {
    let mut of_mode: Vec<&Entry> = results.entries.iter().filter(|entry| entry.mode == "full").collect();
    if of_mode.is_empty() {
        return;
    }
    // A stable sort keeps the systems in their order.
    of_mode.sort_by_key(|entry| (entry.size, entry.fanout));
    line(text, format_args!("### As fast as the window lets\n"));
    line(
        text,
        format_args!(
            "| size, fan-out | system | CPU s per million | from – to | publisher / router / subscribers | deliveries/s | MB/s \
             | entries a message | resident MB | window | rounds |"
        ),
    );
    line(text, format_args!("|---|---|---|---|---|---|---|---|---|---|---|"));
    for entry in of_mode {
        let (size, fanout, system, total) = (bytes(entry.size), entry.fanout, &entry.system, entry.cpu_total);
        let (low, high) = entry.cpu_range;
        let (cpu, rate, mb) = (roles(&entry.cpu, 2), thousands(entry.deliveries_per_s), thousands(entry.mb_per_s));
        let (entries, resident) = (entries(entry), roles(&entry.resident_mb, 0));
        let (window, rounds) = (entry.window, entry.rounds);
        line(
            text,
            format_args!(
                "| {size}, {fanout} | {system} | {total:.2} | {low:.2} – {high:.2} | {cpu} | {rate} | {mb} | {entries} | {resident} \
                 | {window} | {rounds} |"
            ),
        );
    }
    text.push('\n');
}

fn latency(text: &mut String, results: &Results) {
    let is_timed = |entry: &&Entry| entry.mode == "rate" || entry.mode == "half";
    let mut timed: Vec<&Entry> = results.entries.iter().filter(is_timed).collect();
    if timed.is_empty() {
        return;
    }
    timed.sort_by_key(|entry| (entry.mode == "half", std::cmp::Reverse(entry.rate), entry.fanout));
    line(text, format_args!("### Latency at a fixed rate\n"));
    line(
        text,
        format_args!(
            "| messages/s, size, fan-out | system | p50 ms | p99 ms | gathering adds, p99 ms | CPU s per million | rounds |"
        ),
    );
    line(text, format_args!("|---|---|---|---|---|---|---|"));
    for entry in timed {
        let millis = |micros: f64| micros / 1000.0;
        let (rate, size, fanout, system) =
            (thousands(entry.rate as f64), bytes(entry.size), entry.fanout, &entry.system);
        let half = if entry.mode == "half" { " (below half load)" } else { "" };
        let (p50, p99, gathering) = (millis(entry.p50_us), millis(entry.p99_us), millis(entry.gather_p99_us));
        let (total, rounds) = (entry.cpu_total, entry.rounds);
        line(
            text,
            format_args!(
                "| {rate}{half}, {size}, {fanout} | {system} | {p50:.2} | {p99:.2} | {gathering:.2} | {total:.0} | {rounds} |"
            ),
        );
    }
    text.push('\n');
}

fn many(text: &mut String, results: &Results) {
    let of_mode: Vec<&Entry> = results.entries.iter().filter(|entry| entry.mode == "many").collect();
    if of_mode.is_empty() {
        return;
    }
    line(text, format_args!("### Many publishers\n"));
    line(
        text,
        format_args!(
            "| publishers, size, fan-out | system | messages/s, all | CPU s per million | publishers / router / subscribers \
             | entries a message | p50 / p99 ms | resident MB | rounds |"
        ),
    );
    line(text, format_args!("|---|---|---|---|---|---|---|---|---|"));
    for entry in of_mode {
        let (publishers, size, fanout) = (thousands(entry.publishers as f64), bytes(entry.size), entry.fanout);
        let (system, rate, total, cpu) =
            (&entry.system, thousands(entry.rate as f64), entry.cpu_total, roles(&entry.cpu, 1));
        let (entries, resident, rounds) = (entries(entry), roles(&entry.resident_mb, 0), entry.rounds);
        let (p50, p99) = (entry.p50_us / 1000.0, entry.p99_us / 1000.0);
        line(
            text,
            format_args!(
                "| {publishers}, {size}, {fanout} | {system} | {rate} | {total:.1} | {cpu} | {entries} | {p50:.2} / {p99:.2} \
                 | {resident} | {rounds} |"
            ),
        );
    }
    text.push('\n');
}

/// What has no figures, so that a missing row is not taken for one that nobody wanted.
fn nothing(text: &mut String, results: &Results) {
    let name = |entry: &Entry| {
        let (mode, system, size, fanout) = (&entry.mode, &entry.system, bytes(entry.size), entry.fanout);
        let rate = if entry.rate > 0 { format!(" at {}/s", thousands(entry.rate as f64)) } else { String::new() };
        format!("{mode} {system} {size}, fan-out {fanout}{rate}")
    };
    let names: Vec<String> = results.nothing.iter().map(name).collect();
    if !names.is_empty() {
        let names = names.join("; ");
        line(text, format_args!("No round in which nothing was lost and the rate was kept: {names}.\n"));
    }
}

fn machine(text: &mut String, results: &Results) {
    let Some(last) = results.rounds.last() else { return };
    let load = results.rounds.iter().map(|round| format!("{:.1} – {:.1}", round.load.0, round.load.1));
    let secs: f64 = results.rounds.iter().map(|round| round.secs).sum();
    let (number, load) = (results.rounds.len() as u64, load.collect::<Vec<_>>().join(", "));
    let (cores, minutes) = (last.cores, secs / 60.0);
    line(
        text,
        format_args!(
            "{number} rounds in {minutes:.0} minutes on {cores} cores; load average at the start and the end of each: {load}. \
             The bench itself keeps the cores busy."
        ),
    );
    if number < ROUNDS_MIN {
        line(text, format_args!("\n**Fewer than {ROUNDS_MIN} rounds: a trial, no figures to quote.**"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bars::bars;

    #[test]
    fn small_ratios_are_fractions() {
        assert_eq!(figure(1.0 / 120.0, Unit::Ratio), "1/120");
        assert_eq!(figure(0.2, Unit::Ratio), "1/5");
        assert_eq!(figure(1.0 / 2.5, Unit::Ratio), "0.40 ×");
        assert_eq!(figure(1.256, Unit::Ratio), "1.26 ×");
        assert_eq!(figure(31.6, Unit::Megabytes), "32 MB");
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(thousands(1_234_567.4), "1,234,567");
        assert_eq!(thousands(50.0), "50");
        assert_eq!(thousands(123.0), "123");
    }

    #[test]
    fn a_table_has_only_what_was_measured() {
        let entry =
            Entry { mode: "full".into(), system: "nats".into(), size: 1024, fanout: 10, rounds: 1, ..Entry::default() };
        let results = Results { entries: vec![entry.clone()], nothing: vec![entry], ..Results::default() };
        let text = all(&results, &bars(&results));
        assert!(text.contains("| 1 KiB, 10 | nats | 0.00 |"), "{text}");
        assert!(text.contains("nothing was lost and the rate was kept: full nats 1 KiB, fan-out 10."), "{text}");
        assert!(!text.contains("Latency") && !text.contains("goals"), "{text}");
    }
}
