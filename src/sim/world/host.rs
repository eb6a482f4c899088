//! One host: a machine, its clocks, its disk, its CPU.

use std::collections::VecDeque;
use std::sync::Arc;

use crosscast_core::{Config, Input, Instant, Sizes, Times};
use crosscast_wire::{Instance, NodeId, SecretKey};

use crate::agenda::Micros;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::machine::Machine;
use crate::memo::MemoCrypto;
use crate::net::Unread;
use crate::pool::Pool;
use crate::prng::Prng;

/// Names a host in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// What a host is, over all its runs.
#[derive(Clone, Debug)]
pub struct HostSpec {
    /// Where it can be dialled: `memory:` and this.
    pub name: String,
    /// The node's key.
    pub secret: SecretKey,
    /// The prekey.
    pub prekey: [u8; 32],
    /// Whether its AES is fast.
    pub fast_aes: bool,
    /// The machine's times.
    pub times: Times,
    /// The machine's sizes.
    pub sizes: Sizes,
}

/// An input on its way to a machine.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) host: HostId,
    pub(crate) run: u64,
    pub(crate) input: Input,
    pub(crate) unread: Option<Unread>,
}

#[derive(Debug)]
pub(crate) struct Host<M> {
    pub(crate) spec: HostSpec,
    pub(crate) node: NodeId,
    /// Number of its runs; those of a machine that is not there no longer count.
    pub(crate) run: u64,
    pub(crate) machine: Option<M>,
    pub(crate) instance: Instance,
    pub(crate) clock: Clock,
    pub(crate) disk: Disk,
    pub(crate) pool: Pool,
    pub(crate) paused: bool,
    /// What came while it was paused, oldest first.
    pub(crate) waiting: VecDeque<Ready>,
    /// When it is to be woken.
    pub(crate) armed: Option<Micros>,
    /// How many inputs it had at which time.
    pub(crate) at_once: (Micros, u32),
    prng: Prng,
}

impl<M: Machine> Host<M> {
    pub(crate) fn new(spec: HostSpec, mut prng: Prng) -> Self {
        Self {
            node: NodeId::new(spec.secret.public()),
            spec,
            run: 0,
            machine: None,
            instance: Instance(0),
            clock: Clock::default(),
            disk: Disk::new(prng.fork(1)),
            pool: Pool::new(prng.fork(2)),
            paused: false,
            waiting: VecDeque::new(),
            armed: None,
            at_once: (0, 0),
            prng,
        }
    }

    /// Builds a new machine from what the disk holds.
    pub(crate) fn boot(&mut self, at: Micros, memo: &MemoCrypto) {
        self.run = self.run.saturating_add(1);
        self.clock.restart(at, self.prng.below(1 << 40), u32::try_from(self.prng.below(100)).unwrap_or(0));
        let seconds = u32::try_from(self.clock.wall_ms(at) / 1_000).unwrap_or(u32::MAX);
        self.instance = Instance::new(seconds, (self.prng.next_u64() >> 32) as u32);
        let config = Config {
            node: self.node,
            instance: self.instance,
            name: self.spec.name.clone(),
            agent: "crosscast-sim/1".into(),
            roles: 1,
            choice_seed: self.prng.bytes32(),
            key_seed: self.prng.bytes32(),
            prekey: self.spec.prekey,
            successor: None,
            crypto: Arc::new(memo.with_fast_aes(self.spec.fast_aes)),
            times: self.spec.times,
            sizes: self.spec.sizes,
        };
        self.machine = Some(M::boot(config, self.disk.recover(), self.clock.read(at)));
        self.pool.reset();
        self.paused = false;
        self.armed = None;
    }

    /// Takes the machine away, with everything that was on its way to it.
    pub(crate) fn drop_machine(&mut self) {
        self.machine = None;
        self.paused = false;
        self.waiting.clear();
        self.armed = None;
    }

    /// When the machine wants to be woken.
    pub(crate) fn timeout(&self) -> Option<Micros> {
        let mono: Instant = self.machine.as_ref()?.poll_timeout()?;
        Some(self.clock.when(mono))
    }

    /// How late a timer of an ordinary runtime fires.
    pub(crate) const fn lateness(&mut self) -> Micros {
        self.prng.below(1_000)
    }
}
