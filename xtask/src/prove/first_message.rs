//! The bars of the first message: formats, the machine under attack and under faults, nodes on real sockets.
//!
//! The tests of `cargo xtask test` run the same programs at reduced size.

use super::Bar;

/// In the order in which they are measured.
pub(crate) const BARS: &[Bar] = &[
    Bar {
        id: "cbor-oracle",
        text: "10,000,000 random values: an independent CBOR library reads what is written and is read alike; of \
               10,000,000 bent encodings none has a second form that is accepted",
        command: &[
            "CROSSCAST_PROPTEST_CASES=10000000",
            "cargo",
            "test",
            "--release",
            "--package",
            "crosscast-wire",
            "--test",
            "formats",
            "--",
            "what_either_side_writes",
            "whatever_is_accepted",
        ],
    },
    Bar {
        id: "forged-sender",
        text: "100,000 messages forged in a sender's name: none is delivered, and the sender's own all are",
        command: &["cargo", "run", "--release", "--package", "crosscast-hostile", "--", "forge", "--count", "100000"],
    },
    Bar {
        id: "broken-frames",
        text: "100,000 broken frames: each is refused by name or legal, every refusal occurs at least 100 times, and a \
               sound message still arrives",
        command: &[
            "cargo",
            "run",
            "--release",
            "--package",
            "crosscast-hostile",
            "--",
            "mutate",
            "--count",
            "100000",
            "--each",
            "100",
        ],
    },
    Bar {
        id: "simulated-faults",
        text: "1,000 simulated networks with faults of links, disks and clocks: what must arrive arrives once and in \
               order, and each seed gives the same run twice",
        command: &[
            "cargo",
            "run",
            "--release",
            "--package",
            "crosscast-sim",
            "--bin",
            "sim",
            "--",
            "--seeds",
            "0..1000",
            "--twice",
            "--json",
        ],
    },
];
