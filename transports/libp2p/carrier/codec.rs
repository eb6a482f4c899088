//! A payload: the CHAIN of a message, if it names one, and the MESSAGE, in frames laid out as on a stream.
//!
//! There is one layout for a message, so that honest publishers of one message make the same bytes: whole frames without
//! fragments, both on the message's lane, and the hop map of a message that has crossed no link.

use bytes::{BufMut, Bytes, BytesMut};
use crosscast_wire::frame::body_max;
use crosscast_wire::{Chain, FrameType, Header, Hop, Lane, RawFrame, Rendezvous};

/// Longest payload. 60 KiB: what every implementation passes on, less what gossipsub adds.
pub(crate) const PAYLOAD_MAX: usize = 60 * 1024;

/// Bytes before a frame's body: length (u24, big endian), type, lane.
const HEAD: usize = 5;

/// What the topic of a name begins with.
const TOPIC: &str = "crosscast/1/";

/// A payload taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) chain: Option<RawFrame>,
    pub(crate) message: RawFrame,
}

/// Why bytes are no payload; who published them is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    /// Longer than [`PAYLOAD_MAX`].
    #[error("longer than {PAYLOAD_MAX} bytes")]
    TooLong,
    /// It ends within a frame, or before its message.
    #[error("cut short")]
    Cut,
    /// A frame that has no place here, or not at this place.
    #[error("a frame out of place")]
    OutOfPlace,
    /// No lane of messages, or two.
    #[error("a frame on the wrong lane")]
    Lane,
    /// Something follows the message.
    #[error("bytes behind the message")]
    Trailing,
    /// The hop map is not that of a message that has crossed no link.
    #[error("a hop map that is not fresh")]
    Hop,
    /// The message names a chain and another is beside it, or none; or it names none and one is.
    #[error("not the chain that the message names")]
    Chain,
    /// The message's header is none.
    #[error("no message")]
    Header,
}

/// Lays a payload out; `None` when it is too long.
pub(crate) fn encode(payload: &Payload) -> Option<Vec<u8>> {
    let frames = || payload.chain.iter().chain([&payload.message]);
    let length = frames().map(|frame| frame.body_len().saturating_add(HEAD)).fold(0, usize::saturating_add);
    if length > PAYLOAD_MAX {
        return None;
    }
    let mut bytes = BytesMut::with_capacity(length);
    for frame in frames() {
        // Within the longest payload, and so within three bytes.
        bytes.put_uint(u64::try_from(frame.body_len()).ok()?, 3);
        bytes.put_u8(frame.frame_type.0);
        bytes.put_u8(frame.lane.number());
        bytes.put_slice(&frame.head);
        bytes.put_slice(&frame.tail);
    }
    Some(bytes.into())
}

/// Takes a payload apart, without copying.
///
/// # Errors
/// [`CodecError`] names what is wrong first. Signatures and payload hash are not looked at.
pub(crate) fn decode(data: Vec<u8>) -> Result<Payload, CodecError> {
    if data.len() > PAYLOAD_MAX {
        return Err(CodecError::TooLong);
    }
    let mut rest = Bytes::from(data);
    let first = next(&mut rest)?;
    let (chain, message) = match first.frame_type {
        FrameType::MESSAGE => (None, first),
        FrameType::CHAIN => (Some(first), next(&mut rest)?),
        FrameType(_) => return Err(CodecError::OutOfPlace),
    };
    if message.frame_type != FrameType::MESSAGE {
        return Err(CodecError::OutOfPlace);
    }
    if !rest.is_empty() {
        return Err(CodecError::Trailing);
    }
    let fresh = Hop::new(0, 0, 0).encode();
    let (_, bytes) = Hop::split(&message.tail).map_err(|_| CodecError::Hop)?;
    if !message.tail.starts_with(&fresh) || bytes.len().saturating_add(fresh.len()) != message.tail.len() {
        return Err(CodecError::Hop);
    }
    let (header, _) = Header::parse_prefix(&bytes).map_err(|_| CodecError::Header)?;
    let lane = header.class.lane();
    if message.lane != lane || chain.as_ref().is_some_and(|chain| chain.lane != lane) {
        return Err(CodecError::Lane);
    }
    let named = chain.as_ref().map(|chain| Chain::parse(&chain.tail).map(|chain| chain.hash()));
    if named.transpose().map_err(|_| CodecError::Chain)? != header.chain {
        return Err(CodecError::Chain);
    }
    Ok(Payload { chain, message })
}

fn next(rest: &mut Bytes) -> Result<RawFrame, CodecError> {
    let Some(&[high, mid, low, frame_type, lane]) = rest.first_chunk::<HEAD>() else { return Err(CodecError::Cut) };
    let length = usize::try_from(u32::from_be_bytes([0, high, mid, low])).map_err(|_| CodecError::Cut)?;
    let frame_type = FrameType(frame_type);
    let lane = Lane::from_number(lane.into()).ok_or(CodecError::Lane)?;
    if length > body_max(frame_type) {
        return Err(CodecError::OutOfPlace);
    }
    let end = HEAD.saturating_add(length);
    if rest.len() < end {
        return Err(CodecError::Cut);
    }
    let body = rest.split_to(end).slice(HEAD..);
    Ok(RawFrame::new(frame_type, lane, body))
}

/// The topic of those who meet under a name.
pub(crate) fn topic(rendezvous: &Rendezvous) -> String {
    use core::fmt::Write as _;
    let mut topic = String::from(TOPIC);
    for byte in rendezvous.as_bytes() {
        // Writing to a string does not fail.
        let _ = write!(topic, "{byte:02x}");
    }
    topic
}

/// Whether a topic is one of ours, whatever the name.
pub(crate) fn is_topic(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix(TOPIC).is_some_and(|name| name.len() == 2 * Rendezvous::LEN && name.bytes().all(is_hex))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::carrier::testing::{by_right, chain, frame, message};

    fn payload() -> Payload {
        Payload { chain: Some(chain(Lane::Normal)), message: frame(&by_right(1, 100)) }
    }

    /// What was laid out, as it is read: a body in one piece.
    fn whole(frame: &RawFrame) -> RawFrame {
        RawFrame::new(frame.frame_type, frame.lane, [frame.head.as_ref(), frame.tail.as_ref()].concat().into())
    }

    #[test]
    fn a_payload_survives_with_and_without_its_chain() {
        for payload in [payload(), Payload { chain: None, message: frame(&message(1, 100)) }] {
            let data = encode(&payload).unwrap();
            let read = decode(data.clone()).unwrap();
            assert_eq!(
                (read.chain.as_ref().map(whole), whole(&read.message)),
                (payload.chain.as_ref().map(whole), whole(&payload.message))
            );
            assert_eq!(encode(&read), Some(data));
        }
    }

    #[test]
    fn what_is_too_long_is_neither_laid_out_nor_read() {
        let long = Payload { chain: None, message: frame(&message(1, PAYLOAD_MAX)) };
        assert_eq!(encode(&long), None);
        assert_eq!(decode(vec![0; PAYLOAD_MAX + 1]), Err(CodecError::TooLong));
        let fits = Payload { chain: None, message: frame(&message(1, PAYLOAD_MAX - 400)) };
        assert!(encode(&fits).unwrap().len() <= PAYLOAD_MAX);
    }

    #[test]
    fn a_payload_that_ends_anywhere_else_is_cut_short() {
        let data = encode(&payload()).unwrap();
        for cut in 0..data.len() {
            assert!(decode(data[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        assert_eq!(decode([data.as_slice(), &[0]].concat()), Err(CodecError::Trailing));
        assert_eq!(decode(Vec::new()), Err(CodecError::Cut));
    }

    #[test]
    fn no_single_byte_of_a_head_can_be_another() {
        let data = encode(&payload()).unwrap();
        let second = HEAD + usize::from(data[2]) + 256 * usize::from(data[1]);
        for start in [0, second] {
            for at in start..start + HEAD {
                for value in 0..=255_u8 {
                    let mut other = data.clone();
                    other[at] = value;
                    assert!(value == data[at] || decode(other).is_err(), "byte {at} as {value}");
                }
            }
        }
    }

    #[test]
    fn frames_out_of_place_are_refused() {
        let (chain, message) = (chain(Lane::Normal), frame(&by_right(1, 10)));
        let laid = |frames: &[&RawFrame]| -> Vec<u8> {
            let one = |frame: &&RawFrame| {
                let body = whole(frame).tail;
                let [.., high, mid, low] = body.len().to_be_bytes();
                [&[high, mid, low, frame.frame_type.0, frame.lane.number()], body.as_ref()].concat()
            };
            frames.iter().flat_map(one).collect()
        };
        let hello = RawFrame::new(FrameType::HELLO, Lane::Normal, Bytes::new());
        for frames in [&[&chain, &chain, &message][..], &[&hello, &message], &[&chain, &hello], &[&message, &message]] {
            assert!(decode(laid(frames)).is_err());
        }
        assert_eq!(decode(laid(&[&chain])), Err(CodecError::Cut));
        let travelled = RawFrame { head: Hop::new(0, 3, 0).encode().into(), ..message.clone() };
        assert_eq!(decode(laid(&[&travelled])), Err(CodecError::Hop));
        let plain = frame(&self::message(1, 10));
        // One message has one layout: whoever could make another would have it passed on once more.
        let mut padded = Hop::new(0, 0, 0).encode();
        padded[0] += 1;
        padded.extend([0x18, 0xc8, 0x00]);
        assert_eq!(Hop::split(&padded.clone().into()).map(|(hop, _)| hop), Ok(Hop::new(0, 0, 0)));
        let padded = RawFrame { head: padded.into(), ..message.clone() };
        assert_eq!(decode(laid(&[&padded])), Err(CodecError::Hop));
        for frames in [&[&message][..], &[&chain, &plain]] {
            assert_eq!(decode(laid(frames)), Err(CodecError::Chain));
        }
        let elsewhere = RawFrame { lane: Lane::Bulk, ..message };
        assert_eq!(decode(laid(&[&elsewhere])), Err(CodecError::Lane));
    }

    #[test]
    fn a_topic_says_under_which_name_one_meets_and_nothing_else_is_one() {
        let name = topic(&Rendezvous::new([0xab; 32]));
        assert_eq!(name, format!("crosscast/1/{}", "ab".repeat(32)));
        assert!(is_topic(&name));
        for other in
            ["", "crosscast/1/", &name[1..], &name[..name.len() - 1], &name.to_uppercase(), &format!("{name}0")]
        {
            assert!(!is_topic(other), "{other}");
        }
    }
}
