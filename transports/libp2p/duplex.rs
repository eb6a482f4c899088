//! A stream of the swarm as tokio reads and writes it, and slower over a circuit.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::io::{AsyncRead as _, AsyncWrite as _};
use libp2p::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use crate::circuit::Budget;

/// A stream of the swarm.
#[derive(Debug)]
pub(crate) struct Duplex {
    stream: Stream,
    /// What limits writing, over a circuit.
    budget: Option<Arc<Budget>>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Duplex {
    pub(crate) const fn new(stream: Stream, budget: Option<Arc<Budget>>) -> Self {
        Self { stream, budget, pause: None }
    }

    fn stream(&mut self) -> Pin<&mut Stream> {
        Pin::new(&mut self.stream)
    }

    /// Writes as much as the circuit may carry now.
    fn poll_write_within(&mut self, budget: &Budget, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            if let Some(pause) = &mut self.pause {
                ready!(pause.as_mut().poll(cx));
                self.pause = None;
            }
            let allowed = match budget.take(bytes.len(), Instant::now()) {
                Ok(allowed) => allowed,
                Err(pause) => {
                    self.pause = Some(Box::pin(sleep(pause)));
                    continue;
                }
            };
            let written = self.stream().poll_write(cx, bytes.get(..allowed).unwrap_or_default());
            let used = match &written {
                Poll::Ready(Ok(written)) => *written,
                Poll::Ready(Err(_)) | Poll::Pending => 0,
            };
            budget.give_back(allowed.saturating_sub(used));
            return written;
        }
    }
}

impl AsyncRead for Duplex {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(self.stream().poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.budget.clone() {
            Some(budget) if !bytes.is_empty() => self.poll_write_within(&budget, cx, bytes),
            Some(_) | None => self.stream().poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_close(cx)
    }
}
