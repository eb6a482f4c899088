//! What is done to the hosts of a world on purpose.

use crosscast_wire::Scheme;

use crate::agenda::Micros;
use crate::disk::DiskMode;
use crate::machine::Machine;
use crate::prng::Prng;
use crate::world::{HostId, World};

impl<M: Machine> World<M> {
    /// Records a fault, so that the trace tells it.
    fn note(&mut self, host: HostId, what: &str) {
        self.trace.record(self.now, host, |bytes| bytes.extend_from_slice(what.as_bytes()), || format!("! {what}"));
    }

    /// Starts a host's machine from what its store holds; nothing happens when it runs.
    pub fn start(&mut self, id: HostId) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.machine.is_none()) else { return };
        host.boot(self.now, &self.memo);
        self.net.start(id, host.run);
        self.net.power_on(self.now, id);
        self.note(id, "start");
        self.arm(id);
        self.settle();
    }

    /// Kills a host's process: memory is lost, everything the store has done stays, the kernel ends the connections.
    pub fn kill(&mut self, id: HostId) {
        self.stop(id, true);
    }

    /// Takes the power from a host: commits that were not synced may be lost, and no peer is told.
    /// Returns how many commits were lost.
    pub fn lose_power(&mut self, id: HostId) -> usize {
        self.stop(id, false)
    }

    fn stop(&mut self, id: HostId, power: bool) -> usize {
        let now = self.now;
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.machine.is_some()) else { return 0 };
        host.drop_machine();
        let lost = if power {
            host.disk.kill(now);
            0
        } else {
            host.disk.lose_power(now)
        };
        self.net.stop(now, id, power);
        self.note(id, if power { "kill" } else { "power lost" });
        self.settle();
        lost
    }

    /// Replaces a host's disk by an empty one; to be done while it is down.
    pub fn wipe(&mut self, id: HostId) {
        let prng = Prng::new(self.prng.next_u64());
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.machine.is_none()) {
            host.disk = crate::disk::Disk::new(prng);
            self.note(id, "wiped");
        }
    }

    /// Stops a host's process as a debugger would: what comes to it waits.
    pub fn pause(&mut self, id: HostId) {
        if let Some(host) = self.hosts.get_mut(&id).filter(|host| host.machine.is_some()) {
            host.paused = true;
            self.net.set_paused(id, true);
            self.note(id, "pause");
        }
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, id: HostId) {
        let Some(host) = self.hosts.get_mut(&id).filter(|host| host.paused) else { return };
        host.paused = false;
        host.armed = None;
        self.ready.append(&mut host.waiting);
        self.net.set_paused(id, false);
        self.note(id, "resume");
        self.settle();
        self.arm(id);
    }

    /// Sets how far a host's wall clock is ahead, in milliseconds.
    pub fn set_skew(&mut self, id: HostId, skew_ms: i64) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.clock.set_skew(skew_ms);
            self.note(id, &format!("clock {skew_ms} ms ahead"));
        }
    }

    /// Sets whether a host's disk works.
    pub fn set_disk(&mut self, id: HostId, mode: DiskMode) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.disk.set_mode(mode);
            self.note(id, &format!("disk {mode:?}"));
        }
    }

    /// Makes a host's disk and CPU this many times slower than usual; 1 is usual.
    pub fn set_slowness(&mut self, id: HostId, disk: u64, cpu: u64) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.disk.set_slowness(disk);
            host.pool.set_slowness(cpu);
            self.note(id, &format!("disk {disk} times slower, cpu {cpu} times"));
        }
    }

    /// Loses every packet from one host to another, until [`Self::unblock`] has been called as often.
    pub fn block(&mut self, from: HostId, to: HostId) {
        self.net.block(from, to);
        self.note(from, &format!("blocked to n{}", to.0));
    }

    /// Lets packets through again.
    pub fn unblock(&mut self, from: HostId, to: HostId) {
        self.net.unblock(self.now, from, to);
        self.note(from, &format!("unblocked to n{}", to.0));
        self.settle();
    }

    /// Cuts every connection between two hosts; both learn of it, what was under way is lost.
    pub fn cut(&mut self, a: HostId, b: HostId) {
        self.net.cut(self.now, a, b);
        self.note(a, &format!("cut from n{}", b.0));
        self.settle();
    }

    /// Swallows what two hosts send each other over the connections that they have on one network; neither is told.
    pub fn swallow(&mut self, a: HostId, b: HostId, scheme: Scheme) {
        self.net.swallow(a, b, scheme);
        self.note(a, &format!("its {scheme} connections with n{} swallow everything", b.0));
    }

    /// Ends `a`'s side of every connection with `b`; `b` goes on believing in it.
    pub fn half_open(&mut self, a: HostId, b: HostId) {
        self.net.half_open(a, b);
        self.note(a, &format!("lost its connections with n{}, which does not know", b.0));
        self.settle();
    }

    /// Adds to every delay (microseconds) and every loss (in a million); zeros end it.
    pub fn set_weather(&mut self, extra_delay_us: Micros, extra_loss_ppm: u32) {
        self.net.set_weather(extra_delay_us, extra_loss_ppm);
        self.note(HostId(0), &format!("weather {extra_delay_us} us {extra_loss_ppm} ppm"));
    }

    /// Sets the speed of every connection a host has now, in bytes per second.
    pub fn set_speed(&mut self, id: HostId, bytes_per_s: u64) {
        self.net.set_speed(id, bytes_per_s);
        self.note(id, &format!("sends {bytes_per_s} bytes/s"));
    }
}
