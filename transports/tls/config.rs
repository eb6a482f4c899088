//! What a node can set for its TLS links, each default with its reason.
//!
//! The identity is the node's own; limits bound what strangers can make this transport hold.

use core::time::Duration;

use crosscast_transport::{FLUSH_TIME, STALL_TIME};
use crosscast_wire::SecretKey;

/// Everything the transport is made from.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// The key whose public half is the NodeId and the certificate's key.
    pub identity: SecretKey,
    /// What may exist at once.
    pub limits: TlsLimits,
    /// How long things may take.
    pub timeouts: TlsTimeouts,
}

impl TlsConfig {
    /// The defaults for a node with this key.
    #[must_use]
    pub fn new(identity: SecretKey) -> Self {
        Self { identity, limits: TlsLimits::default(), timeouts: TlsTimeouts::default() }
    }
}

/// How many of each thing may exist at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsLimits {
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

impl Default for TlsLimits {
    fn default() -> Self {
        Self { links: 4096, half_open: 256, half_open_per_prefix: 16, dials: 128 }
    }
}

/// How long things may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsTimeouts {
    /// The TLS handshake, either side. 5 s, as the hello above it.
    pub handshake: Duration,
    /// A dial from the name's look-up to the TCP connection. 10 s.
    pub connect: Duration,
    /// Bytes waiting to be written and not one taken. 30 s; the core's PING finds an idle dead peer far earlier.
    pub stall: Duration,
    /// Writing what was sent before a close. 1 s.
    pub flush: Duration,
}

impl Default for TlsTimeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            connect: Duration::from_secs(10),
            stall: STALL_TIME,
            flush: FLUSH_TIME,
        }
    }
}
