//! From a TCP connection to a channel: the handshake under its deadline, then the facts the core needs of it.
//!
//! rustls accepts a peer that names no protocol at all, so the ALPN answer is checked here, on both sides.

use core::time::Duration;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use crosscast_port::{DialError, DialId, LinkTraits, LinkUp, Role};
use crosscast_stream::address::reason;
use crosscast_wire::{Locator, NodeId, PathKind, Scheme};
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
