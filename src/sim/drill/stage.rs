//! The stage of a drill: a world, commands with their answers, readers that read, publishers that publish.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use crosscast_core::{Command, CommandId, Event, Node, Notice, Reply, Since, Sizes, Source, Times};
use crosscast_wire::{Class, Entry, GroupId, Locator, NodeId, Scheme, SecretKey};

use super::book::{Book, Published};
use crate::agenda::{MILLI, Micros, SECOND};
use crate::net::NetParams;
use crate::prng::Prng;
use crate::rogue::{Actor, ROGUE};
use crate::world::{Happening, HostId, HostSpec, World};

/// How long a command may take.
const ANSWER: Micros = 60 * SECOND;
/// The window of every reader.
const READER_BYTES: u32 = 1 << 20;

/// Who publishes how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    pub(super) every: Micros,
}

/// A world and everything that is known of it.
pub(super) struct Stage {
    pub(super) world: World<Actor<Node>>,
    pub(super) prng: Prng,
    pub(super) book: Book,
    pub(super) honest: u32,
    secrets: BTreeMap<HostId, SecretKey>,
    prekeys: BTreeMap<HostId, [u8; 32]>,
    hosts_by_node: BTreeMap<NodeId, HostId>,
    replies: BTreeMap<CommandId, Reply>,
    publishing: BTreeMap<CommandId, (HostId, Micros)>,
    beats: BTreeMap<HostId, Beat>,
    pub(super) publishes_refused: BTreeMap<HostId, u64>,
    pub(super) rights_lost: BTreeSet<HostId>,
}

impl Stage {
    /// A world of honest hosts and, behind them, rogues.
    pub(super) fn new(seed: u64, net: NetParams, times: Times, honest: u32, rogues: u32) -> Self {
        let mut prng = Prng::new(seed ^ 0xd211_1e57);
        let mut world = World::new(seed, net, false);
        world.watch();
        let (mut secrets, mut prekeys, mut hosts_by_node) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for number in 0..honest.saturating_add(rogues) {
            let (secret, prekey) = (SecretKey::new(prng.bytes32()), prng.bytes32());
            let host = world.add_host(HostSpec {
                name: if number < honest { format!("n{number}") } else { format!("{ROGUE}{number}") },
                secret: secret.clone(),
                prekey,
                fast_aes: prng.chance(crate::PPM / 2),
                times,
                sizes: Sizes::default(),
            });
            hosts_by_node.insert(NodeId::new(secret.public()), host);
            secrets.insert(host, secret);
            prekeys.insert(host, prekey);
        }
        Self {
            world,
            prng,
            book: Book::default(),
            honest,
            secrets,
            prekeys,
            hosts_by_node,
            replies: BTreeMap::new(),
            publishing: BTreeMap::new(),
            beats: BTreeMap::new(),
            publishes_refused: BTreeMap::new(),
            rights_lost: BTreeSet::new(),
        }
    }

    /// The honest hosts.
    pub(super) fn hosts(&self) -> impl Iterator<Item = HostId> + use<> {
        (0..self.honest).map(HostId)
    }

    pub(super) const fn is_rogue(&self, host: HostId) -> bool {
        host.0 >= self.honest
    }

    pub(super) fn secret(&self, host: HostId) -> SecretKey {
        self.secrets.get(&host).cloned().unwrap_or_else(|| SecretKey::new([0; 32]))
    }

    pub(super) fn prekey(&self, host: HostId) -> [u8; 32] {
        self.prekeys.get(&host).copied().unwrap_or_default()
    }

    pub(super) fn node(&self, host: HostId) -> NodeId {
        NodeId::new(self.secret(host).public())
    }

    pub(super) fn host_of(&self, node: &NodeId) -> Option<HostId> {
        self.hosts_by_node.get(node).copied()
    }

    fn name(&self, host: HostId) -> String {
        if self.is_rogue(host) { format!("{ROGUE}{}", host.0) } else { format!("n{}", host.0) }
    }

    /// Starts a host, which listens and attaches to others.
    pub(super) fn start(&mut self, host: HostId, dials: &[HostId]) {
        self.world.start(host);
        let locator = |name: &str| Locator::new(Scheme::Memory, name, None).ok();
        if let Some(locator) = locator(&self.name(host)) {
            self.post(host, Command::Listen { locator });
        }
        for other in dials {
            if let Some(locator) = locator(&self.name(*other)) {
                self.post(host, Command::Attach { locator });
            }
        }
    }

    /// Gives a command whose answer is looked at later, or never.
    pub(super) fn post(&mut self, host: HostId, command: Command) -> Option<CommandId> {
        self.world.command(host, command)
    }

    pub(super) fn reply(&self, id: Option<CommandId>) -> Option<&Reply> {
        self.replies.get(&id?)
    }

    /// Gives a command and waits for its answer.
    pub(super) fn ask(&mut self, host: HostId, command: Command) -> Option<Reply> {
        let id = self.post(host, command)?;
        let until = self.world.now().saturating_add(ANSWER);
        while !self.replies.contains_key(&id) && self.world.step(until) {
            self.turn();
        }
        self.replies.get(&id).cloned()
    }

    /// Lets the world run to a time.
    pub(super) fn run_until(&mut self, until: Micros) {
        while self.world.step(until) {
            self.turn();
        }
    }

    /// Lets the world run for a while.
    pub(super) fn run_for(&mut self, time: Micros) {
        self.run_until(self.world.now().saturating_add(time));
    }

    /// Starts a reader of the group on a host.
    pub(super) fn read(&mut self, host: HostId, group: GroupId, since: Since) {
        self.post(host, Command::Subscribe { source: Source::Group(group), since, window_bytes: READER_BYTES });
    }

    /// A host publishes from now on, about so often.
    pub(super) fn beat(&mut self, host: HostId, every: Micros) {
        let fresh = self.beats.insert(host, Beat { every }).is_none();
        if fresh {
            let first = self.world.now().saturating_add(self.prng.below(every));
            self.world.tick(first, u64::from(host.0));
        }
    }

    /// A host publishes no more.
    pub(super) fn hush(&mut self, host: HostId) {
        self.beats.remove(&host);
    }

    /// Publishes once.
    pub(super) fn publish(&mut self, host: HostId) {
        let Some(group) = self.book.group else { return };
        let len = usize::try_from(self.prng.range(16, 400)).unwrap_or(16);
        let entries = vec![Entry::new(Bytes::from(vec![0x5a; len]))];
        let command = Command::Publish { group, entries, class: Class::Normal, life_ms: None };
        let now = self.world.now();
        if let Some(id) = self.post(host, command) {
            self.publishing.insert(id, (host, now));
        }
    }

    fn turn(&mut self) {
        while let Some(happening) = self.world.next_happening() {
            match happening {
                Happening::Event { host, run: _, event } => self.on_event(host, event),
                Happening::Tick(name) => self.on_tick(HostId(u32::try_from(name).unwrap_or(u32::MAX))),
                Happening::Wrote { host, writes } => self.book.wrote(self.world.now(), host, &writes),
                Happening::Sent { host, frames, to: _ } if !self.is_rogue(host) => self.book.sent(&frames),
                Happening::Sent { .. } => {}
            }
        }
    }

    fn on_tick(&mut self, host: HostId) {
        let Some(beat) = self.beats.get(&host).copied() else { return };
        self.publish(host);
        let next = self.world.now().saturating_add(self.prng.around(beat.every).max(MILLI));
        self.world.tick(next, u64::from(host.0));
    }

    fn on_event(&mut self, host: HostId, event: Event) {
        let now = self.world.now();
        match event {
            Event::Reply(id, reply) => {
                let Some((host, at)) = self.publishing.remove(&id) else {
                    self.replies.insert(id, reply);
                    return;
                };
                if let Reply::Published { id, .. } = reply {
                    self.book.published.entry(id).or_insert(Published { host, at });
                } else {
                    let count = self.publishes_refused.entry(host).or_default();
                    *count = count.saturating_add(1);
                }
            }
            Event::Deliver(reader, delivery) => {
                self.book.delivered(now, host, &delivery);
                self.world.command(host, Command::Consumed { reader, bytes: delivery.weight });
            }
            Event::Notice(Notice::PeerUp { node, .. }) => self.book.links_up.push((now, host, node)),
            Event::Notice(Notice::RightsLost { .. }) => {
                self.rights_lost.insert(host);
            }
            Event::Notice(_) | Event::Outcome(_) | Event::ReaderGap(_) => {}
        }
    }
}
