//! What this program does in the middle of a scenario, as a process of its own: `crosscast-live as ROLE ARG..`.
//!
//! A suite needs such a process where it cannot act itself: within a network namespace, or as a node or a copy whose
//! speed is measured. A role reads commands as lines and answers each with one JSON object a line, and ends with its
//! standard input.

mod cjdns;
mod copy;
mod flow;
mod forge;
mod pretend;
mod stream;

use std::io::{BufRead as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// How many answers may wait to be heard: more than any role gives in a scenario.
const ANSWERS: usize = 1 << 16;

/// Plays the role that is named first.
///
/// # Errors
/// The role's own; a name that is none.
pub fn play(args: &[String]) -> Result<()> {
    let Some((name, rest)) = args.split_first() else {
        bail!("as what? There are cjdns, copy, flow, forge, pretend and stream")
    };
    // As a program with much traffic does; the copies that nodes are measured beside have it too.
    crosscast::keep_freed_memory();
    match name.as_str() {
        "cjdns" => cjdns::play(rest),
        "copy" => copy::play(rest),
        "flow" => flow::play(rest),
        "forge" => forge::play(rest),
        "pretend" => pretend::play(rest),
        "stream" => stream::play(rest),
        other => bail!("there is no role `{other}`"),
    }
}

/// Prints one answer.
fn answer(value: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{value}")?;
    Ok(out.flush()?)
}

/// Bytes written in hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Result<Vec<u8>> {
    ensure!(text.len().is_multiple_of(2), "half a byte");
    let byte = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or("?"), 16);
    Ok((0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>()?)
}

/// Lines of the standard input, read on a thread of their own.
fn lines() -> tokio::sync::mpsc::Receiver<String> {
    let (told, lines) = tokio::sync::mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { return };
            if told.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A role that is played by a child process.
#[derive(Debug)]
pub(crate) struct Actor {
    name: String,
    child: Child,
    input: ChildStdin,
    answers: Receiver<Value>,
}

impl Actor {
    /// Starts a role, in a network namespace when one is named.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(space: Option<&str>, role: &[&str]) -> Result<Self> {
        let exe = std::env::current_exe()?;
        let mut command = match space {
            Some(space) => {
                let mut command = Command::new("ip");
                command.args(["netns", "exec", space]).arg(exe);
                command
            }
            None => Command::new(exe),
        };
        command.arg("as").args(role);
        Self::spawn(role.join(" "), command)
    }

    /// Starts any program that speaks as a role does.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn spawn(name: String, mut command: Command) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {name}"))?;
        let input = child.stdin.take().context("a child without stdin")?;
        let output = child.stdout.take().context("a child without stdout")?;
        let (told, answers) = sync_channel(ANSWERS);
        std::thread::spawn(move || {
            for line in std::io::BufReader::new(output).lines() {
                let Ok(line) = line else { return };
                // What is no JSON is kept as text, so that it is seen as something unexpected.
                if told.send(serde_json::from_str(&line).unwrap_or(Value::String(line))).is_err() {
                    return;
                }
            }
        });
        Ok(Self { name, child, input, answers })
    }

    /// Gives it a command.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn tell(&mut self, line: &str) -> Result<()> {
        writeln!(self.input, "{line}").with_context(|| format!("{} is gone", self.name))
    }

    /// Its next answer.
    ///
    /// # Errors
    /// When there is none in time, or it says that it failed.
    pub(crate) fn hear(&self, within: Duration) -> Result<Value> {
        let answer = self.answers.recv_timeout(within);
        let answer = answer.with_context(|| format!("{} says nothing for {} s", self.name, within.as_secs()))?;
        if let Some(error) = answer.get("error") {
            bail!("{}: {error}", self.name);
        }
        Ok(answer)
    }

    /// Its next answer that has a field, passing over others.
    ///
    /// # Errors
    /// When there is none in time.
    pub(crate) fn hear_of(&self, field: &str, within: Duration) -> Result<Value> {
        let start = std::time::Instant::now();
        loop {
            let answer = self.hear(within.saturating_sub(start.elapsed()))?;
            if answer.get(field).is_some() {
                return Ok(answer);
            }
        }
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // A child that is gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
