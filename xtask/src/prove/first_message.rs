//! The bars of the first message: nodes on real sockets, the machine under attack and under faults, the formats.
//!
//! All but one are measured by `crosscast-live --prove ID`, which drives the release binary (or the program that knows)
//! and prints one JSON object. `cargo xtask test` runs the same at reduced size.

use super::{Bar, live};

/// In the order in which they are measured, the quick ones first.
pub(crate) const BARS: &[Bar] = &[
    live!("pure-rooms", "wire, port, seal and core link no runtime, socket, clock or chance, and build for wasm32"),
    live!("ready-time", "a daemon is ready within 500 ms of its start, in the middle of ten starts"),
    live!("idle-memory", "an idle daemon holds at most 40 MiB, alone and linked"),
    live!(
        "wrong-key",
        "another key at a pinned address, a key file that others can read and a foreign user are refused"
    ),
    live!("demo-10000", "the demo delivers 10,000 lines at every node: none lost, none twice, none unverified"),
    live!(
        "middle-killed",
        "the middle of a chain of five, killed five times under load: nothing sent is lost or repeated"
    ),
    live!("restored-home", "a home restored from a backup goes on: nothing is lost, nobody sees anything twice"),
    live!(
        "twins",
        "two machines with one key work side by side for a minute: two instances, stable links, no suspicion"
    ),
    live!(
        "capture",
        "a program in another language verifies every message of a daemon's stream, and refuses a changed one"
    ),
    live!(
        "ping-p99",
        "over a link of 2 Mb/s that bulk keeps at least 90 % full, the 99th percentile of PING is below 150 ms"
    ),
    live!("forged", "100,000 messages forged in a sender's name: none is delivered, and the sender's own all are"),
    live!(
        "mutated",
        "100,000 broken frames: each is refused by name or legal, every refusal is provoked at least 100 times"
    ),
    live!("sim-same-seed", "100 simulated networks of 20 nodes: each seed gives the same run twice"),
    live!("sim-1000", "1,000 simulated networks of 20 nodes with faults: what must arrive arrives, once and in order"),
    Bar {
        id: "cbor-oracle",
        text: "10,000,000 random values: an independent CBOR library reads what is written and is read alike; of \
               10,000,000 bent encodings none has a second form that is accepted",
        command: &[
            "CROSSCAST_PROPTEST_CASES=10000000",
            "cargo",
            "test",
            "--release",
            "-p",
            "crosscast-wire",
            "--test",
            "formats",
            "--",
            "what_either_side_writes",
            "whatever_is_accepted",
        ],
    },
];
