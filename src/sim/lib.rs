//! A deterministic simulator that drives many cores over faulty links and stores.
//!
//! A [`World`] has hosts, each with a machine behind the core's door, clocks, a disk and a CPU, and a network between
//! them. Everything happens by one agenda and by the chance of one seed: the same seed gives the same run, and a hash
//! over all inputs and outputs proves it. A [`Scenario`] says who is there and what goes wrong; [`run_seed`] draws one,
//! plays it with the core, holds everything that is delivered and told against a ledger of what was published, and
//! returns a [`Report`] or the first [`Violation`] with the command that shows it again.

mod agenda;
mod clock;
mod disk;
mod drill;
mod ledger;
mod machine;
mod memo;
mod net;
mod play;
mod pool;
mod prng;
mod report;
mod rogue;
mod run;
mod scenario;
mod spy;
mod trace;
mod violation;
mod words;
mod world;

pub use agenda::{MILLI, Micros, SECOND};
pub use clock::WALL_BEGIN_MS;
pub use disk::{Disk, DiskMode};
pub use drill::{Absence, Millis, Revocation, absence, revocation};
pub use machine::Machine;
pub use memo::MemoCrypto;
pub use net::NetParams;
pub use prng::{PPM, Prng};
pub use report::Report;
pub use run::{NODES, run_scenario, run_seed, run_traced};
pub use scenario::{
    Entry, Fault, GroupPlan, HostPlan, PUBLISH_FROM, Planned, PublisherPlan, Reach, ReaderPlan, RightsPlan, SETTLE,
    Scenario,
};
pub use trace::Trace;
pub use violation::{Rule, Violation};
pub use world::{Breach, Counts, Happening, HostId, HostSpec, World};
