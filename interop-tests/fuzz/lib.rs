//! Fuzz targets: each takes any bytes and panics only when a format breaks its word.
//!
//! The word is more than "does not crash": what is accepted has one encoding, and another library reads it alike. A
//! target is a plain function, so that the corpus is replayed by a stable compiler (`tests/replay.rs`); the wrappers for
//! libFuzzer are in `fuzz_targets`. A new target goes into [`TARGETS`], gets a wrapper, and seeds in `corpus/<name>`.
#![forbid(unsafe_code)]

mod foreign;
mod messages;
mod records;
mod rights;

/// The libp2p wing's codec, taken in by its path with its own tests: it needs nothing but `crosscast-wire`, and the wing
/// would bring the whole of libp2p.
#[path = "../../transports/libp2p/carrier"]
mod carrier {
    pub(crate) mod codec;
    #[cfg(test)]
    pub(crate) mod testing;
}

pub use foreign::{carrier, cjdns_answer, introduction, node_info, yggdrasil_answer};
pub use messages::{cbor, entries, manifest, message, plaintext, sealed, text};
pub use records::{attestation, chain, floor, frame, hello, peer_record, ticket};
pub use rights::{equivocation, grant, join_request, locate, service_record, successor};

/// A target: takes any bytes, panics when a format breaks its word.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also the name of its folder in the corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("cbor", cbor),
    ("message", message),
    ("entries", entries),
    ("manifest", manifest),
    ("sealed", sealed),
    ("plaintext", plaintext),
    ("text", text),
    ("hello", hello),
    ("chain", chain),
    ("floor", floor),
    ("peer_record", peer_record),
    ("attestation", attestation),
    ("service_record", service_record),
    ("successor", successor),
    ("join_request", join_request),
    ("locate", locate),
    ("equivocation", equivocation),
    ("grant", grant),
    ("ticket", ticket),
    ("frame", frame),
    ("introduction", introduction),
    ("yggdrasil_answer", yggdrasil_answer),
    ("node_info", node_info),
    ("cjdns_answer", cjdns_answer),
    ("carrier", carrier),
];
