//! One link's task: requests in, lanes out and in, datagrams both ways; one pass over them until none can go on.
//!
//! Reading stops while the node has no room; then the streams' windows stop the peer. A close ends all four streams and
//! waits until the peer has read them; the peer then ends the connection, since only who was last sent something knows
//! that it came.

use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use bytes::Bytes;
use crosscast_port::DownReason;
use crosscast_transport::{BoxFuture, Grants, LinkPort, LinkRequest, PerLane};
use crosscast_wire::{FrameType, Lane, RawFrame};
use quinn::{Connection, ConnectionError, RecvStream};
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::{debug, trace};

use super::end::{Farewell, Tie, lost, read_fault, write_fault};
use super::establish::Channel;
use super::lane::{LaneIn, LaneOut};
use crate::config::TlsTimeouts;

/// Rounds of reading and writing before other tasks of the thread get a turn.
const ROUNDS: usize = 4;

/// Datagrams handed up in one round.
const DATAGRAMS: usize = 64;

/// Runs a link to its end.
pub(super) async fn run(port: LinkPort, channel: Channel, timeouts: TlsTimeouts) {
    let mut link = Link::new(port, channel, timeouts);
    let reason = poll_fn(|cx| link.poll(cx)).await;
    link.farewell(reason).say(&link.connection.0);
    debug!(link = link.port.id().0, ?reason, "link down");
    link.port.down(reason);
}

struct Link {
    port: LinkPort,
    /// Dropped before the lanes.
    connection: Tie,
    timeouts: TlsTimeouts,
    out: PerLane<LaneOut>,
    inn: PerLane<LaneIn>,
    /// The next stream of the peer; none when all are there or none can come.
    streams: Option<BoxFuture<'static, Result<RecvStream, ConnectionError>>>,
    /// The next datagram; none when none can come.
    datagrams: Option<BoxFuture<'static, Result<Bytes, ConnectionError>>>,
    grants: Grants,
    /// Frames that were asked to be sent on lane control, up to the last, and up to the last that data may build on.
    control_out: u64,
    control_basis: u64,
    /// Frames that came on lane control.
    control_in: u64,
    closing: Closing,
    timer: Pin<Box<Sleep>>,
    /// When the link gives up: flushing, or bytes that nobody takes.
    deadline: Option<Instant>,
}

enum Closing {
    No,
    /// What was sent before is being written.
    Flushing,
    /// The streams are ended; ready when the peer has all of it.
    Ended(BoxFuture<'static, ()>),
    /// The peer has all of it, or ended the connection in order.
    Delivered,
}

impl Closing {
    const fn is_no(&self) -> bool {
        matches!(self, Self::No)
    }
}

/// How far a step came.
type Step = Result<bool, DownReason>;

impl Link {
    fn new(port: LinkPort, channel: Channel, timeouts: TlsTimeouts) -> Self {
        let Channel { connection, out: PerLane { control, urgent, normal, bulk }, .. } = channel;
        let mut link = Self {
            port,
            timeouts,
            out: PerLane {
                control: LaneOut::new(Lane::Control, control),
                urgent: LaneOut::new(Lane::Urgent, urgent),
                normal: LaneOut::new(Lane::Normal, normal),
                bulk: LaneOut::new(Lane::Bulk, bulk),
            },
            inn: PerLane {
                control: LaneIn::new(Lane::Control),
                urgent: LaneIn::new(Lane::Urgent),
                normal: LaneIn::new(Lane::Normal),
                bulk: LaneIn::new(Lane::Bulk),
            },
            streams: Some(next_stream(&connection)),
            datagrams: Some(next_datagram(&connection)),
            connection: Tie(connection),
            grants: Grants::default(),
            control_out: 0,
            control_basis: 0,
            control_in: 0,
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
        if !self.closing.is_no() {
            return if self.port.is_closed() { Err(DownReason::Stopped) } else { Ok(false) };
        }
        match self.port.poll_next(cx) {
            Poll::Pending => Ok(false),
            Poll::Ready(None) => Err(DownReason::Stopped),
            Poll::Ready(Some(request)) => {
                match request {
                    LinkRequest::Send(frames) => self.send(frames),
                    LinkRequest::Datagram(bytes) => {
                        // Too long for the path, or the connection is gone: lost, as datagrams may be.
                        if let Err(error) = self.connection.0.send_datagram(bytes) {
                            trace!(link = self.port.id().0, %error, "datagram lost");
                        }
                    }
                    // This is no carrier.
                    LinkRequest::Judge(..) => {}
                    LinkRequest::Close => {
                        self.closing = Closing::Flushing;
                        self.deadline = Some(after(self.timeouts.flush));
                    }
                }
                Ok(true)
            }
        }
    }

    fn send(&mut self, frames: Vec<RawFrame>) {
        trace!(link = self.port.id().0, frames = frames.len(), "send");
        // Control goes first, as it would on one stream.
        let (control, data): (Vec<_>, Vec<_>) = frames.into_iter().partition(|frame| frame.lane == Lane::Control);
        for frame in control {
            self.control_out = self.control_out.saturating_add(1);
            if !looks_back(frame.frame_type) {
                self.control_basis = self.control_out;
            }
            self.out.control.push(frame, 0);
        }
        for frame in data {
            self.out.get_mut(frame.lane).push(frame, self.control_basis);
        }
        let stall = after(self.timeouts.stall);
        self.deadline.get_or_insert(stall);
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Step {
        let mut moved = false;
        for &lane in Lane::ALL {
            let written = self.out.get_mut(lane).write(cx).map_err(|error| write_fault(&error))?;
            moved |= written.moved;
            if written.left > 0 {
                self.grants.left(lane, written.left);
            }
        }
        let waiting = Lane::ALL.iter().any(|&lane| !self.out.get(lane).is_empty());
        if self.closing.is_no() {
            self.grant();
            if moved {
                self.deadline = waiting.then(|| after(self.timeouts.stall));
            }
        } else if !waiting && matches!(self.closing, Closing::Flushing) {
            self.end_streams();
            return Ok(true);
        }
        Ok(moved)
    }

    fn end_streams(&mut self) {
        let ends: Vec<_> = Lane::ALL.iter().map(|&lane| self.out.get_mut(lane).finish()).collect();
        self.closing = Closing::Ended(Box::pin(async move {
            for end in ends {
                // A connection that is lost ends the link by itself.
                let _ = end.await;
            }
        }));
    }

    fn grant(&mut self) {
        for &lane in Lane::ALL {
            self.port.grant(lane, self.grants.take_due(lane));
        }
    }

    /// Reads each lane once, when the node has room, control first. A closing link reads only to see the peer's end.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Step {
        if self.closing.is_no() {
            match self.port.poll_room(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Stopped),
                Poll::Ready(Ok(())) => {}
            }
        }
        let mut fault = None;
        let mut moved = self.poll_streams(cx).unwrap_or_else(|reason| {
            fault = Some(reason);
            false
        });
        let mut frames = Vec::new();
        for &lane in Lane::ALL {
            let before = frames.len();
            match self.inn.get_mut(lane).read(self.control_in, cx, &mut frames) {
                Ok(read) => moved |= read,
                // The connection's end reaches every lane, and what another lane still has is read before it counts.
                Err(error) => fault = Some(read_fault(&error, fault)),
            }
            if lane == Lane::Control {
                self.control_in = self.control_in.saturating_add(frames.len().saturating_sub(before) as u64);
            }
        }
        if !self.closing.is_no() {
            return self.poll_closing(cx, moved, fault);
        }
        self.port.frames(frames);
        moved |= self.poll_datagrams(cx);
        match fault {
            Some(DownReason::Framing) => Err(DownReason::Framing),
            Some(reason) if !moved => Err(reason),
            None if self.is_ended() => Err(self.end_reason()),
            Some(_) | None => Ok(moved),
        }
    }

    /// A closing link is through when the peer ended the connection, or has ended its own streams and has all of ours.
    fn poll_closing(&mut self, cx: &mut Context<'_>, moved: bool, fault: Option<DownReason>) -> Step {
        if let Some(reason) = fault {
            if reason == DownReason::PeerClosed {
                self.closing = Closing::Delivered;
            }
            return Err(DownReason::Requested);
        }
        if self.is_ended()
            && let Closing::Ended(delivered) = &mut self.closing
            && delivered.as_mut().poll(cx).is_ready()
        {
            self.closing = Closing::Delivered;
            return Err(DownReason::Requested);
        }
        Ok(moved)
    }

    /// Takes in the streams that the peer has opened; their numbers are those of the lanes.
    fn poll_streams(&mut self, cx: &mut Context<'_>) -> Step {
        let mut moved = false;
        while let Some(next) = &mut self.streams {
            match next.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(stream)) => {
                    let lane = Lane::from_number(stream.id().index()).ok_or(DownReason::Framing)?;
                    if !self.inn.get_mut(lane).open(stream) {
                        return Err(DownReason::Framing);
                    }
                    self.streams = (lane != Lane::Bulk).then(|| next_stream(&self.connection.0));
                    moved = true;
                }
                Poll::Ready(Err(error)) => {
                    self.streams = None;
                    return Err(lost(&error));
                }
            }
        }
        Ok(moved)
    }

    fn poll_datagrams(&mut self, cx: &mut Context<'_>) -> bool {
        let mut moved = false;
        for _ in 0..DATAGRAMS {
            let Some(next) = &mut self.datagrams else { break };
            match next.as_mut().poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(bytes)) => {
                    self.port.datagram(bytes);
                    self.datagrams = Some(next_datagram(&self.connection.0));
                    moved = true;
                }
                Poll::Ready(Err(_)) => self.datagrams = None,
            }
        }
        moved
    }

    /// Whether the peer has ended every lane.
    fn is_ended(&self) -> bool {
        Lane::ALL.iter().all(|&lane| self.inn.get(lane).is_ended())
    }

    /// How a peer ends that ended every lane: in order, unless frames wait for control frames that never came.
    fn end_reason(&self) -> DownReason {
        let waits = Lane::ALL.iter().any(|&lane| self.inn.get(lane).is_waiting());
        if waits { DownReason::Framing } else { DownReason::PeerClosed }
    }

    fn farewell(&self, reason: DownReason) -> Farewell {
        if reason == DownReason::Framing {
            Farewell::Breach
        } else if reason == DownReason::PeerClosed || matches!(self.closing, Closing::Delivered) {
            Farewell::Done
        } else {
            Farewell::Gone
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
                return Poll::Ready(if self.closing.is_no() { DownReason::Stalled } else { DownReason::Requested });
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

fn next_stream(connection: &Connection) -> BoxFuture<'static, Result<RecvStream, ConnectionError>> {
    let connection = connection.clone();
    Box::pin(async move { connection.accept_uni().await })
}

fn next_datagram(connection: &Connection) -> BoxFuture<'static, Result<Bytes, ConnectionError>> {
    let connection = connection.clone();
    Box::pin(async move { connection.read_datagram().await })
}

/// Whether a control frame speaks only of what came before it, so that no data that follows can build on it. These are
/// frequent, and one that is lost should hold up nothing.
fn looks_back(frame_type: FrameType) -> bool {
    [FrameType::ACK, FrameType::CREDIT, FrameType::REFUSE, FrameType::PING, FrameType::PONG].contains(&frame_type)
}

fn after(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(time).unwrap_or(now)
}
