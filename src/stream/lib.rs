//! What transports over byte streams share: places, dialling, how a link is run over a stream, and attaching to a
//! running node.
//!
//! [`link`] is the task of a link: frames in lanes over any stream of bytes, in the clear where the stream is encrypted
//! already, in Noise records where it is not. [`overlay`] is the transport over a running node of a key-addressed
//! network, the same for every such network; a wing says what is different about its own. [`accept`], [`places`] and
//! [`dial`] are what strangers and dials may take, within [`Limits`] and [`Timeouts`]; [`pace`] and [`socket`] keep the
//! kernel's queue short. Nothing here knows one network's words.

pub mod accept;
pub mod address;
pub mod dial;
mod limits;
pub mod link;
pub mod overlay;
pub mod pace;
pub mod places;
pub mod socket;

pub use limits::{Limits, Timeouts};
