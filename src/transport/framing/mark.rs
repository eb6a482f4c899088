//! Marks: what keeps the order between lanes that travel on streams of their own.
//!
//! One stream carries all lanes in the order in which they were written, control first. Separate streams do not, and a
//! frame may mean something only after a control frame that was sent before it. So a data lane's stream carries marks:
//! what follows a mark is read once so many control frames have come. Control never waits for a data lane.

use bytes::Bytes;
use crosscast_wire::{FrameType, Lane, RawFrame};

use super::FragmentHeader;

/// The type of a mark; no frame has it.
const MARK: FrameType = FrameType(0);

/// Bytes of a mark's body: a number, big endian.
const MARK_LEN: usize = 8;

/// Makes the mark behind which frames wait for the first `control_frames` frames of lane control.
#[must_use]
pub fn mark(control_frames: u64) -> RawFrame {
    RawFrame::new(MARK, Lane::Control, Bytes::copy_from_slice(&control_frames.to_be_bytes()))
}

/// For how many control frames a mark waits; `None` for any other frame.
#[must_use]
pub fn marked(frame: &RawFrame) -> Option<u64> {
    if frame.frame_type != MARK || frame.lane != Lane::Control {
        return None;
    }
    <[u8; MARK_LEN]>::try_from(frame.tail.as_ref()).ok().map(u64::from_be_bytes)
}

/// Whether a fragment is a whole mark.
pub(super) fn is_mark(header: FragmentHeader) -> bool {
    header.frame_type == MARK && header.lane == Lane::Control && !header.more && header.body_len == MARK_LEN
}
