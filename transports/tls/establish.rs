//! From a TCP connection to a channel: the handshake under its deadline, then the facts the core needs of it.
//!
//! rustls accepts a peer that names no protocol at all, so the ALPN answer is checked here, on both sides.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crosscast_port::{DialError, DialId, LinkTraits, LinkUp, Role};
use crosscast_wire::{Locator, NodeId, PathKind, PathReason, Scheme};
use rustls::Connection;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tracing::debug;

use crate::certificate::node_id;
use crate::provider::{ALPN, Setup, binding};

/// A finished handshake.
#[derive(Debug)]
pub(crate) struct Channel {
    pub(crate) stream: TcpStream,
    pub(crate) connection: Connection,
    pub(crate) peer: NodeId,
    pub(crate) binding: [u8; 32],
    pub(crate) address: IpAddr,
}

/// Shakes hands as the listener; `None` when the peer did not come through.
pub(crate) async fn accept(setup: &Setup, stream: TcpStream, within: Duration) -> Option<Channel> {
    let accepting = TlsAcceptor::from(setup.server()).accept(stream);
    match timeout(within, Box::pin(accepting)).await {
        Ok(Ok(done)) => {
            let (stream, connection) = done.into_inner();
            finish(stream, Connection::Server(connection))
        }
        Ok(Err(error)) => {
            debug!(%error, "inbound handshake failed");
            None
        }
        Err(_) => {
            debug!("inbound handshake took too long");
            None
        }
    }
}

/// Shakes hands as the dialler.
pub(crate) async fn connect(
    setup: &Setup,
    stream: TcpStream,
    expected: Option<NodeId>,
    within: Duration,
) -> Result<Channel, DialError> {
    let verifier = setup.verifier(expected);
    let client = setup.client(Arc::clone(&verifier)).map_err(|_| DialError::Handshake)?;
    // Names mean nothing here; an address as the name keeps the name out of the ClientHello.
    let name = ServerName::IpAddress(IpAddr::from([0, 0, 0, 0]).into());
    let connecting = TlsConnector::from(client).connect(name, stream);
    let channel = match timeout(within, Box::pin(connecting)).await {
        Ok(Ok(done)) => {
            let (stream, connection) = done.into_inner();
            finish(stream, Connection::Client(connection))
        }
        Ok(Err(error)) => {
            debug!(%error, "outbound handshake failed");
            None
        }
        Err(_) => None,
    };
    match verifier.wrong_key() {
        Some((expected, actual)) => Err(DialError::WrongKey { expected, actual }),
        None => channel.ok_or(DialError::Handshake),
    }
}

fn finish(stream: TcpStream, connection: Connection) -> Option<Channel> {
    if connection.alpn_protocol() != Some(ALPN) {
        debug!("the peer did not name our protocol");
        return None;
    }
    let peer = node_id(connection.peer_certificates()?.first()?).ok()?;
    let binding = binding(&connection).ok()?;
    let address = stream.peer_addr().ok()?.ip().to_canonical();
    Some(Channel { stream, connection, peer, binding, address })
}

impl Channel {
    /// What the core is told of the link.
    pub(crate) fn link_up(&self, dial: Option<DialId>, locator: Locator) -> LinkUp {
        LinkUp {
            scheme: Scheme::Tls,
            role: if dial.is_some() { Role::Dialer } else { Role::Listener },
            dial,
            locator,
            peer: Some(self.peer),
            binding: Bytes::copy_from_slice(&self.binding),
            traits: LinkTraits::STREAM,
            path: PathKind::Direct,
            reason: reason(self.address),
            rendezvous: None,
        }
    }
}

/// Why an address is reached the way it is: by what kind of address it is.
pub(crate) fn reason(address: IpAddr) -> PathReason {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // RFC 6598: the inside of a carrier's network.
            let shared = a == 100 && b & 0xc0 == 64;
            if v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared {
                PathReason::Lan
            } else {
                PathReason::PublicV4
            }
        }
        IpAddr::V6(v6) => {
            let [a, ..] = v6.octets();
            // Yggdrasil's 200::/7 and cjdns's fc00::/8: the address is made from a key.
            if a & 0xfe == 0x02 || a == 0xfc {
                PathReason::Overlay
            } else if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() {
                PathReason::Lan
            } else {
                PathReason::PublicV6
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn an_address_says_why_it_is_reached_directly() {
        for (address, expected) in [
            ("127.0.0.1", PathReason::Lan),
            ("10.1.2.3", PathReason::Lan),
            ("100.64.0.1", PathReason::Lan),
            ("169.254.1.1", PathReason::Lan),
            ("100.128.0.1", PathReason::PublicV4),
            ("192.0.2.1", PathReason::PublicV4),
            ("::1", PathReason::Lan),
            ("fe80::1", PathReason::Lan),
            ("fd00::1", PathReason::Lan),
            ("fc00::1", PathReason::Overlay),
            ("200::1", PathReason::Overlay),
            ("301:2::1", PathReason::Overlay),
            ("2001:db8::1", PathReason::PublicV6),
        ] {
            assert_eq!(reason(address.parse().unwrap()), expected, "{address}");
        }
    }
}
