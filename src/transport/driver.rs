//! The node's end of all ports: requests go down without waiting, reports come up in fair turns.
//!
//! Nothing here blocks on a link: frames go into the link's own outbox, which the link's grants bound. A request that
//! no transport can take is answered here with the report the transport would have given.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use crosscast_port::{DialError, LinkId, ListenError, Report, Request};
use crosscast_wire::limits::FRAME_MAX;
use crosscast_wire::{RawFrame, Scheme};
use tokio::sync::mpsc;

use crate::board::Board;
use crate::link_port::LinkCell;
use crate::tap::TapSlot;
use crate::transport::{Port, PortRequest, Reporter};

/// Listens and dials a transport may have waiting; more are answered as full.
///
/// 256: far above the dials a node has under way, and a transport takes them at once.
pub const PORT_REQUESTS: usize = 256;

/// Reports after which [`PortDriver::recv`] takes no further link in one call.
pub const TURN_REPORTS: usize = 256;

/// Bytes of frames after which [`PortDriver::recv`] takes no further link in one call: 1 MiB, about a millisecond of work.
pub const TURN_BYTES: usize = 1024 * 1024;

/// Why a request was not handed down. All of them are faults of the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// A frame was sent on a lane whose granted bytes were used up; none of the batch is sent.
    #[error("frames were sent beyond what the link granted")]
    Overdrawn,
    /// A frame's body is longer than [`FRAME_MAX`]; none of the batch is sent.
    #[error("a frame is longer than {FRAME_MAX} bytes")]
    TooLarge,
}

/// The node's end of all its ports; dropping it closes them.
#[derive(Debug, Default)]
pub struct PortDriver {
    board: Arc<Board>,
    transports: BTreeMap<Scheme, mpsc::Sender<PortRequest>>,
    links: HashMap<LinkId, Arc<LinkCell>>,
}

impl PortDriver {
    /// Makes an end with no port yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the port of the transport for a scheme. An earlier port for the same scheme is closed.
    pub fn attach(&mut self, scheme: Scheme) -> Port {
        let (sender, requests) = mpsc::channel(PORT_REQUESTS);
        self.transports.insert(scheme, sender);
        Port { requests, reporter: Reporter { board: Arc::clone(&self.board), tap: TapSlot::default() } }
    }

    /// Closes the port for a scheme: its transport ends, and its links end with `Down`.
    pub fn detach(&mut self, scheme: Scheme) {
        self.transports.remove(&scheme);
    }

    /// Hands a request down; never waits. A request about a link that has ended does nothing.
    ///
    /// # Errors
    /// When frames break the contract; see [`RequestError`].
    pub fn request(&mut self, request: Request) -> Result<(), RequestError> {
        match request {
            Request::Listen { locator } => {
                let scheme = locator.scheme();
                self.ask(scheme, PortRequest::Listen { locator });
            }
            Request::Dial { dial, locator } => {
                let scheme = locator.scheme();
                self.ask(scheme, PortRequest::Dial { dial, locator });
            }
            Request::Send { link, frames } => return self.send(link, frames),
            Request::Datagram { link, bytes } => self.with_link(link, |cell| cell.push_datagram(bytes)),
            Request::Close { link } => self.with_link(link, LinkCell::close),
            Request::Meet { scheme, rendezvous } => self.ask(scheme, PortRequest::Meet { rendezvous }),
            Request::Part { scheme, rendezvous } => self.ask(scheme, PortRequest::Part { rendezvous }),
            Request::Judge { link, number, judgement } => {
                self.with_link(link, |cell| cell.push_judgement(number, judgement));
            }
        }
        Ok(())
    }

    /// Takes reports, waiting for the first: the links take turns, each giving all it has, until about
    /// [`TURN_REPORTS`] or [`TURN_BYTES`] are reached. Cancelling it loses nothing.
    pub async fn recv(&mut self, into: &mut Vec<Report>) {
        poll_fn(|cx| self.poll_recv(cx, into)).await;
    }

    /// Takes reports as [`Self::recv`] does, pending when there are none.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<Report>) -> Poll<()> {
        loop {
            if self.try_recv(into) {
                return Poll::Ready(());
            }
            if self.board.park_driver(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Takes reports that are there already, as [`Self::recv`] does; false when there are none.
    pub fn try_recv(&mut self, into: &mut Vec<Report>) -> bool {
        let before = into.len();
        let mut bytes = 0_usize;
        while into.len().saturating_sub(before) < TURN_REPORTS
            && let Some(answer) = self.board.pop_answer()
        {
            into.push(answer);
        }
        while into.len().saturating_sub(before) < TURN_REPORTS
            && bytes < TURN_BYTES
            && let Some(cell) = self.board.pop_ready()
        {
            let turn = cell.take_turn(into);
            self.board.sub_waiting(turn.bytes);
            bytes = bytes.saturating_add(turn.bytes);
            if turn.ended {
                self.links.remove(&cell.id());
            } else if turn.is_new {
                self.links.insert(cell.id(), cell);
            }
        }
        into.len() > before
    }

    /// Bytes of frames that links have waiting for the node.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.board.waiting_bytes()
    }

    fn send(&self, link: LinkId, frames: Vec<RawFrame>) -> Result<(), RequestError> {
        if frames.iter().any(|frame| frame.body_len() > FRAME_MAX) {
            return Err(RequestError::TooLarge);
        }
        match self.links.get(&link) {
            Some(cell) if !cell.push_frames(frames) => Err(RequestError::Overdrawn),
            Some(_) | None => Ok(()),
        }
    }

    fn with_link(&self, link: LinkId, act: impl FnOnce(&LinkCell)) {
        if let Some(cell) = self.links.get(&link) {
            act(cell);
        }
    }

    fn ask(&self, scheme: Scheme, request: PortRequest) {
        let refused = match self.transports.get(&scheme) {
            None => Some((request, DialError::BadLocator)),
            Some(sender) => sender.try_send(request).err().map(|error| match error {
                mpsc::error::TrySendError::Full(request) => (request, DialError::Full),
                mpsc::error::TrySendError::Closed(request) => (request, DialError::Unreachable),
            }),
        };
        match refused {
            Some((PortRequest::Dial { dial, .. }, error)) => self.board.answer(Report::DialFailed { dial, error }),
            Some((PortRequest::Listen { locator }, DialError::BadLocator)) => {
                self.board.answer(Report::ListenFailed { asked: locator, error: ListenError::BadLocator });
            }
            // The transport is stopping or drowning in requests: to the caller both mean that it may not listen now.
            Some((PortRequest::Listen { locator }, _)) => {
                self.board.answer(Report::ListenFailed { asked: locator, error: ListenError::Denied });
            }
            // Who meets nobody carries on without.
            Some((PortRequest::Meet { .. } | PortRequest::Part { .. }, _)) | None => {}
        }
    }
}

impl Drop for PortDriver {
    fn drop(&mut self) {
        self.transports.clear();
        let waiting = self.board.close();
        for cell in self.links.values().chain(&waiting) {
            cell.hang_up();
        }
    }
}
