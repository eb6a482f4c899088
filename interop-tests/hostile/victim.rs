//! One core under attack: effects done at once, what it sends kept per link, time moved by hand.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use crosscast_core::{
    Command, CommandId, Config, Event, Input, Instant, Node, Now, Output, Reply, Since, Sizes, Source, Times,
};
use crosscast_port::{
    DownReason, LinkId, LinkTraits, LinkUp, NetworkReport, OpId, Report, Request, Role, StoreError, StoreOp,
    StoreOutcome,
};
use crosscast_store::{MemoryStore, Store};
use crosscast_wire::{
    GroupId, Instance as Run, Lane, Locator, NetworkState, NodeId, PathKind, PathReason, Policy, RawFrame, Rendezvous,
    RustCrypto, Scheme, SecretKey, Ticket, WallMillis,
};

/// The wall clock at the start, in milliseconds.
pub(crate) const START: u64 = 1_700_000_000_000;

/// Milliseconds of a day: the name that a group meets by is another every day.
const DAY: u64 = 86_400_000;

/// A core, its store, and what came out of it.
pub struct Victim {
    pub key: SecretKey,
    pub now: Now,
    /// What the core sent, per link.
    pub sent: BTreeMap<LinkId, Vec<RawFrame>>,
    /// Links the core has ended.
    pub ended: Vec<LinkId>,
    /// Payloads that reached the local reader.
    pub delivered: Vec<Vec<u8>>,
    /// Whether the store refuses commits.
    pub store_fails: bool,
    /// Whether verifications are held back, and those held.
    pub hold_verify: bool,
    held: Vec<Input>,
    node: Node,
    store: MemoryStore,
    replies: BTreeMap<u64, Reply>,
    inputs: VecDeque<Input>,
    commands: u64,
    links: u64,
}

impl Victim {
    pub fn new(seed: u8, inbox_bytes: u64) -> Self {
        let key = SecretKey::new([seed; 32]);
        let now = Now { mono: Instant(1_000_000), wall: WallMillis(START) };
        let config = Config {
            node: NodeId::new(key.public()),
            instance: Run::new(1_700_000_000, 1),
            name: "victim".into(),
            agent: "crosscast/test".into(),
            roles: 1,
            choice_seed: [seed; 32],
            key_seed: [seed; 32],
            prekey: [seed; 32],
            successor: None,
            crypto: Arc::new(RustCrypto),
            times: Times::default(),
            // Attackers come from next door here, and nothing that they do closes the door to them.
            sizes: Sizes { inbox_bytes, lan_budget: u32::MAX, ..Sizes::default() },
        };
        let mut store = MemoryStore::new(1 << 30);
        let recovered = store.recover().expect("a fresh store");
        Self {
            key,
            now,
            sent: BTreeMap::new(),
            ended: Vec::new(),
            delivered: Vec::new(),
            store_fails: false,
            hold_verify: false,
            held: Vec::new(),
            node: Node::new(config, recovered, now),
            store,
            replies: BTreeMap::new(),
            inputs: VecDeque::new(),
            commands: 0,
            links: 0,
        }
    }

    pub fn id(&self) -> NodeId {
        NodeId::new(self.key.public())
    }

    /// Opens a link as seen by the core; `peer` is what the channel authenticated.
    pub fn up(&mut self, role: Role, peer: Option<NodeId>, binding: Bytes) -> LinkId {
        self.up_from("memory:attacker", role, peer, binding)
    }

    /// As [`Victim::up`], from somewhere: a stranger unless it is in memory.
    pub fn up_from(&mut self, at: &str, role: Role, peer: Option<NodeId>, binding: Bytes) -> LinkId {
        let reason = if at.starts_with("memory:") { PathReason::Lan } else { PathReason::PublicV4 };
        let link = self.opened(LinkUp {
            scheme: Scheme::Memory,
            role,
            dial: None,
            locator: Locator::parse(at).expect("a locator"),
            peer,
            binding,
            traits: LinkTraits::STREAM,
            path: PathKind::Direct,
            reason,
            rendezvous: None,
        });
        for lane in Lane::ALL {
            self.inputs.push_back(Input::Link(Report::Writable { link, lane: *lane, bytes: u32::MAX }));
        }
        self.run();
        link
    }

    /// Attaches the core to a network where foreign nodes take part in what a group says; nothing is ever taken there.
    pub fn carrier(&mut self, group: &GroupId) -> LinkId {
        let scheme = Scheme::Libp2p;
        let network = NetworkReport {
            scheme,
            state: NetworkState::Up,
            address: None,
            reason: None,
            meets: true,
            detail: String::new(),
        };
        self.inputs.push_back(Input::Link(Report::Network(Box::new(network))));
        let link = self.opened(LinkUp {
            scheme,
            role: Role::Listener,
            dial: None,
            locator: Locator::parse("memory:topic").expect("a locator"),
            peer: None,
            binding: Bytes::new(),
            traits: LinkTraits { broadcast: true, encrypted: false, ..LinkTraits::STREAM },
            path: PathKind::Direct,
            reason: PathReason::Lan,
            rendezvous: Some(Rendezvous::of(group, START / DAY)),
        });
        self.run();
        link
    }

    fn opened(&mut self, up: LinkUp) -> LinkId {
        // Links do not come all at once.
        self.pass(1);
        self.links += 1;
        let link = LinkId(self.links);
        self.inputs.push_back(Input::Link(Report::Up { link, up: Box::new(up) }));
        link
    }

    pub fn down(&mut self, link: LinkId) {
        self.sent.remove(&link);
        self.inputs.push_back(Input::Link(Report::Down { link, reason: DownReason::PeerClosed }));
        self.run();
    }

    pub fn frames(&mut self, link: LinkId, frames: Vec<RawFrame>) {
        self.inputs.push_back(Input::Link(Report::Frames { link, frames }));
        self.run();
    }

    pub fn pass(&mut self, millis: u64) {
        self.now.mono = self.now.mono.plus_millis(millis);
        self.now.wall = WallMillis(self.now.wall.0 + millis);
        self.inputs.push_back(Input::Timeout);
        self.run();
    }

    /// Lets held verifications finish.
    pub fn release(&mut self) {
        self.hold_verify = false;
        self.inputs.extend(std::mem::take(&mut self.held));
        self.run();
    }

    pub fn command(&mut self, command: Command) -> Reply {
        self.commands += 1;
        self.inputs.push_back(Input::Command(CommandId(self.commands), command));
        self.run();
        self.replies.remove(&self.commands).expect("every command is answered")
    }

    /// Makes a group with a local reader.
    pub fn group(&mut self, name: &str, policy: Policy) -> (GroupId, Ticket) {
        match self.command(Command::CreateGroup { name: name.into(), policy, public: false }) {
            Reply::Group { group, ticket: Some(ticket), .. } => {
                let source = Source::Group(group);
                self.command(Command::Subscribe { source, since: Since::Now, window_bytes: u32::MAX });
                (group, *ticket)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Makes a group that hands out no ticket by itself.
    pub fn group_without_ticket(&mut self, name: &str, policy: Policy) -> GroupId {
        match self.command(Command::CreateGroup { name: name.into(), policy, public: false }) {
            Reply::Group { group, .. } => group,
            other => panic!("{other:?}"),
        }
    }

    /// How often each reject was counted.
    pub fn rejects(&mut self) -> BTreeMap<&'static str, u64> {
        match self.command(Command::Status) {
            Reply::Status(status) => status.rejects.into_iter().collect(),
            other => panic!("{other:?}"),
        }
    }

    fn run(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            self.node.handle(self.now, input);
            while let Some(output) = self.node.poll_output() {
                self.output(output);
            }
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Link(Request::Send { link, frames }) => {
                self.sent.entry(link).or_default().extend(frames.iter().map(whole));
            }
            Output::Link(Request::Close { link }) => {
                self.ended.push(link);
                self.inputs.push_back(Input::Link(Report::Down { link, reason: DownReason::Requested }));
            }
            Output::Link(
                Request::Listen { .. }
                | Request::Dial { .. }
                | Request::Datagram { .. }
                | Request::Meet { .. }
                | Request::Part { .. }
                | Request::Judge { .. },
            ) => {}
            Output::Store(op, store) => {
                let outcome = self.stored(op, store);
                self.inputs.push_back(Input::Stored(op, outcome));
            }
            Output::Sign(op, job) => {
                self.inputs.push_back(Input::Signed(op, job.run(&RustCrypto, &self.key)));
            }
            Output::Verify(op, job) => {
                let input = Input::Verified(op, job.run(&RustCrypto));
                if self.hold_verify { self.held.push(input) } else { self.inputs.push_back(input) }
            }
            Output::Event(Event::Reply(id, reply)) => {
                self.replies.insert(id.0, reply);
            }
            Output::Event(Event::Deliver(_, delivery)) => {
                self.delivered.extend(delivery.entries.iter().map(|entry| entry.payload.to_vec()));
            }
            Output::Event(Event::ReaderGap(_) | Event::Outcome(_) | Event::Notice(_)) => {}
        }
    }

    fn stored(&mut self, op: OpId, store: StoreOp) -> StoreOutcome {
        if self.store_fails && matches!(store, StoreOp::Commit { .. }) {
            return StoreOutcome::Failed(StoreError::Full);
        }
        let mut outcomes = self.store.apply(vec![(op, store)]);
        outcomes.pop().map_or(StoreOutcome::Failed(StoreError::Full), |(_, outcome)| outcome)
    }
}

/// A frame as a transport hands it up: one piece.
fn whole(frame: &RawFrame) -> RawFrame {
    let body: Bytes = [frame.head.as_ref(), frame.tail.as_ref()].concat().into();
    RawFrame::new(frame.frame_type, frame.lane, body)
}
