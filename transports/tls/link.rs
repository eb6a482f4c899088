//! One link's task: requests in, chunks out, frames up; one pass over the three until none can go on.
//!
//! It shares the connection with the node's own turn (`outlet.rs`), which writes small things itself; whatever has to
//! wait, and everything that is read, is this task's. Reading stops while the node has no room. The ciphertext buffer is
//! shared by all links of a thread: a link between two reads holds only unfinished records and frames.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::cell::RefCell;
use std::io::{self, BufRead};
use std::sync::Arc;

use crosscast_port::DownReason;
use crosscast_transport::framing::FragmentReader;
use crosscast_transport::{Express, LinkPort, LinkRequest};
use crosscast_wire::{Lane, RawFrame};
use rustls::Connection;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{debug, trace};

use crate::config::TlsTimeouts;
use crate::establish::Channel;
use crate::outlet::{Outlet, Shared, Written};

/// Ciphertext read at once, in bytes: 15 TLS records.
const READ_MAX: usize = 256 * 1024;

/// Rounds of reading and writing before other tasks of the thread get a turn: about a millisecond.
const ROUNDS: usize = 4;

thread_local! {
    static CIPHERTEXT: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
}

/// Runs a link to its end.
pub(crate) async fn run(port: LinkPort, channel: Channel, timeouts: TlsTimeouts) {
    let mut link = Link::new(port, channel, timeouts);
    let reason = match link.first_frames() {
        Ok(()) => poll_fn(|cx| link.poll(cx)).await,
        Err(reason) => reason,
    };
    debug!(link = link.port.id().0, ?reason, "link down");
    link.port.down(reason);
}

struct Link {
    port: LinkPort,
    shared: Arc<Shared>,
    timeouts: TlsTimeouts,
    reader: FragmentReader,
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
    /// The last bytes and the end of the stream are written; the peer's end is awaited.
    Ended,
}

/// How far a step came.
type Step = Result<bool, DownReason>;

impl Link {
    fn new(port: LinkPort, channel: Channel, timeouts: TlsTimeouts) -> Self {
        let Channel { stream, connection, .. } = channel;
        let shared = Arc::new(Shared::new(stream, connection));
        let express: Arc<dyn Express> = Arc::clone(&shared) as _;
        port.set_express(Arc::downgrade(&express));
        let link = Self {
            port,
            shared,
            timeouts,
            reader: FragmentReader::new(),
            closing: Closing::No,
            timer: Box::pin(sleep_until(Instant::now())),
            deadline: None,
        };
        link.grant(&mut link.shared.lock());
        link
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<DownReason> {
        let shared = Arc::clone(&self.shared);
        // Held for the whole pass: what the task takes from its port is behind what waits before anyone else sends.
        let mut outlet = shared.lock();
        for _ in 0..ROUNDS {
            match self.round(&mut outlet, cx) {
                Ok(true) => {}
                Ok(false) => return self.poll_deadline(cx),
                Err(reason) => return Poll::Ready(reason),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn round(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Step {
        let asked = self.poll_requests(outlet, cx)?;
        let written = match self.poll_write(outlet, cx) {
            Ok(written) => written,
            Err(reason) => return Err(self.last_words(outlet, cx).unwrap_or(reason)),
        };
        let read = self.poll_read(outlet, cx)?;
        Ok(asked || written || read)
    }

    /// Reads what the peer sent before writing to it failed: an end in order, in the best case.
    fn last_words(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Option<DownReason> {
        loop {
            match self.poll_read(outlet, cx) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(reason) => return Some(reason),
            }
        }
    }

    fn poll_requests(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Step {
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
                        frames.into_iter().for_each(|frame| outlet.writer.push(frame));
                    }
                    // The traits say that there are no datagrams, and this is no carrier.
                    LinkRequest::Datagram(_) | LinkRequest::Judge(..) => {}
                    LinkRequest::Close => {
                        outlet.open = false;
                        self.closing = Closing::Flushing;
                        self.deadline = Some(after(self.timeouts.flush));
                    }
                }
                Ok(true)
            }
        }
    }

    /// Writes one chunk, or what is left of the last one.
    fn poll_write(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Step {
        if self.closing == Closing::No {
            self.grant(outlet);
            if self.deadline.is_none() && !outlet.is_empty() {
                self.deadline = Some(after(self.timeouts.stall));
            }
        }
        if !outlet.connection.wants_write() && !self.fill(outlet, cx)? {
            return Ok(false);
        }
        let before = outlet.taken();
        while outlet.write_chunk().map_err(|_| DownReason::Broken)? == Written::Full {
            // Registers for the moment when there is room again; it may have come meanwhile.
            match outlet.stream.poll_write_ready(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Err(DownReason::Broken),
            }
        }
        if !outlet.connection.wants_write() {
            self.note_gone(outlet);
        }
        let moved = outlet.taken() != before;
        if moved && self.closing == Closing::No {
            self.deadline = if outlet.is_empty() { None } else { Some(after(self.timeouts.stall)) };
        }
        Ok(moved)
    }

    /// Encrypts the next chunk; false when there is none, or no room for it.
    fn fill(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Step {
        if outlet.writer.is_empty() {
            outlet.idle();
            if self.closing == Closing::Flushing {
                self.closing = Closing::Ended;
                outlet.connection.send_close_notify();
                return Ok(outlet.connection.wants_write());
            }
            return Ok(false);
        }
        // Only now, with room in the kernel, is it decided what goes next.
        match outlet.stream.poll_write_ready(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Err(DownReason::Broken),
        }
        outlet.encrypt_chunk().map(|()| true).map_err(|_| DownReason::Broken)
    }

    /// The chunk is in the kernel: its bytes may be granted again.
    fn note_gone(&self, outlet: &mut Outlet) {
        match self.closing {
            Closing::No => self.grant(outlet),
            Closing::Flushing => {}
            Closing::Ended => {
                // The peer sees the end of the stream and ends its own side, which `poll_read` waits for.
                let _ = socket2::SockRef::from(&outlet.stream).shutdown(std::net::Shutdown::Write);
            }
        }
    }

    fn grant(&self, outlet: &mut Outlet) {
        for &lane in Lane::ALL {
            self.port.grant(lane, outlet.grants.take_due(lane));
        }
    }

    /// Reads once, when the node has room and the socket has bytes. A closing link reads only to see the peer's end.
    fn poll_read(&mut self, outlet: &mut Outlet, cx: &mut Context<'_>) -> Step {
        if self.closing == Closing::No {
            match self.port.poll_room(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Stopped),
                Poll::Ready(Ok(())) => {}
            }
        }
        let mut frames = Vec::new();
        let result = CIPHERTEXT.with_borrow_mut(|buffer| {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut outlet.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => None,
                Poll::Ready(Err(_)) => Some(Err(DownReason::Broken)),
                // A connection that ends without TLS's own end is broken.
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Some(Err(DownReason::Broken)),
                Poll::Ready(Ok(())) => {
                    Some(decrypt(&mut outlet.connection, &mut self.reader, buffer.filled(), &mut frames))
                }
            }
        });
        let Some(result) = result else { return Ok(false) };
        match (result, self.closing) {
            (Ok(()), Closing::No) => {
                self.port.frames(frames);
                Ok(true)
            }
            (Ok(()), Closing::Flushing | Closing::Ended) => Ok(true),
            (Err(reason), Closing::No) => {
                self.port.frames(frames);
                outlet.say_why();
                Err(reason)
            }
            (Err(_), Closing::Flushing | Closing::Ended) => Err(DownReason::Requested),
        }
    }

    /// Reports what came with the last bytes of the handshake.
    fn first_frames(&mut self) -> Result<(), DownReason> {
        let mut frames = Vec::new();
        let mut outlet = self.shared.lock();
        let result = decrypt(&mut outlet.connection, &mut self.reader, &[], &mut frames);
        self.port.frames(frames);
        result
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

/// Decrypts what was read and cuts it into frames.
fn decrypt(
    connection: &mut Connection,
    reader: &mut FragmentReader,
    mut ciphertext: &[u8],
    frames: &mut Vec<RawFrame>,
) -> Result<(), DownReason> {
    loop {
        drain(connection, reader, frames)?;
        if ciphertext.is_empty() {
            return Ok(());
        }
        if !matches!(connection.read_tls(&mut ciphertext), Ok(1..)) {
            return Err(DownReason::Broken);
        }
        if let Err(error) = connection.process_new_packets() {
            debug!(%error, "the peer broke TLS");
            return Err(DownReason::Broken);
        }
    }
}

fn drain(
    connection: &mut Connection,
    reader: &mut FragmentReader,
    frames: &mut Vec<RawFrame>,
) -> Result<(), DownReason> {
    let mut plaintext = connection.reader();
    loop {
        let bytes = match plaintext.fill_buf() {
            Ok([]) => return Err(DownReason::PeerClosed),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return Err(DownReason::Broken),
        };
        if let Err(error) = reader.push(bytes, frames) {
            debug!(%error, "the peer broke the framing");
            return Err(DownReason::Framing);
        }
        let consumed = bytes.len();
        plaintext.consume(consumed);
    }
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
