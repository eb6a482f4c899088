//! Shaking hands on a fresh TCP connection: Noise XX, each side introducing itself.
//!
//! Each message travels behind its length (u16, big endian). No more is read than the longest message there may be, and
//! nothing behind the last: the link's records begin there. Both sides' deadlines are the caller's.

use aws_lc_rs::rand;
use crosscast_seal::noise::{Channel, Handshake, NoiseError, NoiseSecret, OVERHEADS};
use crosscast_transport::TransportError;
use crosscast_wire::Scheme;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tracing::debug;

use super::introduction::{INTRODUCTION_MAX, Introduction};

/// What both sides must mean alike: this protocol, this version, this network.
const PROLOGUE: &[u8] = b"crosscast overlay v1\0";

/// Longest payload of each message in bytes; the first goes in the clear and has none.
const PAYLOADS_MAX: [usize; 3] = [0, INTRODUCTION_MAX, INTRODUCTION_MAX];

/// How a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The connection ended before it was finished.
    Unfinished,
    /// The peer sent what no peer sends.
    Broken,
}

/// What this node shakes hands with.
#[derive(Debug)]
pub(super) struct Hand {
    secret: NoiseSecret,
    prologue: Vec<u8>,
}

/// A finished handshake.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) peer: Introduction,
    pub(super) channel: Channel,
}

impl Hand {
    /// Draws the key that this node has in all handshakes of this process.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub(super) fn new(scheme: Scheme) -> Result<Self, TransportError> {
        let no_randomness = || TransportError::System("no randomness".to_owned());
        let secret = NoiseSecret::new(random().ok_or_else(no_randomness)?);
        Ok(Self { secret, prologue: [PROLOGUE, scheme.word().as_bytes()].concat() })
    }

    /// Shakes hands as the listener; what it introduces itself as is asked for when it is needed.
    pub(super) async fn respond<S>(&self, stream: &mut S, own: &Introduction) -> Result<Met, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let seed = random().ok_or(Failure::Unfinished)?;
        let mut hands = Handshake::responder(&self.secret, &seed, &self.prologue).map_err(|_| Failure::Unfinished)?;
        receive(stream, &mut hands, 0).await?;
        send(stream, &mut hands, &own.to_bytes()).await?;
        let peer = introduction(&receive(stream, &mut hands, 2).await?)?;
        finish(hands, peer)
    }

    /// Shakes hands as the dialler. Before this node introduces itself it looks at the peer, and goes no further when
    /// `accept` says so.
    pub(super) async fn initiate<S, E>(
        &self,
        stream: &mut S,
        own: &Introduction,
        accept: impl FnOnce(&Introduction) -> Result<(), E>,
    ) -> Result<Met, E>
    where
        S: AsyncRead + AsyncWrite + Unpin,
        E: From<Failure>,
    {
        let seed = random().ok_or(Failure::Unfinished)?;
        let mut hands = Handshake::initiator(&self.secret, &seed, &self.prologue).map_err(|_| Failure::Unfinished)?;
        send(stream, &mut hands, &[]).await?;
        let peer = introduction(&receive(stream, &mut hands, 1).await?)?;
        accept(&peer)?;
        send(stream, &mut hands, &own.to_bytes()).await?;
        Ok(finish(hands, peer)?)
    }
}

fn finish(hands: Handshake, peer: Introduction) -> Result<Met, Failure> {
    Ok(Met { peer, channel: hands.finish().map_err(|_| Failure::Broken)? })
}

fn introduction(payload: &[u8]) -> Result<Introduction, Failure> {
    Introduction::parse(payload).map_err(|error| {
        debug!(%error, "the peer does not introduce itself");
        Failure::Broken
    })
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, hands: &mut Handshake, payload: &[u8]) -> Result<(), Failure> {
    let message = hands.write(payload).map_err(|error| failed(error, "no answer to what the peer sent"))?;
    let len = u16::try_from(message.len()).map_err(|_| Failure::Unfinished)?;
    let framed = [&len.to_be_bytes()[..], &message].concat();
    stream.write_all(&framed).await.map_err(|_| Failure::Unfinished)
}

/// Reads the message with this number; its length is believed only within what that message can have.
async fn receive<S: AsyncRead + Unpin>(
    stream: &mut S,
    hands: &mut Handshake,
    number: usize,
) -> Result<Vec<u8>, Failure> {
    let least = OVERHEADS.get(number).copied().unwrap_or_default();
    let most = least.saturating_add(PAYLOADS_MAX.get(number).copied().unwrap_or_default());
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.map_err(|_| Failure::Unfinished)?;
    let len = usize::from(u16::from_be_bytes(head));
    if !(least..=most).contains(&len) {
        debug!(len, number, "no handshake message has this length");
        return Err(Failure::Broken);
    }
    let mut message = vec![0; len];
    stream.read_exact(&mut message).await.map_err(|_| Failure::Unfinished)?;
    hands.read(&message).map_err(|error| failed(error, "the peer broke the handshake"))
}

fn failed(error: NoiseError, what: &str) -> Failure {
    debug!(%error, "{what}");
    Failure::Broken
}

fn random() -> Option<[u8; 32]> {
    let mut seed = [0; 32];
    rand::fill(&mut seed).ok().map(|()| seed)
}
