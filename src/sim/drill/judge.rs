//! What a revocation comes to: times, losses, secrets, and what nobody may have listened to.

use std::collections::BTreeSet;

use crosscast_wire::{RevocationId, RustCrypto};

use super::book::Published;
use super::outcome::{Millis, Revocation};
use super::revocation::{JITTER, Play};
use crate::agenda::{MILLI, Micros, SECOND};
use crate::spy;
use crate::world::HostId;

/// The bar: the minute in which epochs overlap.
const MINUTE: Micros = 60 * SECOND;
/// After the paths are healed every link is back within this: the longest redial, a dial that times out, a hello.
const RELINK: Micros = 75 * SECOND;
/// What two checks and the way through a machine may take.
const VERIFIED: Micros = 5 * MILLI;
/// What was published before this has arrived: under way when the paths break.
const UNDER_WAY: Micros = 10 * SECOND;

/// When what happened.
pub(super) struct Timeline {
    /// Everybody reads from here on.
    pub(super) begun: Micros,
    /// Rights are taken back, and a quarter is cut off.
    pub(super) revoked: Micros,
    /// The paths are healed.
    pub(super) back: Micros,
}

impl Play {
    pub(super) fn judge(mut self, times: &Timeline) -> Revocation {
        let away: BTreeSet<HostId> = self.stage.hosts().filter(|host| self.map.away.contains(host)).collect();
        let mut connected = self.map.reach(self.revoker, |host| !away.contains(&host));
        connected.remove(&self.victim);
        let connected: BTreeSet<HostId> = connected.into_keys().collect();
        self.out.away = away.len() as u64;
        self.out.connected = connected.len() as u64;
        self.judge_connected(times, &connected);
        self.judge_return(times, &away);
        self.judge_deliveries(times, &connected, &away);
        self.judge_secrecy(times, &connected, &away);
        self.judge_rogues();
        self.out.virtual_s = self.stage.world.now() / SECOND;
        self.out.breaches = u64::from(self.stage.world.breach().is_some());
        self.fail(self.out.breaches > 0, "breach");
        self.out
    }

    fn fail(&mut self, failed: bool, word: &'static str) {
        if failed {
            self.out.failures.push(word);
        }
    }

    fn tag(&self) -> RevocationId {
        RevocationId::of_subject(&self.stage.node(self.victim))
    }

    fn in_force(&self, host: HostId) -> Option<Micros> {
        self.stage.book.revoked_at.get(&(host, self.tag())).copied()
    }

    /// When a host first had the content key of the last floor record or a later one.
    fn keyed(&self, host: HostId) -> Option<Micros> {
        let last = self.stage.book.floor_number(self.revoker);
        let keyed = self.stage.book.keyed_at.range((host, last)..=(host, u64::MAX));
        keyed.map(|(_, at)| *at).min()
    }

    fn judge_connected(&mut self, times: &Timeline, connected: &BTreeSet<HostId>) {
        let after = |at: Option<Micros>| at.map(|at| at.saturating_sub(times.revoked));
        self.out.floor = Millis::of_micros(connected.iter().filter_map(|host| after(self.in_force(*host))));
        self.out.key = Millis::of_micros(connected.iter().filter_map(|host| after(self.keyed(*host))));
        let all = connected.len() as u64;
        let within = |millis: &Millis| millis.within(MINUTE / MILLI).saturating_mul(100) >= all.saturating_mul(95);
        let (floor, key) = (within(&self.out.floor), within(&self.out.key));
        self.fail(!floor, "floor-within-60s");
        self.fail(!key, "key-within-60s");
        self.fail(self.out.floor.count() < all || self.out.key.count() < all, "never-in-force");
    }

    fn judge_return(&mut self, times: &Timeline, away: &BTreeSet<HostId>) {
        let ups: Vec<_> = self.stage.book.links_up.iter().filter(|(at, _, _)| *at >= times.back).copied().collect();
        let (mut after_link, mut trips, mut after_return, mut key, mut wait) = (vec![], vec![], vec![], vec![], vec![]);
        let mut slow = 0_u64;
        let mut parts: Vec<BTreeSet<HostId>> = Vec::new();
        for host in away {
            if !parts.iter().any(|part| part.contains(host)) {
                parts.push(self.map.reach(*host, |other| away.contains(&other)).into_keys().collect());
            }
        }
        for part in &parts {
            let outside =
                |node| self.stage.host_of(node).filter(|peer| !away.contains(peer) && !self.stage.is_rogue(*peer));
            let first = ups.iter().find(|(_, host, node)| part.contains(host) && outside(node).is_some());
            let Some((first, _, _)) = first.copied() else { continue };
            wait.push(first.saturating_sub(times.back));
            for host in part {
                after_return.extend(self.in_force(*host).map(|at| at.saturating_sub(first)));
                key.extend(self.keyed(*host).map(|at| at.saturating_sub(first)));
            }
        }
        for host in away {
            let own = ups.iter().filter(|(_, at, _)| at == host);
            let peer = own.filter_map(|(at, _, node)| Some((*at, self.stage.host_of(node)?)));
            let Some((up, peer)) =
                peer.into_iter().find(|(_, peer)| !away.contains(peer) && !self.stage.is_rogue(*peer))
            else {
                continue;
            };
            let Some(in_force) = self.in_force(*host) else { continue };
            let took = in_force.saturating_sub(up);
            let trip = self.stage.world.delay_us(*host, peer).saturating_mul(2);
            slow = slow.saturating_add(u64::from(took > trip.saturating_add(2 * JITTER).saturating_add(VERIFIED)));
            after_link.push(took);
            trips.push(took.saturating_mul(1_000_000).checked_div(trip).unwrap_or(0));
        }
        let (links, all) = (after_link.len() as u64, away.len() as u64);
        self.out.floor_after_link = Millis::of_micros(after_link);
        self.out.round_trips_milli = Millis::of_micros(trips);
        self.out.floor_after_return = Millis::of_micros(after_return);
        self.out.key_after_return = Millis::of_micros(key);
        self.out.return_wait = Millis::of_micros(wait);
        self.out.slow_after_link = slow;
        // One in twenty, or the only one that a lost packet held up.
        self.fail(slow > (links / 20).max(1), "floor-after-a-round-trip");
        let (floors, keys) = (self.out.floor_after_return.count(), self.out.key_after_return.count());
        self.fail(floors < all || keys < all, "never-returned");
        self.fail(self.out.floor_after_return.percentile(100) > 5_000, "floor-after-return");
        self.fail(self.out.key_after_return.percentile(100) > MINUTE / MILLI, "key-after-return");
    }

    /// Who must get what a host published at a time.
    fn owed(
        &self,
        times: &Timeline,
        published: Published,
        connected: &BTreeSet<HostId>,
        away: &BTreeSet<HostId>,
    ) -> BTreeSet<HostId> {
        let Published { host, at } = published;
        let members = || self.stage.hosts().filter(|other| *other != self.victim);
        let parting = times.revoked.saturating_sub(UNDER_WAY);
        if at < parting {
            return self.stage.hosts().collect();
        }
        if host == self.victim {
            return BTreeSet::new();
        }
        if at >= times.back.saturating_add(RELINK) {
            return members().collect();
        }
        if connected.contains(&host) {
            return connected.clone();
        }
        if away.contains(&host) {
            return self.map.reach(host, |other| away.contains(&other)).into_keys().collect();
        }
        BTreeSet::new()
    }

    fn judge_deliveries(&mut self, times: &Timeline, connected: &BTreeSet<HostId>, away: &BTreeSet<HostId>) {
        let last = self.stage.world.now().saturating_sub(25 * SECOND);
        let (mut required, mut lost, mut removed, mut first_lost) = (0_u64, 0_u64, 0_u64, None);
        for (id, published) in &self.stage.book.published {
            let got = self.stage.book.delivered.get(id);
            let late = published.at > times.revoked.saturating_add(MINUTE) && connected.contains(&published.host);
            removed = removed.saturating_add(u64::from(late && got.is_some_and(|got| got.contains_key(&self.victim))));
            if published.at < times.begun || published.at > last {
                continue;
            }
            for host in self.owed(times, *published, connected, away) {
                required = required.saturating_add(1);
                if got.is_some_and(|got| got.contains_key(&host)) {
                    continue;
                }
                lost = lost.saturating_add(1);
                first_lost = first_lost.or_else(|| Some(story(published, host, times)));
            }
        }
        let refused = self.stage.publishes_refused.iter().filter(|(host, _)| **host != self.victim);
        self.out.refused = refused.map(|(_, count)| *count).fold(0, u64::saturating_add);
        self.out.published = self.stage.book.published.len() as u64;
        (self.out.required, self.out.lost, self.out.delivered_to_removed) = (required, lost, removed);
        self.out.first_lost = first_lost;
        self.fail(required == 0 || lost > 0, "lost");
        self.fail(self.out.refused > 0, "refused");
        self.fail(removed > 0, "delivered-to-removed");
        let told = self.stage.rights_lost.contains(&self.victim);
        self.fail(!told, "removed-not-told");
    }

    /// Tries every key that the removed member ever had, or was sent, on every message.
    fn judge_secrecy(&mut self, times: &Timeline, connected: &BTreeSet<HostId>, away: &BTreeSet<HostId>) {
        let keys: Vec<[u8; 32]> = self.stage.book.keys.get(&self.victim).into_iter().flatten().copied().collect();
        let mut before = 0_u64;
        for (id, published) in &self.stage.book.published {
            let Some(message) = self.stage.book.messages.get(id) else { continue };
            let opened = u64::from(spy::opened(&RustCrypto, message, &keys).is_some());
            let known =
                if away.contains(&published.host) { self.in_force(published.host) } else { Some(times.revoked) };
            let late = known.is_some_and(|known| published.at > known.saturating_add(MINUTE));
            let out = &mut self.out;
            let count = match (published.at <= times.revoked, connected.contains(&published.host), late) {
                (true, ..) => &mut before,
                (false, true, false) => &mut out.opened_in_time,
                (false, true, true) => &mut out.opened_late,
                (false, false, false) => &mut out.opened_away,
                (false, false, true) => &mut out.opened_after_return,
            };
            *count = count.saturating_add(opened);
            out.sealed_late = out.sealed_late.saturating_add(u64::from(late));
        }
        self.fail(keys.is_empty() || before == 0, "nothing-to-open");
        self.fail(self.out.sealed_late == 0, "nothing-published-late");
        self.fail(self.out.opened_late > 0, "opened-late");
        self.fail(self.out.opened_after_return > 0, "opened-after-return");
    }

    fn judge_rogues(&mut self) {
        let book = &self.stage.book;
        self.out.rogue_messages = book.forbidden.len() as u64;
        self.out.rogue_kept_in_time = book.kept_in_time;
        self.out.unauthorised = (book.kept_forbidden, book.sent_forbidden, book.delivered_forbidden);
        self.out.loosened = book.loosened;
        self.fail(self.out.rogue_kept_in_time == 0, "rogues-never-heard");
        self.fail(self.out.unauthorised != (0, 0, 0), "unauthorised");
        self.fail(self.out.loosened > 0, "loosened");
    }
}

/// Says which message never came, with its time after the revocation and the return.
fn story(published: &Published, to: HostId, times: &Timeline) -> String {
    let Published { host, at } = *published;
    let after = |begun: Micros| at.cast_signed().saturating_sub(begun.cast_signed()) / SECOND.cast_signed();
    let (revoked, back) = (after(times.revoked), after(times.back));
    format!("n{} to n{}, {revoked} s after the revocation, {back} s after the return", host.0, to.0)
}
