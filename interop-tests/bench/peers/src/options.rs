//! The command line of a run.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

/// Every system there is, in the order in which they are measured.
pub(crate) const SYSTEMS: [&str; 6] = ["crosscast", "nats", "mosquitto", "zenoh", "iroh", "gossipsub"];

/// What to measure; without any choice, what the goals need and a wider table in every other round.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) rounds: u64,
    pub(crate) seconds: f64,
    pub(crate) out: Option<PathBuf>,
    pub(crate) systems: Vec<String>,
    pub(crate) sizes: Vec<u64>,
    pub(crate) fanouts: Vec<u64>,
    /// Messages a second, instead of as many as go.
    pub(crate) latency: Option<u64>,
    /// So many publishers at two messages a second each, instead of one.
    pub(crate) many: Option<u64>,
    /// Messages in flight, instead of 4 MiB of them.
    pub(crate) window: Option<u64>,
    /// Whether anything was chosen.
    pub(crate) chosen: bool,
}

impl Options {
    pub(crate) fn parse(words: &[String]) -> Result<Self> {
        let mut options = Self {
            rounds: 5,
            seconds: 2.5,
            out: None,
            systems: SYSTEMS.map(str::to_owned).to_vec(),
            sizes: vec![64, 1024, 16384],
            fanouts: vec![1, 10, 100],
            latency: None,
            many: None,
            window: None,
            chosen: false,
        };
        for pair in words.chunks(2) {
            let [name, value] = pair else { bail!("{} wants a value", pair.join(" ")) };
            let number = || value.parse::<u64>().with_context(|| format!("{name} wants a number, not {value}"));
            match name.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seconds" => options.seconds = value.parse().context("--seconds wants a number")?,
                "--out" => options.out = Some(value.into()),
                "--systems" => options.systems = systems(value)?,
                "--sizes" => options.sizes = numbers(value)?,
                "--fanouts" => options.fanouts = numbers(value)?,
                "--latency" => options.latency = Some(number()?),
                "--window" => options.window = Some(number()?),
                "--many-publishers" => options.many = Some(number()?),
                other => bail!("there is no option {other}"),
            }
            options.chosen |= !matches!(name.as_str(), "--rounds" | "--seconds" | "--out");
        }
        Ok(options)
    }
}

fn systems(list: &str) -> Result<Vec<String>> {
    let systems: Vec<String> = list.split(',').map(str::to_owned).collect();
    match systems.iter().find(|system| !SYSTEMS.contains(&system.as_str())) {
        Some(unknown) => bail!("there is no system {unknown}; there are {}", SYSTEMS.join(", ")),
        None => Ok(systems),
    }
}

fn numbers(list: &str) -> Result<Vec<u64>> {
    list.split(',').map(|word| word.parse().with_context(|| format!("{word} is not a number"))).collect()
}
