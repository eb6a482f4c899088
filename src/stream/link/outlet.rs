//! The writing half of a link: frames to chunks, chunks to what the codec makes of them, and those into the stream.
//!
//! A chunk is chosen only when the one before it is wholly in the stream, so frames stay in their lanes, where they can
//! be overtaken, until the last moment. How large it is, and how much is granted to the node, follows the stream's speed.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use crosscast_port::DownReason;
use crosscast_seal::noise::NoiseError;
use crosscast_transport::framing::FragmentWriter;
use crosscast_transport::{Grants, PerLane};
use crosscast_wire::{Lane, RawFrame};
use tracing::debug;

use super::Codec;
use super::pipe::Pipe;
use crate::pace::Pace;

/// How often in a row there is nothing to make a chunk of before its room is given back. 16: a busy link whose node is a
/// little slower than its stream would have it anew for every message.
const CALM: u8 = 16;

/// What is on its way into a stream.
#[derive(Debug)]
pub(crate) struct Outlet {
    pub(crate) grants: Grants,
    writer: FragmentWriter,
    pace: Pace,
    pieces: Vec<Bytes>,
    /// The chunk as the codec made it, and how much of it the stream has taken.
    chunk: Vec<u8>,
    taken: usize,
    /// How often in a row there was nothing to make a chunk of.
    calm: u8,
    /// Body bytes of the chunk.
    leaving: PerLane<usize>,
    /// Whether the stream holds bytes that it may not have passed on.
    unflushed: bool,
}

impl Outlet {
    pub(crate) fn new<P: Pipe>(pipe: &mut P) -> Self {
        let pace = Pace::default();
        pipe.bound_unsent(pace.unsent());
        Self {
            grants: Grants::default(),
            writer: FragmentWriter::new(),
            pace,
            pieces: Vec::new(),
            chunk: Vec::new(),
            taken: 0,
            calm: 0,
            leaving: PerLane::default(),
            unflushed: false,
        }
    }

    /// Queues a frame in its lane.
    pub(crate) fn push(&mut self, frame: RawFrame) {
        self.writer.push(frame);
    }

    /// Whether nothing waits to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.writer.is_empty() && self.is_chunk_gone()
    }

    /// Whether the stream has taken the whole chunk.
    pub(crate) fn is_chunk_gone(&self) -> bool {
        self.taken >= self.chunk.len()
    }

    /// Makes the next chunk; false when there is nothing to make it of, or no room for it.
    pub(crate) fn fill<P: Pipe, C: Codec>(
        &mut self,
        pipe: &mut P,
        codec: &mut C,
        cx: &mut Context<'_>,
    ) -> Result<bool, DownReason> {
        if self.writer.is_empty() {
            self.pace.idle();
            self.chunk.clear();
            self.taken = 0;
            self.calm = self.calm.saturating_add(1);
            if self.calm > CALM {
                // An idle link holds no room for the chunk it may have one day.
                self.chunk = Vec::new();
            }
            return Ok(false);
        }
        // Only now, with room in the stream, is it decided what goes next.
        match pipe.poll_writable(cx) {
            Poll::Pending => return Ok(false),
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Err(DownReason::Broken),
        }
        self.leaving = self.writer.take(self.pace.chunk(), &mut self.pieces);
        let pieces = core::mem::take(&mut self.pieces);
        self.make(pipe, |chunk| codec.seal(&pieces, chunk))?;
        self.pieces = pieces;
        self.pieces.clear();
        Ok(true)
    }

    /// Makes the chunk that ends the stream, which may be empty.
    pub(crate) fn fill_end<P: Pipe, C: Codec>(&mut self, pipe: &mut P, codec: &mut C) -> Result<(), DownReason> {
        self.make(pipe, |chunk| codec.end(chunk))
    }

    fn make<P: Pipe>(
        &mut self,
        pipe: &mut P,
        seal: impl FnOnce(&mut Vec<u8>) -> Result<(), NoiseError>,
    ) -> Result<(), DownReason> {
        self.chunk.clear();
        (self.taken, self.calm) = (0, 0);
        if let Err(error) = seal(&mut self.chunk) {
            debug!(%error, "nothing more can be sent");
            return Err(DownReason::Broken);
        }
        pipe.begin_chunk(self.chunk.len(), !self.writer.is_empty());
        Ok(())
    }

    /// Writes what is left of the chunk; how many bytes the stream took.
    pub(crate) fn write<P: Pipe>(&mut self, pipe: &mut P, cx: &mut Context<'_>) -> Result<usize, DownReason> {
        let before = self.taken;
        while let Some(rest) = self.chunk.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match Pin::new(&mut *pipe).poll_write(cx, rest) {
                Poll::Pending => {
                    self.note_full(pipe);
                    break;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Err(DownReason::Broken),
                Poll::Ready(Ok(bytes)) => {
                    self.taken = self.taken.saturating_add(bytes);
                    self.pace.took(bytes);
                    self.unflushed = true;
                }
            }
        }
        if self.is_chunk_gone() {
            let leaving = core::mem::take(&mut self.leaving);
            for &lane in Lane::ALL {
                self.grants.left(lane, *leaving.get(lane));
            }
        }
        Ok(self.taken.saturating_sub(before))
    }

    /// Makes the stream pass on what it took; true when nothing is left to pass on.
    pub(crate) fn flush<P: Pipe>(&mut self, pipe: &mut P, cx: &mut Context<'_>) -> Result<bool, DownReason> {
        if self.unflushed {
            match Pin::new(pipe).poll_flush(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Err(DownReason::Broken),
            }
        }
        Ok(true)
    }

    fn note_full<P: Pipe>(&mut self, pipe: &mut P) {
        let before = self.pace.unsent();
        if self.pace.full(Instant::now()) {
            let unsent = self.pace.unsent();
            // A small change is not worth a system call.
            if unsent.abs_diff(before) > before / 8 {
                pipe.bound_unsent(unsent);
            }
            self.grants.set_data_target(u32::try_from(self.pace.grant()).unwrap_or(u32::MAX));
        }
    }
}
