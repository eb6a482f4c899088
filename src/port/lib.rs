//! The closed vocabulary between the core and the world: links and stores.
//!
//! The core emits [`Request`]s and [`StoreOp`]s; transports answer with [`Report`]s and stores with [`StoreOutcome`]s.
//! Nothing here does anything: these are the words that the core, the transports, the stores and the simulator share,
//! so that none of them needs to see another.

mod link;
mod store;

pub use link::{
    BINDING_MAX, DialError, DialId, DownReason, Judgement, LinkId, LinkTraits, LinkUp, ListenError, NetworkReport,
    Report, Request, Role,
};
pub use store::{
    Durability, LogEntry, LogId, LogItem, LogPos, OpId, Recovered, Space, StoreError, StoreOp, StoreOutcome, Write,
};
