//! Side-by-side comparisons: `crosscast-bench [--systems crosscast,nats] [--sizes 64,1024] [--fanouts 1,10] [--rounds 5]
//! [--seconds 2.5] [--latency RATE]`, one JSON line a result, a table at the end.
//!
//! Method: one publisher process, one router process, one process that holds all subscribers, on loopback; lossless, the
//! messages in flight bounded by the slowest subscriber; 0.8 s warm-up; rounds interleaved over the systems; medians. CPU
//! is user and system time of each process from the kernel's own books. The roles are this program too (`role ..`).

mod crosscast_roles;
mod flow;
mod measure;
mod nats_roles;
mod report;

use anyhow::{Result, bail};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["role", system, role, rest @ ..] => {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
            let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
            runtime.block_on(async move {
                match *system {
                    "crosscast" => crosscast_roles::run(role, &rest).await,
                    "nats" => nats_roles::run(role, &rest).await,
                    other => bail!("no system {other}"),
                }
            })
        }
        _ => report::main(&args),
    }
}

/// The value behind `--name` in a role's arguments.
pub(crate) fn value<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let place = args.iter().position(|arg| arg == name)?;
    args.get(place + 1).map(String::as_str)
}

/// A number behind `--name`.
pub(crate) fn number(args: &[String], name: &str, default: u64) -> u64 {
    value(args, name).and_then(|text| text.parse().ok()).unwrap_or(default)
}
