//! The scenario's faults, done and undone.

use std::collections::BTreeSet;

use crosscast_core::Command;
use crosscast_wire::Scheme;

use super::{Action, Asked, Play};
use crate::agenda::SECOND;
use crate::disk::DiskMode;
use crate::ledger::Stream;
use crate::machine::Machine;
use crate::scenario::Fault;
use crate::world::HostId;

impl<M: Machine> Play<'_, M> {
    pub(super) fn begin(&mut self, number: usize) {
        let scenario = self.scenario;
        let Some(planned) = scenario.faults.get(number) else { return };
        match &planned.fault {
            Fault::Kill(host) => self.stop(*host, true),
            Fault::PowerLoss(host) => self.stop(*host, false),
            Fault::Wipe(host) => self.wipe(*host),
            Fault::Leave(host, group) => self.leave(*host, *group),
            Fault::Reread(host) => self.reread(*host),
            Fault::Restart(host) => {
                if self.world.is_up(*host) {
                    let run = self.runs.get(host).copied().unwrap_or(0);
                    self.ask(*host, Command::Shutdown, Asked::Done);
                    // The machine says goodbye for at most a second.
                    let at = self.world.now().saturating_add(2 * SECOND);
                    self.at(at, Action::Exit(*host, run));
                }
            }
            Fault::Pause(host) => self.world.pause(*host),
            Fault::Partition(side) => self.split(side, |play, a, b| {
                play.world.block(a, b);
                play.world.block(b, a);
            }),
            Fault::OneWay(side) => self.split(side, |play, a, b| play.world.block(a, b)),
            Fault::Cut(a, b) => self.world.cut(*a, *b),
            Fault::HalfOpen(a, b) => self.world.half_open(*a, *b),
            Fault::Swallow(a, b, second) => {
                self.world.swallow(*a, *b, if *second { Scheme::Ygg } else { Scheme::Memory });
            }
            Fault::Disk(host, mode) => {
                self.world.set_disk(*host, *mode);
                self.disks.push((*host, planned.at, planned.until));
            }
            Fault::Slow(host, disk, cpu) => self.world.set_slowness(*host, *disk, *cpu),
            Fault::Weather(delay, loss) => self.world.set_weather(*delay, *loss),
            Fault::Narrow(host, bytes_per_s) => self.world.set_speed(*host, *bytes_per_s),
            Fault::Skew(host, skew_ms) => self.world.set_skew(*host, *skew_ms),
        }
    }

    pub(super) fn end(&mut self, number: usize) {
        let scenario = self.scenario;
        let Some(planned) = scenario.faults.get(number) else { return };
        match &planned.fault {
            Fault::Kill(host) | Fault::PowerLoss(host) | Fault::Wipe(host) => self.start(*host),
            Fault::Leave(host, group) => self.join(*host, *group),
            // Started again when it has ended.
            Fault::Restart(_) => {}
            Fault::Pause(host) => self.world.resume(*host),
            Fault::Partition(side) => self.split(side, |play, a, b| {
                play.world.unblock(a, b);
                play.world.unblock(b, a);
            }),
            Fault::OneWay(side) => self.split(side, |play, a, b| play.world.unblock(a, b)),
            Fault::Cut(..) | Fault::HalfOpen(..) | Fault::Swallow(..) | Fault::Skew(..) | Fault::Reread(_) => {}
            Fault::Disk(host, _) => self.world.set_disk(*host, DiskMode::Good),
            Fault::Slow(host, ..) => self.world.set_slowness(*host, 1, 1),
            Fault::Weather(..) => self.world.set_weather(0, 0),
            Fault::Narrow(host, _) => self.world.set_speed(*host, self.scenario.net.bytes_per_s.1),
        }
    }

    fn split(&mut self, side: &BTreeSet<HostId>, each: impl Fn(&mut Self, HostId, HostId)) {
        let others: Vec<HostId> = self.scenario.host_ids().filter(|host| !side.contains(host)).collect();
        for a in side {
            for b in &others {
                each(self, *a, *b);
            }
        }
    }

    fn stop(&mut self, host: HostId, power: bool) {
        if !self.world.is_up(host) {
            return;
        }
        let run = self.runs.get(&host).copied().unwrap_or(0);
        self.excuses.ends.insert((host, run));
        if power {
            self.world.kill(host);
        } else {
            self.world.lose_power(host);
            self.excuses.losses.push((host, self.world.now(), None));
            self.torn.extend(self.streams().into_iter().map(|stream| (host, stream)));
        }
        self.forget_floors(host);
        // What it had not answered it will not answer any more.
        self.asked.retain(|_, (other, _, _, _)| *other != host);
    }

    /// The host comes back with its key and nothing else.
    fn wipe(&mut self, host: HostId) {
        if !self.world.is_up(host) {
            return;
        }
        self.stop(host, false);
        self.world.wipe(host);
        self.ledger.retire(host, Stream::Inbox);
        for number in 0..self.scenario.groups.len() {
            self.part(host, number);
        }
    }

    /// A host is no longer part of a group.
    pub(super) fn part(&mut self, host: HostId, number: usize) {
        self.joined.remove(&(host, number));
        for stream in [Stream::Group(number), Stream::Tail(number)] {
            self.ledger.retire(host, stream);
            self.torn.remove(&(host, stream));
        }
    }

    fn leave(&mut self, host: HostId, number: usize) {
        let Some(group) = self.group_ids.get(&number).copied() else { return };
        if self.world.is_up(host) && self.joined.contains(&(host, number)) {
            self.excuses.losses.push((host, self.world.now(), Some(number)));
            self.ask(host, Command::LeaveGroup { group }, Asked::Leave(number));
        }
    }

    fn reread(&mut self, host: HostId) {
        for stream in self.streams() {
            let reader = self.ledger.chain_mut(host, stream).and_then(|chain| chain.reader);
            if let Some(reader) = reader.filter(|_| self.world.is_up(host)) {
                self.ask(host, Command::Unsubscribe { reader }, Asked::Unsubscribe(stream));
            }
        }
    }

    /// A node that was shut down has had its time.
    pub(super) fn exit(&mut self, host: HostId, run: u64) {
        if self.runs.get(&host) == Some(&run) {
            self.stop(host, true);
            let at = self.world.now().saturating_add(self.prng.below(SECOND));
            self.at(at, Action::Start(host));
        }
    }

    /// All is well from now on.
    pub(super) fn quiet(&mut self) {
        self.quiet = true;
        self.world.set_weather(0, 0);
        for host in self.scenario.host_ids() {
            self.world.resume(host);
            self.world.set_disk(host, DiskMode::Good);
            self.world.set_slowness(host, 1, 1);
            self.start(host);
            for number in 0..self.scenario.groups.len() {
                if self.scenario.groups.get(number).is_some_and(|plan| plan.owner == host) {
                    self.hand_out_again(number);
                }
                self.join(host, number);
            }
        }
    }
}
