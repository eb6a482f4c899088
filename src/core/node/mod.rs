//! The machine: one input in, outputs out, and a time to be woken at.
//!
//! This is the only room that sees all children; it dispatches, and the work behind each arm is in the files beside
//! this one. Children never call each other: what one decides, the parent hands to the next.

mod accept;
mod answering;
mod asking;
mod carriers;
mod chains;
mod checks;
mod commands;
mod commit;
mod doubles;
mod entry_keys;
mod explicit;
mod feeding;
mod floors;
mod frames;
mod granting;
mod groups;
mod handshake;
mod issuing;
mod letters;
mod links;
mod locating;
mod meeting;
mod networks;
mod publishing;
mod reading;
mod restore;
mod services;
mod standby;
mod targets;
mod unicast;
mod upkeep;
mod views;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use crosscast_port::{LinkId, ListenError, LogPos, NetworkReport, OpId, Recovered, StoreOp, StoreOutcome};
use crosscast_wire::{
    Chain, Equivocation, Grant, GroupId, JoinRequest, Locate, Locator, MessageId, NodeId, Scheme, Signature,
};

use crate::auth::bars::Bars;
use crate::auth::budget::Budgets;
use crate::auth::chains::Chains;
use crate::auth::origin::Origin;
use crate::auth::register::Register;
use crate::group::Group;
use crate::group::entry_keys::EntryKeys;
use crate::group::reader::Reader;
use crate::peer::dial::Targets;
use crate::peer::incoming::Arrival;
use crate::peer::link::{Link, PeerKey};
use crate::random::{Choices, KeyStream};
use crate::reject::Rejects;
use crate::route::inbox::Inbox;
use crate::route::outbox::Outbox;
use crate::route::table::Routes;
use crate::route::transit::Transit;
use crate::timer::{Reason, Timer, Timers};
use crate::{CommandId, Config, Event, Input, Instant, Now, Output, ReaderId, Reply, SignJob};

use accept::Candidate;
use commit::Commits;
use groups::{Joining, NewGroup};
use publishing::{Own, Unsigned};
use upkeep::Cursors;

/// What an answer is for.
enum Pending {
    ProofSign(LinkId),
    ProofCheck(LinkId),
    FloorSign(Box<NewGroup>),
    FloorCheck(LinkId, Box<floors::Offered>),
    ChainCheck(LinkId, Box<Chain>),
    CapabilitySign(Box<issuing::Unissued>),
    FloorChangeSign(Box<issuing::Unfloored>),
    AskSign(Box<asking::Unasked>),
    AskCheck(LinkId, u8, Box<JoinRequest>),
    GrantCheck(Box<Grant>),
    TicketCheck(Box<Joining>),
    MessageSign(Box<Unsigned>),
    MessageCheck(Box<Candidate>),
    SecondClaimCheck(LinkId, Box<doubles::SecondClaim>),
    FirstClaimRead(Box<doubles::SecondClaim>),
    EquivocationCheck(LinkId, Box<Equivocation>),
    LocateSign(Bytes),
    LocateCheck(LinkId, u8, Box<Locate>),
    RecordSign(NodeId, Bytes),
    RecordCheck(locating::Found),
    Commit,
    FeedRead(LinkId, GroupId),
    CarriedCheck(LinkId, Arrival),
    CarryRead(LinkId, MessageId),
    ReaderRead(ReaderId),
}

/// A Crosscast node without any IO.
pub struct Node {
    config: Config,
    now: Now,
    choices: Choices,
    keys: KeyStream,
    outputs: VecDeque<Output>,
    timers: Timers,
    ops: BTreeMap<OpId, Pending>,
    last_op: u64,
    rejects: Rejects,
    links: BTreeMap<LinkId, Link>,
    /// Links with something to send, acknowledge or feed.
    dirty: BTreeSet<LinkId>,
    peers: BTreeMap<PeerKey, Vec<LinkId>>,
    targets: Targets,
    last_dial: u64,
    pins: BTreeMap<Locator, NodeId>,
    listening: Vec<Locator>,
    listen_failed: Vec<(Locator, ListenError)>,
    /// How the networks stand that transports are attached to.
    networks: BTreeMap<Scheme, NetworkReport>,
    /// Where groups meet on them.
    meetings: meeting::Meetings,
    groups: BTreeMap<GroupId, Group>,
    /// Last own number in each group that was left in this run; as many as groups.
    left: BTreeMap<GroupId, u64>,
    inbox: Inbox,
    outbox: Outbox,
    /// Where nodes lie that are not linked.
    routes: Routes,
    /// What was passed on for others.
    transit: Transit,
    /// Nodes and services that are looked for.
    searches: BTreeMap<NodeId, locating::Search>,
    /// What is to be sent to some of them.
    waiting: Vec<explicit::Waiting>,
    /// Records of this node and its services.
    records: BTreeMap<NodeId, locating::OwnRecord>,
    services: BTreeMap<NodeId, services::Service>,
    readers: BTreeMap<ReaderId, Reader>,
    last_reader: u64,
    commits: Commits,
    last_pos: u64,
    /// Own messages whose outcome is awaited.
    own: BTreeMap<MessageId, Own>,
    /// When they run out.
    expiries: BTreeSet<(crosscast_wire::WallMillis, MessageId)>,
    entry_keys: EntryKeys,
    cursors: Cursors,
    /// Messages under verification, with the copies that arrived meanwhile.
    checking: BTreeMap<MessageId, Vec<Candidate>>,
    chains: Chains,
    register: Register,
    requests: asking::Requests,
    /// Messages that wait for their chain.
    parked: BTreeMap<LinkId, VecDeque<chains::Parked>>,
    /// Verifications that wait for those before them on their link.
    unchecked: BTreeMap<LinkId, checks::Queue>,
    /// Links that went while verifications of theirs were under way: where they came from, and how many.
    departed: BTreeMap<LinkId, (Origin, u32)>,
    /// What strangers may still cost.
    budgets: Budgets,
    bars: Bars,
    /// Proofs about runs that have not been heard here: their messages may be on their way, on another lane.
    early_proofs: VecDeque<(LinkId, Equivocation)>,
    shutdown: Option<CommandId>,
}

impl Node {
    /// Builds a node from its configuration and what its store held.
    #[must_use]
    pub fn new(config: Config, recovered: Recovered, now: Now) -> Self {
        let mut node = Self {
            now,
            choices: Choices::new(&config.choice_seed),
            keys: KeyStream::new(&config.key_seed),
            outputs: VecDeque::new(),
            timers: Timers::default(),
            ops: BTreeMap::new(),
            last_op: 0,
            rejects: Rejects::default(),
            links: BTreeMap::new(),
            dirty: BTreeSet::new(),
            peers: BTreeMap::new(),
            targets: Targets::default(),
            last_dial: 0,
            pins: BTreeMap::new(),
            listening: Vec::new(),
            listen_failed: Vec::new(),
            networks: BTreeMap::new(),
            meetings: BTreeMap::new(),
            groups: BTreeMap::new(),
            left: BTreeMap::new(),
            inbox: Inbox::new(&config),
            outbox: Outbox::default(),
            routes: Routes::default(),
            transit: Transit::default(),
            searches: BTreeMap::new(),
            waiting: Vec::new(),
            records: BTreeMap::new(),
            services: BTreeMap::new(),
            readers: BTreeMap::new(),
            last_reader: 0,
            commits: Commits::default(),
            last_pos: recovered.next_pos.saturating_sub(1),
            own: BTreeMap::new(),
            expiries: BTreeSet::new(),
            entry_keys: EntryKeys::default(),
            cursors: Cursors::new(),
            checking: BTreeMap::new(),
            chains: Chains::default(),
            register: Register::default(),
            requests: asking::Requests::default(),
            parked: BTreeMap::new(),
            unchecked: BTreeMap::new(),
            departed: BTreeMap::new(),
            budgets: Budgets::default(),
            bars: Bars::default(),
            early_proofs: VecDeque::new(),
            shutdown: None,
            config,
        };
        node.restore(recovered);
        node.timers.set(Timer::Window, now.mono.plus_millis(WINDOW_TICK_MS));
        node
    }

    /// Takes exactly one thing that happened; infallible.
    pub fn handle(&mut self, now: Now, input: Input) {
        // Clocks of drivers may step back; ours does not.
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            Input::Link(report) => self.on_report(report),
            Input::Timeout => {}
            Input::Command(id, command) => self.on_command(id, command),
            Input::Stored(op, outcome) => self.on_stored(op, outcome),
            Input::Signed(op, signature) => self.on_signed(op, signature),
            Input::Verified(op, verdict) => self.on_verified(op, verdict),
        }
        while let Some(timer) = self.timers.take_due(self.now.mono) {
            self.on_timer(timer);
        }
        self.flush();
    }

    /// The next thing to be done; drain to `None` after every input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to look in next, and why; ask after draining the outputs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, Reason)> {
        self.timers.next()
    }

    /// Whether a group's entries gather because its last message is only just made.
    #[must_use]
    pub fn is_pacing(&self, group: GroupId) -> bool {
        self.timers.is_set(Timer::Pace(group))
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Hello(link) => self.on_hello_overdue(link),
            Timer::Idle(link) => self.on_idle(link),
            // What is due goes as the inputs' other effects do.
            Timer::Ack(link) => _ = self.dirty.insert(link),
            Timer::Drain(link) => self.on_drained(link),
            Timer::Redial(target) => self.dial(target),
            Timer::Gap(group) => self.on_gap(group),
            Timer::Window => self.on_window(),
            Timer::Expiry => self.on_expiry(),
            Timer::Store => self.on_store_retry(),
            Timer::Parked => self.on_parked_due(),
            Timer::Ask(group) => self.on_ask_due(group),
            Timer::Pace(group) => self.pump_publisher(group),
            Timer::Refusals => self.on_refusals_due(),
            Timer::Challenge(link) => self.on_challenge_due(link),
            Timer::Carry(link) => self.on_carry_due(link),
            Timer::Letters => self.on_letters(),
            Timer::Shutdown => self.on_shutdown_due(),
        }
    }

    fn on_signed(&mut self, op: OpId, signature: Signature) {
        match self.ops.remove(&op) {
            Some(Pending::ProofSign(link)) => self.on_proof_signed(link, signature),
            Some(Pending::CapabilitySign(unissued)) => self.on_capability_signed(*unissued, &signature),
            Some(Pending::FloorChangeSign(unfloored)) => self.on_floor_change_signed(*unfloored, &signature),
            Some(Pending::AskSign(unasked)) => self.on_ask_signed(*unasked, &signature),
            Some(Pending::FloorSign(group)) => self.on_floor_signed(*group, &signature),
            Some(Pending::MessageSign(unsigned)) => self.on_message_signed(*unsigned, &signature),
            Some(Pending::LocateSign(body)) => self.on_locate_signed(&body, &signature),
            Some(Pending::RecordSign(of, body)) => self.on_record_signed(of, &body, &signature),
            other => self.put_back(op, other),
        }
    }

    fn on_stored(&mut self, op: OpId, outcome: StoreOutcome) {
        match self.ops.remove(&op) {
            Some(Pending::Commit) => self.on_committed(&outcome),
            Some(Pending::FirstClaimRead(claim)) => self.on_first_claim_read(&claim, outcome),
            Some(Pending::CarryRead(link, message)) => self.on_carry_read(link, message, outcome),
            Some(Pending::FeedRead(link, group)) => self.on_feed_read(link, group, outcome),
            Some(Pending::ReaderRead(reader)) => self.on_reader_read(reader, outcome),
            other => self.put_back(op, other),
        }
    }

    /// An answer of the wrong kind is the driver's mistake; the question stays open.
    fn put_back(&mut self, op: OpId, pending: Option<Pending>) {
        if let Some(pending) = pending {
            self.ops.insert(op, pending);
        }
    }

    fn open_op(&mut self, pending: Pending) -> OpId {
        self.last_op = self.last_op.saturating_add(1);
        let op = OpId(self.last_op);
        self.ops.insert(op, pending);
        op
    }

    fn sign(&mut self, pending: Pending, job: SignJob) {
        let op = self.open_op(pending);
        self.outputs.push_back(Output::Sign(op, job));
    }

    fn store(&mut self, pending: Pending, job: StoreOp) {
        let op = self.open_op(pending);
        self.outputs.push_back(Output::Store(op, job));
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn reply(&mut self, command: CommandId, reply: Reply) {
        self.event(Event::Reply(command, reply));
    }

    fn next_pos(&mut self) -> LogPos {
        self.last_pos = self.last_pos.saturating_add(1);
        LogPos(self.last_pos)
    }
}

/// 10 s: what has aged goes within a sixtieth of the live window.
const WINDOW_TICK_MS: u64 = 10_000;
