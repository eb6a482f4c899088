//! Sending from the node's own turn: what is small goes into the network without waking the link's task.
//!
//! A wake-up costs more than a short write. Order holds: a link takes frames this way only behind everything it was
//! handed before, and gives back what it cannot take, for its task to send.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock, Weak};

use crosscast_wire::RawFrame;

/// Most bytes of bodies that go this way at once. 16 KiB, one TLS record: more is worth a task, since several links'
/// tasks then encrypt side by side.
pub const EXPRESS_MAX: usize = 16 * 1024;

/// The part of a link that can send without its task.
pub trait Express: Debug + Send + Sync {
    /// Sends frames, never waiting, behind all that the link was handed before; true when something of it is left for
    /// the task, which is then woken.
    ///
    /// # Errors
    /// The frames, when the link's task is at work or the link does not send now; they are the task's to send.
    fn send(&self, frames: Vec<RawFrame>) -> Result<bool, Vec<RawFrame>>;
}

/// A link's express way as the node's end holds it; ends with the link.
#[derive(Debug, Default)]
pub(crate) struct ExpressSlot(OnceLock<Weak<dyn Express>>);

impl ExpressSlot {
    pub(crate) fn set(&self, express: Weak<dyn Express>) {
        // A link has one for life; a second is not taken.
        let _ = self.0.set(express);
    }

    /// The way, when these frames may go over it.
    pub(crate) fn for_frames(&self, frames: &[RawFrame]) -> Option<Arc<dyn Express>> {
        let express = self.0.get()?;
        let bytes = frames.iter().map(RawFrame::body_len).fold(0, usize::saturating_add);
        if bytes > EXPRESS_MAX { None } else { express.upgrade() }
    }
}
