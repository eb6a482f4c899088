//! What transports over streams are bounded by, each default with its reason.
//!
//! The limits bound what strangers can make a transport hold, and for how long.

use core::time::Duration;

use crosscast_transport::{FLUSH_TIME, STALL_TIME};

/// How many of each thing may exist at once in one transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Links that are up, dialled and accepted together. 4,096: far above any node's views, and about 100 MiB when all
    /// of them are idle.
    pub links: usize,
    /// Inbound connections that have not finished the handshake. 256 of at most 5 s each: 50 handshakes a second get
    /// through beside strangers that hold every place for the full time. Beyond it the kernel's backlog holds the rest.
    pub half_open: usize,
    /// The same from one /24 (IPv4) or /48 (IPv6); loopback is exempt. 16: a sixteenth of the places.
    pub half_open_per_prefix: usize,
    /// Dials under way. 128: name look-ups and handshakes run in parallel, and the rest is answered as full.
    pub dials: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { links: 4096, half_open: 256, half_open_per_prefix: 16, dials: 128 }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// The secure handshake, either side. 5 s, as the hello above it.
    pub handshake: Duration,
    /// A dial from the name's look-up to the connection. 10 s.
    pub connect: Duration,
    /// Bytes waiting to be written and not one taken. 30 s; the core's PING finds an idle dead peer far earlier.
    pub stall: Duration,
    /// Writing what was sent before a close. 1 s.
    pub flush: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            stall: STALL_TIME,
            flush: FLUSH_TIME,
        }
    }
}
