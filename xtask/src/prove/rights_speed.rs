//! The bars of rights and speed: the data path beside its rivals, who may publish, floods, QUIC, the local interface.
//!
//! The comparison is measured by `cargo xtask bench --rounds 5 --docs`, on a machine that does nothing else; the goals are
//! read from what it wrote. The rest is measured by the live suites, the hostile suite and the simulator.

use super::{Bar, live};

/// A goal of the data path, read from the comparison's results.
macro_rules! goal {
    ($id:literal, $text:literal) => {
        Bar {
            id: $id,
            text: $text,
            command: &["cargo", "xtask", "bench", "--from", "docs/performance.jsonl", "--bar", $id],
        }
    };
}

/// What a program of the workspace measures.
macro_rules! program {
    ($id:literal, $text:literal, $package:literal, $kind:literal, $name:literal, $($arg:literal),+) => {
        Bar {
            id: $id,
            text: $text,
            command: &["cargo", "run", "--release", "--quiet", "-p", $package, $kind, $name, "--", $($arg),+],
        }
    };
}

/// What QUIC does when packets are lost and addresses change, over a path that loses by a seed.
macro_rules! quic {
    ($id:literal, $what:literal, $count:literal, $text:literal) => {
        program!($id, $text, "crosscast-tls", "--example", "measure", "quic", $what, $count, "7")
    };
}

/// A named scenario of the simulator, for several seeds.
macro_rules! drill {
    ($id:literal, $name:literal, $seeds:literal, $text:literal) => {
        program!($id, $text, "crosscast-sim", "--bin", "sim", $name, "--seeds", $seeds, "--json")
    };
}

/// In the order in which they are measured.
pub(crate) const BARS: &[Bar] = &[
    Bar {
        id: "compared",
        text: "every goal of the data path measured in one interleaved run of six systems and at least five rounds",
        command: &["cargo", "xtask", "bench", "--from", "docs/performance.jsonl"],
    },
    goal!("gossipsub-1k-10", "CPU per delivery at most 1/120 of gossipsub's with strict signing, 1 KiB, fan-out 10"),
    goal!("iroh-1k-10", "CPU at most 1/5 of iroh-gossip's, unsigned, 1 KiB, fan-out 10"),
    goal!("mosquitto-1k-1", "CPU at most 1/2.5 of mosquitto's, 1 KiB, fan-out 1"),
    goal!("mosquitto-1k-10", "CPU at most 1/2.5 of mosquitto's, 1 KiB, fan-out 10"),
    goal!("nats-1k-1", "CPU at most 1.8 times NATS's, 1 KiB, fan-out 1"),
    goal!("nats-1k-10", "CPU at most 1.2 times NATS's, 1 KiB, fan-out 10"),
    goal!("nats-1k-100", "CPU at most 1.2 times NATS's, 1 KiB, fan-out 100"),
    goal!("nats-64-10", "CPU at most NATS's, 64 B, fan-out 10"),
    goal!("zenoh-1k-10", "CPU at most twice zenoh's through a router, 1 KiB, fan-out 10"),
    goal!("router-1k-10", "the router's CPU at most 0.6 of nats-server's, 1 KiB, fan-out 10"),
    goal!("many-64-10", "1,000 publishers of one entry a message: CPU per delivery at most 1/5 of gossipsub's"),
    goal!("p50-1", "p50 at 1,000 messages a second at most 2.2 times NATS's, fan-out 1"),
    goal!("p99-1", "p99 at 1,000 messages a second at most 1.6 times NATS's, fan-out 1"),
    goal!("p50-10", "p50 at 1,000 messages a second at most 2.2 times NATS's, fan-out 10"),
    goal!("p99-10", "p99 at 1,000 messages a second at most 1.6 times NATS's, fan-out 10"),
    goal!("mb-16k-10", "MB/s at 16 KiB and fan-out 10 at least 0.8 of NATS's"),
    goal!("memory-router", "the router holds at most 64 MB under load, 1 KiB, fan-out 10"),
    goal!("memory-subscriber", "a subscriber holds at most 32 MB under load, 1 KiB, fan-out 10"),
    goal!("gathering", "gathering adds at most 1 ms to the 99th percentile below half load"),
    quic!(
        "quic-moves",
        "moves",
        "60",
        "a client changes its address again and again: a transfer both ways loses nothing"
    ),
    quic!(
        "quic-order",
        "order",
        "50",
        "control sent after a bulk frame that lost a packet arrives before the bulk frame"
    ),
    quic!(
        "quic-loss",
        "loss",
        "60",
        "2 % of the bulk stream's packets lost: control is not delayed by more than the path is"
    ),
    live!(
        "unauthorised",
        "10,000 publishes without the right, of eighteen kinds, at the first honest router: 0 delivered, 0 forwarded"
    ),
    Bar {
        id: "unauthorised-core",
        text: "the same at the state machine, of twelve kinds, in virtual time: 0 delivered, 0 forwarded",
        command: &[
            "CROSSCAST_UNAUTHORISED=10000",
            "cargo",
            "test",
            "--release",
            "-p",
            "crosscast-core",
            "--test",
            "core",
            "--",
            "unauthorised",
        ],
    },
    live!(
        "bad-messages",
        "50,000 bad messages a second from 10 links: honest goodput at least 80 % of calm, at most 20 verifications a link"
    ),
    live!(
        "idle-hands",
        "2,000 half-open connections and 100 slow readers: at most 64 MiB more than idle, p99 at most twice the calm one"
    ),
    live!("fresh-keys", "10,000 fresh keys from one /24 get the budget of one prefix, and a newcomer is heard"),
    Bar {
        id: "rights-state",
        text: "10,000 groups with ten subscribers each: at most 2 KiB of rights state a group in a router",
        command: &["CROSSCAST_GROUPS=10000", "cargo", "test", "--release", "-p", "crosscast-core", "--test", "heap"],
    },
    live!("groups-memory", "1,000 groups joined add at most 20 MB to a daemon"),
    live!(
        "diamond",
        "32 recipients behind a diamond, branches killed: each message once, but for what the killed had in hand"
    ),
    Bar {
        id: "diamond-core",
        text: "the same at the state machine: each exactly once, also over both branches",
        command: &["cargo", "test", "--release", "-p", "crosscast-core", "--test", "core", "--", "explicit"],
    },
    drill!(
        "revocation",
        "revocation",
        "1..6",
        "100 nodes, a quarter away for an hour: a revocation holds at 95 % of the others within 60 s, and at once on return"
    ),
    drill!(
        "absence",
        "absence",
        "1..51",
        "a maker away for 14 days and an edge away for 7 publish and receive again with the rights they held"
    ),
    live!("rights-live", "a revoked member neither publishes nor reads; members read on across the change of key"),
    live!(
        "sse-restarts",
        "a stream of events over 100 restarts of its daemon, killed and stopped in turn: nothing lost, nothing twice"
    ),
    live!(
        "ws-restarts",
        "a WebSocket over 100 restarts of its daemon, killed and stopped in turn: nothing lost, nothing twice"
    ),
];
