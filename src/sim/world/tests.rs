//! The engine, proved with a toy for a machine.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Sizes, Times};
use crosscast_port::DownReason;
use crosscast_wire::{Class, Entry, GroupId, Lane, Locator, Scheme, SecretKey};

use super::toy::Toy;
use super::*;
use crate::agenda::{MILLI, SECOND};

const A: HostId = HostId(0);
const B: HostId = HostId(1);

fn locator(host: HostId) -> Locator {
    Locator::new(Scheme::Memory, &format!("n{}", host.0), None).unwrap()
}

fn quiet() -> NetParams {
    NetParams { delay_us: (5 * MILLI, 5 * MILLI), jitter_us: 0, loss_ppm: 0, ..NetParams::default() }
}

/// Two hosts, of which A has dialled B.
fn pair(seed: u64, params: NetParams) -> World<Toy> {
    let mut world = World::new(seed, params, false);
    for number in 0..2 {
        let secret = SecretKey::new([number; 32]);
        let (times, sizes) = (Times::default(), Sizes::default());
        world.add_host(HostSpec {
            name: format!("n{number}"),
            secret,
            prekey: [number; 32],
            fast_aes: true,
            times,
            sizes,
        });
    }
    begin(&mut world, B);
    begin(&mut world, A);
    world.command(A, Command::Attach { locator: locator(B) });
    run(&mut world, SECOND);
    assert_eq!((toy(&world, A).links.len(), toy(&world, B).links.len()), (1, 1));
    world
}

fn begin(world: &mut World<Toy>, host: HostId) {
    world.start(host);
    world.command(host, Command::Listen { locator: locator(host) });
}

fn run(world: &mut World<Toy>, micros: Micros) {
    let until = world.now() + micros;
    while world.step(until) {}
}

fn toy(world: &World<Toy>, host: HostId) -> &Toy {
    world.machine(host).unwrap()
}

fn publish(world: &mut World<Toy>, host: HostId, class: Class, numbers: std::ops::Range<u64>, len: usize) {
    let entry = |number: u64| {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(len.max(8), 0);
        Entry::new(Bytes::from(payload))
    };
    let entries = numbers.map(entry).collect();
    world.command(host, Command::Publish { group: GroupId::new([0; 32]), entries, class, life_ms: None });
}

fn got(world: &World<Toy>, host: HostId, lane: Lane) -> Vec<u64> {
    toy(world, host).got.iter().filter(|got| got.0 == lane).map(|got| got.1).collect()
}

#[test]
fn frames_of_a_lane_arrive_once_and_in_order_whatever_the_weather() {
    for (seed, lanes_apart) in [(1, false), (2, true)] {
        let params = NetParams { loss_ppm: 50_000, jitter_us: 30 * MILLI, lanes_apart, ..quiet() };
        let mut world = pair(seed, params);
        for round in 0..20 {
            for class in [Class::Urgent, Class::Normal, Class::Bulk] {
                publish(&mut world, A, class, round * 10..round * 10 + 10, 30_000);
            }
            run(&mut world, 50 * MILLI);
        }
        run(&mut world, 60 * SECOND);
        for lane in [Lane::Urgent, Lane::Normal, Lane::Bulk] {
            assert_eq!(got(&world, B, lane), (0..200).collect::<Vec<_>>());
        }
        assert_eq!(world.breach(), None);
        assert!(toy(&world, A).downs.is_empty());
    }
}

#[test]
fn an_urgent_lane_overtakes_a_bulk_one() {
    let mut world = pair(3, NetParams { bytes_per_s: (1 << 20, 1 << 20), ..quiet() });
    publish(&mut world, A, Class::Bulk, 0..4, 60_000);
    publish(&mut world, A, Class::Urgent, 8..9, 100);
    run(&mut world, SECOND);
    let order: Vec<u64> = toy(&world, B).got.iter().map(|got| got.1).collect();
    assert_eq!(order, [8, 0, 1, 2, 3]);
}

#[test]
fn a_frame_takes_its_delay_and_its_bytes_their_time() {
    let mut world = pair(4, NetParams { bytes_per_s: (1 << 20, 1 << 20), ..quiet() });
    let sent = world.now();
    publish(&mut world, A, Class::Normal, 0..1, 8);
    publish(&mut world, A, Class::Bulk, 1..2, 1 << 18);
    let arrival = |world: &mut World<Toy>, count: usize| {
        while toy(world, B).got.len() < count {
            assert!(world.step(Micros::MAX));
        }
        world.now() - sent
    };
    assert!((5 * MILLI..6 * MILLI).contains(&arrival(&mut world, 1)));
    assert!((250 * MILLI..270 * MILLI).contains(&arrival(&mut world, 2)));
}

#[test]
fn sending_beyond_the_grant_is_a_breach() {
    let mut world = pair(5, quiet());
    publish(&mut world, A, Class::Control, 0..3, 200_000);
    run(&mut world, MILLI);
    assert_eq!(world.breach().unwrap().what, "send beyond the grant of lane control");
}

#[test]
fn a_short_partition_holds_frames_up_and_a_long_one_breaks_the_link() {
    let mut world = pair(6, quiet());
    let block = |world: &mut World<Toy>, on: bool| {
        for (from, to) in [(A, B), (B, A)] {
            if on { world.block(from, to) } else { world.unblock(from, to) }
        }
    };
    block(&mut world, true);
    publish(&mut world, A, Class::Normal, 0..5, 100);
    run(&mut world, 10 * SECOND);
    assert!(toy(&world, B).got.is_empty());
    block(&mut world, false);
    run(&mut world, 3 * SECOND);
    assert_eq!(got(&world, B, Lane::Normal), [0, 1, 2, 3, 4]);
    assert!(toy(&world, A).downs.is_empty());

    block(&mut world, true);
    publish(&mut world, A, Class::Normal, 5..6, 100);
    run(&mut world, 30 * SECOND);
    assert_eq!(toy(&world, A).downs, [DownReason::Broken]);
    assert!(toy(&world, A).failed_dials > 0, "dials run out of time");
    assert!(toy(&world, B).downs.is_empty(), "it had nothing to send, so it knows nothing");
    block(&mut world, false);
    run(&mut world, 10 * SECOND);
    assert_eq!((toy(&world, A).links.len(), toy(&world, B).links.len()), (1, 2));
    publish(&mut world, B, Class::Normal, 0..1, 100);
    run(&mut world, SECOND);
    assert_eq!(toy(&world, B).downs, [DownReason::Broken], "the machine at A knows nothing of the old connection");
    assert_eq!(got(&world, A, Lane::Normal), [0]);
}

#[test]
fn a_killed_process_is_noticed_and_a_machine_without_power_is_not() {
    let mut world = pair(7, quiet());
    publish(&mut world, A, Class::Normal, 0..1, 100);
    run(&mut world, SECOND);
    world.kill(B);
    run(&mut world, 2 * SECOND);
    assert_eq!(toy(&world, A).downs, [DownReason::PeerClosed]);
    assert!(toy(&world, A).failed_dials > 0);
    begin(&mut world, B);
    run(&mut world, 2 * SECOND);
    assert_eq!(toy(&world, A).links.len(), 1);

    world.lose_power(B);
    run(&mut world, 60 * SECOND);
    assert_eq!(toy(&world, A).downs.len(), 1, "silence");
    begin(&mut world, B);
    publish(&mut world, A, Class::Normal, 1..2, 100);
    run(&mut world, SECOND);
    assert_eq!(toy(&world, A).downs, [DownReason::PeerClosed, DownReason::Broken]);
    run(&mut world, 2 * SECOND);
    assert_eq!(toy(&world, A).links.len(), 1);
    assert!(got(&world, B, Lane::Normal).is_empty());
}

#[test]
fn a_cut_ends_both_sides_and_a_half_open_link_only_one() {
    let mut world = pair(8, quiet());
    publish(&mut world, A, Class::Normal, 0..1, 100);
    world.step(world.now());
    world.cut(A, B);
    run(&mut world, 200 * MILLI);
    assert_eq!(
        (&toy(&world, A).downs[..], &toy(&world, B).downs[..]),
        (&[DownReason::Broken][..], &[DownReason::Broken][..])
    );
    assert!(toy(&world, B).got.is_empty(), "what was under way is lost");
    run(&mut world, 2 * SECOND);
    world.half_open(A, B);
    publish(&mut world, B, Class::Normal, 0..1, 100);
    run(&mut world, 10 * SECOND);
    assert_eq!((toy(&world, A).downs.len(), toy(&world, B).downs.len()), (2, 1));
    assert_eq!(got(&world, A, Lane::Normal), Vec::<u64>::new());
    run(&mut world, 30 * SECOND);
    assert_eq!(toy(&world, B).downs, [DownReason::Broken, DownReason::Broken], "nothing moved for too long");
}

#[test]
fn a_paused_process_reads_nothing_and_stops_its_sender() {
    let mut world = pair(9, quiet());
    world.pause(B);
    publish(&mut world, A, Class::Bulk, 0..100, 20_000);
    run(&mut world, 5 * SECOND);
    let queued = toy(&world, A).links.values().count();
    assert_eq!((queued, toy(&world, B).got.len()), (1, 0));
    assert!(world.parcels() < 60, "the pipe is bounded");
    world.resume(B);
    run(&mut world, 5 * SECOND);
    assert_eq!(got(&world, B, Lane::Bulk), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_closing_end_flushes_first() {
    let mut world = pair(10, NetParams { bytes_per_s: (1 << 20, 1 << 20), ..quiet() });
    publish(&mut world, A, Class::Bulk, 0..4, 60_000);
    world.command(A, Command::Shutdown);
    run(&mut world, 250 * MILLI);
    assert_eq!(got(&world, B, Lane::Bulk), [0, 1, 2, 3]);
    assert_eq!(
        (&toy(&world, A).downs[..], &toy(&world, B).downs[..]),
        (&[DownReason::Requested][..], &[DownReason::PeerClosed][..])
    );
}

#[test]
fn a_close_that_cannot_flush_ends_after_a_second() {
    let mut world = pair(11, NetParams { bytes_per_s: (50_000, 50_000), ..quiet() });
    publish(&mut world, A, Class::Bulk, 0..4, 60_000);
    world.command(A, Command::Shutdown);
    run(&mut world, SECOND + 100 * MILLI);
    assert_eq!(toy(&world, A).downs, [DownReason::Requested]);
    assert_eq!(toy(&world, B).downs, [DownReason::Broken]);
}

#[test]
fn a_kill_takes_the_commits_that_were_not_done() {
    let mut world = pair(12, quiet());
    (0..50).for_each(|number| publish(&mut world, A, Class::Normal, number..number + 1, 8));
    world.set_slowness(A, 1_000, 1);
    run(&mut world, SECOND);
    let committed = toy(&world, A).committed;
    assert!(committed > 0 && committed < 50, "{committed}");
    world.kill(A);
    world.start(A);
    assert!((committed..50).contains(&toy(&world, A).recovered_pairs));
}

#[test]
fn datagrams_are_lost_and_overtake_each_other() {
    let mut world = pair(13, NetParams { datagrams: true, loss_ppm: 100_000, jitter_us: 20 * MILLI, ..quiet() });
    for number in 0..500 {
        publish(&mut world, A, Class::Realtime, number..number + 1, 100);
        run(&mut world, MILLI);
    }
    run(&mut world, SECOND);
    let got = &toy(&world, B).datagrams;
    assert!((400..490).contains(&got.len()), "{}", got.len());
    assert!(!got.is_sorted());
    publish(&mut world, A, Class::Realtime, 0..1, 1_300);
    run(&mut world, MILLI);
    assert!(world.breach().is_some(), "beyond the mtu");
}

#[test]
fn a_timer_fires_soon_after_its_time_and_never_before() {
    let mut world = pair(14, quiet());
    world.kill(B);
    run(&mut world, 10 * SECOND);
    let woken = &toy(&world, A).woken;
    assert!(woken.len() > 10, "{}", woken.len());
    // A dial to a machine without a listener is refused after 10 ms, the next comes 300 ms later.
    for pair in woken.windows(2) {
        let between = pair[1].0 - pair[0].0;
        assert!((308 * MILLI..313 * MILLI).contains(&between), "{between}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_seed_another() {
    let hash = |seed| {
        let params = NetParams { loss_ppm: 20_000, jitter_us: 10 * MILLI, ..NetParams::default() };
        let mut world = pair(seed, params);
        for number in 0..50 {
            publish(&mut world, A, Class::Normal, number..number + 1, 5_000);
            run(&mut world, 20 * MILLI);
        }
        world.kill(B);
        begin(&mut world, B);
        run(&mut world, 5 * SECOND);
        world.trace_hash()
    };
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}
