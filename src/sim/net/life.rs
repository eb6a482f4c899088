//! The life of connections: listening, dialling, coming up, closing, ending.

use bytes::Bytes;
use crosscast_port::{DialError, DialId, DownReason, LinkId, LinkUp, ListenError, Report, Role};
use crosscast_wire::{Lane, Locator, PathKind, PathReason, Scheme};

use super::{
    CLOSE_US, Conn, ConnId, DIAL_US, End, EndState, Ends, Flow, Net, NetEvent, NetOut, SYN_AGAIN_US, end_of, link_of,
    other,
};
use crate::HostId;
use crate::agenda::{MILLI, Micros};

impl Net {
    pub(super) fn tell(&mut self, host: HostId, run: u64, report: Report) {
        self.outs.push(NetOut::Report { host, run, report, unread: None });
    }

    pub(crate) fn listen(&mut self, host: HostId, run: u64, locator: Locator) {
        let home = self.home_of(&locator);
        let taken = self.listening.contains_key(locator.address());
        let error = if !is_simulated(locator.scheme()) {
            Some(ListenError::BadLocator)
        } else if taken {
            Some(ListenError::AddressInUse)
        } else if home == Some(host) {
            None
        } else {
            Some(ListenError::NoSuchAddress)
        };
        let report = match error {
            Some(error) => Report::ListenFailed { asked: locator, error },
            None => {
                self.listening.insert(locator.address().to_owned(), host);
                Report::Listening { asked: locator.clone(), locator }
            }
        };
        self.tell(host, run, report);
    }

    /// Whose place a locator names, on either of the two networks.
    fn home_of(&self, locator: &Locator) -> Option<HostId> {
        self.homes.get(locator.address()).copied().filter(|_| is_simulated(locator.scheme()))
    }

    pub(crate) fn dial(&mut self, now: Micros, host: HostId, run: u64, dial: DialId, locator: Locator) {
        let Some(target) = self.home_of(&locator) else {
            let known = is_simulated(locator.scheme());
            let error = if known { DialError::NoSuchHost } else { DialError::BadLocator };
            return self.tell(host, run, Report::DialFailed { dial, error });
        };
        let id = self.next_conn;
        self.next_conn = self.next_conn.saturating_add(1);
        let (low, high) = self.params.bytes_per_s;
        let end = |host, run| End { host, run, state: EndState::Waiting };
        let conn = Conn {
            dial,
            dialled: locator,
            binding: Bytes::copy_from_slice(&self.prng.bytes32()),
            // The listener's run is filled in when the first packet arrives.
            ends: Ends { dialer: end(host, run), listener: end(target, 0) },
            flows: Ends {
                dialer: Flow::new(self.prng.range(low, high)),
                listener: Flow::new(self.prng.range(low, high)),
            },
            cut: false,
        };
        self.conns.insert(id, conn);
        let arrives = now.saturating_add(self.delay_with_jitter(host, target));
        self.later(arrives, NetEvent::Syn(id));
        self.later(now.saturating_add(DIAL_US), NetEvent::DialDue(id));
    }

    pub(super) fn syn(&mut self, now: Micros, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (from, to) = (conn.ends.dialer.host, conn.ends.listener.host);
        let name = conn.dialled.address();
        let listening = self.listening.get(name) == Some(&to);
        let site = self.sites.get(&to).copied().unwrap_or_default();
        if !self.reaches(from, to) || !self.reaches(to, from) || (site.paused && listening) {
            // Lost, or nobody answers the handshake: the dialler repeats it until its patience ends.
            return self.later(now.saturating_add(SYN_AGAIN_US), NetEvent::Syn(id));
        }
        let back = now.saturating_add(self.delay_with_jitter(to, from));
        let Some(run) = site.run.filter(|_| listening) else {
            return self.later(back, NetEvent::Refused(id));
        };
        // The second round trip is the secure handshake's.
        let up = back.saturating_add(self.delay(from, to)).saturating_add(self.delay_with_jitter(to, from));
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.ends.listener.run = run;
        }
        self.later(up, NetEvent::DialerUp(id));
    }

    pub(super) fn refused(&mut self, id: ConnId) {
        self.fail(id, DialError::Unreachable);
    }

    pub(super) fn dial_due(&mut self, id: ConnId) {
        if self.conns.get(&id).is_some_and(|conn| conn.ends.dialer.state == EndState::Waiting) {
            self.fail(id, DialError::Timeout);
        }
    }

    fn fail(&mut self, id: ConnId, error: DialError) {
        let Some(conn) = self.conns.remove(&id) else { return };
        self.report(conn.ends.dialer, Report::DialFailed { dial: conn.dial, error }, None);
    }

    pub(super) fn dialer_up(&mut self, now: Micros, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        let Ends { dialer, listener } = conn.ends.clone();
        let met = self.reaches(listener.host, dialer.host) && self.lives(listener);
        if !met || dialer.state != EndState::Waiting {
            // The last packet of the handshake is lost; the dial runs out of time.
            return;
        }
        let listener_up = now.saturating_add(self.delay_with_jitter(dialer.host, listener.host));
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.flows.dialer.arrives_from(listener_up);
        }
        self.later(listener_up, NetEvent::ListenerUp(id));
        self.up(id, Role::Dialer);
    }

    pub(super) fn listener_up(&mut self, now: Micros, id: ConnId) {
        let Some(conn) = self.conns.get(&id) else { return };
        let Ends { dialer, listener } = conn.ends.clone();
        if conn.cut || !self.lives(listener) || !self.reaches(dialer.host, listener.host) {
            // The dialler believes in a connection that the listener never had.
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.ends.listener.state = EndState::Gone;
            }
            return self.forget_when_gone(id);
        }
        let arrives = now;
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.flows.listener.arrives_from(arrives);
        }
        self.up(id, Role::Listener);
    }

    /// Reports one end up, with its first grants.
    fn up(&mut self, id: ConnId, role: Role) {
        let (traits, lane_bytes) = (self.traits(), self.params.lane_bytes);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        conn.ends.get_mut(role).state = EndState::Open;
        for lane in Lane::ALL {
            conn.flows.get_mut(role).grant(*lane, lane_bytes);
        }
        let (dial, locator) = match role {
            Role::Dialer => (Some(conn.dial), conn.dialled.clone()),
            Role::Listener => (None, conn.dialled.clone().without_node()),
        };
        let up = LinkUp {
            scheme: conn.dialled.scheme(),
            role,
            dial,
            locator,
            peer: None,
            binding: conn.binding.clone(),
            traits,
            path: PathKind::Direct,
            reason: PathReason::Lan,
            rendezvous: None,
        };
        let (end, link) = (*conn.ends.get(role), link_of(id, role));
        self.report(end, Report::Up { link, up: Box::new(up) }, None);
        for lane in Lane::ALL {
            self.report(end, Report::Writable { link, lane: *lane, bytes: lane_bytes }, None);
        }
    }

    pub(crate) fn close(&mut self, now: Micros, host: HostId, link: LinkId) {
        let (id, role) = end_of(link);
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = conn.ends.get_mut(role);
        if end.host != host {
            return self.outs.push(NetOut::Breach(host, format!("close of another host's link {}", link.0)));
        }
        if end.state == EndState::Open {
            end.state = EndState::Closing;
            conn.flows.get_mut(role).fin = true;
            self.later(now.saturating_add(CLOSE_US), NetEvent::CloseDue(id, role));
            self.pump(now, id, role);
        }
    }

    pub(super) fn close_due(&mut self, now: Micros, id: ConnId, role: Role) {
        if self.conns.get(&id).is_some_and(|conn| conn.ends.get(role).state == EndState::Closing) {
            self.send_reset(now, id, other(role), DownReason::Broken);
            self.end(id, role, DownReason::Requested);
        }
    }

    /// Ends one end, whatever the other believes.
    pub(super) fn end(&mut self, id: ConnId, role: Role, reason: DownReason) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = conn.ends.get_mut(role);
        let was_up = end.is_up();
        end.state = EndState::Gone;
        let end = *end;
        conn.flows.get_mut(role).clear();
        if was_up {
            self.report(end, Report::Down { link: link_of(id, role), reason }, None);
        }
        self.forget_when_gone(id);
    }

    pub(super) fn forget_when_gone(&mut self, id: ConnId) {
        let gone = |end: &End| end.state == EndState::Gone;
        if self.conns.get(&id).is_some_and(|conn| gone(&conn.ends.dialer) && gone(&conn.ends.listener)) {
            self.conns.remove(&id);
        }
    }

    /// Tells one end that the connection is gone, behind everything that is under way to it.
    pub(super) fn send_reset(&mut self, now: Micros, id: ConnId, to: Role, reason: DownReason) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (source, target) = (conn.ends.get(other(to)).host, conn.ends.get(to).host);
        let behind = conn.flows.get(other(to)).last_arrival();
        let at = now.saturating_add(self.delay_with_jitter(source, target)).max(behind);
        self.later(at, NetEvent::Reset(id, to, reason));
    }

    pub(super) fn reset(&mut self, id: ConnId, to: Role, reason: DownReason) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (source, target) = (conn.ends.get(other(to)).host, *conn.ends.get(to));
        // A reset is one packet and nobody repeats it; a cut is known to both ends by itself.
        if (conn.cut || self.reaches(source, target.host)) && target.state != EndState::Gone {
            if target.state == EndState::Waiting && to == Role::Dialer {
                return self.fail(id, DialError::Handshake);
            }
            self.end(id, to, reason);
        }
    }

    /// A host's process starts.
    pub(crate) fn start(&mut self, host: HostId, run: u64) {
        if let Some(site) = self.sites.get_mut(&host) {
            *site = super::Site { run: Some(run), powered: true, paused: false };
        }
    }

    /// A host's process ends; with `power` lost its machine is silent too.
    pub(crate) fn stop(&mut self, now: Micros, host: HostId, power: bool) {
        if let Some(site) = self.sites.get_mut(&host) {
            *site = super::Site { run: None, powered: power, paused: false };
        }
        self.listening.retain(|_, at| *at != host);
        let ids: Vec<ConnId> = self.conns.keys().copied().collect();
        for id in ids {
            for role in [Role::Dialer, Role::Listener] {
                let Some(conn) = self.conns.get_mut(&id) else { continue };
                let end = conn.ends.get_mut(role);
                // Run 0: the first packet of the dial has not come here yet.
                if end.host != host || end.state == EndState::Gone || end.run == 0 {
                    continue;
                }
                let was_waiting = end.state == EndState::Waiting;
                end.state = EndState::Gone;
                conn.flows.get_mut(role).clear();
                if was_waiting && role == Role::Dialer {
                    self.conns.remove(&id);
                } else if power {
                    // The kernel closes what the process leaves behind, at once or when it notices.
                    let at = now.saturating_add(self.prng.below(5 * MILLI));
                    self.send_reset(at, id, other(role), DownReason::PeerClosed);
                }
                self.forget_when_gone(id);
            }
        }
    }
}

/// The simulated networks: one that every host is on, and a second one that some pairs use too.
const fn is_simulated(scheme: Scheme) -> bool {
    matches!(scheme, Scheme::Memory | Scheme::Ygg)
}
