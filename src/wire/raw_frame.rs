//! A frame before its body is parsed: what transports move and the core reads.
//!
//! On a stream a frame is cut into fragments (`docs/spec/frames.md`: at most 16 KiB, lanes interleaved); cutting and
//! joining is the transports' business (`crosscast-transport`), so everything above sees whole frames.

use bytes::Bytes;

use crate::Lane;

/// The type byte of a frame. From [`FrameType::SKIPPABLE`] on, an unknown type is skipped instead of refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameType(pub u8);

impl FrameType {
    /// The first half of the handshake: what this side is and can do.
    pub const HELLO: Self = Self(0x01);
    /// The second half of the handshake: a signature over both hellos and the channel.
    pub const PROOF: Self = Self(0x02);
    /// The link ends, with a code.
    pub const CLOSE: Self = Self(0x03);
    /// Asks for a PONG.
    pub const PING: Self = Self(0x04);
    /// Answers a PING.
    pub const PONG: Self = Self(0x05);
    /// Grants bytes on a lane.
    pub const CREDIT: Self = Self(0x06);
    /// Acknowledges data frames cumulatively, per lane.
    pub const ACK: Self = Self(0x07);
    /// Carries a capability chain.
    pub const CHAIN: Self = Self(0x08);
    /// Carries a floor record.
    pub const FLOOR: Self = Self(0x09);
    /// Starts or ends the forwarding of a group on this link.
    pub const SUBSCRIBE: Self = Self(0x0a);
    /// Says what of a group is already here.
    pub const RESUME: Self = Self(0x0b);
    /// Says that a data frame was not taken, and why; stands before the ACK that covers it.
    pub const REFUSE: Self = Self(0x0c);
    /// Passes a join request on.
    pub const ASK: Self = Self(0x0d);
    /// Passes a search for a node or service on.
    pub const LOCATE: Self = Self(0x0e);
    /// Shows that a sender used one number twice.
    pub const EQUIVOCATION: Self = Self(0x0f);
    /// Carries a message: the only data frame.
    pub const MESSAGE: Self = Self(0x10);
    /// The first skippable type.
    pub const SKIPPABLE: u8 = 0x80;

    /// Whether a receiver that does not know this type may skip it.
    #[must_use]
    pub const fn is_skippable(self) -> bool {
        self.0 >= Self::SKIPPABLE
    }
}

/// A whole frame with its body in two pieces, so that one message buffer is shared by all neighbours.
///
/// The body is `head` followed by `tail`. A sender puts what differs per link into `head` and the shared bytes into
/// `tail`; a receiving transport puts everything into `tail` and leaves `head` empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    /// What the body is.
    pub frame_type: FrameType,
    /// Which lane carries it.
    pub lane: Lane,
    /// First piece of the body.
    pub head: Bytes,
    /// Second piece of the body.
    pub tail: Bytes,
}

impl RawFrame {
    /// Builds a frame whose body is one piece.
    #[must_use]
    pub const fn new(frame_type: FrameType, lane: Lane, body: Bytes) -> Self {
        Self { frame_type, lane, head: Bytes::new(), tail: body }
    }

    /// Length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.head.len().saturating_add(self.tail.len())
    }
}
