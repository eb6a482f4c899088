//! The world: hosts, the network between them, and one agenda that everything happens by.
//!
//! [`World::step`] lets the next thing happen, with all that follows from it at once; what machines tell their
//! applications comes out of [`World::next_happening`]. Faults are done to the world by its verbs in `faults.rs`, and what
//! can be seen of it is in `look.rs`.
//! There is no chance but the seed's and no clock but the agenda's.

mod faults;
mod host;
mod look;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod toy;

use std::collections::{BTreeMap, VecDeque};

use crosscast_core::{Command, CommandId, Event, Input, Output, SignKey};
use crosscast_port::{OpId, Request, StoreOp, Write};
use crosscast_wire::{FrameType, RawFrame};

use host::{Host, Ready};
pub use host::{HostId, HostSpec};

use crate::agenda::{Agenda, Micros};
use crate::machine::Machine;
use crate::memo::MemoCrypto;
use crate::net::{Net, NetEvent, NetOut, NetParams};
use crate::prng::Prng;
use crate::trace::Trace;
use crate::words;

/// Inputs to one machine at one time, and outputs to one input, beyond which it is taken to be in a loop.
const ENDLESS: u32 = 100_000;

/// What a machine tells its applications, or a tick that was asked for.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A machine's event.
    Event {
        /// On which host.
        host: HostId,
        /// In which run of it.
        run: u64,
        /// What.
        event: Event,
    },
    /// The time of a tick has come.
    Tick(u64),
    /// A machine hands a commit to its store; told while the world is watched.
    Wrote {
        /// On which host.
        host: HostId,
        /// What is to be kept.
        writes: Vec<Write>,
    },
    /// A machine sends messages over a link; told while the world is watched or overheard.
    Sent {
        /// From which host.
        host: HostId,
        /// To which host, while the link is known.
        to: Option<HostId>,
        /// The MESSAGE frames among what it sends.
        frames: Vec<RawFrame>,
    },
}

/// A rule of the door or the port that a machine broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// When.
    pub at: Micros,
    /// Whose machine.
    pub host: HostId,
    /// What it did.
    pub what: String,
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Inputs that machines had.
    pub inputs: u64,
    /// Frames that machines sent.
    pub frames: u64,
    /// Body bytes of these.
    pub frame_bytes: u64,
    /// Commits that stores did.
    pub commits: u64,
    /// Signatures that were checked.
    pub verifies: u64,
}

#[derive(Debug)]
enum Due {
    Net(NetEvent),
    Input(Ready),
    Disk { host: HostId, run: u64, id: OpId, op: StoreOp },
    Wake { host: HostId, run: u64, armed: Micros },
    Tick(u64),
}

/// A deterministic world of hosts that run machines of one kind.
#[derive(Debug)]
pub struct World<M> {
    now: Micros,
    agenda: Agenda<Due>,
    hosts: BTreeMap<HostId, Host<M>>,
    net: Net,
    ready: VecDeque<Ready>,
    happenings: VecDeque<Happening>,
    breaches: Vec<Breach>,
    memo: MemoCrypto,
    prng: Prng,
    next_command: u64,
    counts: Counts,
    watched: bool,
    overheard: bool,
    /// What was recorded.
    pub trace: Trace,
}

impl<M: Machine> World<M> {
    /// An empty world; `with_text` keeps a trace that people can read.
    #[must_use]
    pub fn new(seed: u64, params: NetParams, with_text: bool) -> Self {
        let mut prng = Prng::new(seed);
        Self {
            now: 0,
            agenda: Agenda::new(),
            hosts: BTreeMap::new(),
            net: Net::new(params, prng.fork(1)),
            ready: VecDeque::new(),
            happenings: VecDeque::new(),
            breaches: Vec::new(),
            memo: MemoCrypto::default(),
            prng,
            next_command: 1,
            counts: Counts::default(),
            watched: false,
            overheard: false,
            trace: Trace::new(with_text),
        }
    }

    /// Adds a host; it does nothing until it is started.
    pub fn add_host(&mut self, spec: HostSpec) -> HostId {
        let id = HostId(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX));
        self.net.add_host(id, spec.name.clone());
        self.hosts.insert(id, Host::new(spec, self.prng.fork(u64::from(id.0))));
        id
    }

    /// Tells from now on what machines keep and which messages they send.
    pub const fn watch(&mut self) {
        self.watched = true;
    }

    /// From now on what machines send to each other is told.
    pub const fn overhear(&mut self) {
        self.overheard = true;
    }

    /// Asks for a tick.
    pub fn tick(&mut self, at: Micros, name: u64) {
        self.agenda.push(at.max(self.now), Due::Tick(name));
    }

    /// Gives a machine a command; `None` when the host has none. It happens with the next step.
    pub fn command(&mut self, host: HostId, command: Command) -> Option<CommandId> {
        let run = self.hosts.get(&host).filter(|host| host.machine.is_some())?.run;
        let id = CommandId(self.next_command);
        self.next_command = self.next_command.saturating_add(1);
        let input = Input::Command(id, command);
        self.agenda.push(self.now, Due::Input(Ready { host, run, input, unread: None }));
        Some(id)
    }

    /// The next thing that an application learns.
    pub fn next_happening(&mut self) -> Option<Happening> {
        self.happenings.pop_front()
    }

    /// Lets the next thing happen, if it happens until then; false when nothing does, and the time is `until`.
    pub fn step(&mut self, until: Micros) -> bool {
        if self.agenda.next_at().is_none_or(|at| at > until) {
            self.now = self.now.max(until);
            return false;
        }
        if let Some((at, due)) = self.agenda.pop() {
            self.now = at;
            self.happen(due);
            self.settle();
        }
        true
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Net(event) => self.net.handle(self.now, event),
            Due::Input(ready) => self.ready.push_back(ready),
            Due::Disk { host, run, id, op } => self.perform(host, run, id, op),
            Due::Wake { host, run, armed } => self.wake(host, run, armed),
            Due::Tick(name) => self.happenings.push_back(Happening::Tick(name)),
        }
    }

    /// Lets everything happen that follows at once.
    fn settle(&mut self) {
        loop {
            for out in self.net.take_outs() {
                match out {
                    NetOut::Report { host, run, report, unread } => {
                        self.ready.push_back(Ready { host, run, input: Input::Link(report), unread });
                    }
                    NetOut::Later(at, event) => self.agenda.push(at, Due::Net(event)),
                    NetOut::Breach(host, what) => self.breach_of(host, what),
                }
            }
            let Some(ready) = self.ready.pop_front() else { return };
            self.feed(ready);
        }
    }

    fn breach_of(&mut self, host: HostId, what: String) {
        self.breaches.push(Breach { at: self.now, host, what });
    }

    fn feed(&mut self, ready: Ready) {
        let (now, id) = (self.now, ready.host);
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.run == ready.run) else { return };
        if host.paused {
            return host.waiting.push_back(ready);
        }
        let Some(machine) = host.machine.as_mut() else { return };
        self.trace.record(
            now,
            id,
            |bytes| words::input_digest(&ready.input, bytes),
            || words::input_text(&ready.input),
        );
        self.counts.inputs = self.counts.inputs.saturating_add(1);
        machine.handle(host.clock.read(now), ready.input);
        let mut outputs = Vec::new();
        while let Some(output) = machine.poll_output() {
            outputs.push(output);
            if outputs.len() >= ENDLESS as usize {
                self.breaches.push(Breach { at: now, host: id, what: "outputs without end".into() });
                break;
            }
        }
        let (at, count) = host.at_once;
        host.at_once = if at == now { (at, count.saturating_add(1)) } else { (now, 1) };
        if host.at_once.1 >= ENDLESS {
            self.breaches.push(Breach { at: now, host: id, what: "inputs without end at one time".into() });
        }
        if let Some(unread) = ready.unread {
            self.net.was_read(now, unread);
        }
        for output in outputs {
            self.trace.record(now, id, |bytes| words::output_digest(&output, bytes), || words::output_text(&output));
            self.dispatch(id, output);
        }
        self.arm(id);
    }

    fn dispatch(&mut self, id: HostId, output: Output) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let run = host.run;
        match output {
            Output::Link(request) => self.request(id, run, request),
            Output::Store(op_id, op) => {
                if let (true, StoreOp::Commit { writes, durability: _ }) = (self.watched, &op) {
                    self.happenings.push_back(Happening::Wrote { host: id, writes: writes.clone() });
                }
                let at = host.disk.submit(now, &op);
                self.agenda.push(at, Due::Disk { host: id, run, id: op_id, op });
            }
            Output::Sign(op_id, job) => {
                let signature = job.run(&self.memo, &host.spec.secret);
                let key = match &job.key {
                    SignKey::Node => *host.node.as_bytes(),
                    SignKey::Group(key) => *key.expose(),
                };
                let at = host.pool.sign(now, key);
                let input = Input::Signed(op_id, signature);
                self.agenda.push(at, Due::Input(Ready { host: id, run, input, unread: None }));
            }
            Output::Verify(op_id, job) => {
                let verdict = job.run(&self.memo);
                let payload = job.payload.as_ref().map_or(0, |(_, bytes)| bytes.len() as u64);
                let signatures = job.signatures.len() as u64;
                self.counts.verifies = self.counts.verifies.saturating_add(signatures);
                let at = host.pool.verify(now, job.sender(), signatures, payload);
                let input = Input::Verified(op_id, verdict);
                self.agenda.push(at, Due::Input(Ready { host: id, run, input, unread: None }));
            }
            Output::Event(event) => self.happenings.push_back(Happening::Event { host: id, run, event }),
        }
    }

    fn request(&mut self, host: HostId, run: u64, request: Request) {
        let now = self.now;
        match request {
            Request::Listen { locator } => self.net.listen(host, run, locator),
            Request::Dial { dial, locator } => self.net.dial(now, host, run, dial, locator),
            Request::Send { link, frames } => {
                self.counts.frames = self.counts.frames.saturating_add(frames.len() as u64);
                let bytes = frames.iter().map(|frame| frame.body_len() as u64).fold(0, u64::saturating_add);
                self.counts.frame_bytes = self.counts.frame_bytes.saturating_add(bytes);
                if self.watched || self.overheard {
                    self.watch_frames(host, link, &frames);
                }
                self.net.send(now, host, link, frames);
            }
            Request::Datagram { link, bytes } => self.net.datagram(now, host, link, bytes),
            Request::Close { link } => self.net.close(now, host, link),
            // The simulated network has no place to meet and no carrier.
            Request::Meet { .. } | Request::Part { .. } | Request::Judge { .. } => {}
        }
    }

    fn watch_frames(&mut self, host: HostId, link: crosscast_port::LinkId, frames: &[RawFrame]) {
        let messages = frames.iter().filter(|frame| frame.frame_type == FrameType::MESSAGE);
        let frames: Vec<RawFrame> = messages.cloned().collect();
        if !frames.is_empty() {
            let to = self.net.peer(link);
            self.happenings.push_back(Happening::Sent { host, to, frames });
        }
    }

    fn perform(&mut self, id: HostId, run: u64, op_id: OpId, op: StoreOp) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.run == run && host.machine.is_some()) else {
            // The process died before its store came to this.
            return;
        };
        self.counts.commits = self.counts.commits.saturating_add(u64::from(matches!(op, StoreOp::Commit { .. })));
        let (outcome, broken) = host.disk.perform(now, op);
        let at = now.saturating_add(host.disk.way_back());
        let input = Input::Stored(op_id, outcome);
        self.agenda.push(at, Due::Input(Ready { host: id, run, input, unread: None }));
        if let Some(rule) = broken {
            self.breach_of(id, format!("commit that breaks the store's rules: {rule}"));
        }
    }

    /// Sees to it that the machine is woken when it wants to be.
    fn arm(&mut self, id: HostId) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        let Some(at) = host.timeout() else {
            host.armed = None;
            return;
        };
        let at = at.max(now);
        // An earlier look is planned already: it will find the later time.
        if host.armed.is_none_or(|armed| armed > at) {
            host.armed = Some(at);
            let late = at.saturating_add(host.lateness());
            self.agenda.push(late, Due::Wake { host: id, run: host.run, armed: at });
        }
    }

    fn wake(&mut self, id: HostId, run: u64, armed: Micros) {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.run != run || host.armed != Some(armed) || host.paused {
            return;
        }
        host.armed = None;
        if host.timeout().is_some_and(|at| at <= now) {
            self.ready.push_back(Ready { host: id, run, input: Input::Timeout, unread: None });
        } else {
            self.arm(id);
        }
    }
}
