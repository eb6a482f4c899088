//! What travels with a message over one link only, outside its signature: the hop map.
//!
//! Routers write their own hop map before the message's bytes, which they forward as they came.

use bytes::Bytes;

use crate::cbor::{CborError, Reader, Writer};
use crate::fields::Fields;
use crate::limits::VIA_MAX;
use crate::{FrameType, Lane, NodeId, RawFrame, Trail};

/// The hop map of a MESSAGE frame or datagram.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Hop {
    /// Which of a group's trees carries the message.
    pub tree: u8,
    /// Links crossed before this one.
    pub hops: u8,
    /// Time the message has spent on its way so far, in milliseconds.
    pub age_ms: u32,
    /// For explicit recipients: bit i is set when recipient i is still to be served on this branch.
    pub remaining: Option<u32>,
    /// The networks of the links crossed before this one.
    pub trail: Trail,
    via: Vec<NodeId>,
}

impl Hop {
    /// A hop map with neither routers ahead nor a bitmap.
    #[must_use]
    pub const fn new(tree: u8, hops: u8, age_ms: u32) -> Self {
        Self { tree, hops, age_ms, remaining: None, trail: Trail::from_bits(0), via: Vec::new() }
    }

    /// Sets the routers still to cross, next one first; `None` for more than four.
    #[must_use]
    pub fn with_via(mut self, via: Vec<NodeId>) -> Option<Self> {
        self.via = via;
        (self.via.len() <= VIA_MAX).then_some(self)
    }

    /// Sets the networks of the links crossed before this one.
    #[must_use]
    pub const fn with_trail(mut self, trail: Trail) -> Self {
        self.trail = trail;
        self
    }

    /// Sets the bitmap of the recipients that are still to be served on this branch.
    #[must_use]
    pub const fn with_remaining(mut self, remaining: u32) -> Self {
        self.remaining = Some(remaining);
        self
    }

    /// The routers still to cross, next one first; at most four.
    #[must_use]
    pub fn via(&self) -> &[NodeId] {
        &self.via
    }

    /// The map as it travels.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let optional = [!self.via.is_empty(), self.remaining.is_some(), self.trail.bits() != 0];
        let mut w = Writer::with_capacity(20);
        w.map(optional.iter().filter(|present| **present).count().saturating_add(3));
        w.uint(0).uint(self.tree.into()).uint(1).uint(self.hops.into()).uint(2).uint(self.age_ms.into());
        if !self.via.is_empty() {
            w.uint(3).array(self.via.len());
            for node in &self.via {
                w.bytes(node.as_bytes());
            }
        }
        if let Some(remaining) = self.remaining {
            w.uint(4).uint(remaining.into());
        }
        if self.trail.bits() != 0 {
            w.uint(5).uint(self.trail.bits().into());
        }
        w.into_bytes()
    }

    /// A MESSAGE frame around a message's bytes, which are shared and not copied.
    #[must_use]
    pub fn frame(&self, message: Bytes, lane: Lane) -> RawFrame {
        RawFrame { frame_type: FrameType::MESSAGE, lane, head: self.encode().into(), tail: message }
    }

    /// Takes a MESSAGE body (or datagram) apart: the hop map, and the message's bytes as a slice of the body.
    ///
    /// # Errors
    /// What makes the body not start with a legal hop map.
    pub fn split(body: &Bytes) -> Result<(Self, Bytes), CborError> {
        let mut f = Fields::open(body)?;
        let (tree, hops, age_ms) = (f.required(0)?.u8()?, f.required(1)?.u8()?, f.required(2)?.u32()?);
        let via = f.optional(3)?.map(read_via).transpose()?.unwrap_or_default();
        let remaining = f.optional(4)?.map(Reader::u32).transpose()?;
        let trail = f.optional(5)?.map(read_trail).transpose()?.unwrap_or_default();
        let behind = f.end()?.rest();
        Ok((Self { tree, hops, age_ms, remaining, trail, via }, body.slice_ref(behind)))
    }
}

fn read_via(reader: &mut Reader<'_>) -> Result<Vec<NodeId>, CborError> {
    let count = reader.array_within(1, VIA_MAX)?;
    (0..count).map(|_| reader.fixed().map(NodeId::new)).collect()
}

fn read_trail(reader: &mut Reader<'_>) -> Result<Trail, CborError> {
    match reader.u32()? {
        // An empty one is left out.
        0 => Err(CborError::OutOfRange),
        bits => Ok(Trail::from_bits(bits)),
    }
}
