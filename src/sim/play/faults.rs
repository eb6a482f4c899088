//! The scenario's faults, done and undone.

use std::collections::BTreeSet;

use crosscast_core::Command;

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
            Fault::Disk(host, mode) => {
                self.world.set_disk(*host, *mode);
                self.excuses.disks.push((*host, planned.at, planned.until));
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
            Fault::Kill(host) | Fault::PowerLoss(host) => self.start(*host),
            // Started again when it has ended.
            Fault::Restart(_) => {}
            Fault::Pause(host) => self.world.resume(*host),
            Fault::Partition(side) => self.split(side, |play, a, b| {
                play.world.unblock(a, b);
                play.world.unblock(b, a);
            }),
            Fault::OneWay(side) => self.split(side, |play, a, b| play.world.unblock(a, b)),
            Fault::Cut(..) | Fault::HalfOpen(..) | Fault::Skew(..) => {}
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
        self.excuses.ends.push((host, run, self.world.now(), !power));
        if power {
            self.world.kill(host);
        } else {
            self.world.lose_power(host);
            self.torn.insert((host, Stream::Inbox));
            self.torn.extend((0..self.scenario.groups.len()).map(|number| (host, Stream::Group(number))));
        }
        // What it had not answered it will not answer any more.
        self.asked.retain(|_, (other, _, _, _)| *other != host);
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
        }
    }
}
