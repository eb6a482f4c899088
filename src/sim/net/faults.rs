//! What is done to the network on purpose.

use crosscast_port::{DownReason, Role};
use crosscast_wire::Scheme;

use super::{ConnId, Net, NetEvent, other};
use crate::HostId;
use crate::agenda::{MILLI, Micros};

impl Net {
    /// Loses every packet from one host to another, until [`Self::unblock`] has been called as often.
    pub(crate) fn block(&mut self, from: HostId, to: HostId) {
        let count = self.blocked.entry((from, to)).or_default();
        *count = count.saturating_add(1);
    }

    /// Lets packets through again.
    pub(crate) fn unblock(&mut self, now: Micros, from: HostId, to: HostId) {
        if let Some(count) = self.blocked.get_mut(&(from, to)) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.blocked.remove(&(from, to));
                self.plan_resends(now);
            }
        }
    }

    /// The machine of a host has power again.
    pub(crate) fn power_on(&mut self, now: Micros, host: HostId) {
        if let Some(site) = self.sites.get_mut(&host) {
            site.powered = true;
        }
        self.plan_resends(now);
    }

    /// Stops or continues a host's process.
    pub(crate) fn set_paused(&mut self, host: HostId, paused: bool) {
        if let Some(site) = self.sites.get_mut(&host) {
            site.paused = paused;
        }
    }

    /// Adds to every delay and every loss, until it is set back to zero.
    pub(crate) const fn set_weather(&mut self, extra_delay_us: Micros, extra_loss_ppm: u32) {
        self.extra_delay_us = extra_delay_us;
        self.extra_loss_ppm = extra_loss_ppm;
    }

    /// Changes the speed of every connection that a host sends over.
    pub(crate) fn set_speed(&mut self, host: HostId, bytes_per_s: u64) {
        for conn in self.conns.values_mut() {
            for role in [Role::Dialer, Role::Listener] {
                if conn.ends.get(role).host == host {
                    conn.flows.get_mut(role).bytes_per_s = bytes_per_s.max(1);
                }
            }
        }
    }

    fn between(&self, a: HostId, b: HostId) -> Vec<(ConnId, Role)> {
        let ends = self.conns.iter().map(|(id, conn)| (*id, conn.ends.dialer, conn.ends.listener));
        ends.filter_map(|(id, dialer, listener)| match (dialer.host, listener.host) {
            hosts if hosts == (a, b) => Some((id, Role::Dialer)),
            hosts if hosts == (b, a) => Some((id, Role::Listener)),
            _ => None,
        })
        .collect()
    }

    /// Cuts every connection between two hosts; what is under way is lost and both learn of it.
    pub(crate) fn cut(&mut self, now: Micros, a: HostId, b: HostId) {
        for (id, _) in self.between(a, b) {
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.cut = true;
            }
            for role in [Role::Dialer, Role::Listener] {
                let at = now.saturating_add(self.prng.below(20 * MILLI));
                self.later(at, NetEvent::Reset(id, role, DownReason::Broken));
            }
        }
    }

    /// Swallows whatever is sent from now on over the connections between two hosts on one of the networks; neither is told.
    pub(crate) fn swallow(&mut self, a: HostId, b: HostId, scheme: Scheme) {
        for (id, role) in self.between(a, b) {
            if let Some(conn) = self.conns.get_mut(&id).filter(|conn| conn.dialled.scheme() == scheme) {
                conn.flows.get_mut(role).void = true;
                conn.flows.get_mut(other(role)).void = true;
            }
        }
    }

    /// Ends `a`'s side of every connection with `b`; `b` goes on believing, and what it sends vanishes.
    pub(crate) fn half_open(&mut self, a: HostId, b: HostId) {
        for (id, role) in self.between(a, b) {
            let Some(conn) = self.conns.get_mut(&id) else { continue };
            if conn.ends.get(role).is_up() && conn.ends.get(other(role)).is_up() {
                conn.flows.get_mut(other(role)).void = true;
                conn.flows.get_mut(role).void = true;
                self.end(id, role, DownReason::Broken);
            }
        }
    }
}
