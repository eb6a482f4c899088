//! A machine that keeps no rule but those of the transport: it says whatever frames it is told to say.
//!
//! It listens, answers hellos and PINGs under its own key, and is otherwise moved by hand: `Command::Send` carries a
//! frame (type, lane, body) that goes out on every link that is open. What a member with bad intent would say is made
//! by whoever plays the scenario, who knows the keys. An [`Actor`] is such a machine or an honest one, by its name.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crosscast_core::{Command, CommandId, Config, Event, Input, Instant, Now, Output, Reply, SignJob, SignKey};
use crosscast_port::{LinkId, LinkUp, OpId, Recovered, Report, Request, Role};
use crosscast_wire::{
    Domain, Features, Frame, FrameType, Hello, HelloFields, Lane, RawFrame, Roles, Signature, VersionRange, frame,
    hello,
};

use crate::machine::Machine;

/// How the name of a host begins whose machine is a rogue.
pub(crate) const ROGUE: &str = "rogue";

/// What it grants on each lane: it takes nothing anyway.
const CREDIT: u64 = 1 << 20;
/// What it says it takes in one message.
const MESSAGE_BYTES: u64 = 1 << 20;

/// A frame as an instruction for a rogue.
pub(crate) fn instruction(frame: &RawFrame) -> Bytes {
    let head: [u8; 2] = [frame.frame_type.0, frame.lane.number()];
    Bytes::from([head.as_slice(), &frame.head, &frame.tail].concat())
}

fn instructed(bytes: &Bytes) -> Option<RawFrame> {
    let (frame_type, lane) = bytes.first().copied().zip(bytes.get(1).copied())?;
    let lane = Lane::ALL.iter().copied().find(|known| known.number() == lane)?;
    Some(RawFrame::new(FrameType(frame_type), lane, bytes.slice(2..)))
}

/// One link, from up to down.
struct Door {
    up: Box<LinkUp>,
    ours: Hello,
    proof_sent: bool,
    proof_seen: bool,
    balances: BTreeMap<Lane, i64>,
    waiting: VecDeque<RawFrame>,
}

/// The machine.
pub(crate) struct Rogue {
    config: Config,
    now: Now,
    outputs: VecDeque<Output>,
    doors: BTreeMap<LinkId, Door>,
    /// Proofs that wait for their signature.
    proofs: BTreeMap<OpId, LinkId>,
    last_op: u64,
    nonce: u8,
}

impl Rogue {
    fn on_report(&mut self, report: Report) {
        match report {
            Report::Up { link, up } => {
                self.nonce = self.nonce.wrapping_add(1);
                let Some(ours) = self.hello() else { return };
                let waiting = VecDeque::from([frame::hello(&ours)]);
                let (proof_sent, proof_seen, balances) = (false, false, BTreeMap::new());
                self.doors.insert(link, Door { up, ours, proof_sent, proof_seen, balances, waiting });
            }
            Report::Writable { link, lane, bytes } => {
                if let Some(door) = self.doors.get_mut(&link) {
                    let balance = door.balances.entry(lane).or_default();
                    *balance = balance.saturating_add(i64::from(bytes));
                }
                self.pump(link);
            }
            Report::Frames { link, frames } => frames.iter().for_each(|frame| self.on_frame(link, frame)),
            Report::Down { link, reason: _ } => {
                self.doors.remove(&link);
            }
            Report::Datagram { .. }
            | Report::DialFailed { .. }
            | Report::Listening { .. }
            | Report::ListenFailed { .. }
            | Report::Unlistened { .. }
            | Report::Network(_)
            | Report::Found { .. }
            | Report::Refused { .. } => {}
        }
    }

    fn hello(&self) -> Option<Hello> {
        let fields = HelloFields {
            node: self.config.node,
            versions: VersionRange::new(1, 1)?,
            nonce: [self.nonce; 32],
            features: Features::from_known_bits(0),
            max_message_bytes: MESSAGE_BYTES,
            credit: [CREDIT; 3],
            roles: Roles::from_known_bits(self.config.roles),
            instance: self.config.instance,
            wall: self.now.wall,
            agent: self.config.agent.clone(),
            peer_record: None,
            overlay: Vec::new(),
            attestations: Vec::new(),
            prekey: crosscast_seal::prekey_public(&self.config.prekey),
            name: None,
        };
        Hello::new(fields).ok()
    }

    fn on_frame(&mut self, link: LinkId, raw: &RawFrame) {
        let Some(door) = self.doors.get_mut(&link) else { return };
        match Frame::parse(raw) {
            Ok(Frame::Hello(theirs)) => {
                let listener = door.up.role == Role::Listener;
                let (ours, other) = (door.ours.body().as_ref(), theirs.body().as_ref());
                let transcript = if listener { hello::transcript(other, ours) } else { hello::transcript(ours, other) };
                let (own, peer) = (self.config.node, theirs.fields().node);
                let (scheme, binding) = (door.up.scheme, &door.up.binding);
                let body = hello::proof_bytes(scheme, listener, binding, &own, &peer, &transcript).into();
                self.last_op = self.last_op.saturating_add(1);
                self.proofs.insert(OpId(self.last_op), link);
                let job = SignJob { key: SignKey::Node, domain: Domain::Hello, body };
                self.outputs.push_back(Output::Sign(OpId(self.last_op), job));
            }
            Ok(Frame::Proof(_)) => door.proof_seen = true,
            Ok(Frame::Ping { token }) => door.waiting.push_back(frame::pong(token)),
            // What others say does not interest it.
            Ok(_) | Err(_) => {}
        }
        self.pump(link);
    }

    fn on_signed(&mut self, op: OpId, signature: &Signature) {
        let Some(link) = self.proofs.remove(&op) else { return };
        let Some(door) = self.doors.get_mut(&link) else { return };
        door.proof_sent = true;
        door.waiting.push_back(frame::proof(signature));
        self.pump(link);
    }

    fn on_command(&mut self, id: CommandId, command: Command) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "it does what it is told to say, and nothing else")]
        match command {
            Command::Listen { locator } => self.outputs.push_back(Output::Link(Request::Listen { locator })),
            Command::Send { payload, .. } => {
                let Some(frame) = instructed(&payload) else { return };
                let open: Vec<LinkId> =
                    self.doors.iter().filter(|(_, door)| door.is_open()).map(|(id, _)| *id).collect();
                for link in open {
                    if let Some(door) = self.doors.get_mut(&link) {
                        door.waiting.push_back(frame.clone());
                    }
                    self.pump(link);
                }
            }
            _ => {}
        }
        self.outputs.push_back(Output::Event(Event::Reply(id, Reply::Done)));
    }

    /// Sends what waits and may go.
    fn pump(&mut self, link: LinkId) {
        let Some(door) = self.doors.get_mut(&link) else { return };
        let mut frames = Vec::new();
        while let Some(frame) = door.waiting.front() {
            let balance = door.balances.entry(frame.lane).or_default();
            if *balance <= 0 {
                break;
            }
            *balance = balance.saturating_sub_unsigned(frame.body_len() as u64);
            frames.extend(door.waiting.pop_front());
        }
        if !frames.is_empty() {
            self.outputs.push_back(Output::Link(Request::Send { link, frames }));
        }
    }
}

impl Door {
    const fn is_open(&self) -> bool {
        self.proof_sent && self.proof_seen
    }
}

impl Machine for Rogue {
    fn boot(config: Config, _recovered: Recovered, now: Now) -> Self {
        let (outputs, doors, proofs) = (VecDeque::new(), BTreeMap::new(), BTreeMap::new());
        Self { config, now, outputs, doors, proofs, last_op: 0, nonce: 0 }
    }

    fn handle(&mut self, now: Now, input: Input) {
        self.now = now;
        match input {
            Input::Link(report) => self.on_report(report),
            Input::Command(id, command) => self.on_command(id, command),
            Input::Signed(op, signature) => self.on_signed(op, &signature),
            Input::Timeout | Input::Stored(..) | Input::Verified(..) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// A machine of the kind that a world is about, or a rogue.
pub(crate) enum Actor<M> {
    /// Keeps the rules, as far as it is known.
    Honest(Box<M>),
    /// Does not.
    Rogue(Box<Rogue>),
}

impl<M: Machine> Machine for Actor<M> {
    fn boot(config: Config, recovered: Recovered, now: Now) -> Self {
        if config.name.starts_with(ROGUE) {
            Self::Rogue(Box::new(Rogue::boot(config, recovered, now)))
        } else {
            Self::Honest(Box::new(M::boot(config, recovered, now)))
        }
    }

    fn handle(&mut self, now: Now, input: Input) {
        match self {
            Self::Honest(machine) => machine.handle(now, input),
            Self::Rogue(rogue) => rogue.handle(now, input),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Honest(machine) => machine.poll_output(),
            Self::Rogue(rogue) => rogue.poll_output(),
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Honest(machine) => machine.poll_timeout(),
            Self::Rogue(rogue) => rogue.poll_timeout(),
        }
    }
}
