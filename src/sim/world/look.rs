//! What can be seen of the world without anything happening in it.
//!
//! Its hosts and their machines, its connections, and the sums over all that has happened. Nothing here is recorded in the
//! trace, so whoever looks changes no run.

use std::collections::BTreeSet;

use crosscast_wire::{Instance, NodeId};

use super::{Breach, Counts, HostId, World};
use crate::agenda::Micros;
use crate::machine::Machine;

impl<M: Machine> World<M> {
    /// One-way delay between two hosts, in microseconds, without jitter and loss.
    pub fn delay_us(&mut self, a: HostId, b: HostId) -> Micros {
        self.net.delay(a, b)
    }

    /// The time, in microseconds since the world began.
    #[must_use]
    pub const fn now(&self) -> Micros {
        self.now
    }

    /// What a host's wall clock says, in milliseconds.
    #[must_use]
    pub fn wall_ms(&self, host: HostId) -> u64 {
        self.hosts.get(&host).map_or(0, |host| host.clock.wall_ms(self.now))
    }

    /// A host's key.
    #[must_use]
    pub fn node(&self, host: HostId) -> Option<NodeId> {
        self.hosts.get(&host).map(|host| host.node)
    }

    /// The instance of a host's present or last run.
    #[must_use]
    pub fn instance(&self, host: HostId) -> Option<Instance> {
        self.hosts.get(&host).map(|host| host.instance)
    }

    /// A host's machine, to look into.
    #[must_use]
    pub fn machine(&self, host: HostId) -> Option<&M> {
        self.hosts.get(&host)?.machine.as_ref()
    }

    /// Whether a host has a machine, paused or not.
    #[must_use]
    pub fn is_up(&self, host: HostId) -> bool {
        self.hosts.get(&host).is_some_and(|host| host.machine.is_some())
    }

    /// Bytes of messages that a host's store keeps.
    #[must_use]
    pub fn stored_bytes(&self, host: HostId) -> u64 {
        self.hosts.get(&host).map_or(0, |host| host.disk.message_bytes())
    }

    /// Pairs of hosts with a connection that both believe in.
    #[must_use]
    pub fn pairs_up(&self) -> BTreeSet<(HostId, HostId)> {
        self.net.pairs_up()
    }

    /// Connections that carry both ways now, by their number.
    pub(crate) fn open_ways(&self) -> BTreeSet<(u64, HostId, HostId)> {
        self.net.open_ways()
    }

    /// The hash over everything recorded so far.
    #[must_use]
    pub fn trace_hash(&self) -> [u8; 32] {
        self.trace.hash()
    }

    /// How much happened.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Parcels that arrived.
    #[must_use]
    pub const fn parcels(&self) -> u64 {
        self.net.parcels
    }

    /// The first rule that a machine broke.
    #[must_use]
    pub fn breach(&self) -> Option<&Breach> {
        self.breaches.first()
    }
}
