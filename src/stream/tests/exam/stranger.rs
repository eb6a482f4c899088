//! Strangers: peers that shake hands by hand and say of themselves whatever a test wants.

use bytes::Bytes;
use crosscast_exam::transport::{Station, listening, tcp};
use crosscast_port::Report;
use crosscast_seal::noise::{Channel, Handshake, NoiseSecret};
use crosscast_stream::overlay::{HostKey, Introduction, Ownership};
use crosscast_wire::{Locator, NodeId, PeerFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::ON_LOOPBACK;
use crate::host::{host_secret, node_id};

pub(crate) const PROLOGUE: &[u8] = b"crosscast overlay v1\0ygg";

/// The NodeId of the strangers here.
pub(crate) const STRANGER: u8 = 77;

/// What a stranger says of itself, and how it begins.
pub(crate) struct Stranger {
    pub(crate) introduction: Vec<u8>,
    pub(crate) prologue: &'static [u8],
}

/// The key of a host node to which loopback belongs in a way.
pub(crate) fn host_key(ownership: Ownership) -> HostKey {
    host_secret(STRANGER, ownership).public()
}

impl Stranger {
    /// One that keeps every rule.
    pub(crate) fn polite() -> Self {
        Self::saying(Some(host_key(Ownership::Node)), None)
    }

    /// One with this host key and attestation.
    pub(crate) fn saying(key: Option<HostKey>, attestation: Option<Bytes>) -> Self {
        Self::raw(Introduction { node: node_id(STRANGER), key, attestation }.to_bytes())
    }

    /// One that introduces itself with these bytes.
    pub(crate) fn raw(introduction: Vec<u8>) -> Self {
        Self { introduction, prologue: PROLOGUE }
    }

    /// Shakes hands as the dialler; the handshake may look finished to it although the node then refuses.
    pub(crate) async fn dial(&self, at: &Locator) -> std::io::Result<(TcpStream, Channel)> {
        let mut stream = TcpStream::connect(at.host_port().unwrap()).await?;
        let mut hands = Handshake::initiator(&secret(1), &[3; 32], self.prologue).unwrap();
        send(&mut stream, &hands.write(b"").unwrap()).await?;
        let second = receive(&mut stream).await?;
        hands.read(&second).map_err(std::io::Error::other)?;
        send(&mut stream, &hands.write(&self.introduction).unwrap()).await?;
        Ok((stream, hands.finish().unwrap()))
    }

    /// Shakes hands as the listener, once; gives the locator at once.
    pub(crate) async fn serve(self) -> Locator {
        let (listener, at) = tcp::listener(&ON_LOOPBACK).await;
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hands = Handshake::responder(&secret(2), &[4; 32], self.prologue).unwrap();
            let Ok(first) = receive(&mut stream).await else { return };
            hands.read(&first).unwrap();
            let _ = send(&mut stream, &hands.write(&self.introduction).unwrap()).await;
            if receive(&mut stream).await.is_ok() {
                std::future::pending::<()>().await;
            }
        });
        at
    }
}

fn secret(byte: u8) -> NoiseSecret {
    NoiseSecret::new([byte; 32])
}

pub(crate) async fn send(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<()> {
    let len = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&len[..], message].concat()).await
}

pub(crate) async fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

/// A listening node.
pub(crate) async fn victim() -> (Station, Locator) {
    listening(&ON_LOOPBACK).await
}

/// The next refusal that a node reports.
pub(crate) async fn refusal(station: &mut Station) -> PeerFault {
    station
        .until(|report| match report {
            Report::Refused { scheme, from, fault } => {
                assert_eq!((from.scheme(), from.node()), (*scheme, None));
                assert_eq!(from.host_port().unwrap().0, "::1");
                Some(*fault)
            }
            _ => None,
        })
        .await
}

/// A polite stranger gets a link.
pub(crate) async fn is_well(station: &mut Station, at: &Locator) {
    let polite = Stranger::polite();
    let (stream, (link, up)) = tokio::join!(polite.dial(at), station.accept());
    assert_eq!(up.peer, Some(node_id(STRANGER)));
    drop(stream.unwrap());
    station.down(link).await;
}

/// What becomes of a stranger that dials and of one that is dialled.
pub(crate) async fn both_ways(make: impl Fn() -> Stranger) -> (Result<NodeId, PeerFault>, Result<NodeId, PeerFault>) {
    let (mut station, at) = victim().await;
    let stream = make().dial(&at).await;
    let dialled = station
        .until(|report| match report {
            Report::Refused { fault, .. } => Some(Err(*fault)),
            Report::Up { up, .. } => Some(Ok(up.peer.unwrap())),
            _ => None,
        })
        .await;
    if dialled.is_err() {
        is_well(&mut station, &at).await;
    }
    drop(stream);
    let served = match station.dial(make().serve().await).await {
        Ok((_, up)) => Ok(up.peer.unwrap()),
        Err(crosscast_port::DialError::Refused(fault)) => Err(fault),
        Err(other) => panic!("{other:?}"),
    };
    (dialled, served)
}
