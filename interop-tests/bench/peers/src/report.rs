//! The run: cases, interleaved rounds, medians, one JSON line a case and a table.

use anyhow::Result;
use serde_json::json;

use crate::measure::{Sample, Trio};
use crate::{number, value};

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) system: String,
    pub(crate) size: u64,
    pub(crate) fanout: u64,
    /// Messages a second; 0 is as fast as the window lets.
    pub(crate) rate: u64,
}

pub(crate) fn main(args: &[String]) -> Result<()> {
    let list = |name: &str, default: &str| -> Vec<String> {
        value(args, name).unwrap_or(default).split(',').map(str::to_owned).collect()
    };
    let numbers = |name: &str, default: &str| -> Vec<u64> {
        list(name, default).iter().filter_map(|text| text.parse().ok()).collect()
    };
    let rounds = number(args, "--rounds", 5);
    let seconds: f64 = value(args, "--seconds").and_then(|text| text.parse().ok()).unwrap_or(2.5);
    let rate = number(args, "--latency", 0);
    let mut cases = Vec::new();
    for size in numbers("--sizes", "1024") {
        for fanout in numbers("--fanouts", "10") {
            for system in list("--systems", "crosscast,nats") {
                cases.push(Case { system, size, fanout, rate });
            }
        }
    }
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); cases.len()];
    for round in 1..=rounds {
        for (index, case) in cases.iter().enumerate() {
            let sample = Trio::start(case)?.measure(seconds)?;
            eprintln!("round {round} {} {} B x {}: {sample:?}", case.system, case.size, case.fanout);
            if let Some(all) = samples.get_mut(index) {
                all.push(sample);
            }
        }
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("| system | size | fan-out | deliveries/s | CPU s/M (pub + router + sub) | router | MB pub/router/sub | p50 / p99 us |");
    println!("|---|---|---|---|---|---|---|---|");
    for (case, samples) in cases.iter().zip(&samples) {
        print_case(case, samples, load.trim());
    }
    Ok(())
}

fn print_case(case: &Case, samples: &[Sample], load: &str) {
    let of = |pick: &dyn Fn(&Sample) -> f64| median(samples.iter().map(pick).collect());
    let cpu = [0, 1, 2].map(|index| of(&|sample: &Sample| sample.cpu[index]));
    let resident = [0, 1, 2].map(|index| of(&|sample: &Sample| sample.resident[index]));
    let total = of(&|sample: &Sample| sample.cpu.iter().sum());
    let (rate, p50, p99) = (of(&|s: &Sample| s.rate), of(&|s: &Sample| s.p50_us), of(&|s: &Sample| s.p99_us));
    println!(
        "| {} | {} | {} | {rate:.0} | {total:.2} ({:.2} + {:.2} + {:.2}) | {:.2} | {:.0} / {:.0} / {:.0} | {p50:.0} / {p99:.0} |",
        case.system, case.size, case.fanout, cpu[0], cpu[1], cpu[2], cpu[1], resident[0], resident[1], resident[2],
    );
    eprintln!(
        "{}",
        json!({ "system": case.system, "size": case.size, "fanout": case.fanout, "rate": case.rate,
            "deliveries_per_s": rate, "cpu_s_per_million": total, "cpu": cpu, "resident_mb": resident,
            "p50_us": p50, "p99_us": p99, "rounds": samples.len(), "load": load })
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
