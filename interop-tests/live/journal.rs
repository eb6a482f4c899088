//! What a daemon says on standard error, kept in memory line by line as it comes, and the moment at which it is ready.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The log of one run of a daemon.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    ready: Option<(Instant, String)>,
    ended: bool,
}

impl Journal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what comes until it ends, on a thread of its own.
    pub(crate) fn keep(self: &Arc<Self>, from: impl Read + Send + 'static) {
        let journal = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let Ok(line) = line else { break };
                let mut state = journal.lock();
                if line.starts_with("ready: ") {
                    state.ready = Some((Instant::now(), line.clone()));
                    journal.changed.notify_all();
                }
                state.lines.push(line);
            }
            journal.lock().ended = true;
            journal.changed.notify_all();
        });
    }

    /// Waits for the ready line, and says when it came; none when the daemon ended or the time is over.
    pub(crate) fn ready(&self, within: Duration) -> Option<(Instant, String)> {
        let waiting = |state: &mut State| state.ready.is_none() && !state.ended;
        let waited = self.changed.wait_timeout_while(self.lock(), within, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.ready.clone()
    }

    /// How many lines hold a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        self.lock().lines.iter().filter(|line| line.contains(text)).count()
    }

    /// The first line that holds a text.
    pub(crate) fn line(&self, text: &str) -> Option<String> {
        self.lock().lines.iter().find(|line| line.contains(text)).cloned()
    }

    /// The last lines.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let state = self.lock();
        let skip = state.lines.len().saturating_sub(lines);
        state.lines.iter().skip(skip).map(String::as_str).collect::<Vec<_>>().join("\n  ")
    }
}
