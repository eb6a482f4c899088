//! Side-by-side comparisons: `crosscast-bench --out FILE [--rounds 5] [--seconds 2.5] [--systems ..] [--sizes ..]
//! [--fanouts ..] [--latency RATE] [--many-publishers N] [--window N]`; usually run by `cargo xtask bench`, which builds
//! the systems.
//!
//! Method: one publisher process, one router process, one process that holds all subscribers, on loopback; lossless, the
//! messages in flight bounded by the slowest subscriber; 0.8 s warm-up; rounds interleaved over the systems; medians. CPU
//! is user and system time of each process from the kernel's own books. One line of JSON per result into the file, which
//! is written anew after each round.

mod measure;
mod options;
mod plan;
mod rounds;

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match options::Options::parse(&words).and_then(|options| rounds::run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crosscast-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
