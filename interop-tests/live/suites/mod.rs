//! The suites, and the bars that are measured by them or by other programs of the repository.

mod attach;
mod capture;
mod cargo;
mod cjdns;
mod demo;
mod diamond;
mod failover;
mod five_networks;
mod floods;
mod forgers;
mod hostile_admin;
mod idle;
mod middle_killed;
mod refusals;
mod refused;
mod restarts;
mod restored_home;
mod rights;
mod schemas;
mod shaped_ping;
mod throughput;
mod twins;
mod unauthorised;

use anyhow::Result;

use crate::{Site, Size, Verdict};

/// Runs one scenario.
pub type Run = fn(&Site, Size) -> Result<Verdict>;

/// A scenario with a name.
pub struct Suite {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it shows, in a sentence.
    pub shows: &'static str,
    /// The scenario.
    pub run: Run,
}

/// What `cargo xtask test` runs, at reduced size.
pub const SUITES: &[Suite] = &[
    Suite { name: "demo", shows: "the demo delivers every line everywhere once", run: demo::run },
    Suite { name: "middle-killed", shows: "a killed router loses and repeats nothing", run: middle_killed::run },
    Suite { name: "shaped-ping", shows: "control passes a saturated slow link", run: shaped_ping::run },
    Suite { name: "twins", shows: "two machines with one key both work", run: twins::run },
    Suite { name: "rights", shows: "who is let in is heard, who is revoked is shut out", run: rights::run },
    Suite { name: "unauthorised", shows: "without the right nothing passes the first router", run: unauthorised::run },
    Suite { name: "diamond", shows: "a list of recipients has each message once", run: diamond::run },
    Suite { name: "restored-home", shows: "a home from a backup works on", run: restored_home::run },
    Suite { name: "ready-time", shows: "a daemon is ready at once", run: idle::ready_time },
    Suite { name: "idle-memory", shows: "an idle daemon is small", run: idle::memory },
    Suite { name: "groups-memory", shows: "a group joined costs a daemon little", run: idle::groups },
    Suite { name: "bad-messages", shows: "bad links cost little and honest work goes on", run: floods::bad_messages },
    Suite {
        name: "idle-hands",
        shows: "silent and slow peers cost little memory and no time",
        run: floods::idle_hands,
    },
    Suite { name: "fresh-keys", shows: "one prefix's fresh keys keep no newcomer out", run: floods::fresh_keys },
    Suite { name: "capture", shows: "another program verifies a daemon's bytes", run: capture::run },
    Suite { name: "sse-restarts", shows: "events survive restarts of the daemon, each once", run: restarts::events },
    Suite { name: "ws-restarts", shows: "a WebSocket resumes after restarts, each entry once", run: restarts::socket },
    Suite { name: "schemas", shows: "what verbs and API print fits the published schemas", run: schemas::run },
    Suite {
        name: "five-networks",
        shows: "one group over Yggdrasil, libp2p and TLS, and no gateway",
        run: five_networks::run,
    },
    Suite { name: "attach", shows: "a running Yggdrasil daemon is used with one flag and no rights", run: attach::run },
    Suite { name: "attach-05", shows: "the same with Yggdrasil 0.5", run: attach::run_05 },
    Suite { name: "cjdns", shows: "a group over a real cjdns", run: cjdns::run },
    Suite { name: "refused-by-name", shows: "who lies on Yggdrasil is refused by name", run: refused::run },
    Suite {
        name: "hostile-admin",
        shows: "who lies at an admin socket costs little and is named",
        run: hostile_admin::run,
    },
    Suite { name: "carrier-forgers", shows: "forgers on a carrier's topic stop nobody", run: forgers::run },
    Suite {
        name: "failover-yggdrasil",
        shows: "traffic moves between TLS and Yggdrasil when one breaks",
        run: failover::yggdrasil,
    },
    Suite {
        name: "failover-libp2p",
        shows: "traffic moves between TLS and libp2p when one breaks",
        run: failover::libp2p,
    },
    Suite {
        name: "ygg-throughput",
        shows: "a group over two hops of Yggdrasil beside a plain copy",
        run: throughput::yggdrasil,
    },
    Suite {
        name: "libp2p-throughput",
        shows: "a group over streams of libp2p beside a bare copy",
        run: throughput::libp2p,
    },
    Suite { name: "wrong-key", shows: "a wrong key, an open key file, a foreign user are refused", run: refusals::run },
];

/// What `--prove ID` measures, at full size.
pub const BARS: &[(&str, Run)] = &[
    ("demo-10000", demo::run),
    ("middle-killed", middle_killed::run),
    ("ping-p99", shaped_ping::run),
    ("twins", twins::run),
    ("restored-home", restored_home::run),
    ("rights-live", rights::run),
    ("unauthorised", unauthorised::run),
    ("diamond", diamond::run),
    ("ready-time", idle::ready_time),
    ("idle-memory", idle::memory),
    ("groups-memory", idle::groups),
    ("capture", capture::run),
    ("sse-restarts", restarts::events),
    ("ws-restarts", restarts::socket),
    ("wrong-key", refusals::run),
    ("five-networks", five_networks::run),
    ("attach", attach::run),
    ("attach-05", attach::run_05),
    ("failover-yggdrasil", failover::yggdrasil),
    ("failover-libp2p", failover::libp2p),
    ("ygg-throughput", throughput::yggdrasil),
    ("libp2p-throughput", throughput::libp2p),
    ("refused-by-name", refused::run),
    ("hostile-admin", hostile_admin::run),
    ("carrier-forgers", forgers::run),
    ("cjdns", cjdns::run),
    ("forged", cargo::forged),
    ("mutated", cargo::mutated),
    ("bad-messages", floods::bad_messages),
    ("idle-hands", floods::idle_hands),
    ("fresh-keys", floods::fresh_keys),
    ("sim-1000", cargo::sim),
    ("sim-same-seed", cargo::sim_same_seed),
    ("pure-rooms", cargo::pure_rooms),
];
