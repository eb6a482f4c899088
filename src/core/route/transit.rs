//! What this node has passed on for others: each message once, and for each of its recipients once.
//!
//! A node-wide table of replay windows per (sender, destination, instance) keeps a message from being passed on twice,
//! so that nothing can circle however wrong the routes are; ids with the recipients served tell a further branch of a
//! message with explicit recipients from a copy. Tokens per link bound what one neighbour can make this node check.

use std::collections::{BTreeMap, VecDeque};

use crosscast_port::LinkId;
use crosscast_wire::{Header, MessageId, NodeId, WallMillis};

use crate::auth::bucket::Bucket;
use crate::auth::origin::Origin;
use crate::auth::replay::Windows;
use crate::{Instant, Now, Reject, limits};

/// What was passed on.
#[derive(Default)]
pub(crate) struct Transit {
    windows: Windows,
    /// Recipients as bits, and the most links that one of their copies had crossed.
    served: BTreeMap<MessageId, (u32, u8)>,
    order: VecDeque<(WallMillis, MessageId)>,
    tolls: BTreeMap<LinkId, Bucket>,
}

/// Sender and destination as one name for a window.
fn flow(header: &Header) -> NodeId {
    let mut hasher = blake3::Hasher::new_derive_key("crosscast transit flow v1");
    hasher.update(header.to.as_bytes()).update(header.from.as_bytes());
    NodeId::new(*hasher.finalize().as_bytes())
}

impl Transit {
    /// Recipients of a message that it was passed on for, as bits, and how many links it had crossed when it came; none
    /// when it has not been seen.
    pub(crate) fn served(&self, id: &MessageId) -> (u32, u8) {
        self.served.get(id).copied().unwrap_or_default()
    }

    /// Whether a message that was not seen may be passed on; reads only.
    ///
    /// # Errors
    /// [`Reject::Replayed`], [`Reject::WindowsFull`] or [`Reject::Rate`].
    pub(crate) fn check(&self, id: &MessageId, header: &Header, origin: &Origin, now: Now) -> Result<(), Reject> {
        if self.served.contains_key(id) {
            return Ok(());
        }
        let flow = flow(header);
        let newness = self.windows.check(flow, header.instance, header.seq, now.wall)?;
        self.windows.admit(newness, origin, false, now)
    }

    /// Books recipients of a message and the links it has crossed, after its signature and payload hash held.
    pub(crate) fn take(&mut self, id: MessageId, header: &Header, came: (u32, u8), origin: &Origin, now: Now) {
        let (bits, hops) = came;
        match self.served.get_mut(&id) {
            Some(served) => *served = (served.0 | bits, served.1.max(hops)),
            None => {
                let (flow, run) = (flow(header), header.instance);
                if !self.windows.knows(flow, run) {
                    self.windows.open((flow, run), origin, false, now);
                }
                self.windows.take(flow, run, header.seq, now.wall);
                self.served.insert(id, came);
                self.order.push_back((now.wall, id));
                if self.order.len() > limits::TRANSIT_IDS
                    && let Some((_, oldest)) = self.order.pop_front()
                {
                    // Its window still knows its number.
                    self.served.remove(&oldest);
                }
            }
        }
    }

    /// Takes what passing on a message of this length costs its link.
    pub(crate) fn pay(&mut self, link: LinkId, len: usize, now: Instant) -> bool {
        let full = || Bucket::new(limits::TRANSIT_BURST, limits::TRANSIT_PER_S, now);
        let toll = self.tolls.entry(link).or_insert_with(full);
        toll.take_many((len as u64).saturating_add(limits::TRANSIT_OVERHEAD), now)
    }

    pub(crate) fn drop_link(&mut self, link: LinkId) {
        self.tolls.remove(&link);
    }

    /// What can no longer be pushed again is forgotten.
    pub(crate) fn expire(&mut self, now: WallMillis, mono: Instant) {
        let span = limits::PUSHED_MS.saturating_add(limits::FUTURE_MS);
        while let Some((at, id)) = self.order.front().copied() {
            if at.0.saturating_add(span) > now.0 {
                break;
            }
            self.order.pop_front();
            self.served.remove(&id);
        }
        self.windows.expire(now, mono);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_sends_too_much_through_has_to_wait() {
        let mut transit = Transit::default();
        let (now, len) = (Instant(1), 100_000);
        let paid = (0..1_000).filter(|_| transit.pay(LinkId(1), len, now)).count() as u64;
        assert_eq!(paid, limits::TRANSIT_BURST / (len as u64 + limits::TRANSIT_OVERHEAD));
        assert!(transit.pay(LinkId(2), len, now), "others are not held up");
        assert!(transit.pay(LinkId(1), len, now.plus_millis(1_000)));
    }
}
