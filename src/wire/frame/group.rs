//! Bodies of the frames about a group: chain, floor, subscribe, resume.

use crate::cbor::{Reader, Writer};
use crate::fields::Fields;
use crate::limits::RESUME_WINDOWS_MAX;
use crate::{Chain, ChainHash, FloorRecord, FrameType, GroupId, Instance, NodeId, RawFrame, Seq};

use super::{Frame, FrameCause, control};

/// How far one sender instance is known to a node without a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResumeWindow {
    /// The sender.
    pub from: NodeId,
    /// Its run.
    pub instance: Instance,
    /// The last number up to which nothing is missing; 0 when number 1 is missing.
    pub contiguous: Seq,
}

/// A CHAIN frame.
#[must_use]
pub fn chain(chain: &Chain) -> RawFrame {
    control(FrameType::CHAIN, chain.encode())
}

/// A FLOOR frame, with the chain that entitles a signer who is not the group key.
#[must_use]
pub fn floor(floor: &FloorRecord, chain: Option<&Chain>) -> RawFrame {
    let mut w = Writer::with_capacity(floor.bytes().len().saturating_add(8));
    w.map(if chain.is_some() { 2 } else { 1 }).uint(0).bytes(floor.bytes());
    if let Some(chain) = chain {
        w.uint(1);
        chain.write(&mut w);
    }
    control(FrameType::FLOOR, w.into_bytes())
}

/// A SUBSCRIBE frame.
#[must_use]
pub fn subscribe(group: &GroupId, on: bool, chain: Option<&ChainHash>) -> RawFrame {
    let mut w = Writer::with_capacity(75);
    w.map(if chain.is_some() { 3 } else { 2 }).uint(0).bytes(group.as_bytes()).uint(1).bool(on);
    if let Some(chain) = chain {
        w.uint(2).bytes(chain.as_bytes());
    }
    control(FrameType::SUBSCRIBE, w.into_bytes())
}

/// The RESUME frames of a group, at least one: windows are put in order, of two for the same sender instance the one
/// that knows less is kept, and more than 512 are spread over several frames.
#[must_use]
pub fn resume(group: &GroupId, windows: impl IntoIterator<Item = ResumeWindow>) -> Vec<RawFrame> {
    let mut windows: Vec<ResumeWindow> = windows.into_iter().collect();
    windows.sort_unstable();
    windows.dedup_by_key(|window| (window.from, window.instance));
    let mut pages: Vec<&[ResumeWindow]> = windows.chunks(RESUME_WINDOWS_MAX).collect();
    let last = pages.pop().unwrap_or_default();
    pages
        .into_iter()
        .map(|page| (page, true))
        .chain([(last, false)])
        .map(|(page, more)| control(FrameType::RESUME, resume_body(group, page, more)))
        .collect()
}

fn resume_body(group: &GroupId, windows: &[ResumeWindow], more: bool) -> Vec<u8> {
    let mut w = Writer::with_capacity(windows.len().saturating_mul(55).saturating_add(42));
    w.map(if more { 3 } else { 2 }).uint(0).bytes(group.as_bytes()).uint(1).array(windows.len());
    for window in windows {
        w.array(3).bytes(window.from.as_bytes()).uint(window.instance.0).uint(window.contiguous.0);
    }
    if more {
        w.uint(2).bool(true);
    }
    w.into_bytes()
}

pub(super) fn read_floor(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let floor = Box::new(FloorRecord::parse(f.required(0)?.bytes()?)?);
    let chain = f.optional(1)?.map(Chain::read).transpose()?.map(Box::new);
    f.finish()?;
    Ok(Frame::Floor { floor, chain })
}

pub(super) fn read_subscribe(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let group = GroupId::new(f.required(0)?.fixed()?);
    let on = f.required(1)?.bool()?;
    let chain = f.optional(2)?.map(Reader::fixed).transpose()?.map(ChainHash::new);
    f.finish()?;
    Ok(Frame::Subscribe { group, on, chain })
}

pub(super) fn read_resume(body: &[u8]) -> Result<Frame, FrameCause> {
    let mut f = Fields::open(body)?;
    let group = GroupId::new(f.required(0)?.fixed()?);
    let reader = f.required(1)?;
    let count = reader.array_within(0, RESUME_WINDOWS_MAX)?;
    let mut windows: Vec<ResumeWindow> = Vec::with_capacity(count);
    for _ in 0..count {
        reader.array_within(3, 3)?;
        let from = NodeId::new(reader.fixed()?);
        let instance = Instance(reader.uint()?);
        windows.push(ResumeWindow { from, instance, contiguous: Seq(reader.uint()?) });
    }
    if !windows.is_sorted_by(|a, b| (a.from, a.instance) < (b.from, b.instance)) {
        return Err(FrameCause::Order);
    }
    let more = f.optional(2)?.map(Reader::bool).transpose()?;
    if more == Some(false) {
        return Err(FrameCause::Redundant(2));
    }
    f.finish()?;
    Ok(Frame::Resume { group, windows, more: more.is_some() })
}
