//! Replay windows: which numbers of which sender instances have been taken at a destination.
//!
//! One window per (destination, sender, instance). Reading is free; a number is taken only after its message's
//! signature and payload hash held, so nobody can use up another's numbers. A sender has at most 8 live instances, a
//! destination a bounded number of windows: new ones are refused, old ones never thrown out before their time. Of the
//! windows no prefix gets more than it leaves free, and senders that nobody vouches for come only so fast from each
//! prefix: however many keys one of them makes, there is room for newcomers from others.

use std::collections::BTreeMap;

use crosscast_wire::{Instance, NodeId, Seq, WallMillis};

use crate::auth::bucket::Bucket;
use crate::auth::budget::sender_bucket;
use crate::auth::origin::{Origin, Prefix};
use crate::auth::window::Window;
use crate::{Instant, Now, Reject, limits};

/// How new a message's sender is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newness {
    /// It has a window.
    Known,
    /// A new run of a sender that has windows.
    Run,
    /// A sender that was never heard here, or not for a week.
    Sender,
}

/// What one prefix has of a destination.
#[derive(Clone, Copy, Debug)]
struct Share {
    windows: usize,
    /// What senders that nobody vouches for may still come.
    fresh: Bucket,
}

/// The windows of one destination.
#[derive(Default)]
pub(crate) struct Windows {
    windows: BTreeMap<(NodeId, Instance), Window>,
    shares: BTreeMap<Prefix, Share>,
    /// Rates of senders whose capability bounds them.
    rates: BTreeMap<NodeId, Bucket>,
}

impl Windows {
    /// Whether a message's number may still be taken, and how new its sender is; reads only.
    ///
    /// # Errors
    /// [`Reject::Replayed`] or [`Reject::WindowsFull`].
    pub(crate) fn check(&self, from: NodeId, run: Instance, seq: Seq, now: WallMillis) -> Result<Newness, Reject> {
        if let Some(window) = self.windows.get(&(from, run)) {
            return if window.is_free(seq) { Ok(Newness::Known) } else { Err(Reject::Replayed) };
        }
        if self.windows.len() >= limits::WINDOWS && self.windows.values().all(|window| window.is_live(now)) {
            return Err(Reject::WindowsFull);
        }
        let speaking = |window: &Window| window.silence_ms(now) < SPEAKING_MS;
        let (mut runs, mut loud) = (0usize, 0usize);
        for (_, window) in self.instances(from) {
            runs = runs.saturating_add(1);
            loud = loud.saturating_add(usize::from(speaking(window)));
        }
        if loud >= limits::INSTANCES_PER_SENDER {
            return Err(Reject::WindowsFull);
        }
        Ok(if runs == 0 { Newness::Sender } else { Newness::Run })
    }

    /// The budgets of where a message came from, for a run without a window; reads only. `vouched` is a sender whose
    /// right to publish somebody has signed.
    ///
    /// # Errors
    /// [`Reject::Rate`] or [`Reject::WindowsFull`].
    pub(crate) fn admit(&self, newness: Newness, origin: &Origin, vouched: bool, now: Now) -> Result<(), Reject> {
        let share = self.shares.get(&origin.prefix);
        let Some(share) = share.filter(|_| newness != Newness::Known) else { return Ok(()) };
        let counted = newness == Newness::Sender && !vouched && !origin.dialled;
        if counted && !share.fresh.has(1, now.mono) {
            return Err(Reject::Rate);
        }
        if self.is_over_share(share) && self.silent_of(origin.prefix, now.wall).is_none() {
            return Err(Reject::WindowsFull);
        }
        Ok(())
    }

    fn is_over_share(&self, share: &Share) -> bool {
        share.windows >= limits::WINDOWS.saturating_sub(self.windows.len())
    }

    /// The window of a prefix that has been silent longest, if the time gate refuses all it could say.
    fn silent_of(&self, prefix: Prefix, now: WallMillis) -> Option<(NodeId, Instance)> {
        let of = self.windows.iter().filter(|(_, window)| window.prefix == Some(prefix) && !window.is_live(now));
        of.map(|(key, window)| (window.last, *key)).min().map(|(_, key)| key)
    }

    /// Whether anything of a sender was taken.
    pub(crate) fn has_heard(&self, from: &NodeId) -> bool {
        self.instances(*from).next().is_some()
    }

    fn instances(&self, from: NodeId) -> impl Iterator<Item = (&(NodeId, Instance), &Window)> {
        self.windows.range((from, Instance(0))..=(from, Instance(u64::MAX)))
    }

    /// Whether a sender's run has a window.
    pub(crate) fn knows(&self, from: NodeId, run: Instance) -> bool {
        self.windows.contains_key(&(from, run))
    }

    /// Takes a number, after signature and payload hash held.
    pub(crate) fn take(&mut self, from: NodeId, instance: Instance, seq: Seq, at: WallMillis) {
        if let Some(window) = self.windows.get_mut(&(from, instance)) {
            return window.take(seq, at);
        }
        self.make_room(from);
        self.windows.entry((from, instance)).or_default().take(seq, at);
    }

    /// Opens the window of a new run, whose first number is taken next, and books it to where it came from.
    pub(crate) fn open(&mut self, key: (NodeId, Instance), origin: &Origin, vouched: bool, now: Now) {
        let is_new = self.instances(key.0).next().is_none();
        if self.shares.get(&origin.prefix).is_some_and(|share| self.is_over_share(share))
            && let Some(silent) = self.silent_of(origin.prefix, now.wall)
        {
            self.remove(&silent);
        }
        self.make_room(key.0);
        self.windows.insert(key, Window::opened(origin.prefix, now.wall));
        let size = limits::FRESH_SENDERS.saturating_mul(origin.factor);
        let rate = limits::FRESH_SENDERS_PER_S.saturating_mul(origin.factor);
        let fresh = || Share { windows: 0, fresh: Bucket::new(size, rate, now.mono) };
        let share = self.shares.entry(origin.prefix).or_insert_with(fresh);
        share.windows = share.windows.saturating_add(1);
        if is_new && !vouched && !origin.dialled {
            share.fresh.spend(now.mono);
        }
    }

    /// Whether a sender with a capability of this rate class may say one more; reads only.
    ///
    /// # Errors
    /// [`Reject::Rate`].
    pub(crate) fn check_rate(&self, from: &NodeId, class: u8, now: Instant) -> Result<(), Reject> {
        let is_empty = || self.rates.get(from).is_some_and(|bucket| !bucket.has(1, now));
        if class < limits::UNLIMITED_RATE_CLASS && is_empty() { Err(Reject::Rate) } else { Ok(()) }
    }

    /// Books one message of a sender with a capability of this rate class.
    pub(crate) fn take_rate(&mut self, from: NodeId, class: u8, now: Instant) {
        if let Some(bucket) = sender_bucket(class, now) {
            self.rates.entry(from).or_insert(bucket).spend(now);
        }
    }

    fn remove(&mut self, key: &(NodeId, Instance)) {
        let prefix = self.windows.remove(key).and_then(|window| window.prefix);
        if let Some(share) = prefix.and_then(|prefix| self.shares.get_mut(&prefix)) {
            share.windows = share.windows.saturating_sub(1);
        }
    }

    /// Makes room for a new instance. Of a sender's own the one that has been silent longest goes: what it said is still
    /// known by its ids. Of all senders' only one whose messages the time gate refuses anyway.
    fn make_room(&mut self, from: NodeId) {
        let silent = |(key, window): (&(NodeId, Instance), &Window)| (window.last, *key);
        let own = self.instances(from).count() >= limits::INSTANCES_PER_SENDER;
        let gone = if own {
            self.instances(from).map(silent).min()
        } else if self.windows.len() >= limits::WINDOWS {
            self.windows.iter().map(silent).min()
        } else {
            None
        };
        if let Some((_, key)) = gone {
            self.remove(&key);
        }
    }

    /// Every (sender, instance) with the number up to which there is no hole.
    pub(crate) fn contiguous(&self) -> impl Iterator<Item = (NodeId, Instance, Seq)> + '_ {
        self.windows.iter().map(|((from, instance), window)| (*from, *instance, window.contiguous()))
    }

    /// Every window as the store keeps it: hole-free start and time of the last message.
    pub(crate) fn states(&self) -> impl Iterator<Item = (NodeId, Instance, Seq, WallMillis)> + '_ {
        let states = self.windows.iter();
        states.map(|((from, instance), window)| (*from, *instance, window.contiguous(), window.last))
    }

    /// Restores a window's hole-free start from the store.
    pub(crate) fn restore(&mut self, from: NodeId, instance: Instance, contiguous: Seq, last: WallMillis) {
        self.windows.entry((from, instance)).or_default().restore(contiguous, last);
    }

    /// Drops windows silent for longer than the kept time; returns them so the store can forget them too.
    pub(crate) fn expire(&mut self, now: WallMillis, mono: Instant) -> Vec<(NodeId, Instance)> {
        let old = |window: &Window| window.silence_ms(now) >= KEPT_MS;
        let gone: Vec<_> = self.windows.iter().filter(|(_, window)| old(window)).map(|(key, _)| *key).collect();
        for key in &gone {
            self.remove(key);
        }
        self.shares.retain(|_, share| share.windows > 0 || !share.fresh.is_full(mono));
        self.rates.retain(|_, bucket| !bucket.is_full(mono));
        gone
    }
}

/// 30 s: a machine with this key that has said nothing for so long does not count against the eight; a daemon that
/// crashes and starts again every few seconds is heard again soon.
const SPEAKING_MS: u64 = 30_000;
/// A window is kept a week after its last message: replays of what is not live fall to the time gate anyway, the rest
/// of the week lets a sender who speaks seldom be heard at once, with his gaps visible. Under pressure it goes earlier.
const KEPT_MS: u64 = 7 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::window::LIVE_MS;

    const NOW: WallMillis = WallMillis(1_000_000_000);

    #[test]
    fn a_ninth_instance_is_refused_while_all_speak_and_replaces_one_that_is_silent() {
        let (mut windows, from) = (Windows::default(), NodeId::new([1; 32]));
        for number in 0..8 {
            windows.take(from, Instance(number), Seq(1), NOW);
        }
        assert_eq!(windows.check(from, Instance(9), Seq(1), NOW), Err(Reject::WindowsFull));
        let later = WallMillis(NOW.0 + SPEAKING_MS);
        assert_eq!(windows.check(from, Instance(9), Seq(1), later), Ok(Newness::Run));
        windows.take(from, Instance(9), Seq(1), later);
        assert_eq!(windows.contiguous().count(), 8);
    }

    #[test]
    fn a_full_table_lets_nobody_push_out_a_live_sender() {
        let mut windows = Windows::default();
        for number in 0..limits::WINDOWS as u64 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            windows.take(NodeId::new(key), Instance(1), Seq(1), NOW);
        }
        let fresh = NodeId::new([0xff; 32]);
        assert_eq!(windows.check(fresh, Instance(1), Seq(1), NOW), Err(Reject::WindowsFull));
        let later = WallMillis(NOW.0 + LIVE_MS);
        assert_eq!(windows.check(fresh, Instance(1), Seq(1), later), Ok(Newness::Sender));
        windows.take(fresh, Instance(1), Seq(1), later);
        assert_eq!(windows.contiguous().count(), limits::WINDOWS);
    }

    fn key(number: u64) -> NodeId {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&number.to_be_bytes());
        NodeId::new(key)
    }

    fn origin(third: u8, dialled: bool) -> Origin {
        Origin { prefix: Prefix::V4([10, 0, third]), scheme: crosscast_wire::Scheme::Tls, factor: 1, dialled }
    }

    /// One message of a fresh key from there; whether it was taken.
    fn fresh(windows: &mut Windows, number: u64, origin: &Origin, now: Now) -> Result<(), Reject> {
        let newness = windows.check(key(number), Instance(1), Seq(1), now.wall)?;
        windows.admit(newness, origin, false, now)?;
        windows.open((key(number), Instance(1)), origin, false, now);
        windows.take(key(number), Instance(1), Seq(1), now.wall);
        Ok(())
    }

    #[test]
    fn ten_thousand_fresh_keys_from_one_prefix_get_the_budget_of_one() {
        let mut windows = Windows::default();
        let mut now = Now { mono: Instant(0), wall: NOW };
        let mut taken = 0;
        for number in 0..10_000 {
            // 10 ms apart: 100 s.
            now = Now { mono: now.mono.plus_millis(10), wall: WallMillis(now.wall.0 + 10) };
            taken += u64::from(fresh(&mut windows, number, &origin(1, false), now).is_ok());
        }
        assert_eq!(taken, limits::FRESH_SENDERS + 99 * limits::FRESH_SENDERS_PER_S);
        assert_eq!(fresh(&mut windows, 20_000, &origin(1, false), now), Err(Reject::Rate));
        assert_eq!(fresh(&mut windows, 20_000, &origin(2, false), now), Ok(()));
    }

    #[test]
    fn no_prefix_gets_more_windows_than_it_leaves_free() {
        let mut windows = Windows::default();
        let now = Now { mono: Instant(0), wall: NOW };
        let flood = |windows: &mut Windows, from: u64, origin: &Origin| {
            (from..from + 10_000).filter(|number| fresh(windows, *number, origin, now).is_ok()).count()
        };
        // Dialled links have no rate, so the share is all that bounds them.
        assert_eq!(flood(&mut windows, 0, &origin(1, true)), limits::WINDOWS / 2);
        assert_eq!(flood(&mut windows, 100_000, &origin(2, true)), limits::WINDOWS / 4);
        assert_eq!(fresh(&mut windows, 200_000, &origin(1, true), now), Err(Reject::WindowsFull));
        assert_eq!(fresh(&mut windows, 200_001, &origin(3, false), now), Ok(()));
        let later = Now { mono: Instant(LIVE_MS * 1_000), wall: WallMillis(NOW.0 + LIVE_MS) };
        assert_eq!(fresh(&mut windows, 200_000, &origin(1, true), later), Ok(()), "its own silent one makes room");
        windows.expire(WallMillis(NOW.0 + 2 * KEPT_MS), Instant(2 * KEPT_MS * 1_000));
        assert!(windows.windows.is_empty() && windows.shares.is_empty());
    }

    #[test]
    fn whoever_somebody_vouches_for_is_not_counted_and_a_known_sender_never_is() {
        let mut windows = Windows::default();
        let now = Now { mono: Instant(0), wall: NOW };
        for number in 0..1_000 {
            let _ = fresh(&mut windows, number, &origin(1, false), now);
        }
        let newness = windows.check(key(5_000), Instance(1), Seq(1), now.wall).unwrap();
        assert_eq!(windows.admit(newness, &origin(1, false), false, now), Err(Reject::Rate));
        assert_eq!(windows.admit(newness, &origin(1, false), true, now), Ok(()));
        let known = windows.check(key(0), Instance(1), Seq(2), now.wall).unwrap();
        assert_eq!((known, windows.admit(known, &origin(1, false), false, now)), (Newness::Known, Ok(())));
    }
}
