//! The bars of groups over foreign networks: attaching, one group over four of them, failover, throughput, liars.
//!
//! All but the exam are measured by the live suites, on real daemons in namespaces of their own. `YGG05` and `CJDROUTE` name the
//! programs of Yggdrasil 0.5 and of cjdns, which no package registry has.

use super::{Bar, live};

/// In the order in which they are measured.
pub(crate) const BARS: &[Bar] = &[
    live!(
        "five-networks",
        "A on Yggdrasil, B on Yggdrasil and libp2p, C on libp2p through a js-libp2p node, D on libp2p and TLS, E on TLS; A and \
         E publish 10,000 messages each, the others get each once, verified, in sender order; B is killed and a second \
         dual-homed node takes over: 0 lost"
    ),
    live!(
        "attach",
        "a running Yggdrasil daemon is used with one flag, no restart of it, no root, and its restart heals"
    ),
    live!("attach-05", "the same with Yggdrasil 0.5"),
    live!(
        "cjdns",
        "a group over a real cjdns, two hops: 10,000 messages, each once, with attestations by the running cores"
    ),
    live!(
        "failover-yggdrasil",
        "TLS and Yggdrasil to one peer: socket closed under 0.5 s, black hole with data outstanding under 2 s, idle under 10 s; \
         0 lost, 0 duplicated"
    ),
    live!("failover-libp2p", "the same with TLS and libp2p"),
    live!(
        "ygg-throughput",
        "1 GiB in 64 KiB entries over two hops of Yggdrasil, 5 interleaved pairs: median at least 0.7 of a plain TCP copy"
    ),
    live!(
        "libp2p-throughput",
        "1 GiB in 64 KiB entries over libp2p streams, 5 interleaved pairs: median at least 0.7 of a bare libp2p-stream copy"
    ),
    live!(
        "refused-by-name",
        "forged source address, another node's NodeInfo or attestation, wrong key at the right address, replayed handshake and \
         hello: refused by name"
    ),
    live!("hostile-admin", "whatever a hostile admin socket says costs at most 1 MB and 10 s, and is named"),
    live!(
        "carrier-forgers",
        "six forgers on a carrier's topic do not stop honest traffic: 0 lost, nothing forged delivered"
    ),
    Bar {
        id: "exam",
        text: "every transport passes the same exam: memory, TLS, QUIC, Yggdrasil, cjdns, libp2p over TCP and QUIC",
        command: &[
            "cargo",
            "test",
            "-p",
            "crosscast-memory",
            "-p",
            "crosscast-tls",
            "-p",
            "crosscast-yggdrasil",
            "-p",
            "crosscast-cjdns",
            "-p",
            "crosscast-libp2p",
            "--tests",
            "--",
            "exam",
        ],
    },
];
