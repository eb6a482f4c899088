//! Frames on streams: how a frame is cut into fragments and put together again.
//!
//! A fragment is its body's length (u24, big endian), the frame's type (u8), the lane (u8: low two bits the lane, bit 7
//! set while more fragments of the frame follow on that lane, all other bits zero) and at most 16 KiB of body. The
//! fragments of a frame are contiguous within their lane and carry the same type; lanes interleave freely. Both
//! directions are pure: bytes in, frames out, and back. Which lane goes first is the writer's choice, never the format's.

mod mark;
mod reader;
mod writer;

use crosscast_wire::limits::FRAGMENT_MAX;
use crosscast_wire::{FrameType, Lane};

pub use mark::{mark, marked};
pub use reader::{FragmentReader, FramingError, READER_MAX};
pub use writer::{BULK_PATIENCE, FragmentWriter, NORMAL_PATIENCE};

/// Bytes before each fragment's body.
pub const FRAGMENT_HEADER: usize = 5;

const MORE: u8 = 0x80;

/// What stands before a fragment's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FragmentHeader {
    body_len: usize,
    frame_type: FrameType,
    lane: Lane,
    more: bool,
}

impl FragmentHeader {
    fn to_bytes(self) -> [u8; FRAGMENT_HEADER] {
        // The writer cuts at FRAGMENT_MAX, so the length always fits; saturating keeps a mistake visible at the peer.
        let [_, high, mid, low] = u32::try_from(self.body_len).unwrap_or(u32::MAX).to_be_bytes();
        let more = if self.more { MORE } else { 0 };
        [high, mid, low, self.frame_type.0, self.lane.number() | more]
    }

    fn from_bytes([high, mid, low, frame_type, lane]: [u8; FRAGMENT_HEADER]) -> Result<Self, FramingError> {
        let body_len = u32::from_be_bytes([0, high, mid, low]);
        let body_len = usize::try_from(body_len).unwrap_or(usize::MAX);
        if body_len > FRAGMENT_MAX {
            return Err(FramingError::FragmentTooLong { len: body_len });
        }
        let more = lane & MORE != 0;
        let lane = Lane::from_number(u64::from(lane & !MORE)).ok_or(FramingError::LaneBits { byte: lane })?;
        if more && body_len == 0 {
            return Err(FramingError::EmptyFragment);
        }
        Ok(Self { body_len, frame_type: FrameType(frame_type), lane, more })
    }
}

#[cfg(test)]
mod tests;
