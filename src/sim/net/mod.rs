//! The model of the network: dials, connections with lanes, and everything that can go wrong with them.
//!
//! A connection behaves as TLS over TCP does: each direction is reliable and ordered while the connection lives, so
//! that loss shows as delay and, when it lasts, as a break. Lanes share one stream, or (as over QUIC) each has its own
//! and they overtake each other. Datagrams are truly lossy. A break of the path holds parcels up until it heals or the
//! sender gives up; one end may go on believing in a connection that the other has lost.

mod conn;
mod faults;
mod flow;
mod life;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_port::{DownReason, LinkTraits, Report, Role};

pub(crate) use conn::ConnId;
use conn::{Conn, End, EndState, Ends, end_of, link_of, other};
use flow::{Flow, Parcel};

use crate::HostId;
use crate::agenda::{MILLI, Micros, SECOND};
use crate::prng::Prng;

/// A transport gives up a dial after this.
const DIAL_US: Micros = 5 * SECOND;
/// A kernel repeats an unanswered first packet after this.
const SYN_AGAIN_US: Micros = SECOND;
/// A transport gives up a connection on which nothing moves for this long.
const NO_PROGRESS_US: Micros = 20 * SECOND;
/// A closing end flushes for at most this: the port's word.
const CLOSE_US: Micros = SECOND;
/// Longest wait of a kernel before it sends again over a healed path.
const RESEND_US: Micros = 2 * SECOND;
/// Largest datagram.
const MTU: u32 = 1_200;
/// Delay between a host and itself.
const LOOPBACK_US: Micros = 30;
/// Bytes in one packet on the path, for loss.
const PACKET_BYTES: u64 = 1_400;

/// What the network is like.
#[derive(Clone, Debug)]
pub struct NetParams {
    /// One-way delay between two hosts: drawn once a pair between these, in microseconds.
    pub delay_us: (Micros, Micros),
    /// One-way delay between regions, added to the pair's own: host n lives in region n modulo their number. Empty for
    /// a network without regions.
    pub regions: Vec<Vec<Micros>>,
    /// Most that is added to each parcel's delay.
    pub jitter_us: Micros,
    /// Packets lost, in a million.
    pub loss_ppm: u32,
    /// Bytes per second of each direction of a connection: drawn between these.
    pub bytes_per_s: (u64, u64),
    /// Bytes granted at once on each lane of a new link.
    pub lane_bytes: u32,
    /// Whether each lane is a stream of its own.
    pub lanes_apart: bool,
    /// Whether links carry datagrams.
    pub datagrams: bool,
}

impl NetParams {
    /// Six regions of the world: Europe, the east and the west of North America, South America, South and East Asia.
    /// One-way delays, about half of the round trips that data centres there publish.
    #[must_use]
    pub fn latency_map() -> Vec<Vec<Micros>> {
        let rows: [[Micros; 6]; 6] = [
            [8, 40, 70, 95, 65, 115],
            [40, 8, 32, 58, 100, 80],
            [70, 32, 8, 90, 115, 52],
            [95, 58, 90, 10, 155, 130],
            [65, 100, 115, 155, 15, 60],
            [115, 80, 52, 130, 60, 15],
        ];
        rows.iter().map(|row| row.iter().map(|millis| millis.saturating_mul(MILLI)).collect()).collect()
    }
}

impl Default for NetParams {
    fn default() -> Self {
        Self {
            delay_us: (MILLI, 40 * MILLI),
            regions: Vec::new(),
            jitter_us: 2 * MILLI,
            loss_ppm: 1_000,
            bytes_per_s: (2 << 20, 50 << 20),
            lane_bytes: 256 << 10,
            lanes_apart: false,
            datagrams: false,
        }
    }
}

/// A host's address on the second network, whose locators are `ygg://` and this.
#[must_use]
pub(crate) fn second_address(host: HostId) -> String {
    format!("[200::{:x}]:1", host.0)
}

/// What the network does later.
#[derive(Clone, Debug)]
pub(crate) enum NetEvent {
    /// The first packet of a dial reaches the other machine.
    Syn(ConnId),
    /// The other machine's refusal is back.
    Refused(ConnId),
    /// A dial takes too long.
    DialDue(ConnId),
    /// The handshake ends at the dialler.
    DialerUp(ConnId),
    /// The handshake ends at the listener.
    ListenerUp(ConnId),
    /// A parcel has left this end.
    Left(ConnId, Role, Parcel),
    /// A parcel from this end arrives.
    Arrive(ConnId, Role, Parcel),
    /// This end sends again what was held up.
    Resend(ConnId, Role),
    /// A look at whether anything moves from this end.
    Watch(ConnId, Role),
    /// This end learns that the connection is gone.
    Reset(ConnId, Role, DownReason),
    /// This end's close is overdue.
    CloseDue(ConnId, Role),
    /// A datagram from this end arrives.
    Datagram(ConnId, Role, Bytes),
}

/// Bytes to be marked as read when the machine has had a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unread {
    pub(crate) conn: ConnId,
    /// Which end sent them.
    pub(crate) from: Role,
    pub(crate) bytes: u64,
}

/// What comes out of the network model.
#[derive(Clone, Debug)]
pub(crate) enum NetOut {
    /// A report for a run of a host.
    Report { host: HostId, run: u64, report: Report, unread: Option<Unread> },
    /// Something for the agenda.
    Later(Micros, NetEvent),
    /// A host's machine broke a rule of the port.
    Breach(HostId, String),
}

/// A host as the network sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Site {
    /// Which run of its process; none while it is down.
    run: Option<u64>,
    /// Whether the machine has power.
    powered: bool,
    /// Whether its process is stopped.
    paused: bool,
}

/// The network.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    params: NetParams,
    prng: Prng,
    sites: BTreeMap<HostId, Site>,
    /// Which host a name leads to, whether it listens or not.
    homes: BTreeMap<String, HostId>,
    listening: BTreeMap<String, HostId>,
    delays: BTreeMap<(HostId, HostId), Micros>,
    extra_delay_us: Micros,
    extra_loss_ppm: u32,
    /// Directed pairs whose packets are lost, with how many faults say so.
    blocked: BTreeMap<(HostId, HostId), u32>,
    conns: BTreeMap<ConnId, Conn>,
    next_conn: ConnId,
    outs: Vec<NetOut>,
    /// Parcels that arrived, for the report.
    pub(crate) parcels: u64,
}

impl Net {
    pub(crate) const fn new(params: NetParams, prng: Prng) -> Self {
        Self {
            params,
            prng,
            sites: BTreeMap::new(),
            homes: BTreeMap::new(),
            listening: BTreeMap::new(),
            delays: BTreeMap::new(),
            extra_delay_us: 0,
            extra_loss_ppm: 0,
            blocked: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_conn: 1,
            outs: Vec::new(),
            parcels: 0,
        }
    }

    pub(crate) fn add_host(&mut self, host: HostId, name: String) {
        self.homes.insert(second_address(host), host);
        self.homes.insert(name, host);
        self.sites.insert(host, Site { run: None, powered: true, paused: false });
    }

    pub(crate) fn take_outs(&mut self) -> Vec<NetOut> {
        std::mem::take(&mut self.outs)
    }

    /// Continues with what was put on the agenda.
    pub(crate) fn handle(&mut self, now: Micros, event: NetEvent) {
        match event {
            NetEvent::Syn(conn) => self.syn(now, conn),
            NetEvent::Refused(conn) => self.refused(conn),
            NetEvent::DialDue(conn) => self.dial_due(conn),
            NetEvent::DialerUp(conn) => self.dialer_up(now, conn),
            NetEvent::ListenerUp(conn) => self.listener_up(now, conn),
            NetEvent::Left(conn, from, parcel) => self.left(now, conn, from, parcel),
            NetEvent::Arrive(conn, from, parcel) => self.arrive(now, conn, from, parcel),
            NetEvent::Resend(conn, from) => self.resend(now, conn, from),
            NetEvent::Watch(conn, from) => self.watch(now, conn, from),
            NetEvent::Reset(conn, end, reason) => self.reset(conn, end, reason),
            NetEvent::CloseDue(conn, end) => self.close_due(now, conn, end),
            NetEvent::Datagram(conn, from, bytes) => self.datagram_arrives(conn, from, bytes),
        }
    }

    fn later(&mut self, at: Micros, event: NetEvent) {
        self.outs.push(NetOut::Later(at, event));
    }

    fn report(&mut self, end: End, report: Report, unread: Option<Unread>) {
        self.outs.push(NetOut::Report { host: end.host, run: end.run, report, unread });
    }

    /// One-way delay between two hosts without jitter.
    pub(crate) fn delay(&mut self, from: HostId, to: HostId) -> Micros {
        if from == to {
            return LOOPBACK_US;
        }
        let pair = (from.min(to), from.max(to));
        let (low, high) = self.params.delay_us;
        let prng = &mut self.prng;
        let base = *self.delays.entry(pair).or_insert_with(|| prng.range(low, high));
        base.saturating_add(self.between_regions(from, to)).saturating_add(self.extra_delay_us)
    }

    fn between_regions(&self, from: HostId, to: HostId) -> Micros {
        let regions = &self.params.regions;
        let region = |host: HostId| (host.0 as usize).checked_rem(regions.len());
        let row = region(from).and_then(|from| regions.get(from));
        row.zip(region(to)).and_then(|(row, to)| row.get(to)).copied().unwrap_or(0)
    }

    fn delay_with_jitter(&mut self, from: HostId, to: HostId) -> Micros {
        let jitter = self.prng.below(self.params.jitter_us.saturating_add(1));
        self.delay(from, to).saturating_add(jitter)
    }

    /// Whether a packet gets from one host's machine to the other's.
    fn reaches(&self, from: HostId, to: HostId) -> bool {
        let powered = |host| self.sites.get(host).is_some_and(|site| site.powered);
        powered(&from) && powered(&to) && !self.blocked.contains_key(&(from, to))
    }

    /// Whether this end's process is the one that opened it.
    fn lives(&self, end: End) -> bool {
        self.sites.get(&end.host).is_some_and(|site| site.run == Some(end.run))
    }

    const fn traits(&self) -> LinkTraits {
        LinkTraits {
            mtu: if self.params.datagrams { MTU } else { 0 },
            datagrams: self.params.datagrams,
            ordered: true,
            encrypted: true,
            broadcast: false,
            relayed: false,
            cost: 0,
        }
    }

    /// Connections of which both ends are up, as pairs of hosts.
    pub(crate) fn pairs_up(&self) -> BTreeSet<(HostId, HostId)> {
        let up = self.conns.values().filter(|conn| conn.ends.dialer.is_up() && conn.ends.listener.is_up());
        up.map(|conn| (conn.ends.dialer.host, conn.ends.listener.host)).collect()
    }

    /// The same with the connections' numbers, as far as something gets over them in both directions at this time.
    pub(crate) fn open_ways(&self) -> BTreeSet<(ConnId, HostId, HostId)> {
        let runs = |host: &HostId| self.sites.get(host).is_some_and(|site| site.run.is_some() && !site.paused);
        let ways = self.conns.iter().filter_map(|(id, conn)| {
            let (dialer, listener) = (&conn.ends.dialer, &conn.ends.listener);
            let (a, b) = (dialer.host, listener.host);
            let up = dialer.is_up() && listener.is_up() && !conn.cut && self.lives(*dialer) && self.lives(*listener);
            let open = up && runs(&a) && runs(&b) && self.reaches(a, b) && self.reaches(b, a);
            open.then_some((*id, a, b))
        });
        ways.collect()
    }

    /// The host at the other end of a link.
    pub(crate) fn peer(&self, link: crosscast_port::LinkId) -> Option<HostId> {
        let (id, role) = conn::end_of(link);
        self.conns.get(&id).map(|conn| conn.ends.get(conn::other(role)).host)
    }
}
