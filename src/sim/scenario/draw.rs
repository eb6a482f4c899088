//! A scenario drawn from a seed.
//!
//! The numbers are chosen so that every mechanism is met often: lanes that fill, gaps that are given up, links that are
//! dialled from both sides; and so that what is asked for can be done: every group is connected, no link is given more
//! than it can carry in the long run, no sender starts more often than the protocol allows.

use std::collections::BTreeSet;

use crosscast_core::{Sizes, Times};
use crosscast_wire::{Class, Policy};

use super::{
    Fault, GroupPlan, HostPlan, PUBLISH_FROM, Planned, PublisherPlan, RECONNECT, Reach, ReaderPlan, SETTLE, Scenario,
};
use crate::agenda::{MILLI, SECOND};
use crate::disk::DiskMode;
use crate::net::NetParams;
use crate::prng::{PPM, Prng};
use crate::world::HostId;

impl Scenario {
    /// Draws a scenario for so many hosts (at least two).
    #[must_use]
    pub fn random(seed: u64, nodes: u32) -> Self {
        let mut prng = Prng::new(seed ^ 0x5ce7_a210);
        let nodes = nodes.max(2);
        let all: Vec<HostId> = (0..nodes).map(HostId).collect();
        let small_window = prng.chance(PPM / 8);
        let slow = !small_window && prng.chance(PPM / 6);
        let (times, sizes) = machine_params(&mut prng, small_window);
        let group_count = prng.range(1, 3);
        let mut edges = BTreeSet::new();
        connect(&mut prng, &all, &mut edges);
        let groups = (0..group_count).map(|_| group(&mut prng, &all, &mut edges, slow)).collect();
        let hosts = all.iter().map(|_| host(&mut prng)).collect();
        let twins = all.first().copied().zip(all.last().copied()).filter(|_| nodes > 3 && prng.chance(PPM / 8));
        let quiet_from = 64 * SECOND;
        // In a small window only what is published when every link is back can be counted on.
        let publish_until = quiet_from + if small_window { RECONNECT + 15 * SECOND } else { 20 * SECOND };
        let mut scenario = Self {
            seed,
            net: net_params(&mut prng, slow),
            hosts,
            twins,
            second: second_network(&mut prng, &edges),
            edges,
            groups,
            faults: Vec::new(),
            quiet_from,
            publish_until,
            end: publish_until + SETTLE,
            times,
            sizes,
            small_window,
        };
        scenario.faults = faults(&mut prng, &scenario, &all);
        scenario.close_groups();
        scenario
    }
}

fn machine_params(prng: &mut Prng, small_window: bool) -> (Times, Sizes) {
    let mut times = Times::default();
    let mut sizes = Sizes { window_bytes: 64 << 20, ..Sizes::default() };
    if small_window {
        if prng.chance(PPM / 2) {
            times.window_ms = prng.range(15_000, 40_000);
        } else {
            sizes.window_bytes = prng.range(256, 1_024) << 10;
        }
    }
    if prng.chance(PPM / 4) {
        // Little room everywhere: back-pressure at work.
        sizes.lane_queue_bytes = prng.range(16, 128) << 10;
        sizes.credit_bytes = prng.range(272, 512) << 10;
        sizes.gather_bytes = prng.range(4, 256) << 10;
    }
    (times, sizes)
}

fn net_params(prng: &mut Prng, slow: bool) -> NetParams {
    let far = prng.chance(PPM / 3);
    let bytes_per_s =
        if slow { (80 << 10, 400 << 10) } else { (prng.range(200, 2_000) << 10, prng.range(2, 100) << 20) };
    NetParams {
        delay_us: if far { (5 * MILLI, 150 * MILLI) } else { (100, 20 * MILLI) },
        regions: Vec::new(),
        jitter_us: prng.range(0, 10 * MILLI),
        loss_ppm: u32::try_from(prng.range(0, 10_000)).unwrap_or(0),
        bytes_per_s,
        lane_bytes: u32::try_from(prng.range(32, 512) << 10).unwrap_or(u32::MAX),
        lanes_apart: prng.chance(PPM / 3),
        datagrams: prng.chance(PPM / 4),
    }
}

fn host(prng: &mut Prng) -> HostPlan {
    HostPlan {
        starts: prng.below(800 * MILLI),
        skew_ms: i64::try_from(prng.below(40_000)).unwrap_or(0).saturating_sub(20_000),
        fast_aes: prng.chance(PPM / 2),
        sends_every: prng.chance(PPM / 2).then(|| prng.range(SECOND, 8 * SECOND)),
        reach: match prng.below(3) {
            0 => Reach::Neighbours,
            1 => Reach::Anybody,
            _ => Reach::Lists,
        },
        accepts: prng.chance(PPM * 2 / 3),
    }
}

/// Adds edges so that the hosts are connected: a ring with chords, or a tree, or a star, or all with all.
fn connect(prng: &mut Prng, hosts: &[HostId], edges: &mut BTreeSet<(HostId, HostId)>) {
    let mut order = hosts.to_vec();
    prng.shuffle(&mut order);
    let shape = prng.below(10);
    let mut add = |prng: &mut Prng, a: HostId, b: HostId| {
        if a != b {
            let back = prng.chance(PPM / 2);
            edges.insert(if back { (b, a) } else { (a, b) });
            // Some dial each other: one of the two links must go.
            if prng.chance(PPM / 8) {
                edges.insert(if back { (a, b) } else { (b, a) });
            }
        }
    };
    for (at, host) in order.iter().enumerate().skip(1) {
        let earlier = order.get(..at).unwrap_or_default();
        let parent = match shape {
            0..5 => at.checked_sub(1).and_then(|before| order.get(before)),
            5..8 => prng.pick(earlier),
            _ => order.first(),
        };
        if let Some(parent) = parent.copied() {
            add(prng, *host, parent);
        }
    }
    if let (Some(first), Some(last)) = (order.first().copied(), order.last().copied())
        && shape < 5
    {
        add(prng, last, first);
    }
    let chords = prng.below((hosts.len() as u64).saturating_add(1));
    for _ in 0..chords {
        if let (Some(a), Some(b)) = (prng.pick(&order).copied(), prng.pick(&order).copied()) {
            add(prng, a, b);
        }
    }
}

/// In one scenario of three half of the pairs are linked over a second network too, dialled from either side.
fn second_network(prng: &mut Prng, edges: &BTreeSet<(HostId, HostId)>) -> BTreeSet<(HostId, HostId)> {
    let mut second = BTreeSet::new();
    if prng.chance(PPM / 3) {
        for (a, b) in edges {
            if prng.chance(PPM / 2) {
                second.insert(if prng.chance(PPM / 2) { (*b, *a) } else { (*a, *b) });
            }
        }
    }
    second
}

fn group(prng: &mut Prng, all: &[HostId], edges: &mut BTreeSet<(HostId, HostId)>, slow: bool) -> GroupPlan {
    let mut members = all.to_vec();
    prng.shuffle(&mut members);
    if prng.chance(PPM / 2) {
        members.truncate(usize::try_from(prng.range(2, members.len() as u64)).unwrap_or(2));
    }
    // Only members carry a group, so they must be connected among themselves.
    if members.len() < all.len() {
        connect(prng, &members, edges);
    }
    let owner = members.first().copied().unwrap_or(HostId(0));
    let keyholder = prng.chance(PPM / 6);
    let count = if keyholder { 1 } else { prng.range(1, (members.len() as u64).min(6)) };
    let publishers =
        members.iter().take(usize::try_from(count).unwrap_or(1)).map(|host| publisher(prng, *host, slow)).collect();
    let readers = members
        .iter()
        .map(|host| ReaderPlan {
            host: *host,
            window_bytes: u32::try_from(prng.range(1, 1 << 20)).unwrap_or(1),
            takes: if prng.chance(PPM / 8) { prng.range(MILLI, 50 * MILLI) } else { 0 },
            tail: prng.chance(PPM / 8),
        })
        .collect();
    let late = members
        .iter()
        .filter(|host| **host != owner && prng.chance(PPM / 10))
        .copied()
        .collect::<Vec<_>>()
        .into_iter()
        .map(|host| (host, prng.range(PUBLISH_FROM, 60 * SECOND)))
        .collect();
    GroupPlan {
        owner,
        members: members.into_iter().collect(),
        rights: None,
        policy: if keyholder { Policy::Keyholder } else { Policy::Open },
        public: prng.chance(PPM / 3),
        publishers,
        readers,
        locators: prng.chance(PPM / 6),
        late,
    }
}

fn publisher(prng: &mut Prng, host: HostId, slow: bool) -> PublisherPlan {
    let mut classes = vec![Class::Urgent, Class::Normal, Class::Bulk, Class::Realtime];
    prng.shuffle(&mut classes);
    if prng.chance(PPM * 2 / 3) {
        classes = vec![Class::Normal];
    }
    let entry_bytes = match prng.below(10) {
        0 => (10_000, 60_000),
        1..4 => (500, 8_000),
        _ => (16, 500),
    };
    if slow {
        // Bulk that takes seconds, and what overtakes it.
        let long = prng.chance(PPM / 5);
        return PublisherPlan {
            host,
            every: if long { prng.range(10 * SECOND, 20 * SECOND) } else { prng.range(2 * SECOND, 8 * SECOND) },
            entry_bytes: if long { (20_000, 60_000) } else { (16, 500) },
            entries: if long { 3 } else { 1 },
            burst: 1,
            classes: vec![Class::Bulk, Class::Normal, Class::Urgent],
            life_ms: None,
        };
    }
    let every =
        if entry_bytes.1 > 8_000 { prng.range(2 * SECOND, 6 * SECOND) } else { prng.range(150 * MILLI, 3 * SECOND) };
    let burst = if entry_bytes.1 <= 500 && prng.chance(PPM / 8) { prng.range(5, 40) } else { 1 };
    PublisherPlan {
        host,
        every: every.saturating_mul(1 + burst / 8),
        burst,
        entry_bytes,
        // Together within a message: 256 KiB.
        entries: if prng.chance(PPM / 4) { prng.range(2, if entry_bytes.1 > 8_000 { 4 } else { 12 }) } else { 1 },
        classes,
        life_ms: prng.chance(PPM / 8).then(|| prng.range(2_000, 12_000)),
    }
}

fn faults(prng: &mut Prng, scenario: &Scenario, all: &[HostId]) -> Vec<Planned> {
    // One scenario in ten has none: then nothing excuses anything.
    let count = if prng.chance(PPM / 10) { 0 } else { prng.range(3, 30) };
    let mut planned: Vec<Planned> = Vec::new();
    for _ in 0..count {
        let at = prng.range(PUBLISH_FROM, scenario.quiet_from.saturating_sub(2 * SECOND));
        let longest = scenario.quiet_from.saturating_sub(at);
        let until = at.saturating_add(prng.around(8 * SECOND).clamp(50 * MILLI, longest));
        let fault = fault(prng, scenario, all);
        // A sender may have eight live instances: the protocol's bound, not to be met here.
        let restarts =
            |planned: &&Planned| starts_anew(&planned.fault).is_some_and(|host| starts_anew(&fault) == Some(host));
        let twin = starts_anew(&fault).is_some_and(|host| scenario.twins.is_some_and(|(a, b)| a == host || b == host));
        let most = if twin { 2 } else { 5 };
        if starts_anew(&fault).is_none() || planned.iter().filter(restarts).count() < most {
            planned.push(Planned { at, until, fault });
        }
    }
    planned.sort_by_key(|planned| planned.at);
    planned
}

const fn starts_anew(fault: &Fault) -> Option<HostId> {
    match fault {
        Fault::Kill(host) | Fault::PowerLoss(host) | Fault::Wipe(host) | Fault::Restart(host) => Some(*host),
        Fault::Pause(_)
        | Fault::Partition(_)
        | Fault::OneWay(_)
        | Fault::Cut(..)
        | Fault::HalfOpen(..)
        | Fault::Swallow(..)
        | Fault::Disk(..)
        | Fault::Slow(..)
        | Fault::Weather(..)
        | Fault::Narrow(..)
        | Fault::Skew(..)
        | Fault::Leave(..)
        | Fault::Reread(_) => None,
    }
}

/// An owner keeps its disk: it alone has the group's key.
fn wipe(scenario: &Scenario, host: HostId) -> Fault {
    let owner = scenario.groups.iter().any(|group| group.owner == host);
    if owner { Fault::PowerLoss(host) } else { Fault::Wipe(host) }
}

fn leave(prng: &mut Prng, scenario: &Scenario) -> Fault {
    let number = usize::try_from(prng.below(scenario.groups.len() as u64)).unwrap_or(0);
    let group = scenario.groups.get(number);
    let others = group.into_iter().flat_map(|group| group.members.iter().filter(|host| **host != group.owner));
    let others: Vec<HostId> = others.copied().collect();
    Fault::Leave(prng.pick(&others).copied().unwrap_or(HostId(0)), number)
}

fn fault(prng: &mut Prng, scenario: &Scenario, all: &[HostId]) -> Fault {
    let host = prng.pick(all).copied().unwrap_or(HostId(0));
    let edges: Vec<(HostId, HostId)> = scenario.edges.iter().copied().collect();
    let (a, b) = prng.pick(&edges).copied().unwrap_or((host, host));
    let (a, b) = if prng.chance(PPM / 2) { (a, b) } else { (b, a) };
    let mut side = || {
        let share = u32::try_from(prng.range(50_000, 500_000)).unwrap_or(PPM / 2);
        all.iter().copied().filter(|_| prng.chance(share)).collect::<BTreeSet<_>>()
    };
    let side = side();
    match prng.below(100) {
        0..16 => Fault::Kill(host),
        16..22 => Fault::PowerLoss(host),
        22..24 => wipe(scenario, host),
        24..28 => Fault::Restart(host),
        28..30 => leave(prng, scenario),
        30..38 => Fault::Pause(host),
        38..50 => Fault::Partition(side),
        50..55 => Fault::OneWay(side),
        55..68 => Fault::Cut(a, b),
        68..74 => Fault::HalfOpen(a, b),
        74..78 => Fault::Swallow(a, b, prng.chance(PPM / 2)),
        78..81 => Fault::Disk(host, DiskMode::Full),
        81..83 => Fault::Disk(host, DiskMode::Failing),
        83..88 => Fault::Slow(host, prng.range(1, 300), prng.range(1, 100)),
        88..92 => Fault::Weather(prng.range(0, 300 * MILLI), u32::try_from(prng.below(200_000)).unwrap_or(0)),
        92..94 => Fault::Narrow(host, prng.range(20, 200) << 10),
        94..97 => Fault::Skew(host, i64::try_from(prng.below(50_000)).unwrap_or(0).saturating_sub(25_000)),
        _ => Fault::Reread(host),
    }
}
