//! A scenario played: applications on every host, faults at their times, checks all along.
//!
//! The applications are as plain as can be: they make and join groups, publish at random times, read with a cursor,
//! and come back after every start of their host. Whatever a machine tells them goes into the ledger.

mod apps;
mod events;
mod faults;
mod rights;
mod ways;

use std::collections::{BTreeMap, BTreeSet};

use crosscast_core::{CommandId, Reject};
use crosscast_wire::{FloorRecord, GroupId, MessageId, Purpose, Ticket};

use crate::agenda::{MILLI, Micros, SECOND};
use crate::ledger::{Broken, Excuses, Finding, Ledger, Stream};
use crate::machine::Machine;
use crate::prng::Prng;
use crate::report::Report;
use crate::scenario::{PUBLISH_FROM, RECONNECT, SETTLE, Scenario};
use crate::violation::{Rule, Violation};
use crate::world::{Happening, HostId, HostSpec, World};

use ways::Ways;

/// How often every machine is asked for its peers, groups and state.
const PROBE_EVERY: Micros = 5 * SECOND;
/// Commands that a machine may take to answer: publishing waits for next hops, everything else is at once.
const ANSWER_WITHIN: Micros = 20 * SECOND;

/// What is to be done at a tick.
#[derive(Clone, Debug)]
enum Action {
    Start(HostId),
    Begin(usize),
    End(usize),
    Quiet,
    /// Group and publisher, by number.
    Publish(usize, usize),
    Send(HostId),
    Probe,
    Join(HostId, usize),
    /// Whose rights, in which group.
    Revoke(HostId, usize),
    Consume(HostId, u64, Stream, u32),
    /// A node that was shut down in order ends.
    Exit(HostId, u64),
}

/// What a command was for.
#[derive(Clone, Debug)]
enum Asked {
    Create(usize),
    Join(usize),
    /// By somebody who was in it before.
    Rejoin,
    /// For whom, of which group.
    Ticket(HostId, usize),
    Grant,
    Revoke(HostId, usize),
    Subscribe(Stream),
    Publish(Vec<u64>),
    AckInbox(crosscast_port::LogPos),
    Unsubscribe(Stream),
    Leave(usize),
    Peers,
    Groups,
    Status,
    Ping,
    Accept,
    /// Listen, attach, shut down: only the answer counts.
    Done,
}

/// A scenario being played.
pub(crate) struct Play<'a, M> {
    scenario: &'a Scenario,
    pub(crate) world: World<M>,
    ledger: Ledger,
    prng: Prng,
    actions: BTreeMap<u64, Action>,
    next_action: u64,
    asked: BTreeMap<CommandId, (HostId, u64, Micros, Asked)>,
    runs: BTreeMap<HostId, u64>,
    tickets: BTreeMap<usize, Ticket>,
    /// Those for one member of a group of capabilities.
    personal: BTreeMap<(HostId, usize), Ticket>,
    /// The floor record in force, as a host's store was told.
    floors: BTreeMap<(HostId, GroupId), FloorRecord>,
    revokes_done: BTreeSet<(HostId, usize)>,
    /// Messages that a host's store was asked to keep.
    taken: BTreeSet<(HostId, MessageId)>,
    /// Members without rights or key when they were last looked at, and what they asked for.
    wanting: BTreeMap<(HostId, usize), Option<Option<Purpose>>>,
    group_ids: BTreeMap<usize, GroupId>,
    joined: BTreeSet<(HostId, usize)>,
    /// Disks that refuse: host, from, until.
    disks: Vec<(HostId, Micros, Micros)>,
    /// Power was lost since the reader last read: its cursor may lie beyond what the store kept.
    torn: BTreeSet<(HostId, Stream)>,
    excuses: Excuses,
    ways: Ways,
    quiet: bool,
    max_queued_bytes: u64,
    rejects: BTreeMap<HostId, BTreeMap<&'static str, u64>>,
    total_rejects: BTreeMap<&'static str, u64>,
    refusals: BTreeMap<String, u64>,
}

impl<'a, M: Machine> Play<'a, M> {
    pub(crate) fn new(scenario: &'a Scenario, with_text: bool) -> Self {
        let mut prng = Prng::new(scenario.seed ^ 0x0091_a7e5);
        let mut world = World::new(scenario.seed, scenario.net.clone(), with_text);
        let mut ledger = Ledger::new(scenario.times.gap_ms.saturating_mul(MILLI));
        let mut keys: Vec<([u8; 32], [u8; 32])> =
            scenario.hosts.iter().map(|_| (prng.bytes32(), prng.bytes32())).collect();
        if let Some((first, second)) = scenario.twins {
            let key = keys.get(first.0 as usize).copied();
            if let (Some(twin), Some(key)) = (keys.get_mut(second.0 as usize), key) {
                *twin = key;
            }
        }
        if scenario.groups.iter().any(|group| group.rights.is_some()) {
            world.watch();
        }
        world.overhear();
        for ((number, plan), (secret, prekey)) in (0_u32..).zip(&scenario.hosts).zip(keys) {
            let id = world.add_host(HostSpec {
                name: format!("n{number}"),
                secret: crosscast_wire::SecretKey::new(secret),
                prekey,
                fast_aes: plan.fast_aes,
                times: scenario.times,
                sizes: scenario.sizes,
            });
            world.set_skew(id, plan.skew_ms);
            if let Some(node) = world.node(id) {
                ledger.add_node(node, id);
            }
        }
        let excuses = Excuses {
            until: scenario.end.saturating_sub(SETTLE),
            near: scenario.near(),
            picky: scenario
                .host_ids()
                .zip(&scenario.hosts)
                .filter(|(_, plan)| !plan.accepts)
                .map(|(id, _)| id)
                .collect(),
            transit_until: if scenario.faults.is_empty() { 0 } else { scenario.quiet_from.saturating_add(RECONNECT) },
            end: scenario.end,
            kept_since: if scenario.small_window { scenario.quiet_from.saturating_add(RECONNECT) } else { 0 },
            ..Excuses::default()
        };
        let mut play = Self {
            scenario,
            world,
            ledger,
            prng,
            actions: BTreeMap::new(),
            next_action: 0,
            asked: BTreeMap::new(),
            runs: BTreeMap::new(),
            tickets: BTreeMap::new(),
            personal: BTreeMap::new(),
            floors: BTreeMap::new(),
            revokes_done: BTreeSet::new(),
            taken: BTreeSet::new(),
            wanting: BTreeMap::new(),
            group_ids: BTreeMap::new(),
            joined: BTreeSet::new(),
            disks: Vec::new(),
            torn: BTreeSet::new(),
            excuses,
            ways: Ways::default(),
            quiet: false,
            max_queued_bytes: 0,
            rejects: BTreeMap::new(),
            total_rejects: BTreeMap::new(),
            refusals: BTreeMap::new(),
        };
        play.plan();
        play
    }

    fn at(&mut self, at: Micros, action: Action) {
        self.actions.insert(self.next_action, action);
        self.world.tick(at, self.next_action);
        self.next_action = self.next_action.saturating_add(1);
    }

    /// Puts what the scenario says on the agenda.
    fn plan(&mut self) {
        let scenario = self.scenario;
        for (host, plan) in scenario.host_ids().zip(&scenario.hosts) {
            self.at(plan.starts, Action::Start(host));
            if let Some(every) = plan.sends_every {
                self.at(PUBLISH_FROM.saturating_add(every), Action::Send(host));
            }
        }
        for (number, group) in scenario.groups.iter().enumerate() {
            for (publisher, plan) in group.publishers.iter().enumerate() {
                let first = self.prng.below(plan.every);
                self.at(PUBLISH_FROM.saturating_add(first), Action::Publish(number, publisher));
            }
        }
        for (number, planned) in scenario.faults.iter().enumerate() {
            self.at(planned.at, Action::Begin(number));
            self.at(planned.until, Action::End(number));
        }
        self.at(scenario.quiet_from, Action::Quiet);
        self.at(PROBE_EVERY, Action::Probe);
    }

    /// Plays to the end.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub(crate) fn run(&mut self) -> Result<Report, Violation> {
        while self.world.step(self.scenario.end) {
            self.turn().map_err(|broken| self.violation(broken))?;
        }
        let finding = self.check_end().map_err(|broken| self.violation(broken))?;
        Ok(self.report(finding))
    }

    fn turn(&mut self) -> Result<(), Broken> {
        self.look();
        while let Some(happening) = self.world.next_happening() {
            match happening {
                Happening::Event { host, run, event } => self.on_event(host, run, event)?,
                Happening::Tick(name) => {
                    if let Some(action) = self.actions.remove(&name) {
                        self.act(action)?;
                    }
                }
                Happening::Wrote { host, writes } => self.on_wrote(host, &writes)?,
                Happening::Sent { host, to, frames } => {
                    let now = self.world.now();
                    to.into_iter().for_each(|to| self.ways.sent(now, host, to, &frames));
                }
            }
        }
        match self.world.breach() {
            Some(breach) => Err((Rule::Contract, format!("n{}: {}", breach.host.0, breach.what))),
            None => Ok(()),
        }
    }

    /// Notes which connections can carry for others now.
    fn look(&mut self) {
        let now = self.world.now();
        if !self.ways.is_due(now) {
            return;
        }
        let open = |number: &usize| self.scenario.groups.get(*number).is_some_and(|plan| plan.rights.is_none());
        let both = |a, b, number| self.joined.contains(&(a, number)) && self.joined.contains(&(b, number));
        let share = |a, b| (0..self.scenario.groups.len()).filter(open).any(|number| both(a, b, number));
        let well = |host| !self.disk_refuses(host);
        let mut ways = self.world.open_ways();
        ways.retain(|(_, a, b)| share(*a, *b) && well(*a) && well(*b));
        self.ways.look(now, &ways);
    }

    fn act(&mut self, action: Action) -> Result<(), Broken> {
        match action {
            Action::Start(host) => self.start(host),
            Action::Begin(number) => self.begin(number),
            Action::End(number) => self.end(number),
            Action::Quiet => self.quiet(),
            Action::Publish(group, publisher) => self.publish(group, publisher),
            Action::Send(host) => self.send(host),
            Action::Probe => return self.probe(),
            Action::Join(host, group) => self.join(host, group),
            Action::Revoke(host, group) => self.revoke(host, group),
            Action::Consume(host, run, stream, bytes) => self.consume(host, run, stream, bytes),
            Action::Exit(host, run) => self.exit(host, run),
        }
        Ok(())
    }

    pub(crate) fn violation(&self, (rule, what): Broken) -> Violation {
        let nodes = self.scenario.hosts.len();
        Violation { seed: self.scenario.seed, nodes, at: self.world.now(), rule, what }
    }

    fn check_end(&mut self) -> Result<Finding, Broken> {
        let up = self.world.pairs_up();
        for (a, b) in &self.scenario.edges {
            // A link to a machine's twin is a link to its key.
            let linked = |a: &HostId, b: &HostId| {
                self.scenario.same_key(*a).any(|a| self.scenario.same_key(*b).any(|b| up.contains(&(a, b))))
            };
            if !linked(a, b) && !linked(b, a) {
                return Err((Rule::Link, format!("n{} and n{} are not linked", a.0, b.0)));
            }
        }
        for (group, plan) in self.scenario.groups.iter().enumerate() {
            for host in &plan.members {
                if !self.joined.contains(&(*host, group)) && !self.is_revoked(*host, group) {
                    return Err((Rule::Command, format!("n{} never became part of group {group}", host.0)));
                }
            }
        }
        self.check_rights_end()?;
        let host_of = |node: &crosscast_wire::NodeId| self.ledger.host_of(node);
        self.excuses.strayed = self.ways.strayed(host_of);
        self.ledger.check_end(&self.excuses)
    }

    fn report(&self, finding: Finding) -> Report {
        let counts = self.world.counts();
        Report {
            seed: self.scenario.seed,
            nodes: self.scenario.hosts.len(),
            groups: self.scenario.groups.len(),
            closed: self.scenario.groups.iter().filter(|plan| plan.rights.is_some()).count(),
            revoked: self.excuses.revoked.len(),
            edges: self.scenario.edges.len(),
            faults: self.scenario.faults.len(),
            virtual_us: self.world.now(),
            inputs: counts.inputs,
            frames: counts.frames,
            frame_bytes: counts.frame_bytes,
            commits: counts.commits,
            messages: self.ledger.message_count(),
            deliveries: self.ledger.deliveries,
            required: finding.arrived,
            excused: finding.excused,
            skipped: self.ledger.skipped(),
            max_queued_bytes: self.max_queued_bytes,
            states: self.ledger.states(),
            rejects: self.total_rejects.clone(),
            refusals: self.refusals.clone(),
            trace_hash: self.world.trace_hash(),
        }
    }

    /// Books what a machine counted, against what it had counted before in the same run.
    fn count_rejects(&mut self, host: HostId, counted: &[(&'static str, u64)]) -> Result<(), Broken> {
        for (word, count) in counted {
            let before = self.rejects.entry(host).or_default().insert(*word, *count).unwrap_or(0);
            let total = self.total_rejects.entry(*word).or_default();
            *total = total.saturating_add(count.saturating_sub(before));
            let blamed = Reject::ALL
                .iter()
                .any(|reject| reject.word() == *word && reject.blame() == crosscast_core::Blame::Link && *count > 0);
            if blamed {
                return Err((
                    Rule::Blame,
                    format!("n{} refused {count} times as {word}; every machine is correct", host.0),
                ));
            }
        }
        Ok(())
    }
}
