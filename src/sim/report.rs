//! What a run that kept every rule amounted to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::agenda::Micros;

/// A run in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// Hosts.
    pub nodes: usize,
    /// Groups.
    pub groups: usize,
    /// Those of them with policy `capability`, and members whose rights were taken back.
    pub closed: usize,
    /// See [`Self::closed`].
    pub revoked: usize,
    /// Pairs of hosts of which one attaches to the other.
    pub edges: usize,
    /// Things that went wrong.
    pub faults: usize,
    /// How long it took, in virtual microseconds.
    pub virtual_us: Micros,
    /// Inputs that machines had.
    pub inputs: u64,
    /// Frames sent.
    pub frames: u64,
    /// Body bytes of these.
    pub frame_bytes: u64,
    /// Commits done.
    pub commits: u64,
    /// Messages published or sent.
    pub messages: u64,
    /// Deliveries to readers.
    pub deliveries: u64,
    /// Pairs of message and reader that had to be, and were.
    pub required: u64,
    /// Pairs that did not have to be, and were not, by what excuses them: published too late, older than a small
    /// window, a refusing disk, a life that is over, a publisher that was told no, no way on from somebody who had it in hand (transit) or one that
    /// nobody had learned while links came and went (misled), a stranger's share used up, a crash, a marked gap.
    pub excused: BTreeMap<&'static str, u64>,
    /// Messages passed over behind marked gaps, over all readers.
    pub skipped: u64,
    /// Most bytes that waited for a peer.
    pub max_queued_bytes: u64,
    /// Messages by what their publisher was last told.
    pub states: BTreeMap<&'static str, u64>,
    /// What machines refused from links.
    pub rejects: BTreeMap<&'static str, u64>,
    /// What machines refused to applications.
    pub refusals: BTreeMap<String, u64>,
    /// The hash over every input and output.
    pub trace_hash: [u8; 32],
}

impl Report {
    /// The trace hash as text.
    #[must_use]
    pub fn hash_text(&self) -> String {
        self.trace_hash.iter().fold(String::new(), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The report as one JSON object without its braces; every value is a number or plain ASCII.
    #[must_use]
    pub fn json_fields(&self) -> String {
        let numbers = [
            ("seed", self.seed),
            ("nodes", self.nodes as u64),
            ("groups", self.groups as u64),
            ("closed", self.closed as u64),
            ("revoked", self.revoked as u64),
            ("edges", self.edges as u64),
            ("faults", self.faults as u64),
            ("virtual_us", self.virtual_us),
            ("inputs", self.inputs),
            ("frames", self.frames),
            ("frame_bytes", self.frame_bytes),
            ("commits", self.commits),
            ("messages", self.messages),
            ("deliveries", self.deliveries),
            ("required", self.required),
            ("skipped", self.skipped),
            ("max_queued_bytes", self.max_queued_bytes),
        ];
        let mut text: Vec<String> = numbers.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        text.push(format!("\"excused\":{{{}}}", pairs(self.excused.iter().map(|(word, count)| (*word, *count)))));
        text.push(format!("\"states\":{{{}}}", pairs(self.states.iter().map(|(word, count)| (*word, *count)))));
        text.push(format!("\"rejects\":{{{}}}", pairs(self.rejects.iter().map(|(word, count)| (*word, *count)))));
        let refusals = self.refusals.iter().map(|(word, count)| (word.as_str(), *count));
        text.push(format!("\"refusals\":{{{}}}", pairs(refusals)));
        text.push(format!("\"hash\":\"{}\"", self.hash_text()));
        text.join(",")
    }
}

fn pairs<'a>(pairs: impl Iterator<Item = (&'a str, u64)>) -> String {
    pairs.map(|(word, count)| format!("\"{word}\":{count}")).collect::<Vec<_>>().join(",")
}
