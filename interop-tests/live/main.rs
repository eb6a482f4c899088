//! Runs the suites: `crosscast-live [--bin PATH] [--json] [--keep] [NAME..]`, all of them without a name, reduced.
//!
//! `--list` names them, `--full` runs them at full size, `--prove ID` measures one bar at full size and prints one JSON
//! object `{value, pass, seed?}`. Without `--bin` it takes the `crosscast` beside this executable.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use crosscast_live::suites::{BARS, Run, SUITES};
use crosscast_live::{Site, Size, Verdict};
use serde_json::{Map, Value, json};

const USAGE: &str = "usage: crosscast-live [--bin PATH] [--json] [--keep] [--full] [--list | --prove ID | NAME..]";

#[derive(Default)]
struct Options {
    bin: Option<PathBuf>,
    json: bool,
    keep: bool,
    full: bool,
    list: bool,
    prove: Option<String>,
    names: Vec<String>,
}

fn options() -> Result<Options> {
    let mut options = Options::default();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bin" => options.bin = Some(args.next().context(USAGE)?.into()),
            "--json" => options.json = true,
            "--keep" => options.keep = true,
            "--full" => options.full = true,
            "--list" => options.list = true,
            "--prove" => options.prove = Some(args.next().context(USAGE)?),
            name if !name.starts_with('-') => options.names.push(arg),
            _ => bail!(USAGE),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("as", role)) = args.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return played(role);
    }
    match options().and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// A part in the middle of a scenario, for which this program starts itself.
fn played(role: &[String]) -> ExitCode {
    match crosscast_live::role::play(role) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{}", json!({ "error": format!("{error:#}") }));
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<bool> {
    if options.list {
        SUITES.iter().for_each(|suite| println!("{}: {}", suite.name, suite.shows));
        return Ok(true);
    }
    if let Some(id) = &options.prove {
        return prove(id, options);
    }
    if let Some(name) = options.names.iter().find(|name| !SUITES.iter().any(|suite| suite.name == **name)) {
        bail!("there is no suite `{name}`; see --list");
    }
    let size = if options.full { Size::Full } else { Size::Reduced };
    let mut good = true;
    for suite in SUITES.iter().filter(|suite| options.names.is_empty() || options.names.iter().any(|n| n == suite.name))
    {
        let start = Instant::now();
        let verdict = go(suite.run, size, options);
        let secs = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
        good &= verdict.is_ok() && !matches!(&verdict, Ok(Verdict::Done(done)) if !done.pass);
        tell(suite.name, &verdict, secs, options.json);
    }
    Ok(good)
}

fn go(run: Run, size: Size, options: &Options) -> Result<Verdict> {
    let beside = || -> Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name("crosscast")) };
    let bin = options.bin.clone().map_or_else(beside, Ok)?;
    run(&Site::new(&bin, options.keep)?, size)
}

fn tell(name: &str, verdict: &Result<Verdict>, secs: f64, json: bool) {
    let (word, about) = match verdict {
        Ok(Verdict::Done(done)) => (if done.pass { "passed" } else { "failed" }, done.value.clone()),
        Ok(Verdict::Skipped(reason)) => ("skipped", json!(reason)),
        Err(error) => ("failed", json!(format!("{error:#}"))),
    };
    if json {
        println!("{}", json!({ "suite": name, "result": word, "value": about, "secs": secs }));
    } else {
        let about = about.as_str().map_or_else(|| about.to_string(), |text| text.replace('\n', "; "));
        println!("suite {name}: {word} ({about}, {secs} s)");
    }
}

fn prove(id: &str, options: &Options) -> Result<bool> {
    let Some((_, run)) = BARS.iter().find(|(bar, _)| *bar == id) else {
        let ids: Vec<&str> = BARS.iter().map(|(bar, _)| *bar).collect();
        bail!("there is no bar `{id}`; there are {}", ids.join(", "));
    };
    let (value, pass, seed) = match go(*run, Size::Full, options) {
        Ok(Verdict::Done(done)) => (done.value, done.pass, done.seed),
        Ok(Verdict::Skipped(reason)) => (json!({ "skipped": reason }), false, None),
        Err(error) => (json!({ "error": format!("{error:#}") }), false, None),
    };
    let mut result = Map::from_iter([("value".to_owned(), value), ("pass".to_owned(), Value::Bool(pass))]);
    if let Some(seed) = seed {
        result.insert("seed".to_owned(), json!(seed));
    }
    println!("{}", Value::Object(result));
    Ok(pass)
}
