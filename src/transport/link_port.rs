//! One link's own port: what its task reports and what it is asked to send.
//!
//! Inwards (network to node): `up` once, then `frames` after `poll_room` said there is room. Grants of bytes
//! (`Writable`) and the end of the link need no room: grants add up in place, and a link ends once. Outwards: the node
//! pushes frames within the grants, so the outbox is bounded by what the link itself granted, plus one frame per lane.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use crosscast_port::{DownReason, Judgement, LinkId, LinkUp, Report};
use crosscast_wire::{Lane, RawFrame};

use crate::PerLane;
use crate::board::{Board, LINK_SHARE_BYTES, lock};
use crate::express::{Express, ExpressSlot};
use crate::tap::{TapSlot, Way};

/// What a waiting frame costs beside its body, in bytes: its own struct and the buffer's bookkeeping.
const FRAME_COST: usize = 128;

/// The node's end is gone; the link must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node closed the port")]
pub struct PortClosed;

/// What a link is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkRequest {
    /// Send frames, in this order within each lane; they are within the grants.
    Send(Vec<RawFrame>),
    /// Send an unreliable datagram.
    Datagram(Bytes),
    /// What became of the MESSAGE frame with this number, counted from 1, that came over this carrier.
    Judge(u64, Judgement),
    /// Flush what was sent, for at most a second, and end.
    Close,
}

/// A link's state between its task and the node.
#[derive(Debug)]
pub(crate) struct LinkCell {
    id: LinkId,
    state: Mutex<State>,
    express: ExpressSlot,
}

#[derive(Debug, Default)]
struct State {
    // Towards the node.
    up: Option<Box<LinkUp>>,
    announced: bool,
    inbox: VecDeque<Inbound>,
    inbox_bytes: usize,
    grants: PerLane<u32>,
    down: Option<DownReason>,
    in_turns: bool,
    parked: bool,
    /// Whether a tap has cut the link: its task is told that the node is gone.
    cut: bool,
    reader: Option<Waker>,
    // Towards the network.
    balance: PerLane<i64>,
    frames: Vec<RawFrame>,
    datagrams: VecDeque<Bytes>,
    judgements: VecDeque<(u64, Judgement)>,
    closing: bool,
    writer: Option<Waker>,
}

#[derive(Debug)]
enum Inbound {
    Frames(Vec<RawFrame>),
    Datagram(Bytes),
}

/// Most datagrams a link keeps for sending; more are dropped, oldest first, as a network would.
const DATAGRAMS_KEPT: usize = 64;

/// Most judgements a carrier keeps for its task; more are dropped, oldest first: what is not judged is not passed on.
const JUDGEMENTS_KEPT: usize = 4_096;

/// The end of a link's port that the link's task holds. Dropping it ends the link with [`DownReason::Stopped`].
///
/// One place may wait in `next` and one in `room` at a time; they may be two branches of one task.
#[derive(Debug)]
pub struct LinkPort {
    cell: Arc<LinkCell>,
    board: Arc<Board>,
    tap: TapSlot,
    reason: DownReason,
}

impl LinkPort {
    pub(crate) fn new(board: Arc<Board>, tap: TapSlot) -> Self {
        let cell =
            Arc::new(LinkCell { id: board.next_link_id(), state: Mutex::default(), express: ExpressSlot::default() });
        Self { cell, board, tap, reason: DownReason::Stopped }
    }

    /// The link's name.
    #[must_use]
    pub fn id(&self) -> LinkId {
        self.cell.id
    }

    /// Reports that the link is ready for the hello; everything else comes after it.
    pub fn up(&self, up: LinkUp) {
        self.change(|state| {
            if !state.announced {
                state.announced = true;
                state.up = Some(Box::new(up));
            }
        });
    }

    /// Lets the node's turn send small things itself. A link whose frames are looked at on the way sends by its task.
    ///
    /// The task must take what it is asked (`poll_next`) and put it behind what waits in one step, as seen by `express`.
    pub fn set_express(&self, express: Weak<dyn Express>) {
        if self.tap.0.is_none() {
            self.cell.express.set(express);
        }
    }

    /// Reports that this many more body bytes are taken on a lane.
    pub fn grant(&self, lane: Lane, bytes: u32) {
        if bytes > 0 {
            self.change(|state| {
                let sum = state.grants.get_mut(lane);
                *sum = sum.saturating_add(bytes);
            });
        }
    }

    /// Ready when the node has room for one more batch of frames; a link that reads only then is held back without
    /// growing.
    ///
    /// # Errors
    /// `PortClosed` when the node is gone.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), PortClosed>> {
        let parked = {
            let mut state = lock(&self.cell.state);
            if state.cut || self.board.is_closed() {
                return Poll::Ready(Err(PortClosed));
            }
            let has_share = state.inbox_bytes < LINK_SHARE_BYTES;
            if has_share && !self.board.is_full() {
                // Whoever has room does not wait for it: it is not to be woken with every turn.
                state.reader = None;
                return Poll::Ready(Ok(()));
            }
            state.reader = Some(cx.waker().clone());
            if !has_share {
                return Poll::Pending;
            }
            std::mem::replace(&mut state.parked, true)
        };
        if !parked {
            self.board.park_link(Arc::clone(&self.cell));
        }
        // The sum may have drained between the look and the parking, and then nobody would wake this task.
        if self.board.is_full() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Waits until the node has room for one more batch of frames.
    ///
    /// # Errors
    /// `PortClosed` when the node is gone.
    pub async fn room(&self) -> Result<(), PortClosed> {
        poll_fn(|cx| self.poll_room(cx)).await
    }

    /// Reports frames that arrived. To be called with about one read's worth after [`Self::poll_room`] was ready.
    pub fn frames(&self, frames: Vec<RawFrame>) {
        if frames.is_empty() {
            return;
        }
        if !self.tap.pass(self.id(), Way::In, &frames) {
            self.cut();
            return;
        }
        let bytes = frames.iter().map(cost).fold(0, usize::saturating_add);
        self.board.add_waiting(bytes);
        self.change(|state| {
            state.inbox_bytes = state.inbox_bytes.saturating_add(bytes);
            match state.inbox.back_mut() {
                Some(Inbound::Frames(last)) => last.extend(frames),
                Some(Inbound::Datagram(_)) | None => state.inbox.push_back(Inbound::Frames(frames)),
            }
        });
    }

    /// Reports a datagram; drops it when the node has no room, as a network would.
    pub fn datagram(&self, bytes: Bytes) {
        let size = bytes.len().saturating_add(FRAME_COST);
        let full = lock(&self.cell.state).inbox_bytes >= LINK_SHARE_BYTES || self.board.is_full();
        if !full {
            self.board.add_waiting(size);
            self.change(|state| {
                state.inbox_bytes = state.inbox_bytes.saturating_add(size);
                state.inbox.push_back(Inbound::Datagram(bytes));
            });
        }
    }

    /// The next thing asked of this link; `None` when the node is gone and the link must end. Frames come before a
    /// `Close` that was asked after them; after `Close` nothing follows.
    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<LinkRequest>> {
        let next = self.poll_asked(cx);
        if let Poll::Ready(Some(LinkRequest::Send(frames))) = &next
            && !self.tap.pass(self.id(), Way::Out, frames)
        {
            self.cut();
            return Poll::Ready(None);
        }
        next
    }

    fn poll_asked(&self, cx: &mut Context<'_>) -> Poll<Option<LinkRequest>> {
        let mut state = lock(&self.cell.state);
        state.writer = Some(cx.waker().clone());
        if state.cut || self.board.is_closed() {
            Poll::Ready(None)
        } else if !state.frames.is_empty() {
            Poll::Ready(Some(LinkRequest::Send(std::mem::take(&mut state.frames))))
        } else if let Some(bytes) = state.datagrams.pop_front() {
            Poll::Ready(Some(LinkRequest::Datagram(bytes)))
        } else if let Some((number, judgement)) = state.judgements.pop_front() {
            Poll::Ready(Some(LinkRequest::Judge(number, judgement)))
        } else if std::mem::take(&mut state.closing) {
            Poll::Ready(Some(LinkRequest::Close))
        } else {
            Poll::Pending
        }
    }

    /// Waits for the next thing asked of this link, as [`Self::poll_next`].
    pub async fn next(&self) -> Option<LinkRequest> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Whether the node's end is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.is_closed()
    }

    /// Ends the link for a reason. What was reported before still reaches the node, before the end.
    pub fn down(mut self, reason: DownReason) {
        self.reason = reason;
    }

    fn cut(&self) {
        lock(&self.cell.state).cut = true;
        self.cell.hang_up();
    }

    /// Changes the state and puts the link in the turn order, unless it is there or the node does not know it yet.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let announce = {
            let mut state = lock(&self.cell.state);
            change(&mut state);
            state.announced && !std::mem::replace(&mut state.in_turns, true)
        };
        if announce {
            self.board.push_ready(Arc::clone(&self.cell));
        }
    }
}

impl Drop for LinkPort {
    fn drop(&mut self) {
        self.tap.ended(self.id());
        let reason = self.reason;
        self.change(|state| {
            state.down = Some(reason);
            state.frames = Vec::new();
            state.datagrams.clear();
            state.judgements.clear();
        });
        if self.board.is_closed() {
            // Nobody takes the inbox any more.
            let bytes = std::mem::take(&mut lock(&self.cell.state).inbox_bytes);
            self.board.sub_waiting(bytes);
        }
    }
}

/// What the driver learns from one turn of a link.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// Whether the link is new to the node.
    pub(crate) is_new: bool,
    /// Whether the link has ended.
    pub(crate) ended: bool,
    /// What the reports cost, in bytes.
    pub(crate) bytes: usize,
}

impl LinkCell {
    pub(crate) const fn id(&self) -> LinkId {
        self.id
    }

    /// Takes everything the link has for the node.
    pub(crate) fn take_turn(&self, into: &mut Vec<Report>) -> Turn {
        let link = self.id;
        let mut turn = Turn::default();
        let reader = {
            let mut state = lock(&self.state);
            state.in_turns = false;
            if let Some(up) = state.up.take() {
                turn.is_new = true;
                into.push(Report::Up { link, up });
            }
            for &lane in Lane::ALL {
                let bytes = std::mem::take(state.grants.get_mut(lane));
                if bytes > 0 {
                    let balance = state.balance.get_mut(lane);
                    *balance = balance.saturating_add(i64::from(bytes));
                    into.push(Report::Writable { link, lane, bytes });
                }
            }
            turn.bytes = std::mem::take(&mut state.inbox_bytes);
            into.extend(state.inbox.drain(..).map(|inbound| match inbound {
                Inbound::Frames(frames) => Report::Frames { link, frames },
                Inbound::Datagram(bytes) => Report::Datagram { link, bytes },
            }));
            if let Some(reason) = state.down.take() {
                turn.ended = true;
                into.push(Report::Down { link, reason });
            }
            if turn.bytes > 0 { state.reader.take() } else { None }
        };
        if let Some(reader) = reader {
            reader.wake();
        }
        turn
    }

    /// Hands frames to the link; false when a frame goes beyond the grants, and then none is taken.
    pub(crate) fn push_frames(&self, frames: Vec<RawFrame>) -> bool {
        let is_next = {
            let mut state = lock(&self.state);
            if state.down.is_some() {
                return true;
            }
            let mut balance = state.balance;
            for frame in &frames {
                let left = balance.get_mut(frame.lane);
                if *left <= 0 {
                    return false;
                }
                *left = left.saturating_sub(i64::try_from(frame.body_len().max(1)).unwrap_or(i64::MAX));
            }
            state.balance = balance;
            state.frames.is_empty() && !state.closing
        };
        // Nobody else hands frames to this link, so nothing can come before these meanwhile.
        let express = if is_next { self.express.for_frames(&frames) } else { None };
        let sent = match express {
            Some(express) => express.send(frames),
            None => Err(frames),
        };
        match sent {
            Ok(false) => {}
            Ok(true) => self.ask(|_| {}),
            Err(frames) => self.ask(|state| {
                if state.frames.is_empty() {
                    state.frames = frames;
                } else {
                    state.frames.extend(frames);
                }
            }),
        }
        true
    }

    pub(crate) fn push_datagram(&self, bytes: Bytes) {
        self.ask(|state| {
            if state.datagrams.len() >= DATAGRAMS_KEPT {
                state.datagrams.pop_front();
            }
            state.datagrams.push_back(bytes);
        });
    }

    pub(crate) fn push_judgement(&self, number: u64, judgement: Judgement) {
        self.ask(|state| {
            if state.judgements.len() >= JUDGEMENTS_KEPT {
                state.judgements.pop_front();
            }
            state.judgements.push_back((number, judgement));
        });
    }

    pub(crate) fn close(&self) {
        self.ask(|state| state.closing = true);
    }

    /// Wakes the reading side after it was parked at the board.
    pub(crate) fn unpark(&self) {
        let reader = {
            let mut state = lock(&self.state);
            state.parked = false;
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Wakes both sides, so that they see that the node is gone.
    pub(crate) fn hang_up(&self) {
        self.unpark();
        self.ask(|_| {});
    }

    fn ask(&self, change: impl FnOnce(&mut State)) {
        let writer = {
            let mut state = lock(&self.state);
            change(&mut state);
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }
}

fn cost(frame: &RawFrame) -> usize {
    frame.body_len().saturating_add(FRAME_COST)
}
