//! The rounds: each case in turn, what a system cannot bear found out, medians, one line of JSON a result.

use std::fs;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::measure::{Roles, Sample};
use crate::options::Options;
use crate::plan::{Case, Mode, cases};

/// Times a case is tried with less in flight, or at a lower rate, until nothing is lost.
const TRIES: u32 = 10;
/// Smallest window that is tried.
const WINDOW_MIN: u64 = 16;

/// A case with what came of it so far.
struct Measured {
    case: Case,
    samples: Vec<Sample>,
    /// Rounds that came to nothing.
    failed: u64,
    /// Whether the rate is known to be sustained, or needs not be.
    settled: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let new = |case: Case| {
        // Only gossipsub's highest rate is searched for from below what is asked.
        let settled = case.mode != Mode::Many || case.system == "crosscast";
        Measured { case, samples: Vec::new(), failed: 0, settled }
    };
    let mut all: Vec<Measured> = cases(options).into_iter().map(new).collect();
    ensure!(!all.is_empty(), "nothing to measure");
    let mut rounds = Vec::new();
    let begin = Instant::now();
    for round in 1..=options.rounds {
        let (load, start) = (load(), Instant::now());
        for index in 0..all.len() {
            if all[index].case.is_in(round) {
                let half = half_load(&all, index);
                all[index].measure(options.seconds, half, round);
            }
        }
        let secs = start.elapsed().as_secs_f64();
        rounds.push(json!({ "kind": "round", "round": round, "secs": rounded(secs), "load_start": load,
            "load_end": self::load(), "cores": std::thread::available_parallelism().map_or(0, usize::from) }));
        eprintln!("round {round} of {}: {secs:.0} s", options.rounds);
        write(options, &rounds, &all)?;
    }
    eprintln!("{:.1} min", begin.elapsed().as_secs_f64() / 60.0);
    Ok(())
}

/// Messages a second just below half of what this case's system did at full rate, for the case that asks.
fn half_load(all: &[Measured], index: usize) -> Option<u64> {
    let case = &all[index].case;
    let is_full = |other: &&Measured| {
        let other = &other.case;
        other.mode == Mode::Full && (&other.system, other.size, other.fanout) == (&case.system, case.size, case.fanout)
    };
    let sample = all.iter().find(is_full)?.samples.last()?;
    (case.mode == Mode::Half).then_some((sample.deliveries_per_s / case.fanout as f64 * 0.45) as u64)
}

impl Measured {
    fn measure(&mut self, seconds: f64, half: Option<u64>, round: u64) {
        if let Some(rate) = half {
            self.case.rate = rate;
        }
        if !self.settled {
            self.settle(seconds);
        }
        for _ in 0..TRIES {
            match attempt(&self.case, seconds) {
                Ok(sample) if self.is_kept(&sample) => {
                    eprintln!("round {round} {}: {}", self.case.name(), words(&sample));
                    self.samples.push(sample);
                    return;
                }
                Ok(sample) => {
                    eprintln!("round {round} {}: not kept, {}", self.case.name(), words(&sample));
                    if !self.ease() {
                        break;
                    }
                }
                Err(error) => {
                    eprintln!("round {round} {}: {error:#}", self.case.name());
                    break;
                }
            }
        }
        self.failed += 1;
    }

    /// Whether a sample tells what it is to tell: nothing lost, and the rate kept where there is one.
    fn is_kept(&self, sample: &Sample) -> bool {
        let wanted = (self.case.rate * self.case.fanout) as f64;
        sample.lost == 0.0 && sample.deliveries_per_s > 0.0 && sample.deliveries_per_s >= 0.97 * wanted
    }

    /// Asks less of the system; what was measured before no longer counts. False when that is not to be done.
    fn ease(&mut self) -> bool {
        match self.case.mode {
            Mode::Full | Mode::Memory if self.case.window / 4 >= WINDOW_MIN => self.case.window /= 4,
            Mode::Many => self.case.rate = self.case.rate * 85 / 100,
            Mode::Full | Mode::Memory | Mode::Rate | Mode::Half => return false,
        }
        self.samples.clear();
        true
    }

    /// Starts the search for the highest rate at what the window lets through, if that is less than what is asked.
    fn settle(&mut self, seconds: f64) {
        let probe = Case { rate: 0, ..self.case.clone() };
        match attempt(&probe, seconds) {
            Ok(sample) => {
                let most = (sample.deliveries_per_s / probe.fanout as f64).ceil() as u64;
                eprintln!("probe {}: {}", probe.name(), words(&sample));
                self.case.rate = self.case.rate.min(most.max(10));
            }
            Err(error) => eprintln!("probe {}: {error:#}", probe.name()),
        }
        self.settled = true;
    }
}

fn attempt(case: &Case, seconds: f64) -> Result<Sample> {
    Roles::start(case)?.measure(seconds)
}

fn words(sample: &Sample) -> String {
    let [publisher, router, subscribers] = sample.cpu;
    let total = publisher + router + subscribers;
    format!(
        "{:.0}/s, CPU {total:.2} ({publisher:.2} + {router:.2} + {subscribers:.2}), {:.1} entries, p50 {:.0} p99 {:.0} us, \
         gathering {:.0} us, {:.0?} and {:.0} MB, {:.1?} cores, {} lost",
        sample.deliveries_per_s,
        sample.entries_per_message,
        sample.p50_us,
        sample.p99_us,
        sample.gather_p99_us,
        sample.resident,
        sample.one_subscriber,
        sample.cores,
        sample.lost
    )
}

/// One, five and fifteen minutes.
fn load() -> Vec<f64> {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).filter_map(|word| word.parse().ok()).collect()
}

fn write(options: &Options, rounds: &[Value], all: &[Measured]) -> Result<()> {
    let results = all.iter().filter(|measured| !measured.samples.is_empty() || measured.failed > 0).map(result);
    let lines: Vec<String> = rounds.iter().cloned().chain(results).map(|value| value.to_string()).collect();
    let text = lines.join("\n") + "\n";
    match &options.out {
        Some(path) => fs::write(path, text).with_context(|| format!("cannot write {}", path.display())),
        None => {
            println!("{text}");
            Ok(())
        }
    }
}

/// Medians over the rounds.
fn result(measured: &Measured) -> Value {
    let (case, samples) = (&measured.case, &measured.samples);
    let of = |pick: &dyn Fn(&Sample) -> f64| rounded(median(samples.iter().map(pick).collect()));
    let three = |pick: &dyn Fn(&Sample) -> [f64; 3]| {
        let [publisher, router, subscribers] = [0, 1, 2].map(|index| of(&|sample| pick(sample)[index]));
        json!({ "publisher": publisher, "router": router, "subscribers": subscribers })
    };
    let totals: Vec<f64> = samples.iter().map(|sample| rounded(sample.cpu.iter().sum())).collect();
    json!({
        "kind": "result", "mode": case.mode.word(), "system": case.system, "size": case.size, "fanout": case.fanout,
        "rate": case.rate, "publishers": case.publishers, "window": case.window,
        "rounds": samples.len(), "failed": measured.failed,
        "deliveries_per_s": of(&|sample| sample.deliveries_per_s),
        "mb_per_s": of(&|sample| sample.deliveries_per_s * case.size as f64 / 1e6),
        "cpu_s_per_million": of(&|sample| sample.cpu.iter().sum()),
        "cpu_totals": totals, "cpu": three(&|sample| sample.cpu), "cores": three(&|sample| sample.cores),
        "entries_per_message": of(&|sample| sample.entries_per_message),
        "resident_mb": three(&|sample| sample.resident), "one_subscriber_mb": of(&|sample| sample.one_subscriber),
        "p50_us": of(&|sample| sample.p50_us), "p99_us": of(&|sample| sample.p99_us),
        "gather_p99_us": of(&|sample| sample.gather_p99_us),
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    let at = |index: usize| values.get(index).copied().unwrap_or(0.0);
    f64::midpoint(at(low), at(high))
}

/// Three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
