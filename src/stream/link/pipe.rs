//! A stream as the task of a link sees it: bytes both ways, and what a socket can do beyond that.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, Write as _};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pace::CHUNK_MAX;
use crate::socket::{Socket, bound_unsent, prepare};

/// Bytes both ways.
pub(crate) trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {
    /// Ready when a write would find room, as far as that can be known: only then is it decided what goes next.
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bounds what waits in the stream for its first transmission, where it can.
    fn bound_unsent(&mut self, bytes: usize);

    /// Says how long the chunk is whose bytes are written next, and whether another follows at once.
    fn begin_chunk(&mut self, bytes: usize, more: bool);
}

/// Any stream: it says that it is full by not taking bytes.
#[derive(Debug)]
pub(crate) struct AnyStream<S>(pub(crate) S);

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Pipe for AnyStream<S> {
    fn poll_writable(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn bound_unsent(&mut self, _bytes: usize) {}

    fn begin_chunk(&mut self, _bytes: usize, _more: bool) {}
}

impl<S: AsyncRead + Unpin> AsyncRead for AnyStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AnyStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A TCP connection whose queue in the kernel is kept short.
#[derive(Debug)]
pub(crate) struct Tcp {
    stream: TcpStream,
    chunk: usize,
    more: bool,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        prepare(&stream);
        Self { stream, chunk: CHUNK_MAX, more: false }
    }
}

impl Pipe for Tcp {
    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.poll_write_ready(cx)
    }

    fn bound_unsent(&mut self, bytes: usize) {
        bound_unsent(&self.stream, bytes);
    }

    fn begin_chunk(&mut self, bytes: usize, more: bool) {
        (self.chunk, self.more) = (bytes, more);
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut socket = Socket { stream: &self.stream, chunk: self.chunk, more: self.more };
        loop {
            match socket.write(bytes) {
                // Registers for the moment when there is room again; it may have come meanwhile.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => match self.stream.poll_write_ready(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                },
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
