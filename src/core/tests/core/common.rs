//! A tiny driver for tests: cores joined by perfect links, effects done at once, time moved by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use crosscast_core::{
    Command, CommandId, Config, Delivery, Event, Input, Instant, Node, Notice, Now, Outcome, Output, ReaderId, Reply,
    Since, Sizes, Source, Times,
};
use crosscast_port::{DialId, DownReason, LinkId, LinkTraits, LinkUp, Recovered, Report, Request, Role};

use crate::shelf::Shelf;
use crosscast_wire::{
    Class, Entry, GroupId, Instance, Lane, Locator, MessageId, NodeId, PathKind, PathReason, Policy, RawFrame,
    RustCrypto, Scheme, SecretKey, Ticket, WallMillis,
};

pub(crate) struct Host {
    pub(crate) key: SecretKey,
    pub(crate) node: Node,
    pub(crate) store: Shelf,
    pub(crate) replies: BTreeMap<u64, Reply>,
    pub(crate) deliveries: Vec<(ReaderId, Arc<Delivery>)>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) gaps: usize,
    pub(crate) requests: Vec<Request>,
    next_command: u64,
}

pub(crate) struct Net {
    pub(crate) hosts: Vec<Host>,
    pub(crate) now: Now,
    /// (host, link) -> (host, link)
    pub(crate) wires: BTreeMap<(usize, u64), (usize, u64)>,
    pub(crate) tap: Vec<(usize, RawFrame)>,
    /// What went out on links that lead to no other core, and which of those were closed.
    pub(crate) loose: BTreeMap<(usize, u64), Vec<RawFrame>>,
    pub(crate) closed: Vec<(usize, u64)>,
    /// Verifications asked for, by host.
    pub(crate) verified: BTreeMap<usize, usize>,
    muted: BTreeSet<(usize, u64)>,
    /// How long frames of an end are under way, in microseconds, and those that are.
    delays: BTreeMap<(usize, u64), u64>,
    late: Vec<(Instant, usize, Input)>,
    next_link: u64,
    inputs: VecDeque<(usize, Input)>,
}

pub(crate) fn config(key: &SecretKey, start: u32) -> Config {
    let node = NodeId::new(key.public());
    Config {
        node,
        instance: Instance::new(start, 7),
        name: "test".into(),
        agent: "crosscast/test".into(),
        roles: 1,
        choice_seed: *node.as_bytes(),
        key_seed: [start as u8 ^ node.as_bytes()[0]; 32],
        prekey: *key.expose(),
        successor: None,
        crypto: Arc::new(RustCrypto),
        times: Times::default(),
        sizes: Sizes::default(),
    }
}

impl Net {
    pub(crate) fn new(count: usize) -> Self {
        let now = Now { mono: Instant(1_000_000), wall: WallMillis(1_700_000_000_000) };
        let mut net = Self {
            hosts: Vec::new(),
            now,
            wires: BTreeMap::new(),
            tap: Vec::new(),
            loose: BTreeMap::new(),
            closed: Vec::new(),
            verified: BTreeMap::new(),
            muted: BTreeSet::new(),
            delays: BTreeMap::new(),
            late: Vec::new(),
            next_link: 0,
            inputs: VecDeque::new(),
        };
        for number in 0..count {
            net.add(SecretKey::new([number as u8 + 1; 32]), 1_700_000_000);
        }
        net
    }

    pub(crate) fn add(&mut self, key: SecretKey, start: u32) -> usize {
        let config = config(&key, start);
        self.add_with(key, config, Shelf::default())
    }

    pub(crate) fn add_with(&mut self, key: SecretKey, config: Config, store: Shelf) -> usize {
        let recovered: Recovered = store.recover();
        let node = Node::new(config, recovered, self.now);
        self.hosts.push(Host {
            key,
            node,
            store,
            replies: BTreeMap::new(),
            deliveries: Vec::new(),
            outcomes: Vec::new(),
            notices: Vec::new(),
            gaps: 0,
            requests: Vec::new(),
            next_command: 0,
        });
        self.hosts.len() - 1
    }

    pub(crate) fn id(&self, host: usize) -> NodeId {
        NodeId::new(self.hosts[host].key.public())
    }

    pub(crate) fn connect(&mut self, dialer: usize, listener: usize) -> (LinkId, LinkId) {
        self.connect_as(dialer, listener, None)
    }

    /// Connects over the network of a scheme.
    pub(crate) fn connect_over(&mut self, dialer: usize, listener: usize, scheme: Scheme) -> (LinkId, LinkId) {
        self.connect_with(dialer, listener, scheme, None)
    }

    /// Connects over the network of a scheme, in answer to a dial.
    pub(crate) fn connect_dialled(
        &mut self,
        dialer: usize,
        listener: usize,
        scheme: Scheme,
        dial: DialId,
    ) -> (LinkId, LinkId) {
        self.connect_with(dialer, listener, scheme, Some(dial))
    }

    /// Connects in answer to a dial.
    pub(crate) fn connect_as(&mut self, dialer: usize, listener: usize, dial: Option<DialId>) -> (LinkId, LinkId) {
        self.connect_with(dialer, listener, Scheme::Memory, dial)
    }

    fn connect_with(
        &mut self,
        dialer: usize,
        listener: usize,
        scheme: Scheme,
        dial: Option<DialId>,
    ) -> (LinkId, LinkId) {
        let (a, b) = (self.next_link + 1, self.next_link + 2);
        self.next_link += 2;
        self.wires.insert((dialer, a), (listener, b));
        self.wires.insert((listener, b), (dialer, a));
        let binding = Bytes::from(format!("binding {a}"));
        for (host, link, role) in [(dialer, a, Role::Dialer), (listener, b, Role::Listener)] {
            let mut up = link_up(role, binding.clone());
            up.dial = dial.filter(|_| role == Role::Dialer);
            up.scheme = scheme;
            self.inputs.push_back((host, Input::Link(Report::Up { link: LinkId(link), up: Box::new(up) })));
            for lane in Lane::ALL {
                let grant = Report::Writable { link: LinkId(link), lane: *lane, bytes: 1 << 20 };
                self.inputs.push_back((host, Input::Link(grant)));
            }
        }
        self.run();
        (LinkId(a), LinkId(b))
    }

    /// A link that leads to no other core.
    pub(crate) fn loose_link(&mut self, host: usize, up: LinkUp) -> LinkId {
        self.next_link += 1;
        let link = LinkId(self.next_link);
        self.inputs.push_back((host, Input::Link(Report::Up { link, up: Box::new(up) })));
        for lane in Lane::ALL {
            let grant = Report::Writable { link, lane: *lane, bytes: u32::MAX };
            self.inputs.push_back((host, Input::Link(grant)));
        }
        self.run();
        link
    }

    /// The other end of a link that leads to no other core goes.
    pub(crate) fn cut_loose(&mut self, host: usize, link: LinkId) {
        self.loose.remove(&(host, link.0));
        self.input(host, Input::Link(Report::Down { link, reason: DownReason::PeerClosed }));
    }

    pub(crate) fn cut(&mut self, host: usize, link: LinkId) {
        if let Some((other, far)) = self.wires.remove(&(host, link.0)) {
            self.wires.remove(&(other, far));
            for (host, link) in [(host, link), (other, LinkId(far))] {
                self.inputs.push_back((host, Input::Link(Report::Down { link, reason: DownReason::Broken })));
            }
        }
        self.run();
    }

    pub(crate) fn input(&mut self, host: usize, input: Input) {
        self.inputs.push_back((host, input));
        self.run();
    }

    /// Several things in one turn, before any effect of the first is done.
    pub(crate) fn inputs(&mut self, inputs: Vec<(usize, Input)>) {
        self.inputs.extend(inputs);
        self.run();
    }

    pub(crate) fn run(&mut self) {
        while let Some((host, input)) = self.inputs.pop_front() {
            self.hosts[host].node.handle(self.now, input);
            while let Some(output) = self.hosts[host].node.poll_output() {
                self.output(host, output);
            }
        }
    }

    fn output(&mut self, host: usize, output: Output) {
        let key = self.hosts[host].key.clone();
        match output {
            Output::Link(request) => self.request(host, request),
            Output::Store(op, store) => {
                let outcome = self.hosts[host].store.apply(store);
                self.inputs.push_back((host, Input::Stored(op, outcome)));
            }
            Output::Sign(op, job) => self.inputs.push_back((host, Input::Signed(op, job.run(&RustCrypto, &key)))),
            Output::Verify(op, job) => {
                *self.verified.entry(host).or_default() += 1;
                self.inputs.push_back((host, Input::Verified(op, job.run(&RustCrypto))));
            }
            Output::Event(event) => self.event(host, event),
        }
    }

    fn event(&mut self, host: usize, event: Event) {
        let state = &mut self.hosts[host];
        match event {
            Event::Reply(id, reply) => {
                state.replies.insert(id.0, reply);
            }
            Event::Deliver(reader, delivery) => {
                let bytes = delivery.weight;
                state.deliveries.push((reader, delivery));
                let command = Command::Consumed { reader, bytes };
                self.inputs.push_back((host, Input::Command(CommandId(0), command)));
            }
            Event::ReaderGap(_) => state.gaps += 1,
            Event::Outcome(outcome) => state.outcomes.push(outcome),
            Event::Notice(notice) => state.notices.push(notice),
        }
    }

    fn request(&mut self, host: usize, request: Request) {
        match request {
            Request::Send { link, frames } => {
                let Some((other, far)) = self.wires.get(&(host, link.0)).copied() else {
                    return self.loose.entry((host, link.0)).or_default().extend(frames.iter().map(received));
                };
                for frame in &frames {
                    let bytes = frame.body_len() as u32;
                    let grant = Report::Writable { link, lane: frame.lane, bytes: bytes.max(1) };
                    self.inputs.push_back((host, Input::Link(grant)));
                }
                if self.muted.contains(&(host, link.0)) {
                    return;
                }
                let frames: Vec<RawFrame> = frames.iter().map(received).collect();
                self.tap.extend(frames.iter().map(|frame| (host, frame.clone())));
                let input = Input::Link(Report::Frames { link: LinkId(far), frames });
                match self.delays.get(&(host, link.0)) {
                    Some(delay) => self.late.push((self.now.mono.plus_micros(*delay), other, input)),
                    None => self.inputs.push_back((other, input)),
                }
            }
            Request::Close { link } => {
                self.closed.push((host, link.0));
                if let Some((other, far)) = self.wires.remove(&(host, link.0)) {
                    self.wires.remove(&(other, far));
                    let down = Report::Down { link: LinkId(far), reason: DownReason::PeerClosed };
                    self.inputs.push_back((other, Input::Link(down)));
                }
                let down = Report::Down { link, reason: DownReason::Requested };
                self.inputs.push_back((host, Input::Link(down)));
            }
            request @ (Request::Listen { .. }
            | Request::Dial { .. }
            | Request::Datagram { .. }
            | Request::Meet { .. }
            | Request::Part { .. }
            | Request::Judge { .. }) => {
                self.hosts[host].requests.push(request);
            }
        }
    }

    /// Moves time on in steps, waking cores when they ask.
    pub(crate) fn pass(&mut self, millis: u64) {
        let end = self.now.mono.plus_millis(millis);
        loop {
            let next = self.hosts.iter().filter_map(|host| host.node.poll_timeout()).map(|(at, _)| at).min();
            let next = next.into_iter().chain(self.late.iter().map(|(at, ..)| *at)).min();
            let at = next.unwrap_or(end).max(self.now.mono).min(end);
            let step = at.micros_since(self.now.mono);
            self.now.mono = at;
            self.now.wall = WallMillis(1_700_000_000_000 + (at.0 - 1_000_000) / 1000);
            for (_, host, input) in self.late.extract_if(.., |(due, ..)| *due <= at).collect::<Vec<_>>() {
                self.inputs.push_back((host, input));
            }
            for host in 0..self.hosts.len() {
                self.inputs.push_back((host, Input::Timeout));
            }
            self.run();
            if at >= end && step == 0 {
                return;
            }
        }
    }

    /// A host's end of its link to another.
    pub(crate) fn link_between(&self, host: usize, other: usize) -> LinkId {
        let found = self.wires.iter().find(|((from, _), (to, _))| *from == host && *to == other);
        found.map(|((_, link), _)| LinkId(*link)).expect("linked")
    }

    /// What a host sends over a link is lost from now on.
    /// Whatever an end sends is under way for so long from now on.
    pub(crate) fn delay(&mut self, host: usize, link: LinkId, micros: u64) {
        self.delays.insert((host, link.0), micros);
    }

    pub(crate) fn mute(&mut self, host: usize, link: LinkId) {
        self.muted.insert((host, link.0));
    }

    /// Slips a frame in that the other end of the link has not sent and whose answers it does not see.
    pub(crate) fn slip(&mut self, host: usize, link: LinkId, frame: RawFrame) {
        self.mute(host, link);
        self.input(host, Input::Link(Report::Frames { link, frames: vec![received(&frame)] }));
        self.muted.remove(&(host, link.0));
    }

    /// Gives a command whose answer may take its time.
    pub(crate) fn post(&mut self, host: usize, command: Command) -> u64 {
        self.hosts[host].next_command += 1;
        let id = self.hosts[host].next_command;
        self.input(host, Input::Command(CommandId(id), command));
        id
    }

    pub(crate) fn reply(&mut self, host: usize, command: u64) -> Option<Reply> {
        self.hosts[host].replies.remove(&command)
    }

    pub(crate) fn command(&mut self, host: usize, command: Command) -> Option<Reply> {
        self.hosts[host].next_command += 1;
        let id = self.hosts[host].next_command;
        self.input(host, Input::Command(CommandId(id), command));
        self.hosts[host].replies.remove(&id)
    }

    pub(crate) fn create_group(&mut self, host: usize) -> (GroupId, Ticket) {
        self.create_group_named(host, "g")
    }

    pub(crate) fn create_group_named(&mut self, host: usize, name: &str) -> (GroupId, Ticket) {
        let command = Command::CreateGroup { name: name.into(), policy: Policy::Open, public: false };
        match self.command(host, command) {
            Some(Reply::Group { group, ticket: Some(ticket), .. }) => (group, *ticket),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn join(&mut self, host: usize, ticket: &Ticket) {
        let reply = self.command(host, Command::JoinGroup { ticket: Box::new(ticket.clone()), name: None });
        assert!(matches!(reply, Some(Reply::Group { .. })), "{reply:?}");
    }

    pub(crate) fn publish(&mut self, host: usize, group: GroupId, text: &str) -> MessageId {
        let entries = vec![Entry::new(Bytes::copy_from_slice(text.as_bytes()))];
        match self.command(host, Command::Publish { group, entries, class: Class::Normal, life_ms: None }) {
            Some(Reply::Published { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn subscribe(&mut self, host: usize, group: GroupId, since: Since) -> ReaderId {
        self.read(host, Source::Group(group), since, 1 << 20)
    }

    pub(crate) fn read(&mut self, host: usize, source: Source, since: Since, window_bytes: u32) -> ReaderId {
        match self.command(host, Command::Subscribe { source, since, window_bytes }) {
            Some(Reply::Reading(reader)) => reader,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn texts(&self, host: usize) -> Vec<String> {
        let entries = self.hosts[host].deliveries.iter().flat_map(|(_, delivery)| delivery.entries.iter());
        entries.map(|entry| String::from_utf8(entry.payload.to_vec()).unwrap()).collect()
    }
}

/// A frame as a transport hands it up: one piece.
pub(crate) fn received(frame: &RawFrame) -> RawFrame {
    let body: Bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat().into();
    RawFrame::new(frame.frame_type, frame.lane, body)
}

pub(crate) fn link_up(role: Role, binding: Bytes) -> LinkUp {
    LinkUp {
        scheme: Scheme::Memory,
        role,
        dial: None,
        locator: Locator::parse("memory:peer").unwrap(),
        peer: None,
        binding,
        traits: LinkTraits::STREAM,
        path: PathKind::Direct,
        reason: PathReason::Lan,
        rendezvous: None,
    }
}
