//! From a QUIC connection to a channel: the handshake under its deadline, the lanes' streams, and what the core is told.
//!
//! The streams are opened before the link is up, which sends nothing: a peer that allows too few of them is no peer.

use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;
use crosscast_port::{DialError, DialId, LinkTraits, LinkUp, Role};
use crosscast_stream::address::reason;
use crosscast_transport::PerLane;
use crosscast_wire::{Lane, Locator, NodeId, PathKind, Scheme};
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connecting, Connection, ConnectionError, SendStream, TransportErrorCode};
use rustls::pki_types::CertificateDer;
use tokio::time::timeout;
use tracing::debug;

use crate::certificate::node_id;
use crate::provider::{ALPN, EXPORTER};

/// The priority of lane control's stream; the data lanes' is 0, so they share what control leaves packet by packet.
const CONTROL_FIRST: i32 = 1;

/// A finished handshake with a stream for each lane.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) connection: Connection,
    pub(super) out: PerLane<SendStream>,
    peer: NodeId,
    binding: [u8; 32],
    address: SocketAddr,
}

/// Finishes a handshake that either side began.
pub(super) async fn finish(connecting: Connecting, within: Duration) -> Result<Channel, DialError> {
    match timeout(within, Box::pin(channel(connecting))).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(Some(error))) => {
            debug!(%error, "handshake failed");
            Err(judge(&error))
        }
        Ok(Err(None)) => Err(DialError::Handshake),
        Err(_) => {
            debug!("handshake took too long");
            Err(DialError::Timeout)
        }
    }
}

/// The error is the connection's, or none when the peer did not show what it must.
async fn channel(connecting: Connecting) -> Result<Channel, Option<ConnectionError>> {
    let connection = connecting.await?;
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    if data.and_then(|data| data.protocol).as_deref() != Some(ALPN) {
        return Err(None);
    }
    let chain = connection.peer_identity().and_then(|chain| chain.downcast::<Vec<CertificateDer<'static>>>().ok());
    let peer = chain.and_then(|chain| node_id(chain.first()?).ok()).ok_or(None)?;
    let mut binding = [0; 32];
    connection.export_keying_material(&mut binding, EXPORTER, &[]).map_err(|_| None)?;
    // Waits for ever where the peer allows fewer streams than there are lanes; the deadline ends that.
    let out = PerLane {
        control: connection.open_uni().await?,
        urgent: connection.open_uni().await?,
        normal: connection.open_uni().await?,
        bulk: connection.open_uni().await?,
    };
    out.get(Lane::Control).set_priority(CONTROL_FIRST).map_err(|_| None)?;
    let address = connection.remote_address();
    Ok(Channel { connection, out, peer, binding, address })
}

/// Who is to blame for a handshake that failed.
fn judge(error: &ConnectionError) -> DialError {
    match error {
        ConnectionError::TimedOut => DialError::Timeout,
        ConnectionError::Reset | ConnectionError::LocallyClosed => DialError::Unreachable,
        ConnectionError::ConnectionClosed(close) if close.error_code == TransportErrorCode::CONNECTION_REFUSED => {
            DialError::Unreachable
        }
        ConnectionError::ConnectionClosed(_)
        | ConnectionError::ApplicationClosed(_)
        | ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch => DialError::Handshake,
        ConnectionError::CidsExhausted => DialError::Full,
    }
}

impl Channel {
    /// What the core is told of the link.
    pub(super) fn link_up(&self, dial: Option<DialId>, locator: Locator) -> LinkUp {
        // The path may later turn out to take more; less than at first it never takes.
        let mtu = self.connection.max_datagram_size().and_then(|most| u32::try_from(most).ok()).unwrap_or(0);
        LinkUp {
            scheme: Scheme::Quic,
            role: if dial.is_some() { Role::Dialer } else { Role::Listener },
            dial,
            locator,
            peer: Some(self.peer),
            binding: Bytes::copy_from_slice(&self.binding),
            traits: LinkTraits { mtu, datagrams: mtu > 0, ..LinkTraits::STREAM },
            path: PathKind::Direct,
            reason: reason(self.address.ip().to_canonical()),
            rendezvous: None,
        }
    }
}
