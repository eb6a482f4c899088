//! `cargo xtask prove NAME`: the full-size bars, measured and written down.
//!
//! A bar is a sentence and a command. A command that ends with one JSON object `{value, pass, seed?}` speaks for itself;
//! of any other the value is its last object, or how many tests passed and failed, and it passes when it ends well. For
//! each bar one JSON line `{id, bar, value, pass, command, seed, commit, secs}` goes into `docs/proof/NAME.jsonl`, in
//! place of the older line of the same id. What was measured on changes that were not committed says so in its commit.

mod first_message;
mod networks;
mod rights_speed;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::install;
use crate::metadata::Workspace;
use crate::run::{self, LONG_PATIENCE, Log};
use crate::test::libtest_counts;

/// One claim that can be measured.
pub(crate) struct Bar {
    /// Its short name, never used twice in a proof.
    pub(crate) id: &'static str,
    /// The claim, with its figure.
    pub(crate) text: &'static str,
    /// What measures it, typed at the root of the repository; `NAME=VALUE` words in front set the environment.
    pub(crate) command: &'static [&'static str],
}

/// A bar that the live suites measure under the same id.
macro_rules! live {
    ($id:literal, $text:literal) => {
        Bar {
            id: $id,
            text: $text,
            command: &["cargo", "run", "--release", "--quiet", "-p", "crosscast-live", "--", "--json", "--prove", $id],
        }
    };
}
pub(crate) use live;

const PROOFS: &[(&str, &[Bar])] =
    &[("first-message", first_message::BARS), ("rights-speed", rights_speed::BARS), ("networks", networks::BARS)];

/// Measures a proof's bars, or the one asked for; true when all pass.
pub(crate) fn main(name: Option<&str>, only: Option<&str>) -> Result<bool> {
    let names: Vec<&str> = PROOFS.iter().map(|(name, _)| *name).collect();
    let Some(name) = name else { bail!("prove what? There are {}", names.join(", ")) };
    let Some((_, bars)) = PROOFS.iter().find(|(proof, _)| *proof == name) else {
        bail!("there is no proof `{name}`; there are {}", names.join(", "));
    };
    if let Some(id) = only
        && !bars.iter().any(|bar| bar.id == id)
    {
        let ids: Vec<&str> = bars.iter().map(|bar| bar.id).collect();
        bail!("`{name}` has no bar `{id}`; it has {}", ids.join(", "));
    }
    let workspace = Workspace::load()?;
    let commit = commit(&workspace.root)?;
    let mut build = run::cargo();
    build.args(["build", "--release"]).current_dir(&workspace.root);
    anyhow::ensure!(build.status()?.success(), "the release build failed");
    let mut log = Log::create(workspace.target.join("xtask/prove-install.log"))?;
    if let Some(note) = install::for_live(&mut log)? {
        println!("{note}");
    }
    let proof = workspace.root.join("docs/proof").join(format!("{name}.jsonl"));
    let mut all_pass = true;
    for bar in bars.iter().filter(|bar| only.is_none_or(|id| id == bar.id)) {
        let result = measure(&workspace, bar)?;
        println!("{} {}: {} ({})", if result.pass { "pass" } else { "FAIL" }, bar.id, bar.text, result.value);
        keep(&proof, bar.id, &line(bar, &result, &commit))?;
        all_pass &= result.pass;
    }
    Ok(all_pass)
}

/// What a bar's command came to.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    value: Value,
    pass: bool,
    seed: Value,
    secs: f64,
}

fn measure(workspace: &Workspace, bar: &Bar) -> Result<Measured> {
    let mut command = command(bar.command)?;
    command.current_dir(&workspace.root);
    let mut log =
        Log::create(workspace.target.join("xtask").join(format!("prove-{}.log", bar.id)))?.patient(LONG_PATIENCE);
    let start = Instant::now();
    let done = log.run(&mut command)?;
    let secs = (start.elapsed().as_secs_f64() * 10.0).round() / 10.0;
    Ok(Measured { secs, ..judged(done.ok, &done.text) })
}

fn command(words: &[&str]) -> Result<Command> {
    let settings = words.iter().map_while(|word| word.split_once('='));
    let mut rest = words.iter().skip(settings.clone().count());
    let program = rest.next().context("a bar without a command")?;
    let mut command = if *program == "cargo" { run::cargo() } else { Command::new(program) };
    command.envs(settings).args(rest);
    Ok(command)
}

/// A command that says nothing that can be counted proves nothing, however well it ends.
fn judged(ok: bool, text: &str) -> Measured {
    let (value, pass, seed) = match last_object(text) {
        Some(object) if object.contains_key("pass") => {
            let field = |name: &str| object.get(name).cloned().unwrap_or(Value::Null);
            let value = if object.contains_key("value") { field("value") } else { Value::Object(object.clone()) };
            (value, field("pass") == Value::Bool(true), field("seed"))
        }
        Some(object) => (Value::Object(object), true, Value::Null),
        None => {
            let counts = libtest_counts(text);
            let value = json!({ "passed": counts.passed, "failed": counts.failed });
            (value, counts.passed > 0 && counts.failed == 0, Value::Null)
        }
    };
    Measured { value, pass: ok && pass, seed, secs: 0.0 }
}

/// The line that is kept, its fields in the order in which a reader asks.
fn line(bar: &Bar, result: &Measured, commit: &str) -> String {
    let fields = [
        ("id", json!(bar.id)),
        ("bar", json!(bar.text)),
        ("value", result.value.clone()),
        ("pass", json!(result.pass)),
        ("command", json!(bar.command.join(" "))),
        ("seed", result.seed.clone()),
        ("commit", json!(commit)),
        ("secs", json!(result.secs)),
    ];
    let fields: Vec<String> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn last_object(text: &str) -> Option<Map<String, Value>> {
    let objects = text.lines().rev().filter(|line| line.starts_with('{'));
    objects.filter_map(|line| serde_json::from_str::<Map<String, Value>>(line).ok()).next()
}

/// Replaces the line of the same id, or adds one at the end.
fn keep(path: &Path, id: &str, line: &str) -> Result<()> {
    let old = fs::read_to_string(path).unwrap_or_default();
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, replaced(&old, id, line)).with_context(|| format!("cannot write {}", path.display()))
}

fn replaced(old: &str, id: &str, line: &str) -> String {
    let is_old = |text: &&str| {
        serde_json::from_str::<Value>(text).is_ok_and(|value| value.get("id").is_some_and(|old| old == id))
    };
    let mut lines: Vec<&str> = old.lines().filter(|text| !text.is_empty()).collect();
    match lines.iter().position(is_old) {
        Some(at) => lines.splice(at..=at, [line]).for_each(drop),
        None => lines.push(line),
    }
    lines.join("\n") + "\n"
}

/// The commit that is measured; `-dirty` when a tracked file outside the proofs differs from it.
fn commit(root: &Path) -> Result<String> {
    let git = |args: &[&str]| run::output(Command::new("git").args(args).current_dir(root));
    let head = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/proof"])?;
    Ok(format!("{}{}", head.trim(), if changes.trim().is_empty() { "" } else { "-dirty" }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_new_measurement_takes_the_place_of_the_old_one() {
        let old = "{\"id\":\"a\",\"value\":1}\n{\"id\":\"b\",\"value\":2}\n";
        assert_eq!(
            replaced(old, "a", "{\"id\":\"a\",\"value\":3}"),
            "{\"id\":\"a\",\"value\":3}\n{\"id\":\"b\",\"value\":2}\n"
        );
        assert_eq!(replaced("", "c", "{\"id\":\"c\"}"), "{\"id\":\"c\"}\n");
    }

    #[test]
    fn the_result_is_the_last_object_that_was_printed() {
        let text = "building\n{\"event\":\"node\"}\n{\"value\":7,\"pass\":true}\nbye\n";
        assert_eq!(last_object(text).and_then(|object| object.get("value").cloned()), Some(json!(7)));
        assert_eq!(last_object("nothing"), None);
    }

    #[test]
    fn a_command_is_judged_by_what_it_says_and_how_it_ends() {
        let says = judged(true, "{\"value\":7,\"pass\":true,\"seed\":3}\n");
        assert_eq!((says.value, says.pass, says.seed), (json!(7), true, json!(3)));
        assert_eq!(judged(true, "{\"pass\":true,\"seeds\":9}\n").value, json!({ "pass": true, "seeds": 9 }));
        assert!(!judged(true, "{\"value\":7,\"pass\":false}\n").pass);
        assert!(!judged(false, "{\"value\":7,\"pass\":true}\n").pass);
        assert!(judged(true, "{\"seeds\":9,\"failed\":0}\n").pass);
        assert!(judged(true, "test result: ok. 3 passed; 0 failed; 0 ignored\n").pass);
        assert!(!judged(true, "test result: ok. 0 passed; 0 failed; 0 ignored\n").pass, "nothing was tested");
        assert!(!judged(true, "").pass, "nothing was said");
    }

    #[test]
    fn settings_stand_before_the_program() {
        let command = command(&["SIZE=5", "python3", "a.py", "--x=1"]).unwrap();
        assert_eq!(run::spelled(&command), "python3 a.py --x=1");
        assert_eq!(command.get_envs().count(), 1);
    }

    #[test]
    fn every_bar_of_the_live_suites_is_measured_here_under_its_id() {
        let suites = concat!(env!("CARGO_MANIFEST_DIR"), "/../interop-tests/live/suites/mod.rs");
        let text = std::fs::read_to_string(suites).unwrap_or_default();
        let (_, table) = text.split_once("pub const BARS").unwrap_or_default();
        let listed = table.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next());
        let listed: std::collections::BTreeSet<&str> = listed.collect();
        let bars = PROOFS.iter().flat_map(|(_, bars)| bars.iter());
        let here = bars.filter(|bar| bar.command.contains(&"crosscast-live")).map(|bar| bar.id).collect();
        assert_eq!(listed, here);
    }

    #[test]
    fn no_bar_is_named_twice() {
        for (name, bars) in PROOFS {
            let ids: std::collections::BTreeSet<_> = bars.iter().map(|bar| bar.id).collect();
            assert_eq!(ids.len(), bars.len(), "{name}");
        }
    }
}
