//! One link's task: requests in, chunks out, frames up; one pass over the three until none can go on.
//!
//! A chunk is chosen, encrypted and written only when the one before it is wholly in the kernel, so frames stay in
//! their lanes, where they can be overtaken, until the last moment. Reading stops while the node has no room. The
//! ciphertext buffer is shared by all links of a thread: a link between two reads holds only unfinished records and
//! frames.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::cell::RefCell;
use std::io::{self, BufRead, IoSlice, Write};

use bytes::Bytes;
use crosscast_port::DownReason;
use crosscast_transport::framing::{FragmentReader, FragmentWriter};
use crosscast_transport::{Grants, LinkPort, LinkRequest, PerLane};
use crosscast_wire::{Lane, RawFrame};
use rustls::Connection;
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{debug, trace};

use crate::config::TlsTimeouts;
use crate::establish::Channel;
use crate::pace::{CHUNK_MAX, Pace};
use crate::socket::{Outlet, bound_unsent, prepare};

/// Ciphertext read at once, in bytes: 15 TLS records.
const READ_MAX: usize = 256 * 1024;

/// Rounds of reading and writing before other tasks of the thread get a turn: about a millisecond.
const ROUNDS: usize = 4;

/// What rustls may hold encrypted: one chunk and its records' overhead, and a key update.
const HELD_MAX: usize = CHUNK_MAX + 64 * 1024;

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
    stream: TcpStream,
    connection: Connection,
    timeouts: TlsTimeouts,
    writer: FragmentWriter,
    reader: FragmentReader,
    grants: Grants,
    pace: Pace,
    pieces: Vec<Bytes>,
    /// Body bytes of the chunk that is on its way into the kernel.
    leaving: PerLane<usize>,
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
        let Channel { stream, mut connection, .. } = channel;
        prepare(&stream);
        connection.set_buffer_limit(Some(HELD_MAX));
        let pace = Pace::default();
        bound_unsent(&stream, pace.unsent());
        let mut link = Self {
            port,
            stream,
            connection,
            timeouts,
            writer: FragmentWriter::new(),
            reader: FragmentReader::new(),
            grants: Grants::default(),
            pace,
            pieces: Vec::new(),
            leaving: PerLane::default(),
            closing: Closing::No,
            timer: Box::pin(sleep_until(Instant::now())),
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
                        frames.into_iter().for_each(|frame| self.writer.push(frame));
                        let stall = after(self.timeouts.stall);
                        self.deadline.get_or_insert(stall);
                    }
                    // The traits say that there are no datagrams.
                    LinkRequest::Datagram(_) => {}
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
        if !self.connection.wants_write() && !self.fill(cx)? {
            return Ok(false);
        }
        let mut moved = false;
        while self.connection.wants_write() {
            let mut outlet = Outlet { stream: &self.stream, chunk: self.pace.chunk() };
            match self.connection.write_tls(&mut outlet) {
                Ok(0) => return Err(DownReason::Broken),
                Ok(bytes) => {
                    moved = true;
                    self.pace.took(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.note_full();
                    // Registers for the moment when there is room again; it may have come meanwhile.
                    match self.stream.poll_write_ready(cx) {
                        Poll::Pending => break,
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Err(DownReason::Broken),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(DownReason::Broken),
            }
        }
        if !self.connection.wants_write() {
            self.note_gone();
        }
        if moved && self.closing == Closing::No {
            let waiting = self.connection.wants_write() || !self.writer.is_empty();
            self.deadline = waiting.then(|| after(self.timeouts.stall));
        }
        Ok(moved)
    }

    /// Encrypts the next chunk; false when there is none, or no room for it.
    fn fill(&mut self, cx: &mut Context<'_>) -> Step {
        if self.writer.is_empty() {
            self.pace.idle();
            if self.closing == Closing::Flushing {
                self.closing = Closing::Ended;
                self.connection.send_close_notify();
                return Ok(self.connection.wants_write());
            }
            return Ok(false);
        }
        // Only now, with room in the kernel, is it decided what goes next.
        match self.stream.poll_write_ready(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Err(DownReason::Broken),
        }
        self.leaving = self.writer.take(self.pace.chunk(), &mut self.pieces);
        let encrypted = encrypt(&mut self.connection, &self.pieces);
        self.pieces.clear();
        encrypted.map(|()| true).map_err(|_| DownReason::Broken)
    }

    fn note_full(&mut self) {
        let before = self.pace.unsent();
        if self.pace.full(std::time::Instant::now()) {
            let unsent = self.pace.unsent();
            // A small change is not worth a system call.
            if unsent.abs_diff(before) > before / 8 {
                bound_unsent(&self.stream, unsent);
            }
            self.grants.set_data_target(u32::try_from(self.pace.grant()).unwrap_or(u32::MAX));
        }
    }

    /// The chunk is in the kernel: its bytes may be granted again.
    fn note_gone(&mut self) {
        let leaving = core::mem::take(&mut self.leaving);
        for &lane in Lane::ALL {
            self.grants.left(lane, *leaving.get(lane));
        }
        if self.closing == Closing::No {
            self.grant();
        }
        if self.closing == Closing::Ended {
            // The peer sees the end of the stream and ends its own side, which `poll_read` waits for.
            let _ = socket2::SockRef::from(&self.stream).shutdown(std::net::Shutdown::Write);
        }
    }

    fn grant(&mut self) {
        for &lane in Lane::ALL {
            self.port.grant(lane, self.grants.take_due(lane));
        }
    }

    /// Reads once, when the node has room and the socket has bytes. A closing link reads only to see the peer's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Step {
        if self.closing == Closing::No {
            match self.port.poll_room(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Stopped),
                Poll::Ready(Ok(())) => {}
            }
        }
        let mut frames = Vec::new();
        let result = loop {
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => break Err(DownReason::Broken),
                Poll::Ready(Ok(())) => {}
            }
            let read = CIPHERTEXT.with_borrow_mut(|buffer| {
                let bytes = self.stream.try_read(buffer)?;
                let ciphertext = buffer.get(..bytes).unwrap_or_default();
                // A connection that ends without TLS's own end is broken.
                let end = if bytes == 0 { Err(DownReason::Broken) } else { Ok(()) };
                Ok(end.and_then(|()| decrypt(&mut self.connection, &mut self.reader, ciphertext, &mut frames)))
            });
            match read {
                Ok(result) => break result,
                Err(error) if is_passing(&error) => {}
                Err(_) => break Err(DownReason::Broken),
            }
        };
        match (result, self.closing) {
            (Ok(()), Closing::No) => {
                self.port.frames(frames);
                Ok(true)
            }
            (Ok(()), Closing::Flushing | Closing::Ended) => Ok(true),
            (Err(reason), Closing::No) => {
                self.port.frames(frames);
                self.say_why();
                Err(reason)
            }
            (Err(_), Closing::Flushing | Closing::Ended) => Err(DownReason::Requested),
        }
    }

    /// Reports what came with the last bytes of the handshake.
    fn first_frames(&mut self) -> Result<(), DownReason> {
        let mut frames = Vec::new();
        let result = decrypt(&mut self.connection, &mut self.reader, &[], &mut frames);
        self.port.frames(frames);
        result
    }

    /// Tries to write the alert that rustls has prepared for a peer that broke the rules.
    fn say_why(&mut self) {
        let mut outlet = Outlet { stream: &self.stream, chunk: CHUNK_MAX };
        while self.connection.wants_write() {
            if !matches!(self.connection.write_tls(&mut outlet), Ok(1..)) {
                return;
            }
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

/// Gives all pieces to rustls, which encrypts them into records without joining them first.
fn encrypt(connection: &mut Connection, pieces: &[Bytes]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        // Less than everything is taken when a key update falls due.
        let taken = connection.writer().write_vectored(rest)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut rest, taken);
    }
    Ok(())
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

/// Whether an error only says to try again later.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
