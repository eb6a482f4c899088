//! Writes seeds of the corpus that are golden vectors: hellos, records, attestations, introductions, requests, grants,
//! tickets, and one frame of each shape.
//!
//! `cargo run --example vector_seeds`; the result is committed.

use std::path::Path;

use crosscast_wire::Hop;
use serde_json::Value;

/// Target, kind of vector, name of the vector.
const CHOSEN: &[(&str, &str, &str)] = &[
    ("hello", "hello", "with everything"),
    ("hello", "hello", "with nothing optional"),
    ("hello", "hello", "unknown ignorable key 128"),
    ("chain", "capability", "from the group key"),
    ("chain", "chain", "one link"),
    ("chain", "chain", "three links"),
    ("floor", "floor", "signed by the group key"),
    ("floor", "floor", "signed by a holder of revoke"),
    ("floor", "floor", "nothing revoked"),
    ("peer_record", "peer-record", "with everything"),
    ("peer_record", "peer-record", "with nothing optional"),
    ("attestation", "attestation", "of yggdrasil"),
    ("attestation", "attestation", "of cjdns"),
    ("attestation", "attestation", "of 256 bytes"),
    ("introduction", "introduction", "with everything"),
    ("introduction", "introduction", "with a host key alone"),
    ("introduction", "introduction", "of a node that knows no host key"),
    ("introduction", "introduction", "unknown ignorable key 128"),
    ("introduction", "introduction", "of 512 bytes"),
    ("chain", "capability", "of a subject that an invite let in"),
    ("chain", "chain", "a device's link, issued without the right to admit"),
    ("service_record", "service-record", "with everything"),
    ("service_record", "service-record", "eight nodes"),
    ("successor", "successor", "a successor"),
    ("join_request", "join-request", "with everything"),
    ("join_request", "join-request", "with nothing optional"),
    ("join_request", "join-request", "with an invite alone"),
    ("join_request", "join-request", "a chain of three links"),
    ("locate", "locate", "a locate"),
    ("locate", "locate", "unknown ignorable key 128 is kept and signed"),
    ("equivocation", "equivocation", "two payloads under one number"),
    ("equivocation", "equivocation", "an ignorable key more"),
    ("grant", "grant", "of a chain and two keys"),
    ("grant", "grant", "of a floor alone"),
    ("grant", "grant", "refusal 1"),
    ("ticket", "ticket", "with an offline invite"),
    ("ticket", "ticket", "with the end of its invite"),
    ("ticket", "ticket", "with everything"),
    ("ticket", "ticket", "unknown ignorable key 128"),
    ("frame", "frame", "HELLO"),
    ("frame", "frame", "PROOF"),
    ("frame", "frame", "CLOSE with a pause and a line"),
    ("frame", "frame", "PING"),
    ("frame", "frame", "PING with unknown ignorable key 128"),
    ("frame", "frame", "CREDIT on lane 2"),
    ("frame", "frame", "ACK of three lanes"),
    ("frame", "frame", "REFUSE with code 3"),
    ("frame", "frame", "CHAIN"),
    ("frame", "frame", "FLOOR of another signer with a chain"),
    ("frame", "frame", "SUBSCRIBE with a chain"),
    ("frame", "frame", "RESUME of three windows"),
    ("frame", "frame", "RESUME with more to come"),
    ("frame", "frame", "ASK after 8 hops"),
    ("frame", "frame", "LOCATE after 0 hops"),
    ("frame", "frame", "EQUIVOCATION"),
    ("frame", "frame", "MESSAGE with a full hop map"),
    ("frame", "frame", "MESSAGE with a trail of eight links"),
    ("frame", "frame", "MESSAGE with a trail of a gap"),
];

const CHAIN: u8 = 8;
const MESSAGE: u8 = 0x10;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut vectors: Vec<Value> = Vec::new();
    for file in std::fs::read_dir(root.join("../../docs/spec/vectors"))? {
        vectors.extend(serde_json::from_str::<Vec<Value>>(&std::fs::read_to_string(file?.path())?)?);
    }
    let find = |kind: &str, name: &str| {
        let found = vectors.iter().find(|vector| vector["kind"] == kind && vector["name"] == name).and_then(seed);
        found.ok_or_else(|| format!("no {kind} vector named {name}"))
    };
    for (target, kind, name) in CHOSEN {
        write(root, target, name, &find(kind, name)?)?;
    }
    let message = find("message", "a multicast of one entry")?;
    let message = laid(MESSAGE, &[Hop::new(0, 0, 0).encode(), message].concat());
    write(root, "carrier", "a message", &message)?;
    let chain = laid(CHAIN, &find("chain", "three links")?);
    write(root, "carrier", "a message behind its chain", &[chain, message].concat())?;
    write(root, "carrier", "a topic", format!("crosscast/1/{}", "5a".repeat(32)).as_bytes())?;
    Ok(())
}

fn write(root: &Path, target: &str, name: &str, data: &[u8]) -> std::io::Result<()> {
    let folder = root.join("corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    let file: String = name.to_lowercase().replace(' ', "-").replace([',', '\''], "");
    std::fs::write(folder.join(file), data)
}

/// A frame as it lies in a payload of a carrier: length, type, lane normal, body.
fn laid(frame_type: u8, body: &[u8]) -> Vec<u8> {
    let [.., high, mid, low] = body.len().to_be_bytes();
    [&[high, mid, low, frame_type, 2], body].concat()
}

/// The bytes, behind type and lane where the kind has them.
fn seed(vector: &Value) -> Option<Vec<u8>> {
    let number = |name: &str| vector["context"][name].as_u64().and_then(|n| u8::try_from(n).ok());
    let mut seed: Vec<u8> = [number("type"), number("lane")].into_iter().flatten().collect();
    let hex = vector["bytes"].as_str()?;
    for at in (0..hex.len()).step_by(2) {
        seed.push(u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?);
    }
    Some(seed)
}
