//! What the applications do: start, join, publish, send, read, look.

use crosscast_core::{Command, Since, Source};
use crosscast_wire::{Entry, GroupId, Locator, Scheme, Ticket, TicketFields};

use super::{ANSWER_WITHIN, Action, Asked, PROBE_EVERY, Play};
use crate::agenda::{MILLI, Micros};
use crate::ledger::{Broken, Sent, Stream, To, payload};
use crate::machine::Machine;
use crate::net::second_address;
use crate::prng::PPM;
use crate::scenario::{PublisherPlan, Reach, ReaderPlan};
use crate::violation::Rule;
use crate::world::HostId;

fn locator(host: HostId) -> Option<Locator> {
    Locator::new(Scheme::Memory, &format!("n{}", host.0), None).ok()
}

fn second_locator(host: HostId) -> Option<Locator> {
    Locator::new(Scheme::Ygg, &second_address(host), None).ok()
}

impl<M: Machine> Play<'_, M> {
    /// Gives a machine a command and remembers what for.
    pub(super) fn ask(&mut self, host: HostId, command: Command, what: Asked) {
        let run = self.runs.get(&host).copied().unwrap_or(0);
        let now = self.world.now();
        if let Some(id) = self.world.command(host, command) {
            self.asked.insert(id, (host, run, now, what));
        }
    }

    pub(super) fn start(&mut self, host: HostId) {
        if self.world.is_up(host) {
            return;
        }
        self.world.start(host);
        let run = self.runs.entry(host).or_default();
        *run = run.saturating_add(1);
        self.rejects.remove(&host);
        for locator in [locator(host), second_locator(host)].into_iter().flatten() {
            self.ask(host, Command::Listen { locator }, Asked::Done);
        }
        let dialled = |(dialer, listener): &(HostId, HostId)| (*dialer == host).then_some(*listener);
        let first = self.scenario.edges.iter().filter_map(dialled).filter_map(locator);
        let second = self.scenario.second.iter().filter_map(dialled).filter_map(second_locator);
        for locator in first.chain(second).collect::<Vec<_>>() {
            self.ask(host, Command::Attach { locator }, Asked::Done);
        }
        if self.scenario.hosts.get(host.0 as usize).is_some_and(|plan| plan.accepts) {
            for node in self.scenario.host_ids().filter_map(|other| self.world.node(other)).collect::<Vec<_>>() {
                self.ask(host, Command::Accept { node }, Asked::Accept);
            }
        }
        self.read_stream(host, Stream::Inbox);
        for (number, plan) in self.scenario.groups.iter().enumerate() {
            if !plan.members.contains(&host) {
                continue;
            }
            if self.joined.contains(&(host, number)) {
                self.read_group(host, number);
            } else if self.tickets.contains_key(&number) {
                self.join_in_time(host, number);
            } else if plan.owner == host {
                let (policy, public) = (plan.policy, plan.public);
                let create = Command::CreateGroup { name: format!("group {number}"), policy, public };
                self.ask(host, create, Asked::Create(number));
            }
        }
    }

    /// The group is there: everybody else joins by its ticket.
    pub(super) fn share(&mut self, number: usize, ticket: &Ticket) {
        let Some(plan) = self.scenario.groups.get(number) else { return };
        // Without locators, so that nobody dials but by the scenario's edges, unless it says otherwise.
        let locators = if plan.locators { ticket.fields().locators.clone() } else { Vec::new() };
        let Ok(ticket) = Ticket::new(TicketFields { locators, ..ticket.fields().clone() }) else { return };
        self.tickets.insert(number, ticket);
        self.hand_out(number);
        for host in plan.members.iter().filter(|host| **host != plan.owner) {
            let at = self.world.now().saturating_add(self.prng.below(800 * MILLI));
            self.at(plan.late.get(host).copied().unwrap_or(at), Action::Join(*host, number));
        }
    }

    /// Joins, unless its time to join is still to come.
    fn join_in_time(&mut self, host: HostId, number: usize) {
        let late = self.scenario.groups.get(number).and_then(|plan| plan.late.get(&host));
        if late.is_none_or(|at| *at <= self.world.now()) {
            self.join(host, number);
        }
    }

    pub(super) fn join(&mut self, host: HostId, number: usize) {
        let member = self.scenario.groups.get(number).is_some_and(|plan| plan.members.contains(&host));
        let up = self.world.is_up(host) && !self.is_revoked(host, number);
        let joins = |asked: &(HostId, u64, Micros, Asked)| matches!(asked.3, Asked::Join(at) if (asked.0, at) == (host, number));
        if !member || !up || self.joined.contains(&(host, number)) || self.asked.values().any(joins) {
            return;
        }
        match self.ticket_of(host, number) {
            Some(ticket) => {
                let ticket = Box::new(ticket.clone());
                self.ask(host, Command::JoinGroup { ticket, name: None }, Asked::Join(number));
            }
            None if self.tickets.contains_key(&number) => self.try_later(host, number),
            None => {}
        }
    }

    /// The plan of a group's reader on a host.
    pub(super) fn reader_plan(&self, host: HostId, number: usize) -> Option<&ReaderPlan> {
        self.scenario.groups.get(number)?.readers.iter().find(|reader| reader.host == host)
    }

    /// Every reader that a host may have.
    pub(super) fn streams(&self) -> Vec<Stream> {
        let groups = (0..self.scenario.groups.len()).flat_map(|number| [Stream::Group(number), Stream::Tail(number)]);
        groups.chain([Stream::Inbox]).collect()
    }

    pub(super) fn read_group(&mut self, host: HostId, number: usize) {
        self.read_stream(host, Stream::Group(number));
        if self.reader_plan(host, number).is_some_and(|plan| plan.tail) {
            self.read_stream(host, Stream::Tail(number));
        }
    }

    /// Starts a reader where it left off; after a loss of power it begins with the oldest.
    pub(super) fn read_stream(&mut self, host: HostId, stream: Stream) {
        let torn = self.torn.remove(&(host, stream));
        let (source, window_bytes) = match stream {
            Stream::Inbox => (Source::Inbox, 64 << 10),
            Stream::Group(number) | Stream::Tail(number) => {
                let Some(group) = self.group_ids.get(&number).copied() else { return };
                let window = self.reader_plan(host, number).map_or(1, |plan| plan.window_bytes);
                (Source::Group(group), window)
            }
        };
        let begins = match stream {
            Stream::Tail(_) if !torn => Since::Now,
            Stream::Tail(_) | Stream::Group(_) | Stream::Inbox => Since::Oldest,
        };
        let now = self.world.now();
        if begins == Since::Now && self.ledger.chain_mut(host, stream).is_some_and(|chain| chain.cursor.is_none()) {
            // It had got nothing yet: it has no place to resume at.
            self.ledger.retire(host, stream);
        }
        self.ledger.subscribe(host, stream, now, window_bytes, torn);
        let by_id = self.prng.chance(PPM / 3);
        let mut since = begins;
        if let Some(chain) = self.ledger.chain_mut(host, stream) {
            match (stream, chain.cursor, chain.last_id) {
                (Stream::Inbox, _, _) => chain.reopen(),
                (_, Some(_), Some(id)) if by_id => since = Since::AfterMessage(id),
                (_, Some(cursor), _) => since = Since::After(cursor),
                (_, None, _) => {}
            }
        }
        self.ask(host, Command::Subscribe { source, since, window_bytes }, Asked::Subscribe(stream));
    }

    pub(super) fn publish(&mut self, number: usize, publisher: usize) {
        let scenario = self.scenario;
        let Some(plan) = scenario.groups.get(number).and_then(|group| group.publishers.get(publisher)) else { return };
        let now = self.world.now();
        let next = now.saturating_add(self.prng.around(plan.every).max(MILLI));
        if next <= scenario.publish_until {
            self.at(next, Action::Publish(number, publisher));
        }
        let host = plan.host;
        let Some(group) = self.group_ids.get(&number).copied() else { return };
        if !self.world.is_up(host) || !self.joined.contains(&(host, number)) {
            return;
        }
        for _ in 0..self.prng.range(1, plan.burst) {
            self.publish_once(number, plan, group);
        }
    }

    fn publish_once(&mut self, number: usize, plan: &PublisherPlan, group: GroupId) {
        let (scenario, host) = (self.scenario, plan.host);
        let life_ms = plan.life_ms.unwrap_or(scenario.times.window_ms);
        let count = self.prng.range(1, plan.entries);
        let mut tokens = Vec::new();
        let mut entries = Vec::new();
        for _ in 0..count {
            let len = usize::try_from(self.prng.range(plan.entry_bytes.0, plan.entry_bytes.1)).unwrap_or(8);
            let token = self.token(host, To::Group(number), len, life_ms);
            entries.push(Entry::new(payload(token, len)));
            tokens.push(token);
        }
        let class = self.prng.pick(&plan.classes).copied().unwrap_or(crosscast_wire::Class::Normal);
        let command = Command::Publish { group, entries, class, life_ms: plan.life_ms };
        self.ask(host, command, Asked::Publish(tokens));
    }

    fn token(&mut self, host: HostId, to: To, len: usize, life_ms: u64) -> u64 {
        let run = self.runs.get(&host).copied().unwrap_or(0);
        let (at, wall_ms) = (self.world.now(), self.world.wall_ms(host));
        self.ledger.publish(Sent { to, host, run, at, wall_ms, life_ms, len: len.max(8), refused: false, place: None })
    }

    pub(super) fn send(&mut self, host: HostId) {
        let Some(every) = self.scenario.hosts.get(host.0 as usize).and_then(|plan| plan.sends_every) else { return };
        let next = self.world.now().saturating_add(self.prng.around(every).max(MILLI));
        if next <= self.scenario.publish_until {
            self.at(next, Action::Send(host));
        }
        // A letter to a key that two machines have may go to either.
        let twin = |host: &HostId| self.scenario.twins.is_some_and(|(a, b)| *host == a || *host == b);
        let reach = self.scenario.hosts.get(host.0 as usize).map_or(Reach::Neighbours, |plan| plan.reach);
        let all: Vec<HostId> = match reach {
            Reach::Neighbours => self.scenario.neighbours(host).into_iter().collect(),
            Reach::Anybody | Reach::Lists => self.scenario.host_ids().filter(|to| *to != host).collect(),
        };
        let mut others: Vec<HostId> = all.into_iter().filter(|to| !twin(to)).collect();
        if twin(&host) || others.is_empty() || !self.world.is_up(host) {
            return;
        }
        self.prng.shuffle(&mut others);
        let most = if reach == Reach::Lists { others.len().min(LIST_MAX) as u64 } else { 1 };
        others.truncate(usize::try_from(self.prng.range(1, most)).unwrap_or(1));
        let nodes: Vec<_> = others.iter().filter_map(|to| self.world.node(*to)).collect();
        let len = usize::try_from(self.prng.range(8, 4_000)).unwrap_or(8);
        let Some((first, node)) = others.first().copied().zip(nodes.first().copied()) else { return };
        let to = if reach == Reach::Lists { To::list(&others) } else { To::Host(first) };
        let token = self.token(host, to, len, self.scenario.times.window_ms);
        let payload = payload(token, len);
        let command = if reach == Reach::Lists {
            Command::SendMany { to: nodes, payload, life_ms: None }
        } else {
            Command::Send { to: node, payload, life_ms: None }
        };
        self.ask(host, command, Asked::Publish(vec![token]));
    }

    pub(super) fn consume(&mut self, host: HostId, run: u64, stream: Stream, bytes: u32) {
        if self.runs.get(&host) != Some(&run) || !self.world.is_up(host) {
            return;
        }
        let Some(chain) = self.ledger.chain_mut(host, stream) else { return };
        let Some(reader) = chain.reader else { return };
        chain.consumed(bytes);
        // Answered by nothing, so it is not remembered.
        self.world.command(host, Command::Consumed { reader, bytes });
    }

    pub(super) fn probe(&mut self) -> Result<(), Broken> {
        let now = self.world.now();
        self.at(now.saturating_add(PROBE_EVERY), Action::Probe);
        for host in self.scenario.host_ids() {
            if self.world.is_up(host) {
                self.ask(host, Command::Peers, Asked::Peers);
                self.ask(host, Command::Groups, Asked::Groups);
                self.ask(host, Command::Status, Asked::Status);
                let neighbours: Vec<HostId> = self.scenario.neighbours(host).into_iter().collect();
                if let Some(node) = self.prng.pick(&neighbours).and_then(|other| self.world.node(*other)) {
                    self.ask(host, Command::Ping { node }, Asked::Ping);
                }
                self.check_store(host)?;
            }
        }
        // Only in quiet times: a paused machine, a full disk and a silent next hop may all keep a command waiting.
        let within =
            |what: &Asked| if matches!(what, Asked::Join(_) | Asked::Rejoin) { JOINED_WITHIN } else { ANSWER_WITHIN };
        // Whoever stood still until then has only now heard the question.
        let heard = |asked: Micros| asked.max(self.scenario.quiet_from);
        let overdue = |asked: Micros, what| self.quiet && heard(asked).saturating_add(within(what)) < now;
        let late =
            self.asked.values().find(|(host, run, at, what)| overdue(*at, what) && self.runs.get(host) == Some(run));
        match late {
            Some((host, _, _, what)) => Err((Rule::Command, format!("n{} did not answer {what:?}", host.0))),
            None => Ok(()),
        }
    }

    /// Whether a store keeps no more than its groups' windows and its inbox.
    fn check_store(&self, host: HostId) -> Result<(), Broken> {
        let groups = self.scenario.groups.iter().filter(|group| group.members.contains(&host)).count() as u64;
        let sizes = &self.scenario.sizes;
        let bound = groups.saturating_mul(sizes.window_bytes.saturating_add(WINDOW_SPARE));
        let bound = bound.saturating_add(sizes.inbox_bytes).saturating_add(WINDOW_SPARE);
        let kept = self.world.stored_bytes(host);
        if kept > bound { Err((Rule::Bound, format!("n{} keeps {kept} bytes of {bound}", host.0))) } else { Ok(()) }
    }
}

/// Whoever has to be let in is told that nobody answers after 4 tries or 20 seconds.
const JOINED_WITHIN: Micros = 30 * crate::agenda::SECOND;

/// What a log may weigh beyond its window: a few full messages that came with one commit.
pub(super) const WINDOW_SPARE: u64 = 2 << 20;

/// Most hosts in a list: enough for several next hops.
const LIST_MAX: usize = 6;
