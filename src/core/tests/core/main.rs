//! The machine as a whole: cores joined by perfect links, each test a sentence about what their users see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod carriers;
mod common;
mod dials;
mod entry_keys;
mod equivocation;
mod explicit;
mod guards;
mod leaf;
mod puppet;
mod rights;
mod shelf;
mod standby;
mod unauthorised;
mod unicast;

use bytes::Bytes;
use common::Net;
use crosscast_core::{Command, Input, Notice, Refusal, Reply, Since, Source};
use crosscast_port::{LinkId, Report};
use crosscast_wire::{Class, Entry, FrameType, Lane, RawFrame, SecretKey, State};

fn chain(count: usize) -> (Net, crosscast_wire::GroupId) {
    let mut net = Net::new(count);
    let (group, ticket) = net.create_group(0);
    for host in 1..count {
        net.connect(host - 1, host);
        net.join(host, &ticket);
        net.subscribe(host, group, Since::Now);
    }
    (net, group)
}

#[test]
fn a_published_line_crosses_a_chain_once() {
    let (mut net, group) = chain(4);
    net.publish(0, group, "hello");
    for host in 1..4 {
        assert_eq!(net.texts(host), ["hello"]);
        let (_, delivery) = &net.hosts[host].deliveries[0];
        assert_eq!((delivery.hops as usize, delivery.from, delivery.gap), (host, net.id(0), false));
    }
    assert_eq!(net.hosts[0].outcomes.len(), 1);
    assert_eq!(net.hosts[0].outcomes[0].state, State::Sent);
}

#[test]
fn a_mesh_delivers_once_and_in_order() {
    let mut net = Net::new(4);
    let (group, ticket) = net.create_group(0);
    for host in 1..4 {
        net.join(host, &ticket);
        net.subscribe(host, group, Since::Now);
    }
    for (a, b) in [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 3)] {
        net.connect(a, b);
    }
    let lines: Vec<String> = (0..50).map(|n| format!("line {n}")).collect();
    for line in &lines {
        net.publish(0, group, line);
    }
    for host in 1..4 {
        assert_eq!(net.texts(host), lines);
    }
}

#[test]
fn a_cut_link_resumes_without_loss() {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.join(1, &ticket);
    net.subscribe(1, group, Since::Now);
    let (link, _) = net.connect(0, 1);
    net.publish(0, group, "one");
    net.cut(0, link);
    net.publish(0, group, "two");
    net.publish(0, group, "three");
    net.pass(1_000);
    net.connect(1, 0);
    assert_eq!(net.texts(1), ["one", "two", "three"]);
}

#[test]
fn a_member_that_joins_late_gets_the_live_window() {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.connect(0, 1);
    net.publish(0, group, "early");
    net.join(1, &ticket);
    net.subscribe(1, group, Since::Oldest);
    net.publish(0, group, "late");
    assert_eq!(net.texts(1), ["early", "late"]);
}

#[test]
fn a_member_that_left_and_joined_again_goes_on_with_its_numbers() {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.join(1, &ticket);
    net.subscribe(0, group, Since::Now);
    net.connect(0, 1);
    net.publish(1, group, "one");
    assert!(matches!(net.command(1, Command::LeaveGroup { group }), Some(Reply::Done)));
    net.join(1, &ticket);
    net.publish(1, group, "two");
    assert_eq!(net.texts(0), ["one", "two"]);
    let numbers: Vec<u64> = net.hosts[0].deliveries.iter().map(|(_, delivery)| delivery.seq.0).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_reader_resumes_after_its_cursor_and_after_an_id() {
    let (mut net, group) = chain(2);
    let first = net.publish(0, group, "one");
    net.publish(0, group, "two");
    let cursor = net.hosts[1].deliveries[0].1.cursor;
    net.hosts[1].deliveries.clear();
    net.subscribe(1, group, Since::After(cursor));
    assert_eq!(net.texts(1), ["two"]);
    net.hosts[1].deliveries.clear();
    net.subscribe(1, group, Since::AfterMessage(first));
    assert_eq!(net.texts(1), ["two"]);
}

#[test]
fn a_restart_forgets_nothing_and_repeats_nothing() {
    let (mut net, group) = chain(3);
    net.publish(0, group, "one");
    let cursor = net.hosts[1].deliveries[0].1.cursor;
    // Host 1 dies and comes back on its store, as another instance.
    let links: Vec<u64> = net.wires.keys().filter(|(host, _)| *host == 1).map(|(_, link)| *link).collect();
    for link in links {
        net.cut(1, LinkId(link));
    }
    net.publish(0, group, "two");
    let store = std::mem::take(&mut net.hosts[1].store);
    let key = net.hosts[1].key.clone();
    let config = common::config(&key, 1_700_000_100);
    let back = net.add_with(key, config, store);
    net.subscribe(back, group, Since::After(cursor));
    net.connect(0, back);
    net.connect(back, 2);
    net.publish(0, group, "three");
    assert_eq!(net.texts(back), ["two", "three"]);
    assert_eq!(net.texts(2), ["one", "two", "three"]);
}

#[test]
fn an_inbox_message_is_kept_until_it_is_acknowledged() {
    let mut net = Net::new(2);
    net.connect(0, 1);
    let to = net.id(1);
    let sent = net.command(0, Command::Send { to, payload: Bytes::from_static(b"psst"), life_ms: None });
    assert!(matches!(sent, Some(Reply::Published { .. })), "{sent:?}");
    assert_eq!(net.hosts[0].outcomes[0].state, State::Sent);
    net.read(1, Source::Inbox, Since::Oldest, 1 << 20);
    assert_eq!(net.texts(1), ["psst"]);
    let through = net.hosts[1].deliveries[0].1.cursor;
    net.command(1, Command::AcknowledgeInbox { through });
    net.hosts[1].deliveries.clear();
    net.read(1, Source::Inbox, Since::Oldest, 1 << 20);
    assert!(net.texts(1).is_empty());
}

#[test]
fn unicast_waits_for_a_peer_that_is_briefly_away() {
    let mut net = Net::new(2);
    let (link, _) = net.connect(0, 1);
    net.read(1, Source::Inbox, Since::Oldest, 1 << 20);
    net.cut(0, link);
    let to = net.id(1);
    net.command(0, Command::Send { to, payload: Bytes::from_static(b"later"), life_ms: None });
    assert!(net.hosts[0].outcomes.is_empty());
    net.connect(1, 0);
    assert_eq!(net.texts(1), ["later"]);
    assert_eq!(net.hosts[0].outcomes[0].state, State::Sent);
}

#[test]
fn what_nobody_takes_is_reported_as_expired() {
    let mut net = Net::new(1);
    let (group, _) = net.create_group(0);
    let entries = vec![Entry::new(Bytes::from_static(b"x"))];
    net.command(0, Command::Publish { group, entries, class: Class::Normal, life_ms: Some(500) });
    net.pass(1_000);
    assert_eq!(net.hosts[0].outcomes[0].state, State::Expired);
}

#[test]
fn of_two_dials_that_cross_the_smaller_keys_stays() {
    let mut net = Net::new(2);
    net.connect(0, 1);
    net.connect(1, 0);
    assert_eq!(net.wires.len(), 2, "one link is left");
    let smaller_is_first = net.id(0) < net.id(1);
    let kept = net.wires.keys().next().unwrap().1;
    assert_eq!(kept <= 2, smaller_is_first);
    net.pass(30_000);
    assert_eq!(net.wires.len(), 2, "and it lives");
}

#[test]
fn two_instances_of_one_key_are_two_peers() {
    let mut net = Net::new(2);
    let twin = net.add(SecretKey::new([2; 32]), 1_700_000_500);
    net.connect(0, 1);
    net.connect(twin, 0);
    net.pass(20_000);
    match net.command(0, Command::Peers) {
        Some(Reply::Peers(peers)) => {
            assert_eq!(peers.len(), 2);
            assert_eq!(peers[0].node, peers[1].node);
            assert_ne!(peers[0].instance, peers[1].instance);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_silent_peer_is_dropped_after_eight_seconds() {
    let mut net = Net::new(2);
    let (link, far) = net.connect(0, 1);
    // The wire swallows everything from now on.
    net.wires.remove(&(0, link.0));
    net.wires.remove(&(1, far.0));
    net.pass(10_000);
    let down = |notice: &Notice| matches!(notice, Notice::PeerDown { .. });
    assert!(net.hosts[0].notices.iter().any(down));
    assert!(net.hosts[1].notices.iter().any(down));
}

#[test]
fn frames_before_the_hello_end_the_link() {
    let mut net = Net::new(1);
    let up = common::link_up(crosscast_port::Role::Listener, Bytes::from_static(b"b"));
    net.input(0, Input::Link(Report::Up { link: LinkId(9), up: Box::new(up) }));
    let ping = crosscast_wire::frame::ping(1);
    net.input(0, Input::Link(Report::Frames { link: LinkId(9), frames: vec![ping] }));
    match net.command(0, Command::Status) {
        Some(Reply::Status(status)) => assert!(status.rejects.contains(&("out-of-place", 1)), "{status:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn data_that_overtakes_the_proof_waits_for_it_within_bounds() {
    let mut net = Net::new(1);
    let up = common::link_up(crosscast_port::Role::Listener, Bytes::from_static(b"b"));
    net.input(0, Input::Link(Report::Up { link: LinkId(9), up: Box::new(up) }));
    let early = || RawFrame::new(FrameType::MESSAGE, Lane::Normal, Bytes::from(vec![0; 100_000]));
    let rejects = |net: &mut Net| match net.command(0, Command::Status) {
        Some(Reply::Status(status)) => status.rejects,
        other => panic!("{other:?}"),
    };
    for _ in 0..2 {
        net.input(0, Input::Link(Report::Frames { link: LinkId(9), frames: vec![early()] }));
    }
    assert!(rejects(&mut net).is_empty());
    net.input(0, Input::Link(Report::Frames { link: LinkId(9), frames: vec![early()] }));
    assert_eq!(rejects(&mut net), [("over-credit", 1)]);
}

#[test]
fn garbage_ends_the_link_and_nothing_else() {
    let (mut net, group) = chain(3);
    let link = net.wires.keys().find(|(host, _)| *host == 1).unwrap().1;
    let raw = RawFrame::new(FrameType::SUBSCRIBE, Lane::Control, Bytes::from_static(b"\xff\x00"));
    net.input(1, Input::Link(Report::Frames { link: LinkId(link), frames: vec![raw] }));
    net.connect(0, 1);
    net.publish(0, group, "still here");
    assert_eq!(net.texts(2), ["still here"]);
}

#[test]
fn a_store_that_was_full_takes_all_that_was_missed_once_it_is_back() {
    let (mut net, group) = chain(3);
    net.publish(0, group, "one");
    net.hosts[1].store.full = true;
    for text in ["two", "three", "four"] {
        net.publish(0, group, text);
    }
    net.pass(3_000);
    assert_eq!(net.texts(2), ["one"], "nothing is forwarded that is not kept");
    net.hosts[1].store.full = false;
    net.pass(3_000);
    net.publish(0, group, "five");
    for host in 1..3 {
        assert_eq!(net.texts(host), ["one", "two", "three", "four", "five"]);
        assert!(net.hosts[host].deliveries.iter().all(|(_, delivery)| !delivery.gap));
    }
}

#[test]
fn a_publisher_whose_store_is_full_is_told_so() {
    let (mut net, group) = chain(2);
    net.hosts[0].store.full = true;
    net.publish(0, group, "accepted before the store was asked");
    let entries = vec![Entry::new(Bytes::from_static(b"x"))];
    let publish = Command::Publish { group, entries, class: Class::Normal, life_ms: None };
    let reply = net.command(0, publish);
    assert!(matches!(reply, Some(Reply::Refused(Refusal::Store))), "{reply:?}");
    net.hosts[0].store.full = false;
    net.pass(2_000);
    net.publish(0, group, "after");
    assert_eq!(net.texts(1), ["accepted before the store was asked", "after"]);
}

#[test]
fn entries_that_no_message_may_hold_are_refused_and_take_no_number() {
    let (mut net, group) = chain(2);
    net.publish(0, group, "one");
    let mut entry = Entry::new(Bytes::from_static(b"x"));
    entry.meta.topic = Some("t".repeat(200));
    let reply = net.command(0, Command::Publish { group, entries: vec![entry], class: Class::Normal, life_ms: None });
    assert!(matches!(reply, Some(Reply::Refused(Refusal::TooLarge))), "{reply:?}");
    net.publish(0, group, "two");
    assert_eq!(net.texts(1), ["one", "two"]);
    assert!(net.hosts[1].deliveries.iter().all(|(_, delivery)| !delivery.gap));
}
