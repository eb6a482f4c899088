//! The maker of a group away for two weeks, an edge for one: both come back with the rights they had.
//!
//! A few nodes, capabilities of 30 days. In the second week the maker, which alone may renew, and an edge are switched
//! off. Everybody present publishes once at each step and hears everybody present. After the maker's return the world
//! goes on beyond the thirtieth day: every capability has been renewed from half of its life on, with the same rights.

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::{Command, GroupView, InviteOptions, Reply, Since, Times};
use crosscast_wire::{GroupId, Policy, Rights, WallMillis};

use super::outcome::Absence;
use super::stage::Stage;
use crate::agenda::{MILLI, Micros, SECOND};
use crate::net::NetParams;
use crate::prng::Prng;
use crate::world::HostId;

const MAKER: HostId = HostId(0);
const DAY: Micros = 24 * 3_600 * SECOND;
const HOUR_US: Micros = 3_600 * SECOND;

/// What days of silence need not pay for: PINGs and redials every few seconds.
const fn slow_times(times: Times) -> Times {
    Times { idle_ping_ms: 600_000, idle_dead_ms: 660_000, redial_max_ms: 60_000, ..times }
}

struct Play {
    stage: Stage,
    group: GroupId,
    nodes: u32,
    edge: HostId,
    down: BTreeSet<HostId>,
    given: BTreeMap<HostId, (Rights, Option<WallMillis>)>,
    dials: BTreeMap<HostId, Vec<HostId>>,
    out: Absence,
}

/// Runs it with so many nodes (at least 4).
#[must_use]
pub fn absence(seed: u64, nodes: u32) -> Absence {
    let nodes = nodes.max(4);
    let Some(mut play) = Play::set_up(seed, nodes) else {
        return Absence { seed, failures: vec!["no-group"], ..Absence::default() };
    };
    play.admit();
    play.round();
    play.stage.run_for(DAY);
    play.round();
    // Day 1: the maker goes; day 8: the edge goes; day 15: both are back, the edge first.
    play.switch_off(MAKER);
    play.stage.run_for(7 * DAY);
    play.round();
    let edge = play.edge;
    play.switch_off(edge);
    play.stage.run_for(7 * DAY);
    play.round();
    play.out.edge_hears_ms = play.switch_on(edge);
    play.round();
    play.out.maker_hears_ms = play.switch_on(MAKER);
    play.round();
    play.stage.run_for(2 * DAY);
    play.round();
    // Day 40: longer than any capability that was given at first.
    play.stage.run_for(23 * DAY);
    play.round();
    play.judge()
}

impl Play {
    fn set_up(seed: u64, nodes: u32) -> Option<Self> {
        let mut prng = Prng::new(seed ^ 0xab5e_4ce5);
        let net = NetParams {
            delay_us: (MILLI, 10 * MILLI),
            regions: NetParams::latency_map(),
            loss_ppm: 1_000,
            ..NetParams::default()
        };
        let mut stage = Stage::new(seed, net, slow_times(Times::default()), nodes, 0);
        let mut dials = BTreeMap::new();
        for host in stage.hosts() {
            // The maker has one neighbour, the edge too: what lies between carries the group.
            let before = host.0.saturating_sub(1);
            let mut others = if host == MAKER { Vec::new() } else { vec![HostId(before)] };
            if host.0 > 2 && host.0.saturating_add(1) < nodes {
                let other = prng.range(1, u64::from(before));
                others.push(HostId(u32::try_from(other).unwrap_or(1)));
            }
            stage.start(host, &others);
            dials.insert(host, others);
        }
        stage.run_until(4 * SECOND);
        let create = Command::CreateGroup { name: "group".into(), policy: Policy::Capability, public: false };
        let Some(Reply::Group { group, .. }) = stage.ask(MAKER, create) else { return None };
        stage.book.group = Some(group);
        let (edge, down, given) = (HostId(nodes.saturating_sub(1)), BTreeSet::new(), BTreeMap::new());
        let out = Absence { seed, nodes: u64::from(nodes), ..Absence::default() };
        Some(Self { stage, group, nodes, edge, down, given, dials, out })
    }

    fn admit(&mut self) {
        for host in (1..self.nodes).map(HostId) {
            let options = InviteOptions { offline: host.0.is_multiple_of(2), ..InviteOptions::default() };
            let ticket = self.stage.ask(MAKER, Command::Invite { group: self.group, options });
            if let Some(Reply::Ticket(ticket)) = ticket {
                let join = self.stage.ask(host, Command::JoinGroup { ticket, name: None });
                let joined = matches!(join, Some(Reply::Group { .. }));
                self.out.admitted = self.out.admitted.saturating_add(u64::from(joined));
            }
        }
        for host in self.stage.hosts() {
            self.stage.read(host, self.group, Since::Now);
            if let Some(view) = self.view(host) {
                self.given.insert(host, (view.rights, view.rights_until));
            }
        }
        if self.out.admitted.saturating_add(1) < u64::from(self.nodes) {
            self.out.failures.push("not-admitted");
        }
    }

    fn view(&mut self, host: HostId) -> Option<GroupView> {
        let Reply::Groups(groups) = self.stage.ask(host, Command::Groups)? else { return None };
        groups.into_iter().find(|view| view.group == self.group)
    }

    fn switch_off(&mut self, host: HostId) {
        self.stage.world.kill(host);
        self.down.insert(host);
    }

    /// Switches a host on again: how long after its first link it hears the first message, in milliseconds.
    fn switch_on(&mut self, host: HostId) -> u64 {
        let began = self.stage.world.now();
        let dials = self.dials.get(&host).cloned().unwrap_or_default();
        self.stage.start(host, &dials);
        self.stage.read(host, self.group, Since::Now);
        self.down.remove(&host);
        let talker = HostId(1);
        self.stage.beat(talker, SECOND);
        self.stage.run_for(200 * SECOND);
        self.stage.hush(talker);
        self.stage.run_for(5 * SECOND);
        let up = self.stage.book.links_up.iter().find(|(at, of, _)| *at >= began && *of == host).map(|(at, _, _)| *at);
        let delivered = self.stage.book.delivered.values().filter_map(|to| to.get(&host));
        let heard = delivered.filter(|at| **at >= began).min().copied();
        match (up, heard) {
            (Some(up), Some(heard)) => heard.saturating_sub(up) / MILLI,
            _ => {
                self.out.failures.push("never-heard-again");
                u64::MAX
            }
        }
    }

    /// Everybody present publishes once and must be heard by everybody present.
    fn round(&mut self) {
        let began = self.stage.world.now();
        let present: Vec<HostId> = self.stage.hosts().filter(|host| !self.down.contains(host)).collect();
        for host in &present {
            self.stage.publish(*host);
            self.stage.run_for(SECOND);
        }
        self.stage.run_for(60 * SECOND);
        let mut published = BTreeSet::new();
        for (id, message) in self.stage.book.published.iter().filter(|(_, message)| message.at >= began) {
            published.insert(message.host);
            let got = self.stage.book.delivered.get(id);
            for host in &present {
                self.out.required = self.out.required.saturating_add(1);
                let missed = !got.is_some_and(|got| got.contains_key(host));
                self.out.lost = self.out.lost.saturating_add(u64::from(missed));
            }
        }
        if present.iter().any(|host| !published.contains(host)) {
            self.out.failures.push("somebody-did-not-publish");
        }
        for host in present {
            let view = self.view(host);
            let given = self.given.get(&host).map(|(rights, _)| *rights);
            let differs = view.map(|view| view.rights) != given;
            self.out.rights_differ = self.out.rights_differ.saturating_add(u64::from(differs));
        }
    }

    fn judge(mut self) -> Absence {
        for host in self.stage.hosts().filter(|host| *host != MAKER).collect::<Vec<_>>() {
            let until = self.view(host).and_then(|view| view.rights_until);
            let given = self.given.get(&host).and_then(|(_, until)| *until);
            self.out.renewed = self.out.renewed.saturating_add(u64::from(until > given));
        }
        self.out.refused = self.stage.publishes_refused.values().copied().fold(0, u64::saturating_add);
        self.out.virtual_h = self.stage.world.now() / HOUR_US;
        self.out.breaches = u64::from(self.stage.world.breach().is_some());
        let checks = [
            (self.out.required == 0 || self.out.lost > 0, "lost"),
            (self.out.refused > 0, "refused"),
            (self.out.rights_differ > 0, "rights-differ"),
            (self.out.renewed < u64::from(self.nodes).saturating_sub(1), "not-renewed"),
            (self.out.breaches > 0, "breach"),
        ];
        self.out.failures.extend(checks.into_iter().filter(|(failed, _)| *failed).map(|(_, word)| word));
        self.out
    }
}
