//! The one tool of the project: `cargo xtask test | prove | bench | rooms | tidy | vectors`.
//!
//! What CI runs is `cargo xtask test` and nothing else, so a green run here is a green run there. Each verb lives in a
//! file of its own; this one only reads the command line. Nothing here is part of the product.

mod bench;
mod deny;
mod install;
mod instructions;
mod licence;
mod live;
mod metadata;
mod prove;
mod rooms;
mod run;
mod stage;
mod test;
mod tidy;
mod tree;
mod vectors;
mod verifier;
mod wasm;

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
usage: cargo xtask VERB

  test [--online] [--only STAGE,..]   every kind of test; what CI runs
  prove NAME [--only ID]              the full-size bars; one JSON line each into docs/proof/NAME.jsonl
  bench [ARG..]                       comparisons with peers
  rooms                               who may import whom, held against cargo's own metadata
  tidy                                file headers, lengths, machine paths, spelling
  vectors [--check]                   regenerates the vectors of docs/spec, or fails on a difference
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs one verb; `Ok(false)` means that it ran and found something wrong.
fn dispatch(args: &[String]) -> Result<bool> {
    let (verb, rest) = match args.split_first() {
        Some((verb, rest)) => (verb.as_str(), rest),
        None => ("help", args),
    };
    match verb {
        "test" => test::main(&test_options(rest)?),
        "prove" => {
            let (name, only) = prove_options(rest)?;
            prove::main(name, only)
        }
        "bench" => bench::main(rest),
        "rooms" => rooms::main(),
        "tidy" => tidy::main(),
        "vectors" => vectors::main(rest),
        "help" | "-h" | "--help" => {
            print!("{USAGE}");
            Ok(true)
        }
        other => bail!("there is no verb `{other}`\n\n{USAGE}"),
    }
}

fn test_options(args: &[String]) -> Result<test::Options> {
    let mut options = test::Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--online" => options.online = true,
            "--only" => {
                let list = args.next().context("--only needs stage names, separated by commas")?;
                options.only.extend(list.split(',').map(str::to_owned));
            }
            other => bail!("`test` knows --online and --only STAGE,..; not `{other}`"),
        }
    }
    Ok(options)
}

fn prove_options(args: &[String]) -> Result<(Option<&str>, Option<&str>)> {
    match args {
        [] => Ok((None, None)),
        [name] => Ok((Some(name), None)),
        [name, flag, id] if flag == "--only" => Ok((Some(name), Some(id))),
        _ => bail!("`prove` wants NAME [--only ID]"),
    }
}
