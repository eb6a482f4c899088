//! How connections end: what a side says, and what is made of what the peer or the network did.
//!
//! The codes are part of the format (`docs/spec/frames.md`). Only `Done` says that nothing was lost.

use crosscast_port::DownReason;
use quinn::{Connection, ConnectionError, ReadError, VarInt, WriteError};
use tracing::debug;

use super::lane::Fault;

/// Why a side ends a connection, as QUIC's application error code; what an unknown one says is `Gone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// It stopped, or gave up, without an order of things.
    Gone,
    /// Everything was sent and read.
    Done,
    /// The peer broke the framing.
    Breach,
    /// It has no place for another link.
    Full,
}

impl Farewell {
    const fn code(self) -> VarInt {
        VarInt::from_u32(match self {
            Self::Gone => 0,
            Self::Done => 1,
            Self::Breach => 2,
            Self::Full => 3,
        })
    }

    pub(super) fn say(self, connection: &Connection) {
        connection.close(self.code(), &[]);
    }
}

/// A connection that ends when its link does, before its streams are dropped: a dropped stream is ended as if in order.
pub(super) struct Tie(pub(super) Connection);

impl Drop for Tie {
    fn drop(&mut self) {
        // The first farewell is the one that counts.
        Farewell::Gone.say(&self.0);
    }
}

/// How a link ends whose connection was lost.
pub(super) fn lost(error: &ConnectionError) -> DownReason {
    debug!(%error, "connection lost");
    match error {
        ConnectionError::ApplicationClosed(close) if close.error_code == Farewell::Done.code() => {
            DownReason::PeerClosed
        }
        ConnectionError::LocallyClosed => DownReason::Stopped,
        ConnectionError::ApplicationClosed(_)
        | ConnectionError::ConnectionClosed(_)
        | ConnectionError::TransportError(_)
        | ConnectionError::VersionMismatch
        | ConnectionError::Reset
        | ConnectionError::TimedOut
        | ConnectionError::CidsExhausted => DownReason::Broken,
    }
}

pub(super) fn write_fault(error: &WriteError) -> DownReason {
    match error {
        WriteError::ConnectionLost(error) => lost(error),
        WriteError::Stopped(_) | WriteError::ClosedStream | WriteError::ZeroRttRejected => DownReason::Broken,
    }
}

/// The reason of a lane's fault; a breach of the framing by any lane counts above all others.
pub(super) fn read_fault(fault: &Fault, before: Option<DownReason>) -> DownReason {
    let reason = match fault {
        Fault::Framing(error) => {
            debug!(%error, "the peer broke the framing");
            DownReason::Framing
        }
        Fault::Stream(ReadError::ConnectionLost(error)) => lost(error),
        Fault::Stream(
            ReadError::Reset(_) | ReadError::ClosedStream | ReadError::IllegalOrderedRead | ReadError::ZeroRttRejected,
        ) => DownReason::Broken,
    };
    if before == Some(DownReason::Framing) { DownReason::Framing } else { reason }
}
