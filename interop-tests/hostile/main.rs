//! Runs the floods at any size: `crosscast-hostile forge|mutate [--count N] [--each N] [--seed N]`, one JSON line each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_hostile::{forge, mutate};
use serde_json::json;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |name: &str, default: u64| {
        let place = args.iter().position(|arg| arg == name);
        place.and_then(|place| args.get(place + 1)?.parse().ok()).unwrap_or(default)
    };
    let (count, seed) = (number("--count", 100_000), number("--seed", 1));
    let pass = match args.get(1).map(String::as_str) {
        Some("forge") => {
            let report = forge(count, seed);
            let value = json!({ "forged": report.forged, "honest": report.honest, "delivered": report.delivered,
                "forged_delivered": report.forged_delivered, "rejects": report.rejects });
            println!("{}", json!({ "value": value, "pass": report.holds(), "seed": seed }));
            report.holds()
        }
        Some("mutate") => {
            let report = mutate(count, number("--each", 100), seed);
            let value = json!({ "frames": report.frames, "resigned": report.resigned, "refused": report.refused,
                "legal": report.legal, "alive": report.alive, "rejects": report.rejects, "missed": report.missed });
            println!("{}", json!({ "value": value, "pass": report.holds(), "seed": seed }));
            report.holds()
        }
        _ => {
            eprintln!("usage: crosscast-hostile forge|mutate [--count N] [--each N] [--seed N]");
            std::process::exit(2);
        }
    };
    if !pass {
        std::process::exit(1);
    }
}
