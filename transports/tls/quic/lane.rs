//! One lane of a link: a stream out, a stream in, and the marks that keep data behind earlier control frames.
//!
//! What goes out is cut into fragments only when the stream takes it. What comes in is read in batches, and no further
//! while a mark waits, so the stream's window bounds what a lane can make us hold.

use core::pin::pin;
use core::task::{Context, Poll};
use std::collections::VecDeque;

use bytes::Bytes;
use crosscast_transport::BoxFuture;
use crosscast_transport::framing::{FragmentReader, FragmentWriter, FramingError, mark, marked};
use crosscast_wire::{Lane, RawFrame};
use quinn::{ReadError, RecvStream, SendStream, StoppedError, VarInt, WriteError};

/// Bytes that are cut into fragments at once: 64 KiB, four fragments.
const CHUNK: usize = 64 * 1024;

/// Chunks written, and batches read, before the other lanes have their turn.
const TURNS: usize = 4;

/// Pieces of a stream that are read at once. 32: about 46 KiB in packets of a common path.
const BATCH: usize = 32;

/// A lane's way to the peer.
#[derive(Debug)]
pub(super) struct LaneOut {
    lane: Lane,
    stream: SendStream,
    writer: FragmentWriter,
    /// What of the last chunk the stream has not taken.
    pieces: Vec<Bytes>,
    /// Body bytes of the last chunk.
    leaving: usize,
    /// The control frames that the last mark spoke of.
    marked: u64,
}

/// How far writing came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    /// Whether the stream took anything.
    pub(super) moved: bool,
    /// Body bytes of the chunks that it took whole.
    pub(super) left: usize,
}

impl LaneOut {
    pub(super) fn new(lane: Lane, stream: SendStream) -> Self {
        Self { lane, stream, writer: FragmentWriter::new(), pieces: Vec::new(), leaving: 0, marked: 0 }
    }

    /// Queues a frame that is to be read after so many control frames.
    pub(super) fn push(&mut self, frame: RawFrame, after: u64) {
        if self.lane != Lane::Control && self.marked != after {
            self.marked = after;
            self.writer.push(mark(after));
        }
        self.writer.push(frame);
    }

    /// Whether the stream has taken everything.
    pub(super) const fn is_empty(&self) -> bool {
        self.writer.is_empty() && self.pieces.is_empty()
    }

    /// Writes until the stream takes no more, or others should have a turn.
    pub(super) fn write(&mut self, cx: &mut Context<'_>) -> Result<Written, WriteError> {
        let mut written = Written::default();
        for _ in 0..TURNS {
            if self.pieces.is_empty() {
                self.leaving = *self.writer.take(CHUNK, &mut self.pieces).get(self.lane);
                if self.pieces.is_empty() {
                    break;
                }
            }
            // A poll that is pending has written nothing, so the future can be made anew each time.
            let taken = pin!(self.stream.write_chunks(&mut self.pieces)).poll(cx);
            let Poll::Ready(taken) = taken else { break };
            self.pieces.drain(..taken?.chunks);
            written.moved = true;
            if self.pieces.is_empty() {
                written.left = written.left.saturating_add(core::mem::take(&mut self.leaving));
            }
        }
        Ok(written)
    }

    /// Ends the stream, and gives what becomes ready when the peer has all of it.
    pub(super) fn finish(&mut self) -> BoxFuture<'static, Result<Option<VarInt>, StoppedError>> {
        // A stream that is closed already has its end.
        let _ = self.stream.finish();
        Box::pin(self.stream.stopped())
    }
}

/// A lane's way from the peer.
#[derive(Debug)]
pub(super) struct LaneIn {
    stream: Option<RecvStream>,
    reader: FragmentReader,
    /// What was read and not handed on: nothing, or frames behind a mark; at most one batch.
    held: VecDeque<RawFrame>,
    ended: bool,
    /// Why the stream is gone; a stream tells that only once.
    gone: Option<ReadError>,
}

/// Why a lane cannot be read any more.
#[derive(Debug)]
pub(super) enum Fault {
    /// The peer broke the framing.
    Framing(FramingError),
    /// The stream is gone.
    Stream(ReadError),
}

impl LaneIn {
    pub(super) fn new(lane: Lane) -> Self {
        let reader = FragmentReader::of_lane(lane);
        Self { stream: None, reader, held: VecDeque::new(), ended: false, gone: None }
    }

    /// Puts the lane's stream in its place; false when it has one.
    pub(super) fn open(&mut self, stream: RecvStream) -> bool {
        self.stream.replace(stream).is_none()
    }

    /// Whether the peer has ended the stream and all of it was read.
    pub(super) const fn is_ended(&self) -> bool {
        self.ended
    }

    /// Whether frames wait behind a mark.
    pub(super) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// Reads what is there, and hands on the frames that `control` frames of lane control let pass. False when nothing
    /// could be done. On a fault the frames before it are handed on.
    pub(super) fn read(&mut self, control: u64, cx: &mut Context<'_>, into: &mut Vec<RawFrame>) -> Result<bool, Fault> {
        let mut moved = self.release(control, into);
        if let Some(error) = &self.gone {
            return Err(Fault::Stream(error.clone()));
        }
        for _ in 0..TURNS {
            if self.is_waiting() || self.ended {
                break;
            }
            let Some(stream) = &mut self.stream else { break };
            let mut batch: [Bytes; BATCH] = [const { Bytes::new() }; BATCH];
            // As in writing: a poll that is pending has read nothing.
            let count = match pin!(stream.read_chunks(&mut batch)).poll(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(Some(count))) => count,
                Poll::Ready(Ok(None)) => {
                    self.ended = true;
                    moved = true;
                    break;
                }
                Poll::Ready(Err(error)) => {
                    self.gone = Some(error.clone());
                    return Err(Fault::Stream(error));
                }
            };
            moved = true;
            let mut frames = Vec::new();
            let result = batch.iter().take(count).try_for_each(|bytes| self.reader.push_owned(bytes, &mut frames));
            self.held.extend(frames);
            self.release(control, into);
            result.map_err(Fault::Framing)?;
        }
        Ok(moved)
    }

    /// Hands on what no mark holds back; true when there was anything.
    fn release(&mut self, control: u64, into: &mut Vec<RawFrame>) -> bool {
        let before = self.held.len();
        while let Some(front) = self.held.front() {
            let mark = marked(front);
            if mark.is_some_and(|after| after > control) {
                break;
            }
            let frame = self.held.pop_front();
            into.extend(frame.filter(|_| mark.is_none()));
        }
        self.held.len() < before
    }
}
