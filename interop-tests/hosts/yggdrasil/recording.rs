//! A recording of a daemon's admin exchanges, and the server that says it again.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde_json::{Deserializer, Value};

use super::Caller;

/// How long the daemon waits for another node to answer.
const REMOTE_WAIT: Duration = Duration::from_secs(6);

/// Recordings that took [`REMOTE_WAIT`].
const SLOW: &[(&str, &str)] =
    &[("0.4.7", "key-too-short"), ("", "getnodeinfo-unreachable"), ("", "debug_remotegetself-unreachable")];

/// Recordings after which 0.5.14 left the newline unread that the recorder had sent.
const RESET: &[&str] = &["removepeer", "removepeer-again", "addpeer-bad-uri", "garbage-binary"];

/// The exchanges of one version, by name.
#[derive(Clone, Debug)]
pub struct Recording {
    version: String,
    exchanges: BTreeMap<String, Exchange>,
    nodes: Value,
    preferred: Vec<String>,
}

/// What was written and what came back.
#[derive(Clone, Debug)]
struct Exchange {
    request: Vec<u8>,
    /// The request, when it is one JSON value.
    json: Option<Value>,
    answer: Vec<u8>,
}

/// A node of the recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedNode {
    /// Its key, 64 hexadecimal digits.
    pub key: String,
    /// Its private key as the configuration has it, 128 hexadecimal digits.
    pub private_key: String,
    /// Its address.
    pub address: Ipv6Addr,
}

impl Recording {
    /// Reads the recording of a version: `0.4.7` or `0.5.14`.
    #[must_use]
    pub fn of(version: &str) -> Self {
        let folder = crate::fixture(&format!("yggdrasil-{version}"));
        let mut exchanges = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "req") {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let (request, answer) =
                    (std::fs::read(&path).unwrap(), std::fs::read(path.with_extension("res")).unwrap());
                let json = serde_json::from_slice(&request).ok();
                exchanges.insert(name, Exchange { request, json, answer });
            }
        }
        let nodes = serde_json::from_slice(&std::fs::read(folder.join("nodes.json")).unwrap()).unwrap();
        Self { version: version.to_owned(), exchanges, nodes, preferred: Vec::new() }
    }

    /// Says this exchange where several were recorded for one request; otherwise it is the one of the shortest name.
    #[must_use]
    pub fn preferring(mut self, name: &str) -> Self {
        assert!(self.exchanges.contains_key(name), "{name} was not recorded");
        self.preferred.push(name.to_owned());
        self
    }

    /// The nodes of the recording; the first is the one whose socket it was.
    #[must_use]
    pub fn nodes(&self) -> Vec<RecordedNode> {
        let text = |node: &Value, field: &str| node[field].as_str().unwrap().to_owned();
        let node = |node: &Value| RecordedNode {
            key: text(node, "key"),
            private_key: text(node, "private_key"),
            address: text(node, "address").parse().unwrap(),
        };
        self.nodes["nodes"].as_array().unwrap().iter().map(node).collect()
    }

    /// The names of all exchanges.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.exchanges.keys().map(String::as_str)
    }

    /// What came back.
    #[must_use]
    pub fn answer(&self, name: &str) -> &[u8] {
        &self.exchanges[name].answer
    }

    pub(super) fn serve(&self, caller: &mut Caller) {
        let (heard, whole) = caller.hear();
        let name = self.name_of(&heard, whole);
        if SLOW.iter().any(|(version, slow)| self.version.starts_with(version) && *slow == name)
            && !caller.rest(REMOTE_WAIT)
        {
            return;
        }
        if self.version != "0.5.14" || !RESET.contains(&name) {
            caller.drain();
        }
        caller.say(self.answer(name));
    }

    /// Which exchange answers; a request with `keepalive` is answered as without, and closed.
    fn name_of(&self, heard: &[u8], whole: bool) -> &str {
        let Some(Ok(asked)) = Deserializer::from_slice(heard).into_iter::<Value>().next() else {
            return if whole { "garbage" } else { "truncated-json" };
        };
        if !asked.is_object() {
            return "not-an-object";
        }
        let asked = without_keepalive(asked);
        let equal = |exchange: &Exchange| exchange.json.clone().map(without_keepalive).is_some_and(|own| own == asked);
        let matching: Vec<&str> =
            self.exchanges.iter().filter(|(_, exchange)| equal(exchange)).map(|(name, _)| name.as_str()).collect();
        let preferred = matching.iter().copied().find(|name| self.preferred.iter().any(|own| own == name));
        preferred.or_else(|| matching.into_iter().min_by_key(|name| name.len())).unwrap_or("unknown-action")
    }

    /// What was written.
    #[must_use]
    pub fn request(&self, name: &str) -> &[u8] {
        &self.exchanges[name].request
    }
}

fn without_keepalive(mut request: Value) -> Value {
    if let Some(fields) = request.as_object_mut() {
        fields.remove("keepalive");
    }
    request
}
