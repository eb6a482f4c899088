//! What came for this node: a log like a group's, kept until the application acknowledges it.

use crosscast_port::LogPos;
use crosscast_wire::{Instance, NodeId, Seq, WallMillis};

use crate::auth::replay::Windows;
use crate::group::log::Log;
use crate::route::contacts::Contacts;
use crate::{Config, Instant};

/// The inbox.
pub(crate) struct Inbox {
    pub(crate) log: Log,
    /// Of what was sent to this node.
    pub(crate) windows: Windows,
    /// Of what was sent to lists: their destination is their sender.
    pub(crate) lists: Windows,
    /// Everything up to here has been taken by the application.
    pub(crate) acknowledged: LogPos,
    pub(crate) contacts: Contacts,
}

/// How a message came to be in the inbox: kept in the store's opaque tag, above what every message has there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Its sender was a stranger when it came.
    pub(crate) request: bool,
    /// It has explicit recipients.
    pub(crate) list: bool,
    /// The number of the service that it was sent to; 0 for this node.
    pub(crate) service: u16,
}

impl Mark {
    const REQUEST: u64 = 1 << 40;
    const LIST: u64 = 1 << 41;

    pub(crate) fn pack(self) -> u64 {
        let request = if self.request { Self::REQUEST } else { 0 };
        let list = if self.list { Self::LIST } else { 0 };
        request | list | u64::from(self.service) << 48
    }

    pub(crate) fn unpack(tag: u64) -> Self {
        Self {
            request: tag & Self::REQUEST != 0,
            list: tag & Self::LIST != 0,
            service: u16::try_from(tag >> 48).unwrap_or(0),
        }
    }
}

impl Inbox {
    pub(crate) fn new(_config: &Config) -> Self {
        Self {
            log: Log::default(),
            windows: Windows::default(),
            lists: Windows::default(),
            acknowledged: LogPos(0),
            contacts: Contacts::default(),
        }
    }

    /// What has been silent for long is forgotten.
    pub(crate) fn expire(&mut self, now: WallMillis, mono: Instant) {
        self.windows.expire(now, mono);
        self.lists.expire(now, mono);
        self.contacts.expire(now);
    }

    /// Takes a number from the windows of what this node itself was sent.
    pub(crate) fn take(&mut self, list: bool, from: NodeId, instance: Instance, seq: Seq, at: WallMillis) {
        if list { &mut self.lists } else { &mut self.windows }.take(from, instance, seq, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::log::Tag;
    use crosscast_wire::{Class, Network, PathKind, Trail};

    #[test]
    fn marks_and_tags_do_not_meet() {
        let tag = Tag {
            hops: 255,
            class: Class::Realtime,
            last: Some((Network::Memory, PathKind::Relayed)),
            trail: Trail::default(),
        };
        let mark = Mark { request: true, list: true, service: u16::MAX };
        let both = tag.pack() | mark.pack();
        assert_eq!((Tag::unpack(both), Mark::unpack(both)), (tag, mark));
        assert_eq!(Mark::unpack(tag.pack()), Mark::default());
    }
}
