//! The trace: a hash over everything that went in and out of every machine, and its text when somebody wants to read it.
//!
//! The same seed gives the same hash; a hash that differs means that something in a machine depends on more than its
//! inputs. The text is for a seed that failed.

use std::fmt::Write as _;

use crate::HostId;
use crate::agenda::Micros;

/// Hashed at once.
const BATCH_BYTES: usize = 64 << 10;
/// Longest text kept: 512 MiB, what a failing run of a usual length takes several times over.
const TEXT_BYTES: usize = 512 << 20;

/// The trace of a run.
#[derive(Debug)]
pub struct Trace {
    hasher: blake3::Hasher,
    pending: Vec<u8>,
    text: Option<String>,
    records: u64,
}

impl Trace {
    pub(crate) fn new(with_text: bool) -> Self {
        Self {
            hasher: blake3::Hasher::new(),
            pending: Vec::with_capacity(BATCH_BYTES.saturating_mul(2)),
            text: with_text.then(String::new),
            records: 0,
        }
    }

    /// Records something: `digest` appends what tells it from others, `text` says it to a reader.
    pub(crate) fn record(
        &mut self,
        at: Micros,
        host: HostId,
        digest: impl FnOnce(&mut Vec<u8>),
        text: impl FnOnce() -> String,
    ) {
        self.records = self.records.saturating_add(1);
        self.pending.extend_from_slice(&at.to_le_bytes());
        self.pending.extend_from_slice(&host.0.to_le_bytes());
        digest(&mut self.pending);
        if self.pending.len() >= BATCH_BYTES {
            self.hasher.update(&self.pending);
            self.pending.clear();
        }
        if let Some(line) = self.text.as_mut().filter(|kept| kept.len() < TEXT_BYTES) {
            // Writing to a String cannot fail.
            let _ = writeln!(line, "{:>4}.{:06} n{:<2} {}", at / 1_000_000, at % 1_000_000, host.0, text());
        }
    }

    /// How many things were recorded.
    #[must_use]
    pub const fn records(&self) -> u64 {
        self.records
    }

    /// The hash over everything recorded so far.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = self.hasher.clone();
        hasher.update(&self.pending);
        *hasher.finalize().as_bytes()
    }

    /// The text, when it was asked for.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}
