//! Frames: what two linked nodes say to each other, parsed.
//!
//! A frame's body is one canonical CBOR value, but for MESSAGE: there a hop map stands before the message's own bytes.
//! MESSAGE travels on the lane of the message's class and everything else on lane control. An unknown type is refused,
//! or skipped from 0x80 on. Whoever sent a refused frame broke the protocol, except where
//! [`FrameCause::is_version`] says that it only speaks a later one. Fragments are the transports' business.

mod ask;
mod group;
mod hop;
mod link;
mod trail;

pub use ask::{ask, equivocation, locate};
pub use group::{ResumeWindow, chain, floor, resume, subscribe};
pub use hop::Hop;
pub use link::{ack, close, credit, hello, ping, pong, proof, refuse};
pub use trail::{TRAIL_MAX, Trail};

use bytes::Bytes;

use crate::cbor::{CborError, Reader};
use crate::chain::CHAIN_MAX;
use crate::limits::{EQUIVOCATION_MAX, FLOOR_MAX, FRAME_MAX, HELLO_MAX, JOIN_REQUEST_MAX, LOCATE_MAX};
use crate::{
    CapabilityError, Chain, ChainError, ChainHash, CloseCode, Equivocation, EquivocationError, FloorError, FloorRecord,
    FrameType, GroupId, Hello, HelloError, JoinRequest, JoinRequestError, Lane, Locate, LocateError, Message,
    MessageError, RawFrame, RefuseCode, Signature, SuccessorError,
};

/// 1 KiB: the short frames take at most 200 bytes; the rest is room for ignorable keys.
const SHORT_MAX: usize = 1024;
/// 36 KiB: 512 windows of 55 bytes, the group, and room for ignorable keys.
const RESUME_MAX: usize = 36 * 1024;

/// A parsed frame.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every frame is a MESSAGE: boxing it would cost an allocation each"
)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// What the peer is and can do.
    Hello(Box<Hello>),
    /// The peer's signature over both hellos and the channel; not checked yet.
    Proof(Signature),
    /// The peer ends the link.
    Close {
        /// Why.
        code: CloseCode,
        /// How long to stay away, in milliseconds, at most an hour; 0 when the peer does not say.
        retry_after_ms: u64,
        /// One line for people; empty when there is none.
        text: String,
    },
    /// Asks for a PONG with the same token.
    Ping {
        /// Chosen by the asker.
        token: u64,
    },
    /// Answers a PING.
    Pong {
        /// The asker's.
        token: u64,
    },
    /// Grants bytes on a data lane.
    Credit {
        /// Urgent, normal or bulk.
        lane: Lane,
        /// Bytes granted since link-up.
        total: u64,
    },
    /// How many data frames were accepted or refused since link-up, lanes ascending.
    Ack(Vec<(Lane, u64)>),
    /// A data frame was not taken; the ACK that covers it follows.
    Refuse {
        /// Urgent, normal or bulk.
        lane: Lane,
        /// Which data frame of that lane since link-up, counted from 1.
        number: u64,
        /// Why.
        code: RefuseCode,
    },
    /// A capability chain; signatures not checked yet.
    Chain(Box<Chain>),
    /// A floor record; signatures not checked yet.
    Floor {
        /// The record.
        floor: Box<FloorRecord>,
        /// What entitles a signer that is not the group key.
        chain: Option<Box<Chain>>,
    },
    /// Starts or ends the forwarding of a group to the sender.
    Subscribe {
        /// The group.
        group: GroupId,
        /// Whether it starts.
        on: bool,
        /// The chain that allows it; it travelled in a CHAIN frame.
        chain: Option<ChainHash>,
    },
    /// What of a group the sender already has.
    Resume {
        /// The group.
        group: GroupId,
        /// One per sender instance, strictly ascending.
        windows: Vec<ResumeWindow>,
        /// Whether another RESUME of this group follows.
        more: bool,
    },
    /// A join request on its way to somebody who can grant it; its signatures not checked yet.
    Ask {
        /// Links crossed before this one.
        hops: u8,
        /// The request.
        request: Box<JoinRequest>,
    },
    /// A search on its way to a node or service; its signature not checked yet.
    Locate {
        /// Links crossed before this one.
        hops: u8,
        /// The search.
        locate: Box<Locate>,
    },
    /// What shows that a sender used one number twice; signatures not checked yet.
    Equivocation(Box<Equivocation>),
    /// A message, its signature and payload hash not checked yet.
    Message {
        /// What belongs to this hop only.
        hop: Hop,
        /// The message.
        message: Message,
    },
    /// A frame of a type that this version does not know and may skip.
    Skipped(FrameType),
}

/// Why a frame was refused; its sender is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} frame: {cause}", name(*.frame_type))]
pub struct FrameError {
    /// Which type the frame claimed.
    pub frame_type: FrameType,
    /// What is wrong with it.
    pub cause: FrameCause,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameCause {
    /// A type below 0x80 that this version does not know.
    #[error("unknown type")]
    UnknownType,
    /// The type does not travel on this lane.
    #[error("on the wrong lane ({0})")]
    WrongLane(Lane),
    /// The body is longer than its type allows.
    #[error("body too long")]
    TooLong,
    /// Not canonical, or not the type's fields.
    #[error("{0}")]
    Cbor(#[from] CborError),
    /// Not a legal hello.
    #[error("{0}")]
    Hello(#[from] HelloError),
    /// Not a legal chain.
    #[error("{0}")]
    Chain(#[from] ChainError),
    /// Not a legal floor record.
    #[error("{0}")]
    Floor(#[from] FloorError),
    /// Not a legal join request.
    #[error("{0}")]
    JoinRequest(#[from] JoinRequestError),
    /// Not a legal locate.
    #[error("{0}")]
    Locate(#[from] LocateError),
    /// Not a legal equivocation.
    #[error("{0}")]
    Equivocation(#[from] EquivocationError),
    /// Not a legal message.
    #[error("{0}")]
    Message(#[from] MessageError),
    /// A close code this version does not know.
    #[error("unknown close code {0}")]
    UnknownCloseCode(u64),
    /// Text with control characters in it.
    #[error("text with control characters")]
    Text,
    /// A lane that does not exist or carries no data frames.
    #[error("no data lane {0}")]
    NoDataLane(u64),
    /// Lanes or windows that are not strictly ascending.
    #[error("not strictly ascending")]
    Order,
    /// An optional field that is there and says what its absence says.
    #[error("key {0} says nothing and has to be absent")]
    Redundant(u64),
}

impl FrameCause {
    /// Whether the sender only speaks a later version of an object: no blame for that.
    #[must_use]
    pub fn is_version(&self) -> bool {
        matches!(
            self,
            Self::Message(MessageError::UnsupportedVersion(_))
                | Self::Floor(FloorError::UnsupportedVersion(_))
                | Self::Chain(ChainError::Capability(CapabilityError::UnsupportedVersion(_)))
                | Self::JoinRequest(
                    JoinRequestError::UnsupportedVersion(_)
                        | JoinRequestError::Chain(ChainError::Capability(CapabilityError::UnsupportedVersion(_)))
                        | JoinRequestError::Successor(SuccessorError::UnsupportedVersion(_))
                )
                | Self::Locate(LocateError::UnsupportedVersion(_))
                | Self::Equivocation(
                    EquivocationError::UnsupportedVersion(_)
                        | EquivocationError::Header(MessageError::UnsupportedVersion(_))
                )
        )
    }
}

impl Frame {
    /// Reads a frame. The bytes of a message are a slice of the frame's, not a copy.
    ///
    /// # Errors
    /// [`FrameError`] names the type and what is wrong.
    pub fn parse(raw: &RawFrame) -> Result<Self, FrameError> {
        parse(raw).map_err(|cause| FrameError { frame_type: raw.frame_type, cause })
    }

    /// What type it travels as.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Hello(_) => FrameType::HELLO,
            Self::Proof(_) => FrameType::PROOF,
            Self::Close { .. } => FrameType::CLOSE,
            Self::Ping { .. } => FrameType::PING,
            Self::Pong { .. } => FrameType::PONG,
            Self::Credit { .. } => FrameType::CREDIT,
            Self::Ack(_) => FrameType::ACK,
            Self::Refuse { .. } => FrameType::REFUSE,
            Self::Chain(_) => FrameType::CHAIN,
            Self::Floor { .. } => FrameType::FLOOR,
            Self::Subscribe { .. } => FrameType::SUBSCRIBE,
            Self::Resume { .. } => FrameType::RESUME,
            Self::Ask { .. } => FrameType::ASK,
            Self::Locate { .. } => FrameType::LOCATE,
            Self::Equivocation(_) => FrameType::EQUIVOCATION,
            Self::Message { .. } => FrameType::MESSAGE,
            Self::Skipped(frame_type) => *frame_type,
        }
    }
}

/// The longest body that a frame of this type may have, in bytes: what a receiver needs to hold at most.
#[must_use]
pub const fn body_max(frame_type: FrameType) -> usize {
    match frame_type {
        FrameType::HELLO => HELLO_MAX,
        FrameType::CHAIN => CHAIN_MAX,
        FrameType::FLOOR => FLOOR_MAX + CHAIN_MAX + SHORT_MAX,
        FrameType::RESUME => RESUME_MAX,
        FrameType::ASK => JOIN_REQUEST_MAX + SHORT_MAX,
        FrameType::LOCATE => LOCATE_MAX + SHORT_MAX,
        FrameType::EQUIVOCATION => EQUIVOCATION_MAX + SHORT_MAX,
        FrameType::PROOF
        | FrameType::CLOSE
        | FrameType::PING
        | FrameType::PONG
        | FrameType::CREDIT
        | FrameType::ACK
        | FrameType::REFUSE
        | FrameType::SUBSCRIBE => SHORT_MAX,
        // A message is bounded by its own limit, an unknown type by the transport's.
        FrameType(_) => FRAME_MAX,
    }
}

fn parse(raw: &RawFrame) -> Result<Frame, FrameCause> {
    if raw.body_len() > body_max(raw.frame_type) {
        return Err(FrameCause::TooLong);
    }
    if raw.frame_type.is_skippable() {
        return Ok(Frame::Skipped(raw.frame_type));
    }
    if raw.frame_type != FrameType::MESSAGE && raw.lane != Lane::Control {
        // An unknown type is refused for what it is, wherever it came.
        return Err(if is_known(raw.frame_type) { FrameCause::WrongLane(raw.lane) } else { FrameCause::UnknownType });
    }
    let body = whole_body(raw);
    match raw.frame_type {
        FrameType::HELLO => Ok(Frame::Hello(Box::new(Hello::parse(body)?))),
        FrameType::PROOF => link::read_proof(&body),
        FrameType::CLOSE => link::read_close(&body),
        FrameType::PING => Ok(Frame::Ping { token: link::read_token(&body)? }),
        FrameType::PONG => Ok(Frame::Pong { token: link::read_token(&body)? }),
        FrameType::CREDIT => link::read_credit(&body),
        FrameType::ACK => link::read_ack(&body),
        FrameType::REFUSE => link::read_refuse(&body),
        FrameType::CHAIN => Ok(Frame::Chain(Box::new(Chain::parse(&body)?))),
        FrameType::FLOOR => group::read_floor(&body),
        FrameType::SUBSCRIBE => group::read_subscribe(&body),
        FrameType::RESUME => group::read_resume(&body),
        FrameType::ASK => ask::read_ask(&body),
        FrameType::LOCATE => ask::read_locate(&body),
        FrameType::EQUIVOCATION => ask::read_equivocation(&body),
        FrameType::MESSAGE => {
            let (hop, bytes) = Hop::split(&body)?;
            let message = Message::parse(bytes)?;
            let lane = message.header().class.lane();
            if lane == raw.lane { Ok(Frame::Message { hop, message }) } else { Err(FrameCause::WrongLane(raw.lane)) }
        }
        FrameType(_) => Err(FrameCause::UnknownType),
    }
}

const fn is_known(frame_type: FrameType) -> bool {
    matches!(frame_type.0, 0x01..=0x10)
}

/// The body in one piece. Received frames have it in `tail` already; only a sender's own frame is copied.
fn whole_body(raw: &RawFrame) -> Bytes {
    if raw.head.is_empty() {
        raw.tail.clone()
    } else if raw.tail.is_empty() {
        raw.head.clone()
    } else {
        [raw.head.as_ref(), raw.tail.as_ref()].concat().into()
    }
}

/// A frame on lane control.
fn control(frame_type: FrameType, body: impl Into<Bytes>) -> RawFrame {
    RawFrame::new(frame_type, Lane::Control, body.into())
}

/// Reads one value that fills `bytes`.
fn read_whole<'a, T>(
    bytes: &'a [u8],
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, FrameCause>,
) -> Result<T, FrameCause> {
    let mut reader = Reader::new(bytes);
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

const fn name(frame_type: FrameType) -> &'static str {
    match frame_type {
        FrameType::HELLO => "hello",
        FrameType::PROOF => "proof",
        FrameType::CLOSE => "close",
        FrameType::PING => "ping",
        FrameType::PONG => "pong",
        FrameType::CREDIT => "credit",
        FrameType::ACK => "ack",
        FrameType::REFUSE => "refuse",
        FrameType::CHAIN => "chain",
        FrameType::FLOOR => "floor",
        FrameType::SUBSCRIBE => "subscribe",
        FrameType::RESUME => "resume",
        FrameType::ASK => "ask",
        FrameType::LOCATE => "locate",
        FrameType::EQUIVOCATION => "equivocation",
        FrameType::MESSAGE => "message",
        FrameType(_) => "unknown",
    }
}
