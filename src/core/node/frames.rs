//! Frames in: parsed once, booked, and handed to whom they concern.

use crosscast_port::LinkId;
use crosscast_wire::{CloseCode, Frame, FrameCause, FrameType, Lane, RawFrame};

use crate::peer::link::Phase;
use crate::peer::outgoing::Cargo;
use crate::{Node, Reject, limits};

impl Node {
    pub(super) fn on_frames(&mut self, link: LinkId, frames: Vec<RawFrame>) {
        for raw in frames {
            let Some(state) = self.links.get_mut(&link) else { return };
            state.last_heard = self.now.mono;
            match &mut state.phase {
                Phase::Draining => return,
                Phase::Open => self.on_frame(link, &raw),
                Phase::Carrier(_) => self.on_carrier_frame(link, &raw),
                // Lanes may overtake each other: data that was sent behind the proof can be here before it.
                Phase::Hello(shake) if shake.proof_seen || raw.lane != Lane::Control => {
                    shake.early_bytes = shake.early_bytes.saturating_add(raw.body_len()).saturating_add(64);
                    if shake.early_bytes > limits::EARLY_BYTES {
                        return self.blame(link, Reject::OverCredit);
                    }
                    shake.early.push(raw);
                }
                Phase::Hello(_) => self.on_early_frame(link, &raw),
            }
        }
    }

    /// Before both proofs are through only the hello's own frames are read.
    fn on_early_frame(&mut self, link: LinkId, raw: &RawFrame) {
        if ![FrameType::HELLO, FrameType::PROOF, FrameType::CLOSE].contains(&raw.frame_type) {
            return self.blame(link, Reject::OutOfPlace);
        }
        match Frame::parse(raw) {
            Ok(Frame::Hello(hello)) => self.on_hello(link, hello),
            Ok(Frame::Proof(signature)) => self.on_proof(link, signature),
            Ok(Frame::Close { code, .. }) => self.on_close(link, code),
            Ok(_) => self.blame(link, Reject::OutOfPlace),
            Err(_) => self.blame(link, Reject::Malformed),
        }
    }

    fn on_frame(&mut self, link: LinkId, raw: &RawFrame) {
        let len = raw.body_len();
        let Some(state) = self.links.get_mut(&link) else { return };
        state.inn.bytes = state.inn.bytes.saturating_add(len as u64);
        if raw.frame_type == FrameType::MESSAGE {
            return self.on_message_frame(link, raw);
        }
        match Frame::parse(raw) {
            Ok(frame) => self.on_link_frame(link, frame),
            Err(error) => self.blame(link, reject_of(&error.cause)),
        }
    }

    fn on_message_frame(&mut self, link: LinkId, raw: &RawFrame) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let arrival = match state.inn.arrive(raw.lane, raw.body_len()) {
            Ok(arrival) => arrival,
            Err(reject) => return self.blame(link, reject),
        };
        self.dirty.insert(link);
        match Frame::parse(raw) {
            Ok(Frame::Message { hop, message }) => self.on_message(link, arrival, hop, message),
            Ok(_) => self.blame(link, Reject::Malformed),
            Err(error) if error.cause.is_version() => self.refuse(link, arrival, Reject::Version),
            Err(error) => self.blame(link, reject_of(&error.cause)),
        }
    }

    fn on_link_frame(&mut self, link: LinkId, frame: Frame) {
        match frame {
            Frame::Ping { token } => self.on_ping(link, token),
            Frame::Pong { token } => self.on_pong(link, token),
            Frame::Credit { lane, total } => self.on_credit(link, lane, total),
            Frame::Ack(counts) => self.on_acks(link, &counts),
            Frame::Refuse { lane, number, code } => self.on_refuse(link, lane, number, code),
            Frame::Close { code, .. } => self.on_close(link, code),
            Frame::Floor { floor, chain } => self.on_floor(link, *floor, chain.map(|chain| *chain)),
            Frame::Subscribe { group, on, chain } => self.on_subscribe(link, group, on, chain),
            Frame::Resume { group, windows, more } => self.on_resume(link, group, &windows, more),
            Frame::Chain(chain) => self.on_chain(link, *chain),
            Frame::Skipped(_) => {}
            // Requests, searches and convictions are answered in rooms of their own.
            Frame::Ask { hops, request } => self.on_ask(link, hops, *request),
            Frame::Locate { hops, locate } => self.on_locate(link, hops, locate),
            Frame::Equivocation(proof) => self.on_equivocation(link, *proof),
            Frame::Hello(_) | Frame::Proof(_) | Frame::Message { .. } => self.blame(link, Reject::OutOfPlace),
        }
    }

    fn on_ping(&mut self, link: LinkId, token: u64) {
        let Some(state) = self.links.get_mut(&link) else { return };
        // Answers that do not get out are not piled up: one PONG says as much as many.
        if !state.out.has_waiting(FrameType::PONG) {
            state.out.push(crosscast_wire::frame::pong(token));
            self.dirty.insert(link);
        }
    }

    fn on_credit(&mut self, link: LinkId, lane: Lane, total: u64) {
        let Some(state) = self.links.get_mut(&link) else { return };
        self.dirty.insert(link);
        if let Err(reject) = state.out.credit(lane, total) {
            self.blame(link, reject);
        }
    }

    fn on_acks(&mut self, link: LinkId, counts: &[(Lane, u64)]) {
        self.dirty.insert(link);
        for (lane, count) in counts {
            let Some(state) = self.links.get_mut(&link) else { return };
            match state.out.acked(*lane, *count, self.now.mono) {
                Ok(cargo) => {
                    for cargo in cargo {
                        match cargo {
                            Cargo::Group(_, id) => self.on_own_acked(&id),
                            Cargo::Unicast(id) => self.on_letter_acked(link, &id),
                            Cargo::Refused => {}
                        }
                    }
                }
                Err(reject) => return self.blame(link, reject),
            }
        }
    }

    fn on_close(&mut self, link: LinkId, code: CloseCode) {
        if code == CloseCode::SelfLink {
            self.target_is_self(link);
        }
        // The transport still flushes what was sent before; nothing more is.
        self.close(link, code, "");
    }
}

/// What a parse error is counted as.
pub(super) fn reject_of(cause: &FrameCause) -> Reject {
    if matches!(cause, FrameCause::UnknownType) {
        Reject::UnknownFrame
    } else if matches!(cause, FrameCause::WrongLane(_)) {
        Reject::WrongLane
    } else if cause.is_version() {
        Reject::Version
    } else {
        Reject::Malformed
    }
}
