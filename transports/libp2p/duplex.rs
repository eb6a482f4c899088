//! A stream of the swarm as tokio reads and writes it, and its two kinds of end told apart.
//!
//! Yamux ends a stream in the same way whether the peer has closed it or the connection under it is gone. The difference
//! shows in writing: what the peer has closed can still be written to.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use libp2p::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream of the swarm.
#[derive(Debug)]
pub(crate) struct Duplex {
    stream: Stream,
    /// Whether this side has closed its half; then nothing can be learned from writing.
    closed: bool,
}

impl Duplex {
    pub(crate) const fn new(stream: Stream) -> Self {
        Self { stream, closed: false }
    }

    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.stream)
    }
}

impl AsyncRead for Duplex {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.initialize_unfilled();
        let wanted = !room.is_empty();
        let read = ready!(self.stream().poll_read(cx, room))?;
        if read == 0
            && wanted
            && !self.closed
            && let Poll::Ready(Err(error)) = self.stream().poll_write(cx, &[])
        {
            return Poll::Ready(Err(error));
        }
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream().poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.closed = true;
        self.stream().poll_close(cx)
    }
}
