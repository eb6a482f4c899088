//! Looking into a transport's links from outside, and cutting them: for traces and for faults in tests.
//!
//! A [`Tapped`] transport runs the one it wraps with a port whose links show their frames to a [`Tap`] on the way. A
//! closure is a tap; [`Faulty`] is one that cuts links by a seed. Delays and rates belong to the path: a shaped
//! interface, or a proxy.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use crosscast_port::LinkId;
use crosscast_wire::{RawFrame, Scheme};
use futures_core::future::BoxFuture;

use crate::board::lock;
use crate::{Port, Transport, TransportError};

/// Which way frames go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// From the network to the node.
    In,
    /// From the node to the network.
    Out,
}

/// Sees every batch of frames of every link.
pub trait Tap: Send + Sync {
    /// Looks at a batch; false cuts the link, and the batch is lost.
    fn pass(&self, link: LinkId, way: Way, frames: &[RawFrame]) -> bool;

    /// Hears that a link has ended.
    fn ended(&self, _link: LinkId) {}
}

impl<F: Fn(LinkId, Way, &[RawFrame]) -> bool + Send + Sync> Tap for F {
    fn pass(&self, link: LinkId, way: Way, frames: &[RawFrame]) -> bool {
        self(link, way, frames)
    }
}

/// A tap as ports hold it.
#[derive(Clone, Default)]
pub(crate) struct TapSlot(pub(crate) Option<Arc<dyn Tap>>);

impl TapSlot {
    pub(crate) fn pass(&self, link: LinkId, way: Way, frames: &[RawFrame]) -> bool {
        self.0.as_ref().is_none_or(|tap| tap.pass(link, way, frames))
    }

    pub(crate) fn ended(&self, link: LinkId) {
        if let Some(tap) = &self.0 {
            tap.ended(link);
        }
    }
}

impl fmt::Debug for TapSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "tapped" } else { "not tapped" })
    }
}

/// A transport whose links are tapped.
pub struct Tapped {
    inner: Box<dyn Transport>,
    tap: Arc<dyn Tap>,
}

impl Tapped {
    /// Wraps a transport.
    #[must_use]
    pub fn new(inner: Box<dyn Transport>, tap: Arc<dyn Tap>) -> Self {
        Self { inner, tap }
    }
}

impl fmt::Debug for Tapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tapped").field("scheme", &self.inner.scheme()).finish_non_exhaustive()
    }
}

impl Transport for Tapped {
    fn scheme(&self) -> Scheme {
        self.inner.scheme()
    }

    fn run(self: Box<Self>, mut port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        port.reporter.tap = TapSlot(Some(self.tap));
        self.inner.run(port)
    }
}

/// Cuts each link after a number of frames drawn from a seed, the same for the same seed and link.
#[derive(Debug)]
pub struct Faulty {
    seed: u64,
    most: u64,
    /// Frames left of each link that lives; an entry goes with its link.
    left: Mutex<HashMap<LinkId, u64>>,
}

impl Faulty {
    /// Makes a tap that cuts a link somewhere between its first frame and its `most`-th.
    #[must_use]
    pub fn new(seed: u64, most: u64) -> Self {
        Self { seed, most: most.max(1), left: Mutex::default() }
    }
}

impl Tap for Faulty {
    fn pass(&self, link: LinkId, _way: Way, frames: &[RawFrame]) -> bool {
        let mut left = lock(&self.left);
        let entry = left.entry(link).or_insert_with(|| mix(self.seed ^ link.0).checked_rem(self.most).unwrap_or(0));
        match entry.checked_sub(u64::try_from(frames.len()).unwrap_or(u64::MAX)) {
            Some(rest) => {
                *entry = rest;
                true
            }
            None => false,
        }
    }

    fn ended(&self, link: LinkId) {
        lock(&self.left).remove(&link);
    }
}

/// The finaliser of `SplitMix64` (Steele, Lea, Flood 2014).
const fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
