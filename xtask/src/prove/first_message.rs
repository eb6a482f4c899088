//! The bars of the first message: signed multicast between nodes over TLS, on real sockets.
//!
//! Each is measured by `crosscast-live --prove ID`, which drives the release binary and prints one JSON object.

use super::Bar;

/// In the order in which they are measured.
pub(crate) const BARS: &[Bar] = &[];
