//! Named scenarios: worlds that are set up and moved by a script, to measure one thing.
//!
//! [`revocation`] takes rights back while a quarter of a mesh is away; [`absence`] lets the maker of a group be away for
//! two weeks. Both run the core on every host, keep the rules of the simulator, and are functions of their seed.

mod absence;
mod book;
mod judge;
mod mesh;
mod outcome;
mod revocation;
mod rogues;
mod stage;

pub use absence::absence;
pub use outcome::{Absence, Millis, Revocation};
pub use revocation::revocation;
