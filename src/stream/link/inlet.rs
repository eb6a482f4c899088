//! The reading half of a link: bytes of the stream to what the codec opens, and that to frames.
//!
//! The buffer is shared by all links of a thread: a link between two reads holds only an unfinished record and
//! unfinished frames.

use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll};

use crosscast_port::DownReason;
use crosscast_seal::noise::NOISE_MAX;
use crosscast_seal::noise::records::{HEAD_LEN, Opened};
use crosscast_transport::framing::FragmentReader;
use crosscast_wire::RawFrame;
use tokio::io::ReadBuf;
use tracing::debug;

use super::Codec;
use super::pipe::Pipe;

/// Bytes read at once: four of the largest records.
const READ_MAX: usize = 256 * 1024;

/// Room before them for what a link has of an unfinished record.
const HELD_MAX: usize = NOISE_MAX + HEAD_LEN;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; HELD_MAX + READ_MAX]);
}

/// What has come in and is not a frame yet.
#[derive(Debug, Default)]
pub(crate) struct Inlet {
    reader: FragmentReader,
    /// An unfinished record.
    held: Vec<u8>,
}

impl Inlet {
    /// Reads once and adds the frames that became whole; false when the stream has nothing now.
    ///
    /// # Errors
    /// How the link ended. Frames that came before the end are added.
    pub(crate) fn read<P: Pipe, C: Codec>(
        &mut self,
        pipe: &mut P,
        codec: &mut C,
        frames: &mut Vec<RawFrame>,
        cx: &mut Context<'_>,
    ) -> Result<bool, DownReason> {
        BUFFER.with_borrow_mut(|buffer| {
            let Some((held, room)) = buffer.split_at_mut_checked(self.held.len()) else {
                return Err(DownReason::Broken);
            };
            let mut room = ReadBuf::new(room);
            let read = match Pin::new(pipe).poll_read(cx, &mut room) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Broken),
                Poll::Ready(Ok(())) => room.filled().len(),
            };
            if read == 0 {
                let whole = codec.ends_with_stream() && self.held.is_empty();
                return Err(if whole { self.end() } else { DownReason::Broken });
            }
            held.copy_from_slice(&self.held);
            let filled = self.held.len().saturating_add(read);
            let received = buffer.get_mut(..filled).unwrap_or_default();
            self.open(codec, received, frames).map(|()| true)
        })
    }

    fn open<C: Codec>(
        &mut self,
        codec: &mut C,
        mut received: &mut [u8],
        frames: &mut Vec<RawFrame>,
    ) -> Result<(), DownReason> {
        loop {
            let left = received.len();
            match codec.open(received) {
                Ok(Opened::Content(content, rest)) => {
                    if let Err(error) = self.reader.push(content, frames) {
                        debug!(%error, "the peer broke the framing");
                        return Err(DownReason::Framing);
                    }
                    received = rest;
                }
                Ok(Opened::Part(rest)) => {
                    // A link that is not in the midst of a record holds nothing.
                    self.held = rest.to_vec();
                    return Ok(());
                }
                Ok(Opened::End) => return Err(self.end()),
                Err(error) => {
                    debug!(%error, left, "the peer broke the channel");
                    return Err(DownReason::Broken);
                }
            }
        }
    }

    /// What an end in order means here.
    fn end(&self) -> DownReason {
        if self.reader.is_between_frames() { DownReason::PeerClosed } else { DownReason::Broken }
    }
}
