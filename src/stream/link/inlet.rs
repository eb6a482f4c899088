//! The reading half of a link: bytes of the stream to what the codec opens, and that to frames.
//!
//! The buffer is shared by all links of a thread: a link between two reads holds only an unfinished record and
//! unfinished frames.

use core::cell::RefCell;
use core::pin::Pin;
use core::task::{Context, Poll};

use crosscast_port::DownReason;
use crosscast_seal::noise::records::Opened;
use crosscast_transport::framing::FragmentReader;
use crosscast_wire::RawFrame;
use tokio::io::ReadBuf;
use tracing::debug;

use super::Codec;
use super::pipe::Pipe;

/// Bytes read at once: four of the largest records.
const READ_MAX: usize = 256 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_MAX]);
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
            let mut room = ReadBuf::new(buffer);
            match Pin::new(pipe).poll_read(cx, &mut room) {
                Poll::Pending => return Ok(false),
                Poll::Ready(Err(_)) => return Err(DownReason::Broken),
                Poll::Ready(Ok(())) => {}
            }
            let received = room.filled_mut();
            if received.is_empty() {
                let whole = codec.ends_with_stream() && self.held.is_empty();
                return Err(if whole { self.end() } else { DownReason::Broken });
            }
            let received = self.complete(codec, received, frames)?;
            self.open(codec, received, frames).map(|()| true)
        })
    }

    /// Completes what is held from the front of what came in, and opens it; gives what is left. A record that comes in
    /// many pieces is copied once, not once for each.
    fn complete<'a, C: Codec>(
        &mut self,
        codec: &mut C,
        mut received: &'a mut [u8],
        frames: &mut Vec<RawFrame>,
    ) -> Result<&'a mut [u8], DownReason> {
        while !self.held.is_empty() && !received.is_empty() {
            let missing = codec.whole_len(&self.held).saturating_sub(self.held.len());
            let (front, rest) = received.split_at_mut(missing.min(received.len()));
            self.held.extend_from_slice(front);
            received = rest;
            if front.len() == missing {
                // Whole, or its head is: then it is held again, and says how long it is.
                let mut whole = core::mem::take(&mut self.held);
                self.open(codec, &mut whole, frames)?;
            }
        }
        Ok(received)
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
                Ok(Opened::Part([])) => return Ok(()),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::link::Noise;
    use crosscast_seal::noise::{Channel, Handshake, NoiseSecret};
    use crosscast_transport::framing::FragmentWriter;
    use crosscast_wire::{FrameType, Lane};

    fn channels() -> (Channel, Channel) {
        let secret = NoiseSecret::new([1; 32]);
        let mut a = Handshake::initiator(&secret, &[2; 32], b"").unwrap();
        let mut b = Handshake::responder(&secret, &[3; 32], b"").unwrap();
        b.read(&a.write(b"").unwrap()).unwrap();
        a.read(&b.write(b"").unwrap()).unwrap();
        b.read(&a.write(b"").unwrap()).unwrap();
        (a.finish().unwrap(), b.finish().unwrap())
    }

    #[test]
    fn records_survive_any_cut_of_the_stream_and_between_them_nothing_is_held() {
        for step in [1, 2, 3, 17, 1000, 65_536, 1_000_000] {
            let (a, b) = channels();
            let (mut sender, mut receiver) = (Noise::new(a).unwrap(), Noise::new(b).unwrap());
            let mut stream = Vec::new();
            let sent: Vec<RawFrame> = [3, 20_000, 0, 270_000, 1]
                .map(|len| RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![7; len].into()))
                .to_vec();
            for frame in &sent {
                let (mut writer, mut pieces) = (FragmentWriter::new(), Vec::new());
                writer.push(frame.clone());
                writer.take(1_000_000, &mut pieces);
                sender.seal(&pieces, &mut stream).unwrap();
            }
            let (mut inlet, mut frames) = (Inlet::default(), Vec::new());
            for part in stream.chunks_mut(step) {
                let rest = inlet.complete(&mut receiver, part, &mut frames).unwrap();
                inlet.open(&mut receiver, rest, &mut frames).unwrap();
            }
            assert_eq!(frames, sent, "in steps of {step}");
            assert!(inlet.held.is_empty() && inlet.held.capacity() == 0, "in steps of {step}");
            let mut end = Vec::new();
            sender.end(&mut end).unwrap();
            assert_eq!(inlet.open(&mut receiver, &mut end, &mut frames), Err(DownReason::PeerClosed));
        }
    }
}
