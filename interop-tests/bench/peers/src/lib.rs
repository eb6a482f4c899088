//! What every compared system does in the same way: the flow of messages, the three roles, the words on their pipes.
//!
//! A system is a package of its own under `systems/`; it fulfils [`System`] and calls [`run`]. Which processes there
//! are, how fast is sent and what is counted is decided here, so that no system is measured differently from another.

mod flow;
mod role;

use std::any::Any;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;

pub use flow::{Counts, Lane, window};
pub use role::{Args, Daemon, free_port, run, wait_for_port};

/// What keeps a role's connections alive; dropped when the role ends.
pub type Keep = Box<dyn Any + Send>;

/// A publish/subscribe system in the three roles, each a process of its own.
#[expect(async_fn_in_trait, reason = "only this workspace implements it, and nothing is spawned from it here")]
pub trait System {
    /// What a publisher is before it knows the router.
    type Opening;
    /// One process that publishes.
    type Publisher: Publisher;

    /// Opens the publishers; the text is whatever router and subscribers must be told, such as a ticket.
    async fn open(args: &Args) -> Result<(Self::Opening, String)>;

    /// Connects the publishers with the router and returns when their messages would reach it.
    async fn link(opening: Self::Opening, args: &Args) -> Result<Self::Publisher>;

    /// Starts the router.
    async fn router(args: &Args) -> Result<Router>;

    /// Connects one subscriber and returns when messages would reach it; it books what it gets in its lane.
    async fn subscriber(args: &Args, lane: Lane) -> Result<Keep>;
}

/// The publishing side of a system.
#[expect(async_fn_in_trait, reason = "as above")]
pub trait Publisher {
    /// Publishes one message as publisher number `who`, waiting while the system cannot take it.
    async fn publish(&mut self, who: usize, payload: Bytes) -> Result<()>;
}

/// A started router.
pub struct Router {
    /// What publishers and subscribers dial.
    pub address: String,
    /// Its process, where it is not this one.
    pub pid: Option<u32>,
    /// Ends it when dropped.
    pub keep: Keep,
}

/// Books shared by the subscribers of a process.
pub(crate) type Books = Arc<Counts>;
