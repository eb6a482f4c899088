//! A machine of a hundred lines that keeps no promises but the port's: it proves the engine, not the core.
//!
//! It dials what it is told to attach to, again and again; it sends every entry of a publish as one frame over every
//! link, waiting for grants (but not for class control); it writes a numbered pair for each publish; and it remembers
//! everything that came.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use crosscast_core::{Command, Config, Input, Instant, Now, Output};
use crosscast_port::{
    DialId, DownReason, Durability, LinkId, OpId, Recovered, Report, Request, Space, StoreOp, StoreOutcome, Write,
};
use crosscast_wire::{Class, FrameType, Lane, Locator, RawFrame};

use crate::machine::Machine;

const REDIAL_US: u64 = 300_000;

#[derive(Debug, Default)]
pub(crate) struct ToyLink {
    grants: BTreeMap<Lane, i64>,
    queue: VecDeque<RawFrame>,
}

#[derive(Debug, Default)]
pub(crate) struct Toy {
    outputs: VecDeque<Output>,
    pub(crate) links: BTreeMap<LinkId, ToyLink>,
    attached: Vec<Locator>,
    redial: BTreeMap<Instant, Locator>,
    dials: BTreeMap<DialId, Locator>,
    next: u64,
    /// Frames: lane, number in its first bytes, when.
    pub(crate) got: Vec<(Lane, u64, Instant)>,
    pub(crate) datagrams: Vec<u64>,
    pub(crate) downs: Vec<DownReason>,
    pub(crate) failed_dials: usize,
    pub(crate) committed: usize,
    pub(crate) woken: Vec<Instant>,
    pub(crate) recovered_pairs: usize,
}

impl Toy {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn dial(&mut self, locator: Locator) {
        let dial = DialId(self.number());
        self.dials.insert(dial, locator.clone());
        self.outputs.push_back(Output::Link(Request::Dial { dial, locator }));
    }

    fn pump(&mut self, link: LinkId) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let mut frames = Vec::new();
        while let Some(front) = state.queue.front() {
            let grant = state.grants.entry(front.lane).or_default();
            if *grant <= 0 {
                break;
            }
            *grant -= front.body_len() as i64;
            frames.extend(state.queue.pop_front());
        }
        if !frames.is_empty() {
            self.outputs.push_back(Output::Link(Request::Send { link, frames }));
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Listen { locator } => self.outputs.push_back(Output::Link(Request::Listen { locator })),
            Command::Attach { locator } => {
                self.attached.push(locator.clone());
                self.dial(locator);
            }
            Command::Publish { entries, class, .. } => {
                let id = OpId(self.number());
                let key = Bytes::copy_from_slice(&id.0.to_be_bytes());
                let writes = vec![Write::Put { space: Space::Meta, key, value: Bytes::new() }];
                let op = StoreOp::Commit { writes, durability: Durability::Written };
                self.outputs.push_back(Output::Store(id, op));
                let links: Vec<LinkId> = self.links.keys().copied().collect();
                for link in links {
                    let frames = entries
                        .iter()
                        .map(|entry| RawFrame::new(FrameType::MESSAGE, class.lane(), entry.payload.clone()))
                        .collect::<Vec<_>>();
                    match class {
                        Class::Control => {
                            self.outputs.push_back(Output::Link(Request::Send { link, frames }));
                        }
                        Class::Realtime => self.outputs.extend(
                            frames.into_iter().map(|frame| Output::Link(Request::Datagram { link, bytes: frame.tail })),
                        ),
                        Class::Urgent | Class::Normal | Class::Bulk => {
                            self.links.get_mut(&link).unwrap().queue.extend(frames);
                            self.pump(link);
                        }
                    }
                }
            }
            Command::Shutdown => {
                let closes = self.links.keys().map(|link| Output::Link(Request::Close { link: *link }));
                self.outputs.extend(closes);
            }
            other => panic!("the toy knows nothing of {other:?}"),
        }
    }

    fn again(&mut self, now: Now) {
        for (late, locator) in self.attached.iter().enumerate() {
            self.redial.insert(now.mono.plus_micros(REDIAL_US + late as u64), locator.clone());
        }
    }

    fn report(&mut self, now: Now, report: Report) {
        let number = |bytes: &Bytes| u64::from_be_bytes(bytes[..8].try_into().unwrap());
        match report {
            Report::Up { link, up } => {
                up.dial.map(|dial| self.dials.remove(&dial));
                self.links.insert(link, ToyLink::default());
            }
            Report::Writable { link, lane, bytes } => {
                let link_state = self.links.get_mut(&link).expect("a grant for a link that is up");
                *link_state.grants.entry(lane).or_default() += i64::from(bytes);
                self.pump(link);
            }
            Report::Frames { link, frames } => {
                assert!(self.links.contains_key(&link), "frames for a link that is up");
                self.got.extend(frames.iter().map(|frame| (frame.lane, number(&frame.tail), now.mono)));
            }
            Report::Datagram { link: _, bytes } => self.datagrams.push(number(&bytes)),
            Report::Down { link, reason } => {
                self.links.remove(&link).expect("a link ends once");
                self.downs.push(reason);
                self.again(now);
            }
            Report::DialFailed { dial, error: _ } => {
                self.dials.remove(&dial).expect("a dial fails once");
                self.failed_dials += 1;
                self.again(now);
            }
            Report::Listening { .. }
            | Report::Unlistened { .. }
            | Report::Network(_)
            | Report::Found { .. }
            | Report::Refused { .. } => {}
            Report::ListenFailed { error, .. } => panic!("{error:?}"),
        }
    }
}

impl Machine for Toy {
    fn boot(_: Config, recovered: Recovered, _: Now) -> Self {
        Self { recovered_pairs: recovered.pairs.len(), next: recovered.pairs.len() as u64 * 1_000, ..Self::default() }
    }

    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Link(report) => self.report(now, report),
            Input::Command(_, command) => self.command(command),
            Input::Timeout => {
                self.woken.push(now.mono);
                while let Some((at, locator)) = self.redial.pop_first() {
                    if at > now.mono {
                        self.redial.insert(at, locator);
                        break;
                    }
                    if self.links.is_empty() && self.dials.is_empty() {
                        self.dial(locator);
                    }
                }
            }
            Input::Stored(_, StoreOutcome::Committed) => self.committed += 1,
            Input::Stored(..) | Input::Signed(..) | Input::Verified(..) => {}
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.redial.keys().next().copied()
    }
}
