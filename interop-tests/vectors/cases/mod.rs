//! The cases, file by file. Every case says what is to come of it; a case that comes out otherwise stops the making.

mod attestations;
mod cbor;
mod equivocations;
mod frames;
mod grants;
mod hellos;
mod introductions;
mod keys;
mod messages;
mod payloads;
mod records;
mod requests;
mod services;
mod signatures;
mod streams;
mod support;
mod tickets;

use serde_json::Value;

use crate::judge::judge;
use crate::values::hex;
use crate::{Files, Vector};

pub(crate) use payloads::wrap_nested;

/// The vectors of one file in the making.
#[derive(Default)]
pub(crate) struct Set {
    vectors: Vec<Vector>,
    wrong: Vec<String>,
}

impl Set {
    /// Adds bytes that a reader accepts.
    pub(crate) fn valid(&mut self, kind: &str, name: &str, context: Value, bytes: impl AsRef<[u8]>) {
        self.add(kind, name, context, bytes.as_ref(), None);
    }

    /// Adds bytes that a reader refuses for this reason.
    pub(crate) fn refused(&mut self, kind: &str, name: &str, context: Value, bytes: impl AsRef<[u8]>, reason: &str) {
        self.add(kind, name, context, bytes.as_ref(), Some(reason));
    }

    fn add(&mut self, kind: &str, name: &str, context: Value, bytes: &[u8], reason: Option<&str>) {
        let outcome = judge(kind, &context, bytes);
        let fields = match (outcome, reason) {
            (Ok(fields), None) => fields,
            (Err(found), Some(reason)) if found == reason => Value::Null,
            (outcome, _) => return self.wrong.push(format!("{kind}: {name}: {outcome:?} instead of {reason:?}")),
        };
        self.vectors.push(Vector {
            name: name.to_owned(),
            kind: kind.to_owned(),
            context,
            bytes: hex(bytes),
            valid: reason.is_none(),
            reason: reason.map(str::to_owned),
            fields,
        });
    }
}

type Maker = fn(&mut Set);

pub(crate) fn all() -> Result<Files, String> {
    let makers: [(&'static str, Maker); 22] = [
        ("attestations.json", attestations::all),
        ("cbor.json", cbor::all),
        ("capabilities.json", records::capabilities),
        ("chains.json", records::chains),
        ("domains.json", signatures::domains),
        ("equivocations.json", equivocations::all),
        ("floors.json", records::floors),
        ("frames.json", frames::all),
        ("grants.json", grants::all),
        ("hellos.json", hellos::all),
        ("introductions.json", introductions::all),
        ("join-requests.json", requests::join_requests),
        ("keys.json", keys::all),
        ("locates.json", requests::locates),
        ("messages.json", messages::all),
        ("payloads.json", payloads::all),
        ("peer-records.json", records::peer_records),
        ("service-records.json", services::service_records),
        ("signatures.json", signatures::all),
        ("streams.json", streams::all),
        ("successors.json", services::successors),
        ("tickets.json", tickets::all),
    ];
    let mut files = Files::new();
    let mut wrong = Vec::new();
    for (name, make) in makers {
        let mut set = Set::default();
        make(&mut set);
        wrong.extend(set.wrong);
        files.insert(name, set.vectors);
    }
    if wrong.is_empty() { Ok(files) } else { Err(wrong.join("\n")) }
}
