//! What rights cost a router: heap of many groups of capabilities beside the same groups with an open policy.
//!
//! Every group has ten subscribers with a chain each, and an idle publisher. What the two differ in, and the floor records
//! that both have, is the rights state. Prints what it measured.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, dead_code)]

#[path = "core/common.rs"]
mod common;
#[path = "core/puppet.rs"]
mod puppet;
#[path = "core/shelf.rs"]
mod shelf;

use common::Net;
use crosscast_wire::{FrameType, Lane, Policy, RawFrame, Rights, frame};
use puppet::{Owned, Puppet, key};

#[global_allocator]
static HEAP: dhat::Alloc = dhat::Alloc;

#[expect(clippy::disallowed_methods, reason = "how much a test does is not the machine's business")]
fn groups() -> u64 {
    std::env::var("CROSSCAST_GROUPS").ok().and_then(|text| text.parse().ok()).unwrap_or(500)
}

const SUBSCRIBERS: u64 = 10;

/// Bytes of rights state that a group may have in the mean, of 10,000 groups. 2 KiB: what a router can afford.
const MOST: usize = 2 << 10;

/// Heap that the groups take in a router.
fn measure(policy: Policy) -> usize {
    let mut net = Net::new(1);
    let now = net.now.wall;
    let links: Vec<Puppet> =
        (0..SUBSCRIBERS).map(|n| Puppet::link(&mut net, 0, n, &format!("192.0.{n}.1")).unwrap()).collect();
    let before = dhat::HeapStats::get().curr_bytes;
    for number in 0..groups() {
        let owned = Owned::new(100_000 + number);
        owned.join_as(&mut net, 0, owned.floor(owned.floor_fields(policy, now)), policy == Policy::Capability);
        for link in &links {
            let mut frames = Vec::new();
            let mut hash = None;
            if policy == Policy::Capability {
                let chain = owned.chain(owned.rights(&link.key, Rights::PUBLISH | Rights::SUBSCRIBE, now));
                hash = Some(chain.hash());
                frames.push(RawFrame::new(FrameType::CHAIN, Lane::Control, chain.encode().into()));
            }
            frames.push(frame::subscribe(&owned.group, true, hash.as_ref()));
            frames.extend(frame::resume(&owned.group, []));
            link.send(&mut net, frames);
        }
        // What the harness keeps is not the router's.
        net.loose.clear();
        net.tap.clear();
        net.closed.clear();
        net.hosts[0].store = shelf::Shelf::default();
        net.hosts[0].notices.clear();
        net.hosts[0].requests.clear();
    }
    assert!(links.iter().all(|link| !link.is_closed(&net)));
    let after = dhat::HeapStats::get().curr_bytes;
    let neighbours = match net.command(0, crosscast_core::Command::Groups) {
        Some(crosscast_core::Reply::Groups(groups)) => groups.iter().map(|group| group.neighbours).sum::<u32>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(u64::from(neighbours), groups() * SUBSCRIBERS, "all of them are fed");
    after - before
}

#[test]
fn rights_of_a_group_with_ten_subscribers_do_not_grow() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let _ = key(0);
    let open = measure(Policy::Open);
    let closed = measure(Policy::Capability);
    let floor = {
        let (net, owned) = (Net::new(0), Owned::new(1));
        let before = dhat::HeapStats::get().curr_bytes;
        let floor = owned.floor(owned.floor_fields(Policy::Capability, net.now.wall));
        let heap = dhat::HeapStats::get().curr_bytes - before;
        drop(floor);
        heap + size_of::<crosscast_wire::FloorRecord>()
    };
    let rights = (closed - open) / usize::try_from(groups()).unwrap() + floor;
    println!(
        "per group: open {} B, capability {} B, floor {floor} B, rights {rights} B",
        open / usize::try_from(groups()).unwrap(),
        closed / usize::try_from(groups()).unwrap(),
    );
    // The table of chains is one for all groups, 2 MiB and what its trees leave free: with few groups each has more of it.
    let table = if groups() < 10_000 { (5 << 19) / usize::try_from(groups()).unwrap() } else { 0 };
    assert!(rights <= MOST + table, "{rights} bytes of rights a group");
}
