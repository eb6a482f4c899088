//! The verbs as processes: run to their end, publishing lines, subscribing.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::until;

/// What a command came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Ran {
    /// Its standard output, when it succeeded.
    ///
    /// # Errors
    /// Its code and what it said on standard error.
    pub fn text(self) -> Result<String> {
        if self.code == Some(0) { Ok(self.out) } else { bail!("exit {:?}: {}", self.code, self.err.trim_end()) }
    }
}

/// Runs a command without input to its end, or kills it when the time is over.
///
/// # Errors
/// When it cannot be started, or takes too long.
pub fn run_within(command: &mut Command, within: Duration) -> Result<Ran> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let (out, err) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > within {
            child.kill()?;
            child.wait()?;
            bail!("{command:?} took more than {} s", within.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let text = |reader: JoinHandle<Vec<u8>>| String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned();
    Ok(Ran { code: status.code(), out: text(out), err: text(err) })
}

fn collect(from: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            // What was read before a pipe broke is all there is.
            let _ = from.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// The JSON Lines a child prints, as they come.
#[derive(Debug)]
struct Lines {
    child: Child,
    seen: Arc<Mutex<Vec<(Instant, Value)>>>,
    errors: Option<JoinHandle<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Lines {
    fn start(mut command: Command, input: Stdio) -> Result<Self> {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let out = child.stdout.take().context("a child without stdout")?;
        let errors = Some(collect(child.stderr.take()));
        let seen: Arc<Mutex<Vec<(Instant, Value)>>> = Arc::default();
        let into = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let Ok(line) = line else { return };
                // A line that is no JSON is kept as text, so that it counts as something unexpected.
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                into.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), value));
            }
        });
        Ok(Self { child, seen, errors, reader: Some(reader) })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Value)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its end; returns the code and what it said on standard error.
    fn finish(&mut self, within: Duration) -> Result<(Option<i32>, String)> {
        let mut status = None;
        until("a verb ends", within, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let errors = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        Ok((status.and_then(|status| status.code()), String::from_utf8_lossy(&errors).into_owned()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // A child that is gone already is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A `crosscast sub --json` that runs until it is dropped.
#[derive(Debug)]
pub struct Subscriber {
    lines: Lines,
}

/// What a subscriber saw of the lines that were published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Lines that came.
    pub delivered: usize,
    /// Lines that did not.
    pub lost: usize,
    /// Deliveries beyond the first of each line.
    pub duplicates: usize,
    /// Deliveries that came behind a later line of their sender.
    pub disordered: usize,
    /// Output that is no line that was published.
    pub strange: usize,
}

impl Subscriber {
    /// Starts the command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: Command) -> Result<Self> {
        Ok(Self { lines: Lines::start(command, Stdio::null())? })
    }

    /// How many entries it has printed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lines.lock().len()
    }

    /// The entries it has printed.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        self.lines.lock().iter().map(|(_, entry)| entry.clone()).collect()
    }

    /// When each entry was printed.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Instant> {
        self.lines.lock().iter().map(|(at, _)| *at).collect()
    }

    /// The last entry it has printed.
    #[must_use]
    pub fn last(&self) -> Option<Value> {
        self.lines.lock().last().map(|(_, entry)| entry.clone())
    }

    /// The payloads it has printed.
    #[must_use]
    pub fn payloads(&self) -> Vec<String> {
        let payload = |entry: &Value| entry.get("payload").and_then(Value::as_str).unwrap_or("?").to_owned();
        self.lines.lock().iter().map(|(_, entry)| payload(entry)).collect()
    }

    /// Whether a payload has come.
    #[must_use]
    pub fn has(&self, payload: &str) -> bool {
        self.lines.lock().iter().any(|(_, entry)| entry.get("payload").and_then(Value::as_str) == Some(payload))
    }

    /// Compares what came with the lines that should have come, all different and from one sender.
    #[must_use]
    pub fn tally(&self, wanted: &[&str]) -> Tally {
        Tally::of(&self.payloads(), wanted)
    }
}

impl Tally {
    /// Compares payloads that came with those that should have come.
    #[must_use]
    pub fn of(payloads: &[String], wanted: &[&str]) -> Self {
        let places: std::collections::HashMap<&str, usize> =
            wanted.iter().enumerate().map(|(place, line)| (*line, place)).collect();
        let mut times = vec![0_usize; wanted.len()];
        let (mut tally, mut last) = (Self::default(), None);
        for payload in payloads {
            let Some(place) = places.get(payload.as_str()) else {
                tally.strange += 1;
                continue;
            };
            if let Some(seen) = times.get_mut(*place) {
                *seen += 1;
                tally.duplicates += usize::from(*seen > 1);
            }
            tally.disordered += usize::from(last.is_some_and(|last| last > *place));
            last = last.max(Some(*place));
        }
        tally.delivered = times.iter().filter(|times| **times > 0).count();
        tally.lost = wanted.len() - tally.delivered;
        tally
    }
}

/// A `crosscast pub --json` that is fed lines.
#[derive(Debug)]
pub struct Publisher {
    lines: Lines,
    input: Option<ChildStdin>,
}

impl Publisher {
    /// Starts the command.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: Command) -> Result<Self> {
        let mut lines = Lines::start(command, Stdio::piped())?;
        let input = lines.child.stdin.take();
        Ok(Self { lines, input })
    }

    /// Its standard input; the publisher ends when this is dropped.
    ///
    /// # Errors
    /// When it was taken before.
    pub fn take_input(&mut self) -> Result<ChildStdin> {
        self.input.take().context("the input was taken before")
    }

    /// Waits for its end and returns the state of each line, in order.
    ///
    /// # Errors
    /// When it does not end in time, or printed something else.
    pub fn finish(mut self, within: Duration) -> Result<Fates> {
        drop(self.input.take());
        let (code, errors) = self.lines.finish(within)?;
        let state = |value: &Value| value.get("state").and_then(Value::as_str).unwrap_or("?").to_owned();
        let states = self.lines.lock().iter().map(|(_, line)| state(line)).collect();
        Ok(Fates { code, errors, states })
    }
}

/// What became of published lines.
#[derive(Clone, Debug)]
pub struct Fates {
    /// The verb's exit code.
    pub code: Option<i32>,
    /// What it said on standard error.
    pub errors: String,
    /// The state of each line, in the order of the lines.
    pub states: Vec<String>,
}

impl Fates {
    /// How many lines ended in a state.
    #[must_use]
    pub fn count(&self, state: &str) -> usize {
        self.states.iter().filter(|found| *found == state).count()
    }

    /// The lines that a next hop has acknowledged.
    #[must_use]
    pub fn sent<'a>(&self, lines: &'a [String]) -> Vec<&'a str> {
        let pairs = lines.iter().zip(&self.states);
        pairs.filter(|(_, state)| *state == "sent").map(|(line, _)| line.as_str()).collect()
    }
}

/// Writes lines at a pace per second, in steps of a twentieth of a second.
///
/// # Errors
/// When nobody reads any more.
pub fn write_paced(mut input: ChildStdin, lines: &[String], per_second: usize) -> Result<()> {
    let (start, step) = (Instant::now(), (per_second / 20).max(1));
    for (turn, chunk) in (0_u32..).zip(lines.chunks(step)) {
        let due = Duration::from_millis(50).saturating_mul(turn);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let text: String = chunk.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
        input.write_all(text.as_bytes()).context("the publisher reads no more")?;
    }
    Ok(())
}
