//! Comparisons with peers: a workspace of their own, with its own lock file, never built by `test`.
//!
//! Builds the systems that are to be measured, runs the comparison, and says what came of it: the goals (`bars`), the
//! tables, and with `--docs` both and a picture in `docs/performance.*`. The measuring itself is the other workspace's.

mod bars;
mod picture;
mod results;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::metadata::Workspace;
use crate::run;
use bars::Bar;
use results::Results;

const MANIFEST: &str = "interop-tests/bench/peers/Cargo.toml";
/// Where results are kept that the document shows and the proofs read.
const RESULTS: &str = "docs/performance.jsonl";
const PICTURE: &str = "docs/performance.svg";
const DOCUMENT: &str = "docs/performance.md";
/// Around what is written into the document.
const MARKS: (&str, &str) = ("<!-- bench: from here", "<!-- bench: to here");
/// Fewer rounds prove nothing.
const ROUNDS_MIN: u64 = 5;
/// Every system there is.
const SYSTEMS: &str = "crosscast,nats,mosquitto,zenoh,iroh,gossipsub";

const USAGE: &str = "\
usage: cargo xtask bench [--rounds N] [--seconds S] [--systems A,B] [--sizes 64,1024] [--fanouts 1,10] [--latency RATE]
                         [--many-publishers N] [--window N] [--out FILE] [--docs]
       cargo xtask bench --from FILE [--docs] [--bar ID]

  without a choice of systems, sizes, fan-outs, rate or publishers: everything the goals need, and a wider table
  --out FILE    one line of JSON a result; otherwise target/xtask/bench.jsonl, or docs/performance.jsonl with --docs
  --docs        writes tables and picture into docs/performance.md and .svg
  --from FILE   measures nothing, reads an earlier run
  --bar ID      prints one goal as a line of JSON, and fails when it is not met
";

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    /// What the comparison itself is told.
    passed_on: Vec<String>,
    systems: Option<String>,
    out: Option<PathBuf>,
    from: Option<PathBuf>,
    docs: bool,
    bar: Option<String>,
}

impl Options {
    fn parse(args: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().cloned().with_context(|| format!("{arg} wants a value\n\n{USAGE}"));
            match arg.as_str() {
                "--docs" => options.docs = true,
                "--out" => options.out = Some(value()?.into()),
                "--from" => options.from = Some(value()?.into()),
                "--bar" => options.bar = Some(value()?),
                "--rounds" | "--seconds" | "--sizes" | "--fanouts" | "--latency" | "--many-publishers" | "--window" => {
                    options.passed_on.extend([arg.clone(), value()?]);
                }
                "--systems" => {
                    let systems = value()?;
                    options.passed_on.extend([arg.clone(), systems.clone()]);
                    options.systems = Some(systems);
                }
                other => bail!("there is no option {other}\n\n{USAGE}"),
            }
        }
        let measures = !options.passed_on.is_empty() || options.out.is_some();
        ensure!(options.from.is_none() || !measures, "--from measures nothing\n\n{USAGE}");
        ensure!(options.bar.is_none() || options.from.is_some(), "--bar wants --from\n\n{USAGE}");
        Ok(options)
    }
}

/// Measures, or reads what was measured, and says what it means.
pub(crate) fn main(args: &[String]) -> Result<bool> {
    let options = Options::parse(args)?;
    let workspace = Workspace::load()?;
    let file = match &options.from {
        Some(file) => file.clone(),
        None => measure(&workspace, &options)?,
    };
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let results = Results::parse(&text)?;
    let bars = bars::bars(&results);
    if let Some(id) = &options.bar {
        return one(&bars, id);
    }
    if options.docs {
        write_docs(&workspace.root, &results, &bars)?;
    }
    println!("{}", table::all(&results, &bars));
    println!("{}", file.display());
    println!("{}", summary(&bars));
    Ok(true)
}

/// Whether every goal was measured in enough rounds, met or not, as the proofs read it.
fn summary(bars: &[Bar]) -> Value {
    let measured = bars.iter().filter(|bar| bar.value.is_some() && bar.rounds >= ROUNDS_MIN).count();
    let met = bars.iter().filter(|bar| bar.pass).count();
    json!({ "value": { "goals": bars.len(), "measured": measured, "met": met }, "pass": measured == bars.len() })
}

/// Prints one goal as the proofs read it.
fn one(bars: &[Bar], id: &str) -> Result<bool> {
    let ids = || bars.iter().map(|bar| bar.id).collect::<Vec<_>>().join(", ");
    let bar =
        bars.iter().find(|bar| bar.id == id).with_context(|| format!("there is no goal {id}; there are {}", ids()))?;
    let pass = bar.pass && bar.rounds >= ROUNDS_MIN;
    let value = bar.value.map_or(Value::Null, |value| json!(value));
    println!(
        "{}",
        json!({ "value": { "value": value, "bar": bar.bar, "aim": bar.aim, "rounds": bar.rounds,
        "entries_per_message": bar.entries }, "pass": pass })
    );
    Ok(pass)
}

fn measure(workspace: &Workspace, options: &Options) -> Result<PathBuf> {
    let manifest = workspace.root.join(MANIFEST);
    ensure!(manifest.exists(), "there are no comparisons to run: no {MANIFEST}");
    let systems = options.systems.as_deref().unwrap_or(SYSTEMS);
    let mut build = run::cargo();
    build.args(["build", "--release", "--package", "crosscast-bench", "--manifest-path"]).arg(&manifest);
    for system in systems.split(',') {
        build.args(["--package", &format!("bench-{system}")]);
    }
    ensure!(build.current_dir(&workspace.root).status()?.success(), "the systems could not be built");
    let out = match (&options.out, options.docs) {
        (Some(out), _) => out.clone(),
        (None, true) => workspace.root.join(RESULTS),
        (None, false) => workspace.target.join("xtask/bench.jsonl"),
    };
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut command = Command::new(target(&manifest)?.join("release/crosscast-bench"));
    command.args(&options.passed_on).arg("--out").arg(&out);
    ensure!(command.status()?.success(), "the comparison broke off");
    Ok(out)
}

/// Where the other workspace is built.
fn target(manifest: &Path) -> Result<PathBuf> {
    let mut command = run::cargo();
    command.args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"]).arg(manifest);
    let value: Value = serde_json::from_str(&run::output(&mut command)?)?;
    Ok(value.get("target_directory").and_then(Value::as_str).context("cargo names no target folder")?.into())
}

fn write_docs(root: &Path, results: &Results, bars: &[Bar]) -> Result<()> {
    let document = root.join(DOCUMENT);
    let text = fs::read_to_string(&document)?;
    fs::write(&document, spliced(&text, &table::all(results, bars))?)?;
    Ok(fs::write(root.join(PICTURE), picture::svg(results))?)
}

/// The document with what stands between the marks replaced; the lines of the marks stay.
fn spliced(text: &str, fresh: &str) -> Result<String> {
    let place = |mark: &str| text.find(mark).with_context(|| format!("{DOCUMENT} has no line `{mark} ..`"));
    let (from, to) = (place(MARKS.0)?, place(MARKS.1)?);
    let before = text.get(..from).unwrap_or_default();
    let line =
        text.get(from..to).and_then(|middle| middle.lines().next()).context("the marks are the wrong way round")?;
    let after = text.get(to..).unwrap_or_default();
    Ok(format!("{before}{line}\n\n{}\n\n{after}", fresh.trim()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn options(line: &str) -> Result<Options> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_the_comparison_understands_is_passed_on() {
        let options = options("--rounds 1 --systems nats,zenoh --docs").unwrap();
        assert_eq!(options.passed_on, ["--rounds", "1", "--systems", "nats,zenoh"]);
        assert_eq!(options.systems.as_deref(), Some("nats,zenoh"));
        assert!(options.docs);
    }

    #[test]
    fn reading_an_earlier_run_measures_nothing() {
        assert!(options("--from a.jsonl --bar router").is_ok());
        assert!(options("--from a.jsonl --rounds 3").is_err());
        assert!(options("--bar router").is_err());
        assert!(options("--fast").is_err());
        assert!(options("--rounds").is_err());
    }

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = "a\n<!-- bench: from here, made -->\nold\n<!-- bench: to here -->\nb\n";
        let fresh = "a\n<!-- bench: from here, made -->\n\nnew\n\n<!-- bench: to here -->\nb\n";
        assert_eq!(spliced(text, "new\n").unwrap(), fresh);
        assert_eq!(spliced(fresh, "new").unwrap(), fresh);
        assert!(spliced("nothing", "new").is_err());
    }
}
