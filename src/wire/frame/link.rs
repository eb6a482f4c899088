//! Bodies of the frames about the link itself: hello, proof, close, ping, pong, credit, ack.

use crate::cbor::Writer;
use crate::fields::{Fields, is_plain};
use crate::limits::{CLOSE_TEXT_MAX, RETRY_AFTER_MAX_MS};
use crate::{CborError, CloseCode, FrameType, Hello, Lane, RawFrame, RefuseCode, Signature};

use super::{Frame, FrameCause, control, read_whole};

/// 3: urgent, normal and bulk; lane control has neither credit nor acknowledgements.
const DATA_LANES: usize = 3;

/// A HELLO frame.
#[must_use]
pub fn hello(hello: &Hello) -> RawFrame {
    control(FrameType::HELLO, hello.body().clone())
}

/// A PROOF frame.
#[must_use]
pub fn proof(signature: &Signature) -> RawFrame {
    let mut w = Writer::with_capacity(70);
    w.array(1).bytes(signature);
    control(FrameType::PROOF, w.into_bytes())
}

/// A CLOSE frame; `retry_after_ms` 0 says nothing, the text is cut to what the format takes.
#[must_use]
pub fn close(code: CloseCode, retry_after_ms: u64, text: &str) -> RawFrame {
    let text = line(text);
    let retry_after_ms = retry_after_ms.min(RETRY_AFTER_MAX_MS);
    let (with_retry, with_text) = (retry_after_ms > 0, !text.is_empty());
    let mut w = Writer::with_capacity(32);
    w.map(usize::from(with_retry).saturating_add(usize::from(with_text)).saturating_add(1));
    w.uint(0).uint(code.number().into());
    if with_retry {
        w.uint(1).uint(retry_after_ms);
    }
    if with_text {
        w.uint(2).text(&text);
    }
    control(FrameType::CLOSE, w.into_bytes())
}

/// A PING frame.
#[must_use]
pub fn ping(token: u64) -> RawFrame {
    control(FrameType::PING, token_body(token))
}

/// A PONG frame.
#[must_use]
pub fn pong(token: u64) -> RawFrame {
    control(FrameType::PONG, token_body(token))
}

/// A CREDIT frame: bytes granted on a lane since link-up; `None` for lane control, which has no credit.
#[must_use]
pub fn credit(lane: Lane, total: u64) -> Option<RawFrame> {
    if lane == Lane::Control {
        return None;
    }
    let mut w = Writer::with_capacity(16);
    w.map(2).uint(0).uint(lane.number().into()).uint(1).uint(total);
    Some(control(FrameType::CREDIT, w.into_bytes()))
}

/// An ACK frame: data frames accepted or refused since link-up, per lane in ascending order; `None` when there is no
/// lane, lane control, or a lane out of order.
#[must_use]
pub fn ack(counts: &[(Lane, u64)]) -> Option<RawFrame> {
    let ascending = counts.is_sorted_by(|(a, _), (b, _)| a < b);
    if counts.is_empty() || !ascending || counts.iter().any(|(lane, _)| *lane == Lane::Control) {
        return None;
    }
    let mut w = Writer::with_capacity(40);
    w.array(counts.len());
    for (lane, count) in counts {
        w.array(2).uint(lane.number().into()).uint(*count);
    }
    Some(control(FrameType::ACK, w.into_bytes()))
}

/// A REFUSE frame: the data frame `number` of `lane` was not taken; `None` for lane control.
#[must_use]
pub fn refuse(lane: Lane, number: u64, code: RefuseCode) -> Option<RawFrame> {
    if lane == Lane::Control {
        return None;
    }
    let mut w = Writer::with_capacity(16);
    w.map(3).uint(0).uint(lane.number().into()).uint(1).uint(number).uint(2).uint(code.number().into());
    Some(control(FrameType::REFUSE, w.into_bytes()))
}

pub(super) fn read_proof(body: &[u8]) -> Result<Frame, FrameCause> {
    read_whole(body, |reader| {
        reader.array_within(1, 1)?;
        Ok(Frame::Proof(reader.fixed()?))
    })
}

pub(super) fn read_close(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let code = f.required(0)?.uint()?;
    let code = CloseCode::from_number(code).ok_or(FrameCause::UnknownCloseCode(code))?;
    let retry_after_ms = match f.optional(1)? {
        Some(reader) => match reader.uint()? {
            0 => return Err(FrameCause::Redundant(1)),
            millis => millis.min(RETRY_AFTER_MAX_MS),
        },
        None => 0,
    };
    let text = match f.optional(2)? {
        Some(reader) => reader.text_within(1, CLOSE_TEXT_MAX)?,
        None => "",
    };
    if !is_plain(text) {
        return Err(FrameCause::Text);
    }
    let text = text.to_owned();
    f.finish()?;
    Ok(Frame::Close { code, retry_after_ms, text })
}

pub(super) fn read_token(body: &[u8]) -> Result<u64, CborError> {
    let mut f = Fields::open(body)?;
    let token = f.required(0)?.uint()?;
    f.finish()?;
    Ok(token)
}

pub(super) fn read_credit(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let lane = data_lane(f.required(0)?.uint()?)?;
    let total = f.required(1)?.uint()?;
    f.finish()?;
    Ok(Frame::Credit { lane, total })
}

pub(super) fn read_refuse(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let lane = data_lane(f.required(0)?.uint()?)?;
    let number = f.required(1)?.uint()?;
    if number == 0 {
        return Err(CborError::OutOfRange.into());
    }
    let code = RefuseCode::from_number(f.required(2)?.uint()?).unwrap_or(RefuseCode::Other);
    f.finish()?;
    Ok(Frame::Refuse { lane, number, code })
}

pub(super) fn read_ack(body: &[u8]) -> Result<Frame, FrameCause> {
    read_whole(body, |reader| {
        let count = reader.array_within(1, DATA_LANES)?;
        let mut counts: Vec<(Lane, u64)> = Vec::with_capacity(count);
        for _ in 0..count {
            reader.array_within(2, 2)?;
            counts.push((data_lane(reader.uint()?)?, reader.uint()?));
        }
        if counts.is_sorted_by(|(a, _), (b, _)| a < b) { Ok(Frame::Ack(counts)) } else { Err(FrameCause::Order) }
    })
}

fn token_body(token: u64) -> Vec<u8> {
    let mut w = Writer::with_capacity(11);
    w.map(1).uint(0).uint(token);
    w.into_bytes()
}

fn data_lane(number: u64) -> Result<Lane, FrameCause> {
    Lane::from_number(number).filter(|lane| *lane != Lane::Control).ok_or(FrameCause::NoDataLane(number))
}

/// Text as one line of at most 128 bytes, cut between characters.
fn line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len().saturating_add(c.len_utf8()) > CLOSE_TEXT_MAX {
            break;
        }
        line.push(c);
    }
    line
}
