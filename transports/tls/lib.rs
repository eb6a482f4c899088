//! TLS 1.3 links over TCP and over QUIC, both sides authenticated by their NodeIds.
//!
//! A node's certificate is self-signed and its Ed25519 key is the NodeId (RFC 8410); names, dates and chains mean
//! nothing here. A peer is whoever proves that key in the handshake's CertificateVerify (RFC 8446, section 4.4.3). There
//! is no TLS 1.2, no resumption and no early data. Above the channel runs the framing of `crosscast-transport`; the hello
//! is the core's. [`Tls`] puts all lanes on one TCP connection, and its links keep what is queued in the kernel near ten
//! milliseconds' worth, so that urgent frames stay urgent on slow links. [`Quic`] gives each lane a stream of its own.

mod certificate;
mod config;
mod establish;
mod link;
mod outlet;
mod provider;
mod quic;
mod transport;
mod verify;

pub use config::{TlsConfig, TlsLimits, TlsTimeouts};
pub use provider::ALPN;
pub use quic::{Quic, QuicSockets};
pub use transport::Tls;
