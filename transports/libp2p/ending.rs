//! How a stream of fragments ends in order: with an empty fragment of type 0.
//!
//! The multiplexers of libp2p do not tell a stream that the peer has closed from one that it has dropped, or whose
//! connection is gone. So a side that ends a link says so in the stream itself, and a stream that ends without that is
//! broken. No frame has type 0.

use bytes::Bytes;
use crosscast_seal::noise::NoiseError;
use crosscast_seal::noise::records::Opened;
use crosscast_stream::link::Codec;
use crosscast_transport::framing::FRAGMENT_HEADER;

/// The header of the fragment that ends a stream.
const END: [u8; FRAGMENT_HEADER] = [0; FRAGMENT_HEADER];

/// Passes fragments as they are, and says where they end.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// Bytes that are still to come of the body under way.
    left: usize,
}

/// What stands at the front of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Front {
    /// So many bytes of bodies and whole headers.
    Fragments(usize),
    /// A part of a header.
    Part,
    End,
}

impl Ending {
    fn front(&mut self, bytes: &[u8]) -> Front {
        let mut rest = bytes;
        let ended = loop {
            let (body, behind) = rest.split_at_checked(self.left).unwrap_or((rest, &[]));
            self.left = self.left.saturating_sub(body.len());
            rest = behind;
            match rest.split_first_chunk::<FRAGMENT_HEADER>() {
                None => break false,
                Some((&END, _)) => break true,
                Some((&[high, mid, low, ..], behind)) => {
                    // Whether it is a legal length is for the reader of the fragments to say.
                    self.left = usize::try_from(u32::from_be_bytes([0, high, mid, low])).unwrap_or(usize::MAX);
                    rest = behind;
                }
            }
        };
        match bytes.len().saturating_sub(rest.len()) {
            0 if ended => Front::End,
            0 => Front::Part,
            passed => Front::Fragments(passed),
        }
    }
}

impl Codec for Ending {
    fn seal(&mut self, pieces: &[Bytes], into: &mut Vec<u8>) -> Result<(), NoiseError> {
        pieces.iter().for_each(|piece| into.extend_from_slice(piece));
        Ok(())
    }

    fn end(&mut self, into: &mut Vec<u8>) -> Result<(), NoiseError> {
        into.extend_from_slice(&END);
        Ok(())
    }

    fn open<'a>(&mut self, received: &'a mut [u8]) -> Result<Opened<'a>, NoiseError> {
        Ok(match self.front(received) {
            Front::End => Opened::End,
            Front::Part => Opened::Part(received),
            Front::Fragments(passed) => {
                let (content, rest) = received.split_at_mut(passed);
                Opened::Content(content, rest)
            }
        })
    }

    fn whole_len(&self, _part: &[u8]) -> usize {
        // Only headers are held until they are whole.
        FRAGMENT_HEADER
    }

    fn ends_with_stream(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crosscast_transport::framing::FragmentWriter;
    use crosscast_wire::{FrameType, Lane, RawFrame};

    fn fragments() -> Vec<u8> {
        let mut writer = FragmentWriter::new();
        for (lane, len) in [(Lane::Control, 0), (Lane::Bulk, 40_000), (Lane::Urgent, 1), (Lane::Normal, 16_384)] {
            writer.push(RawFrame::new(FrameType::MESSAGE, lane, Bytes::from(vec![0; len])));
        }
        let mut pieces = Vec::new();
        while !writer.is_empty() {
            writer.take(64 * 1024, &mut pieces);
        }
        pieces.concat()
    }

    /// What passes of bytes that come in steps, and whether they end in order.
    fn read_in(step: usize, sent: &[u8]) -> (Vec<u8>, bool) {
        let (mut ending, mut got, mut held) = (Ending::default(), Vec::new(), Vec::new());
        for bytes in sent.chunks(step) {
            held.extend_from_slice(bytes);
            let mut received = std::mem::take(&mut held);
            let mut rest = received.as_mut_slice();
            loop {
                match ending.open(rest).unwrap() {
                    Opened::Content(content, behind) => {
                        got.extend_from_slice(content);
                        rest = behind;
                    }
                    Opened::Part(part) => {
                        assert!(part.len() < FRAGMENT_HEADER);
                        held = part.to_vec();
                        break;
                    }
                    Opened::End => return (got, true),
                }
            }
        }
        (got, false)
    }

    #[test]
    fn fragments_pass_as_they_are_and_the_end_does_not_pass() {
        let whole = fragments();
        let mut end = Vec::new();
        Ending::default().end(&mut end).unwrap();
        for step in [1, 2, 3, 5, 64, 10_000, 200_000] {
            let (got, ended) = read_in(step, &[whole.as_slice(), &end, b"more"].concat());
            assert!(got == whole && ended, "step {step}: {} of {} bytes", got.len(), whole.len());
        }
    }

    #[test]
    fn a_stream_that_stops_anywhere_else_has_not_ended() {
        let whole = fragments();
        for cut in [0, 3, 5, 12, whole.len() - 1, whole.len()] {
            let (got, ended) = read_in(300, &whole[..cut]);
            assert!(!ended && whole.starts_with(&got) && cut - got.len() < FRAGMENT_HEADER, "cut at {cut}");
        }
        assert!(!read_in(300, &[whole.as_slice(), &END[..4]].concat()).1);
        assert!(!Ending::default().ends_with_stream());
    }

    #[test]
    fn a_body_of_zeros_is_no_end_and_an_empty_frame_of_another_type_is_none_either() {
        let empty = [0, 0, 0, 0x10, 0];
        assert_eq!(read_in(1, &[&empty[..], &[0, 0, 9, 0, 0], &[0; 9], &END].concat()).0.len(), 19);
    }
}
