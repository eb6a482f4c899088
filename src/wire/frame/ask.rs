//! Bodies of the frames that travel from hop to hop without being messages: ask, locate, equivocation.
//!
//! Each carries one signed object as a byte string; a router passes the object on as it came and writes only the number
//! of hops anew.

use crate::cbor::Writer;
use crate::fields::Fields;
use crate::{Equivocation, FrameType, JoinRequest, Locate, RawFrame};

use super::{Frame, FrameCause, control};

/// An ASK frame; `hops` are the links crossed before this one.
#[must_use]
pub fn ask(hops: u8, request: &JoinRequest) -> RawFrame {
    control(FrameType::ASK, hopping(hops, request.bytes()))
}

/// A LOCATE frame; `hops` are the links crossed before this one.
#[must_use]
pub fn locate(hops: u8, locate: &Locate) -> RawFrame {
    control(FrameType::LOCATE, hopping(hops, locate.bytes()))
}

/// An EQUIVOCATION frame.
#[must_use]
pub fn equivocation(equivocation: &Equivocation) -> RawFrame {
    let bytes = equivocation.bytes();
    let mut w = Writer::with_capacity(bytes.len().saturating_add(8));
    w.map(1).uint(0).bytes(bytes);
    control(FrameType::EQUIVOCATION, w.into_bytes())
}

fn hopping(hops: u8, object: &[u8]) -> Vec<u8> {
    let mut w = Writer::with_capacity(object.len().saturating_add(8));
    w.map(2).uint(0).uint(hops.into()).uint(1).bytes(object);
    w.into_bytes()
}

pub(super) fn read_ask(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let hops = f.required(0)?.u8()?;
    let request = Box::new(JoinRequest::parse(f.required(1)?.bytes()?)?);
    f.finish()?;
    Ok(Frame::Ask { hops, request })
}

pub(super) fn read_locate(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let hops = f.required(0)?.u8()?;
    let locate = Box::new(Locate::parse(f.required(1)?.bytes()?)?);
    f.finish()?;
    Ok(Frame::Locate { hops, locate })
}

pub(super) fn read_equivocation(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let equivocation = Box::new(Equivocation::parse(f.required(0)?.bytes()?)?);
    f.finish()?;
    Ok(Frame::Equivocation(equivocation))
}
