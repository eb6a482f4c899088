//! Whole cores joined by perfect links, one of which is measured: a message of one entry through the gates to its
//! commit, and on to a reader or to ten links.
//!
//! Signatures are not counted here: the measured core is told that they hold, and its store is the one in memory.

use std::collections::{BTreeMap, VecDeque};
use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use crosscast::NodeCrypto;
use crosscast_core::{
    Command, CommandId, Config, Event, Input, Instant, Node, Now, Output, Reply, Since, Sizes, Source, Times, Verdict,
};
use crosscast_port::{LinkId, LinkTraits, LinkUp, Recovered, Report, Request, Role};
use crosscast_store::{MemoryStore, Store as _};
use crosscast_wire::{
    Class, Entry, FrameType, GroupId, Instance, Lane, Locator, NodeId, PathKind, PathReason, Policy, RawFrame, Scheme,
    SecretKey, Ticket, WallMillis,
};

use crate::times;

/// Messages in one measurement: within what links and publishers grant at once.
const MESSAGES: usize = 100;

struct Host {
    key: SecretKey,
    node: Node,
    store: MemoryStore,
    replies: Vec<Reply>,
}

struct Net {
    hosts: Vec<Host>,
    now: Now,
    ends: BTreeMap<LinkId, (usize, LinkId)>,
    inputs: VecDeque<(usize, Input)>,
    /// Messages of host 0, kept back.
    kept: Vec<Vec<RawFrame>>,
    keeps: bool,
}

/// A core that takes what host 0 published and has a reader for it.
pub(crate) fn accept_and_deliver() -> usize {
    let (mut net, group) = Net::new(2);
    let source = Source::Group(group);
    net.command(1, Command::Subscribe { source, since: Since::Now, window_bytes: 8 << 20 });
    net.measure(group)
}

/// A core that takes what host 0 published and hands it on over ten links.
pub(crate) fn accept_and_forward() -> usize {
    let (mut net, group) = Net::new(12);
    net.measure(group)
}

impl Net {
    /// Host 1 in the middle of all others, in a group of host 0's.
    fn new(count: usize) -> (Self, GroupId) {
        let now = Now { mono: Instant(1_000_000), wall: WallMillis(1_700_000_000_000) };
        let (hosts, ends, inputs) = (Vec::new(), BTreeMap::new(), VecDeque::new());
        let mut net = Self { hosts, now, ends, inputs, kept: Vec::new(), keeps: false };
        (1..=count).for_each(|seed| net.add(u8::try_from(seed).unwrap()));
        let create = Command::CreateGroup { name: "g".into(), policy: Policy::Open, public: false };
        let Some(Reply::Group { group, ticket: Some(ticket), .. }) = net.command(0, create) else { panic!("no group") };
        for host in (0..count).filter(|host| *host != 1) {
            net.connect(host, 1);
        }
        (1..count).for_each(|host| net.join(host, &ticket));
        (net, group)
    }

    fn add(&mut self, seed: u8) {
        let key = SecretKey::new([seed; 32]);
        let config = Config {
            node: NodeId::new(key.public()),
            instance: Instance::new(1_700_000_000, 7),
            name: "measured".into(),
            agent: "crosscast/measured".into(),
            roles: 1,
            choice_seed: [seed; 32],
            key_seed: [seed; 32],
            prekey: [seed; 32],
            successor: None,
            crypto: Arc::new(NodeCrypto),
            times: Times::default(),
            sizes: Sizes::default(),
        };
        let recovered = Recovered { next_pos: 1, logs: Vec::new(), pairs: Vec::new(), torn_bytes: 0 };
        let node = Node::new(config, recovered, self.now);
        self.hosts.push(Host { key, node, store: MemoryStore::default(), replies: Vec::new() });
    }

    fn connect(&mut self, dialer: usize, listener: usize) {
        let number = u64::try_from(self.ends.len()).unwrap();
        let (a, b) = (LinkId(number + 1), LinkId(number + 2));
        self.ends.insert(a, (listener, b));
        self.ends.insert(b, (dialer, a));
        for (host, link, role) in [(dialer, a, Role::Dialer), (listener, b, Role::Listener)] {
            let up = LinkUp {
                scheme: Scheme::Memory,
                role,
                dial: None,
                locator: Locator::parse("memory:there").unwrap(),
                peer: None,
                binding: Bytes::copy_from_slice(&number.to_be_bytes()),
                traits: LinkTraits::STREAM,
                path: PathKind::Direct,
                reason: PathReason::Lan,
                rendezvous: None,
            };
            self.inputs.push_back((host, Input::Link(Report::Up { link, up: Box::new(up) })));
            for &lane in Lane::ALL {
                self.inputs.push_back((host, Input::Link(Report::Writable { link, lane, bytes: 64 << 20 })));
            }
        }
        self.run();
    }

    fn join(&mut self, host: usize, ticket: &Ticket) {
        let reply = self.command(host, Command::JoinGroup { ticket: Box::new(ticket.clone()), name: None });
        assert!(matches!(reply, Some(Reply::Group { .. })), "{reply:?}");
    }

    fn command(&mut self, host: usize, command: Command) -> Option<Reply> {
        self.inputs.push_back((host, Input::Command(CommandId(1), command)));
        self.run();
        self.hosts[host].replies.pop()
    }

    /// Everything that follows from the inputs, unmeasured.
    fn run(&mut self) {
        while let Some((at, input)) = self.inputs.pop_front() {
            let host = &mut self.hosts[at];
            host.node.handle(self.now, input);
            while let Some(output) = host.node.poll_output() {
                match output {
                    Output::Store(op, work) => {
                        let answers = host.store.apply(vec![(op, work)]);
                        self.inputs.extend(answers.into_iter().map(|(op, outcome)| (at, Input::Stored(op, outcome))));
                    }
                    Output::Sign(op, job) => {
                        self.inputs.push_back((at, Input::Signed(op, job.run(&NodeCrypto, &host.key))));
                    }
                    Output::Verify(op, job) => {
                        self.inputs.push_back((at, Input::Verified(op, job.run(&NodeCrypto))));
                    }
                    Output::Event(Event::Reply(_, reply)) => host.replies.push(reply),
                    Output::Event(_) => {}
                    Output::Link(Request::Send { link, frames }) => {
                        let data = frames.iter().any(|frame| frame.frame_type == FrameType::MESSAGE);
                        if self.keeps && at == 0 && data {
                            self.kept.push(frames);
                        } else {
                            let (other, link) = self.ends[&link];
                            self.inputs.push_back((other, Input::Link(Report::Frames { link, frames })));
                        }
                    }
                    Output::Link(_) => {}
                }
            }
        }
    }

    /// Has host 0 publish, keeps its messages back, and counts what host 1 does with them.
    fn measure(&mut self, group: GroupId) -> usize {
        self.keeps = true;
        for _ in 0..MESSAGES {
            self.now.mono = self.now.mono.plus_millis(1);
            self.now.wall = WallMillis(self.now.wall.0 + 1);
            let entries = vec![Entry::new(Bytes::from(vec![b'x'; 1024]))];
            let reply = self.command(0, Command::Publish { group, entries, class: Class::Normal, life_ms: None });
            assert!(matches!(reply, Some(Reply::Published { .. })), "{reply:?}");
        }
        assert_eq!(self.kept.len(), MESSAGES);
        let link = self.ends.iter().find(|(_, (other, _))| *other == 0).map(|(link, _)| *link).unwrap();
        let mut kept = std::mem::take(&mut self.kept).into_iter();
        let (host, now, mut effects) = (&mut self.hosts[1], self.now, 0);
        let count = times(MESSAGES, || {
            let frames = kept.next().unwrap();
            effects += host.turn(now, Input::Link(Report::Frames { link, frames }));
        });
        // A delivery or ten frames for each message: nothing was refused.
        assert!(effects >= MESSAGES, "{effects}");
        count
    }
}

impl Host {
    /// Everything that follows from an input here; returns how many messages went out or to a reader.
    fn turn(&mut self, now: Now, input: Input) -> usize {
        let (mut inputs, mut effects) = (VecDeque::from([input]), 0);
        while let Some(input) = inputs.pop_front() {
            self.node.handle(now, input);
            while let Some(output) = self.node.poll_output() {
                match output {
                    Output::Store(op, work) => {
                        let answers = self.store.apply(vec![(op, work)]);
                        inputs.extend(answers.into_iter().map(|(op, outcome)| Input::Stored(op, outcome)));
                    }
                    Output::Verify(op, _) => inputs.push_back(Input::Verified(op, Verdict::Good)),
                    Output::Sign(op, _) => inputs.push_back(Input::Signed(op, [0; 64])),
                    Output::Event(event) => effects += usize::from(matches!(black_box(event), Event::Deliver(..))),
                    Output::Link(Request::Send { frames, .. }) => {
                        let data = |frame: &&RawFrame| frame.frame_type == FrameType::MESSAGE;
                        effects += black_box(frames).iter().filter(data).count();
                    }
                    Output::Link(_) => {}
                }
            }
        }
        effects
    }
}
