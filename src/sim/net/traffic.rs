//! Frames and datagrams on their way.

use bytes::Bytes;
use crosscast_port::{DownReason, LinkId, Report, Role};
use crosscast_wire::RawFrame;

use super::{
    ConnId, EndState, MTU, NO_PROGRESS_US, Net, NetEvent, NetOut, PACKET_BYTES, Parcel, RESEND_US, Unread, end_of,
    link_of, other,
};
use crate::HostId;
use crate::agenda::{MILLI, Micros, SECOND};

/// A kernel that hears nothing sends again after at least this.
const RESEND_AFTER_US: Micros = 200 * MILLI;

impl Net {
    pub(crate) fn send(&mut self, now: Micros, host: HostId, link: LinkId, frames: Vec<RawFrame>) {
        let (id, role) = end_of(link);
        // A link that has just ended takes nothing; its machine will learn so.
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = conn.ends.get(role);
        if end.host != host {
            return self.outs.push(NetOut::Breach(host, format!("send over another host's link {}", link.0)));
        }
        match end.state {
            EndState::Open => {}
            EndState::Gone => return,
            EndState::Waiting | EndState::Closing => {
                return self.outs.push(NetOut::Breach(host, format!("send over link {}, which is not up", link.0)));
            }
        }
        let flow = conn.flows.get_mut(role);
        for frame in frames {
            let lane = frame.lane;
            if !flow.push(now, frame) {
                self.outs.push(NetOut::Breach(host, format!("send beyond the grant of lane {lane}")));
                break;
            }
        }
        if !flow.watched {
            flow.watched = true;
            self.later(now.saturating_add(NO_PROGRESS_US), NetEvent::Watch(id, role));
        }
        self.pump(now, id, role);
    }

    /// Lets the next parcel of this end leave.
    pub(super) fn pump(&mut self, now: Micros, id: ConnId, from: Role) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if !conn.ends.get(from).is_up() {
            return;
        }
        let flow = conn.flows.get_mut(from);
        if let Some(parcel) = flow.cut() {
            let takes = parcel.bytes.saturating_mul(SECOND) / flow.bytes_per_s;
            self.later(now.saturating_add(takes).saturating_add(1), NetEvent::Left(id, from, parcel));
        } else if flow.fin && !flow.sending && !flow.has_queued() {
            flow.fin = false;
            self.transit(now, id, from, Parcel::fin());
            self.end(id, from, DownReason::Requested);
        }
    }

    pub(super) fn left(&mut self, now: Micros, id: ConnId, from: Role, parcel: Parcel) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let end = *conn.ends.get(from);
        let flow = conn.flows.get_mut(from);
        flow.sending = false;
        if !end.is_up() {
            return;
        }
        parcel.grants.iter().for_each(|(lane, bytes)| flow.grant(*lane, *bytes));
        let link = link_of(id, from);
        for (lane, bytes) in parcel.grants.iter().filter(|(_, bytes)| **bytes > 0) {
            self.report(end, Report::Writable { link, lane: *lane, bytes: *bytes }, None);
        }
        self.transit(now, id, from, parcel);
        self.pump(now, id, from);
    }

    /// Sends a parcel on its way.
    fn transit(&mut self, now: Micros, id: ConnId, from: Role, parcel: Parcel) {
        let Some(conn) = self.conns.get(&id) else { return };
        if conn.flows.get(from).void {
            return;
        }
        let (source, target) = (conn.ends.get(from).host, conn.ends.get(other(from)).host);
        let parcels: Vec<_> = if self.params.lanes_apart && !parcel.fin {
            parcel.by_lane().into_iter().map(|(lane, parcel)| (Some(lane), parcel)).collect()
        } else {
            vec![(None, parcel)]
        };
        for (lane, parcel) in parcels {
            let alone = now.saturating_add(self.delay_of(source, target, parcel.bytes));
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let at = conn.flows.get_mut(from).arrival(alone, lane);
            self.later(at, NetEvent::Arrive(id, from, parcel));
        }
    }

    /// One-way delay of a parcel, repeats of lost packets included.
    fn delay_of(&mut self, source: HostId, target: HostId, bytes: u64) -> Micros {
        let mut delay = self.delay_with_jitter(source, target);
        let packets = u32::try_from(bytes / PACKET_BYTES).unwrap_or(u32::MAX).saturating_add(1);
        let loss = self.params.loss_ppm.saturating_add(self.extra_loss_ppm).min(900_000);
        let mut wait = RESEND_AFTER_US;
        // The first repeat is usually asked for by the receiver, after a round trip.
        if self.prng.chance(loss.saturating_mul(packets).min(900_000)) {
            let round_trip = self.delay(source, target).saturating_mul(2);
            delay = delay.saturating_add(round_trip);
            while self.prng.chance(loss.max(100_000)) && wait < 10 * SECOND {
                delay = delay.saturating_add(wait);
                wait = wait.saturating_mul(2);
            }
        }
        delay
    }

    pub(super) fn arrive(&mut self, now: Micros, id: ConnId, from: Role, parcel: Parcel) {
        let Some(conn) = self.conns.get(&id) else { return };
        let flow = conn.flows.get(from);
        if conn.cut || flow.void {
            return;
        }
        let (source, target) = (conn.ends.get(from).host, conn.ends.get(other(from)).host);
        let waits = !flow.held.is_empty();
        if waits || !self.reaches(source, target) {
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.flows.get_mut(from).held.push_back(parcel);
            }
            return;
        }
        self.hand_over(now, id, from, parcel);
    }

    /// A parcel reaches the other end's process.
    fn hand_over(&mut self, now: Micros, id: ConnId, from: Role, parcel: Parcel) {
        let Some(conn) = self.conns.get(&id) else { return };
        let to = other(from);
        let end = *conn.ends.get(to);
        if !end.is_up() {
            // The machine there knows nothing of this connection.
            return self.send_reset(now, id, from, DownReason::Broken);
        }
        self.parcels = self.parcels.saturating_add(1);
        let Parcel { frames, bytes, grants: _, fin } = parcel;
        let unread = Unread { conn: id, from, bytes };
        if frames.is_empty() {
            self.was_read(now, unread);
        } else {
            // A receiving transport puts the body into one piece.
            let frames = frames.into_iter().map(joined).collect();
            self.report(end, Report::Frames { link: link_of(id, to), frames }, Some(unread));
        }
        if fin {
            self.end(id, to, DownReason::PeerClosed);
        }
    }

    /// The machine has had a report: its bytes make room.
    pub(crate) fn was_read(&mut self, now: Micros, unread: Unread) {
        if let Some(conn) = self.conns.get_mut(&unread.conn) {
            conn.flows.get_mut(unread.from).was_read(now, unread.bytes);
            self.pump(now, unread.conn, unread.from);
        }
    }

    /// Plans to send again everything that a break held up on its way to or from these hosts.
    pub(super) fn plan_resends(&mut self, now: Micros) {
        let held: Vec<(ConnId, Role)> = self
            .conns
            .iter()
            .flat_map(|(id, conn)| {
                [(*id, Role::Dialer, &conn.flows.dialer), (*id, Role::Listener, &conn.flows.listener)]
            })
            .filter(|(_, _, flow)| !flow.held.is_empty())
            .map(|(id, role, _)| (id, role))
            .collect();
        for (id, role) in held {
            let at = now.saturating_add(self.prng.range(10 * MILLI, RESEND_US));
            self.later(at, NetEvent::Resend(id, role));
        }
    }

    pub(super) fn resend(&mut self, now: Micros, id: ConnId, from: Role) {
        loop {
            let Some(conn) = self.conns.get(&id) else { return };
            let (source, target) = (conn.ends.get(from).host, conn.ends.get(other(from)).host);
            if !self.reaches(source, target) {
                return;
            }
            let Some(conn) = self.conns.get_mut(&id) else { return };
            let Some(parcel) = conn.flows.get_mut(from).held.pop_front() else { return };
            self.hand_over(now, id, from, parcel);
        }
    }

    pub(super) fn watch(&mut self, now: Micros, id: ConnId, from: Role) {
        let Some(conn) = self.conns.get_mut(&id) else { return };
        let is_up = conn.ends.get(from).is_up();
        let flow = conn.flows.get_mut(from);
        if !is_up || flow.outstanding() == 0 {
            flow.watched = false;
            return;
        }
        let due = flow.progress_at.saturating_add(NO_PROGRESS_US);
        if due > now {
            return self.later(due, NetEvent::Watch(id, from));
        }
        let reason = if flow.void || !flow.held.is_empty() { DownReason::Broken } else { DownReason::Stalled };
        if reason == DownReason::Stalled {
            self.send_reset(now, id, other(from), DownReason::Broken);
        }
        self.end(id, from, reason);
    }

    pub(crate) fn datagram(&mut self, now: Micros, host: HostId, link: LinkId, bytes: Bytes) {
        let (id, role) = end_of(link);
        let Some(conn) = self.conns.get(&id) else { return };
        let (end, target) = (*conn.ends.get(role), conn.ends.get(other(role)).host);
        let fits = self.params.datagrams && bytes.len() as u64 <= u64::from(MTU);
        if end.host != host || !fits {
            return self.outs.push(NetOut::Breach(host, "datagram where the traits allow none".into()));
        }
        let loss = self.params.loss_ppm.saturating_add(self.extra_loss_ppm);
        if end.is_up() && !self.prng.chance(loss) {
            // Jitter alone decides the order.
            let at = now.saturating_add(self.delay_with_jitter(host, target));
            self.later(at, NetEvent::Datagram(id, role, bytes));
        }
    }

    pub(super) fn datagram_arrives(&mut self, id: ConnId, from: Role, bytes: Bytes) {
        let Some(conn) = self.conns.get(&id) else { return };
        let (source, end) = (conn.ends.get(from).host, *conn.ends.get(other(from)));
        let lost = conn.cut || conn.flows.get(from).void || !self.reaches(source, end.host);
        if !lost && end.is_up() {
            self.report(end, Report::Datagram { link: link_of(id, other(from)), bytes }, None);
        }
    }
}

fn joined(frame: RawFrame) -> RawFrame {
    if frame.head.is_empty() {
        return frame;
    }
    let mut body = Vec::with_capacity(frame.body_len());
    body.extend_from_slice(&frame.head);
    body.extend_from_slice(&frame.tail);
    RawFrame::new(frame.frame_type, frame.lane, Bytes::from(body))
}
