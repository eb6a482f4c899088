//! From stream bytes to whole frames.
//!
//! A frame that lies whole in one pushed buffer is a slice of it when that is worth the buffer it keeps alive; every
//! other body is copied once, straight to its place. What a peer can make this hold is bounded by [`READER_MAX`].

use bytes::Bytes;
use crosscast_wire::limits::FRAME_MAX;
use crosscast_wire::{FrameType, Lane, RawFrame};

use super::mark::is_mark;
use super::{FRAGMENT_HEADER, FragmentHeader};
use crate::PerLane;

/// Most a reader ever holds, in bytes: one unfinished frame per lane.
pub const READER_MAX: usize = 4 * FRAME_MAX;

/// Shortest body that is sliced instead of copied, in bytes. A slice keeps its whole buffer alive for as long as the
/// message is kept; at 4 KiB of a 64 KiB buffer that is sixteenfold at worst, and shorter bodies are quickly copied.
const SLICE_MIN: usize = 4 * 1024;

/// First room for a frame of several fragments, in bytes, unless the lane's last frame was longer; the second step is
/// the longest frame, so that a long frame moves at most once.
const FIRST_ROOM: usize = 64 * 1024;

/// How a peer broke the framing; the link must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FramingError {
    /// A fragment's body is longer than 16 KiB.
    #[error("fragment of {len} bytes")]
    FragmentTooLong {
        /// Its announced length in bytes.
        len: usize,
    },
    /// The fragments of a frame add up to more than 272 KiB.
    #[error("frame longer than {FRAME_MAX} bytes")]
    FrameTooLong,
    /// Bits of the lane byte are set that have no meaning.
    #[error("lane byte {byte:#04x}")]
    LaneBits {
        /// The byte.
        byte: u8,
    },
    /// A fragment of another type came before the frame under way on its lane was complete.
    #[error("fragment of type {found:?} inside a frame of type {expected:?}")]
    TypeChanged {
        /// The type of the frame under way.
        expected: FrameType,
        /// The type that came.
        found: FrameType,
    },
    /// A fragment without a body that does not stand for a whole frame.
    #[error("empty fragment of a longer frame")]
    EmptyFragment,
    /// A fragment came on the stream of another lane.
    #[error("fragment of lane {found} on the stream of lane {stream}")]
    ForeignLane {
        /// The stream's lane.
        stream: Lane,
        /// The fragment's lane.
        found: Lane,
    },
}

/// Puts fragments together again.
#[derive(Debug)]
pub struct FragmentReader {
    state: State,
    /// The lane whose stream this is; none where one stream carries all.
    only: Option<Lane>,
    lanes: PerLane<Unfinished>,
}

#[derive(Debug)]
enum State {
    Header { bytes: [u8; FRAGMENT_HEADER], have: usize },
    Body { header: FragmentHeader, left: usize },
    Broken(FramingError),
}

#[derive(Debug, Default)]
struct Unfinished {
    frame_type: Option<FrameType>,
    body: Vec<u8>,
    /// Length of the last frame in bytes: frames of one lane are often alike.
    last_len: usize,
}

/// What is left of a pushed buffer.
struct Input<'a> {
    rest: &'a [u8],
    owner: Option<&'a Bytes>,
}

impl<'a> Input<'a> {
    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(most).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }
}

impl Default for FragmentReader {
    fn default() -> Self {
        let state = State::Header { bytes: [0; FRAGMENT_HEADER], have: 0 };
        Self { state, only: None, lanes: PerLane::default() }
    }
}

impl FragmentReader {
    /// Makes a reader at the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a reader at the start of a stream that carries one lane, and [marks](super::mark()) where it is a data lane.
    /// It holds at most one unfinished frame.
    #[must_use]
    pub fn of_lane(lane: Lane) -> Self {
        Self { only: Some(lane), ..Self::default() }
    }

    /// Reads the next bytes of the stream, copying bodies once, and adds the frames that became whole.
    ///
    /// # Errors
    /// When the peer broke the framing; then every later call fails the same way. Frames before the fault are added.
    pub fn push(&mut self, bytes: &[u8], into: &mut Vec<RawFrame>) -> Result<(), FramingError> {
        self.read(Input { rest: bytes, owner: None }, into)
    }

    /// As [`Self::push`] for a buffer that may be sliced: longer frames that lie whole in it are not copied.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_owned(&mut self, bytes: &Bytes, into: &mut Vec<RawFrame>) -> Result<(), FramingError> {
        self.read(Input { rest: bytes, owner: Some(bytes) }, into)
    }

    /// Whether the stream could end here in order: no fragment and no frame is under way.
    #[must_use]
    pub fn is_between_frames(&self) -> bool {
        let fresh = matches!(self.state, State::Header { have: 0, .. });
        fresh && Lane::ALL.iter().all(|&lane| self.lanes.get(lane).frame_type.is_none())
    }

    /// Bytes held of unfinished frames, at most [`READER_MAX`].
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        Lane::ALL.iter().map(|&lane| self.lanes.get(lane).body.len()).fold(0, usize::saturating_add)
    }

    fn read(&mut self, mut input: Input<'_>, into: &mut Vec<RawFrame>) -> Result<(), FramingError> {
        let result = self.step(&mut input, into);
        if let Err(error) = result {
            self.state = State::Broken(error);
            self.lanes = PerLane::default();
        }
        result
    }

    fn step(&mut self, input: &mut Input<'_>, into: &mut Vec<RawFrame>) -> Result<(), FramingError> {
        loop {
            match &mut self.state {
                State::Broken(error) => return Err(*error),
                State::Header { bytes, have } => {
                    let taken = input.take(FRAGMENT_HEADER.saturating_sub(*have));
                    for (to, from) in bytes.iter_mut().skip(*have).zip(taken) {
                        *to = *from;
                    }
                    *have = have.saturating_add(taken.len());
                    if *have < FRAGMENT_HEADER {
                        return Ok(());
                    }
                    let header = FragmentHeader::from_bytes(*bytes)?;
                    match self.only {
                        Some(stream) if header.lane != stream && !is_mark(header) => {
                            return Err(FramingError::ForeignLane { stream, found: header.lane });
                        }
                        Some(_) | None => {}
                    }
                    self.lanes.get_mut(header.lane).begin(header)?;
                    self.state = State::Body { header, left: header.body_len };
                }
                State::Body { header, left } => {
                    let lane = self.lanes.get_mut(header.lane);
                    let taken = input.take(*left);
                    *left = left.saturating_sub(taken.len());
                    let whole = taken.len() == header.body_len && lane.body.is_empty() && !header.more;
                    let tail = match input.owner {
                        Some(owner) if whole && taken.len() >= SLICE_MIN => Some(owner.slice_ref(taken)),
                        Some(_) | None => {
                            lane.extend(taken, *header);
                            None
                        }
                    };
                    if *left > 0 {
                        return Ok(());
                    }
                    if !header.more {
                        let body = std::mem::take(&mut lane.body);
                        lane.last_len = tail.as_ref().map_or(body.len(), Bytes::len);
                        lane.frame_type = None;
                        let tail = tail.unwrap_or_else(|| Bytes::from(body.into_boxed_slice()));
                        into.push(RawFrame::new(header.frame_type, header.lane, tail));
                    }
                    self.state = State::Header { bytes: [0; FRAGMENT_HEADER], have: 0 };
                }
            }
        }
    }
}

impl Unfinished {
    /// Checks a fragment against the frame under way on its lane.
    fn begin(&mut self, header: FragmentHeader) -> Result<(), FramingError> {
        match self.frame_type {
            None => self.frame_type = Some(header.frame_type),
            Some(expected) if expected != header.frame_type => {
                return Err(FramingError::TypeChanged { expected, found: header.frame_type });
            }
            Some(_) if header.body_len == 0 => return Err(FramingError::EmptyFragment),
            Some(_) => {}
        }
        if self.body.len().saturating_add(header.body_len) > FRAME_MAX {
            return Err(FramingError::FrameTooLong);
        }
        Ok(())
    }

    fn extend(&mut self, bytes: &[u8], header: FragmentHeader) {
        let needed = self.body.len().saturating_add(bytes.len());
        if needed > self.body.capacity() {
            // A short first fragment may not reserve much: the peer pays for memory with bytes.
            let room = if !header.more && self.body.is_empty() {
                header.body_len
            } else if needed <= FIRST_ROOM.max(self.last_len) {
                needed.saturating_mul(4).clamp(self.last_len, FIRST_ROOM.max(self.last_len))
            } else {
                FRAME_MAX
            };
            self.body.reserve_exact(room.saturating_sub(self.body.len()));
        }
        self.body.extend_from_slice(bytes);
    }
}
