//! The task of a link over a stream of bytes: requests in, chunks out, frames up; one pass over the three until none can
//! go on.
//!
//! The caller has opened the link's port and reported it up; [`run`] or [`run_tcp`] drives it to its end and reports
//! that. What is between frames and bytes is a [`Codec`]: [`Plain`] where the stream is encrypted and authenticated
//! already, [`Noise`] where it is not. Reading stops while the node has no room.

mod codec;
mod inlet;
mod noise;
mod outlet;
mod pipe;

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crosscast_port::DownReason;
use crosscast_transport::{LinkPort, LinkRequest};
use crosscast_wire::Lane;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{debug, trace};

use self::inlet::Inlet;
use self::outlet::Outlet;
use self::pipe::{AnyStream, Pipe, Tcp};
use crate::Timeouts;

pub use self::codec::{Codec, Plain};
pub use self::noise::Noise;

/// Rounds of reading and writing before other tasks of the thread get a turn: about a millisecond.
const ROUNDS: usize = 4;

/// Runs a link over any stream to its end.
///
/// An end in order between two frames is down as [`DownReason::PeerClosed`], any other as [`DownReason::Broken`]. What
/// an end in order is, the codec says: for [`Plain`] the stream's own, for [`Noise`] the record that stands for it.
pub async fn run<S, C>(port: LinkPort, stream: S, codec: C, timeouts: Timeouts)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: Codec,
{
    drive(port, AnyStream(stream), codec, timeouts).await;
}

/// Runs a link over a TCP connection to its end, as [`run`], and keeps the kernel's queue short, so that what is urgent
/// overtakes what is not until the last moment.
pub async fn run_tcp<C: Codec>(port: LinkPort, stream: TcpStream, codec: C, timeouts: Timeouts) {
    drive(port, Tcp::new(stream), codec, timeouts).await;
}

async fn drive<P: Pipe, C: Codec>(port: LinkPort, pipe: P, codec: C, timeouts: Timeouts) {
    let mut link = Link::new(port, pipe, codec, timeouts);
    let reason = poll_fn(|cx| link.poll(cx)).await;
    debug!(link = link.port.id().0, ?reason, "link down");
    link.port.down(reason);
}

struct Link<P, C> {
    port: LinkPort,
    pipe: P,
    codec: C,
    timeouts: Timeouts,
    outlet: Outlet,
    inlet: Inlet,
    closing: Closing,
    timer: Pin<Box<Sleep>>,
    /// When the link gives up: flushing, or bytes that nobody takes.
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closing {
    No,
    /// What was sent before is being written.
    Flushing,
    /// What ends the stream is being written.
    Ending,
    /// All is written; the stream is being shut.
    Shutting,
    /// The peer's end is awaited.
    Ended,
}

/// How far a step came.
type Step = Result<bool, DownReason>;

impl<P: Pipe, C: Codec> Link<P, C> {
    fn new(port: LinkPort, mut pipe: P, codec: C, timeouts: Timeouts) -> Self {
        let outlet = Outlet::new(&mut pipe);
        let timer = Box::pin(sleep_until(Instant::now()));
        let mut link = Self {
            port,
            pipe,
            codec,
            timeouts,
            outlet,
            inlet: Inlet::default(),
            closing: Closing::No,
            timer,
            deadline: None,
        };
        link.grant();
        link
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        for _ in 0..ROUNDS {
            match self.round(cx) {
                Ok(true) => {}
                Ok(false) => return self.poll_deadline(cx),
                Err(reason) => return Poll::Ready(reason),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn round(&mut self, cx: &mut Context<'_>) -> Step {
        let asked = self.poll_requests(cx)?;
        let written = match self.poll_write(cx) {
            Ok(written) => written,
            Err(reason) => return Err(self.last_words(cx).unwrap_or(reason)),
        };
        let read = self.poll_read(cx)?;
        Ok(asked || written || read)
    }

    /// Reads what the peer sent before writing to it failed: an end in order, in the best case.
    fn last_words(&mut self, cx: &mut Context<'_>) -> Option<DownReason> {
        loop {
            match self.poll_read(cx) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(reason) => return Some(reason),
            }
        }
    }

    fn poll_requests(&mut self, cx: &mut Context<'_>) -> Step {
        if self.closing != Closing::No {
            return if self.port.is_closed() { Err(DownReason::Stopped) } else { Ok(false) };
        }
        match self.port.poll_next(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(None) => Err(DownReason::Stopped),
            Poll::Ready(Some(request)) => {
                match request {
                    LinkRequest::Send(frames) => {
                        trace!(link = self.port.id().0, frames = frames.len(), "send");
                        frames.into_iter().for_each(|frame| self.outlet.push(frame));
                    }
                    // The traits say that there are no datagrams, and this is no carrier.
                    LinkRequest::Datagram(_) | LinkRequest::Judge(..) => {}
                    LinkRequest::Close => {
                        self.closing = Closing::Flushing;
                        self.deadline = Some(after(self.timeouts.flush));
                    }
                }
                Ok(true)
            }
        }
    }

    /// Writes one chunk, or what is left of the last one.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Step {
        if self.closing == Closing::No {
            self.grant();
            if self.deadline.is_none() && !self.outlet.is_empty() {
                self.deadline = Some(after(self.timeouts.stall));
            }
        }
        if self.outlet.is_chunk_gone() && !self.outlet.fill(&mut self.pipe, &mut self.codec, cx)? {
            let flushed = self.outlet.flush(&mut self.pipe, cx)?;
            return if flushed && self.outlet.is_empty() { self.poll_end(cx) } else { Ok(false) };
        }
        let moved = self.outlet.write(&mut self.pipe, cx)? > 0;
        if self.closing == Closing::No && moved {
            self.grant();
            self.deadline = if self.outlet.is_empty() { None } else { Some(after(self.timeouts.stall)) };
        }
        Ok(moved)
    }

    /// Takes a closing link one step towards its end; everything before is in the stream.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Step {
        match self.closing {
            Closing::No | Closing::Ended => Ok(false),
            Closing::Flushing => {
                self.closing = Closing::Ending;
                self.outlet.fill_end(&mut self.pipe, &mut self.codec)?;
                self.outlet.write(&mut self.pipe, cx).map(|_| true)
            }
            Closing::Ending => {
                self.closing = Closing::Shutting;
                Ok(true)
            }
            Closing::Shutting => match Pin::new(&mut self.pipe).poll_shutdown(cx) {
                Poll::Pending => Ok(false),
                // The peer sees the end of the stream and ends its own side, which `poll_read` waits for.
                Poll::Ready(_) => {
                    self.closing = Closing::Ended;
                    Ok(true)
                }
            },
        }
    }

    fn grant(&mut self) {
        for &lane in Lane::ALL {
            self.port.grant(lane, self.outlet.grants.take_due(lane));
        }
    }

    /// Reads once, when the node has room and the stream has bytes. A closing link reads only to see the peer's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Step {
        let open = self.closing == Closing::No;
        if open {
            match self.port.poll_room(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Stopped),
                Poll::Ready(Ok(())) => {}
            }
        }
        let mut frames = Vec::new();
        let read = self.inlet.read(&mut self.pipe, &mut self.codec, &mut frames, cx);
        if open {
            self.port.frames(frames);
        }
        match read {
            Err(_) if !open => Err(DownReason::Requested),
            read => read,
        }
    }

    /// Ends the link when its deadline has passed. The timer is set anew only when it fires or would fire too late: the
    /// deadline moves with every chunk.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if self.timer.is_elapsed() || self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.timer.deadline() >= deadline {
                let stalled = self.closing == Closing::No;
                return Poll::Ready(if stalled { DownReason::Stalled } else { DownReason::Requested });
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
