//! The picture of a run: CPU seconds per million deliveries of 1 KiB, by system and fan-out, drawn as SVG.
//!
//! A logarithmic scale, since the systems lie three orders of magnitude apart; the figure stands at the end of each bar.

use std::fmt::Write as _;

use super::results::{Entry, Results};

/// What is drawn, in pixels.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 70.0;
const TOP: f64 = 64.0;
const BAR: f64 = 18.0;
const STEP: f64 = 24.0;
const HEADING: f64 = 34.0;
/// Where the scale starts, in CPU seconds.
const LEAST: f64 = 0.1;

/// Names with what the system gives, in the order of drawing.
const SYSTEMS: [(&str, &str); 6] = [
    ("crosscast", "Crosscast: signed, sealed, TLS"),
    ("nats", "NATS: plaintext"),
    ("zenoh", "zenoh: plaintext"),
    ("mosquitto", "mosquitto: plaintext"),
    ("iroh", "iroh-gossip: unsigned, QUIC"),
    ("gossipsub", "gossipsub: signed, Noise"),
];

/// The whole file.
pub(crate) fn svg(results: &Results) -> String {
    let fanouts = [1, 10, 100];
    let of = |fanout: u64| -> Vec<(&Entry, &str)> {
        let found = SYSTEMS.iter().filter_map(|(system, name)| Some((results.full(system, 1024, fanout)?, *name)));
        found.collect()
    };
    let groups: Vec<(u64, Vec<(&Entry, &str)>)> = fanouts.iter().map(|fanout| (*fanout, of(*fanout))).collect();
    let most = groups.iter().flat_map(|(_, group)| group).map(|(entry, _)| entry.cpu_total).fold(1.0, f64::max);
    let mut body = String::new();
    let mut y = TOP;
    for (fanout, group) in groups.iter().filter(|(_, group)| !group.is_empty()) {
        text(&mut body, 16.0, y + 20.0, "group", &format!("fan-out {fanout}"));
        y += HEADING;
        for (entry, name) in group {
            bar(&mut body, y, entry, name, most);
            y += STEP;
        }
    }
    let height = y + 40.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" \
         role=\"img\">\n<title>CPU seconds per million deliveries of 1 KiB</title>\n<style>text{{font:13px sans-serif;fill:#222}}\
         .title{{font-size:16px;font-weight:bold}}.group{{font-weight:bold}}.note,.tick{{fill:#666;font-size:11px}}\
         .ours{{fill:#c2410c}}.theirs{{fill:#7c8ba1}}.line{{stroke:#e2e2e2}}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(&mut out, 16.0, 26.0, "title", "CPU seconds per million deliveries, 1 KiB");
    text(&mut out, 16.0, 46.0, "note", "publisher, router and subscribers together; less is better; logarithmic scale");
    scale(&mut out, y, most);
    out.push_str(&body);
    out.push_str("</svg>\n");
    out
}

/// Where a value lies.
fn x(value: f64, most: f64) -> f64 {
    let part = (value.max(LEAST) / LEAST).ln() / (most.max(1.0) / LEAST).ln();
    (WIDTH - LEFT - RIGHT).mul_add(part.min(1.0), LEFT)
}

fn bar(out: &mut String, y: f64, entry: &Entry, name: &str, most: f64) {
    let class = if entry.system == "crosscast" { "ours" } else { "theirs" };
    let end = x(entry.cpu_total, most);
    let width = (end - LEFT).max(1.0);
    text(out, 28.0, y + 13.0, "name", name);
    let _ = writeln!(
        out,
        "<rect class=\"{class}\" x=\"{LEFT:.0}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR:.0}\"/>"
    );
    let value = entry.cpu_total;
    let figure = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    text(out, end + 6.0, y + 13.0, "value", &figure);
}

fn scale(out: &mut String, bottom: f64, most: f64) {
    for tick in [0.1, 1.0, 10.0, 100.0, 1000.0] {
        if tick <= most {
            let (at, top) = (x(tick, most), TOP - 6.0);
            let _ = writeln!(
                out,
                "<line class=\"line\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{top:.0}\" y2=\"{bottom:.0}\"/>"
            );
            text(out, at - 6.0, bottom + 16.0, "tick", &tick.to_string());
        }
    }
}

fn text(out: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(system: &str, cpu_total: f64) -> Entry {
        let (mode, system) = ("full".to_owned(), system.to_owned());
        Entry { mode, system, size: 1024, fanout: 10, rounds: 5, cpu_total, ..Entry::default() }
    }

    #[test]
    fn every_measured_system_has_a_bar_and_its_figure() {
        let entries = vec![entry("gossipsub", 369.0), entry("crosscast", 2.5)];
        let picture = svg(&Results { entries, ..Results::default() });
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        assert_eq!(picture.matches("<rect class").count(), 2);
        assert!(picture.contains(">369</text>") && picture.contains(">2.50</text>"));
        assert!(!picture.contains("NATS"));
    }

    #[test]
    fn the_scale_is_logarithmic_and_ends_at_the_largest() {
        let step = x(10.0, 1000.0) - x(1.0, 1000.0);
        assert!((x(1000.0, 1000.0) - x(100.0, 1000.0) - step).abs() < 0.01);
        assert!((x(1000.0, 1000.0) - (WIDTH - RIGHT)).abs() < 0.01);
        assert!((x(0.0, 1000.0) - LEFT).abs() < 0.01);
    }
}
