//! What transports over byte streams share: how a link is run over one, and attaching to a running node.
//!
//! [`link`] is the task of a link: frames in lanes over any stream of bytes, in the clear where the stream is encrypted
//! already, in Noise records where it is not. [`overlay`] is the transport over a running node of a key-addressed
//! network, the same for every such network; a wing says what is different about its own. [`Limits`] and [`Timeouts`]
//! are what all of them are bounded by. Nothing here knows one network's words.

mod limits;
pub mod link;
pub mod overlay;

pub use limits::{Limits, Timeouts};
