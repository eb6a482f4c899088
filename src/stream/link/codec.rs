//! What lies between frames and the bytes of a stream: nothing, or Noise records.

use bytes::Bytes;
use crosscast_seal::noise::NoiseError;
use crosscast_seal::noise::records::Opened;

/// Turns the bytes of frames into the bytes of a stream and back.
pub trait Codec: Send {
    /// Appends what stands for these pieces, joined, to what goes out.
    ///
    /// # Errors
    /// When nothing more can be sent; the link is broken.
    fn seal(&mut self, pieces: &[Bytes], into: &mut Vec<u8>) -> Result<(), NoiseError>;

    /// Appends what ends the stream in order.
    ///
    /// # Errors
    /// As [`Self::seal`].
    fn end(&mut self, into: &mut Vec<u8>) -> Result<(), NoiseError>;

    /// Takes the next content off the front of what came in; it may be changed on the way.
    ///
    /// # Errors
    /// When what came in is not the peer's; the link is broken.
    fn open<'a>(&mut self, received: &'a mut [u8]) -> Result<Opened<'a>, NoiseError>;

    /// Bytes that what stands at the front has in all, as far as the part that is there tells.
    fn whole_len(&self, part: &[u8]) -> usize;

    /// Whether a stream that just ends has ended in order: where its bytes are authentic, so is its end.
    fn ends_with_stream(&self) -> bool;
}

/// For a stream that is encrypted and authenticated already, its end included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Codec for Plain {
    fn seal(&mut self, pieces: &[Bytes], into: &mut Vec<u8>) -> Result<(), NoiseError> {
        // One copy, so that a stream which writes one slice at a time is not handed headers alone.
        into.reserve(pieces.iter().map(Bytes::len).fold(0, usize::saturating_add));
        pieces.iter().for_each(|piece| into.extend_from_slice(piece));
        Ok(())
    }

    fn end(&mut self, _into: &mut Vec<u8>) -> Result<(), NoiseError> {
        Ok(())
    }

    fn open<'a>(&mut self, received: &'a mut [u8]) -> Result<Opened<'a>, NoiseError> {
        Ok(if received.is_empty() { Opened::Part(received) } else { Opened::Content(received, &mut []) })
    }

    fn whole_len(&self, part: &[u8]) -> usize {
        part.len()
    }

    fn ends_with_stream(&self) -> bool {
        true
    }
}
