//! Two links to one peer over different networks: one carries, the other stands by and takes over.

use crosscast_core::{Command, Notice, Reply, Since};
use crosscast_port::{LinkId, Request};
use crosscast_wire::{FrameType, GroupId, Locator, Network, Scheme};

use crate::common::Net;

/// Two members with a link over each of two networks; the first was there first.
fn twice() -> (Net, GroupId, [(LinkId, LinkId); 2]) {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.join(1, &ticket);
    net.subscribe(0, group, Since::Now);
    net.subscribe(1, group, Since::Now);
    let first = net.connect_over(0, 1, Scheme::Tls);
    let second = net.connect_over(1, 0, Scheme::Ygg);
    net.pass(100);
    (net, group, [first, (second.1, second.0)])
}

fn message_frames(net: &Net) -> usize {
    net.tap.iter().filter(|(_, frame)| frame.frame_type == FrameType::MESSAGE).count()
}

fn lines(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|number| format!("line {number}")).collect()
}

#[test]
fn a_message_crosses_only_the_link_that_leads() {
    let (mut net, group, _) = twice();
    let before = message_frames(&net);
    for line in lines(0, 20) {
        net.publish(0, group, &line);
    }
    net.publish(1, group, "back");
    assert_eq!(message_frames(&net) - before, 21, "no copy on the standby");
    assert_eq!(net.texts(1)[..20], lines(0, 20));
    match net.command(0, Command::Peers) {
        Some(Reply::Peers(peers)) => {
            assert_eq!(peers.len(), 1);
            assert_eq!((peers[0].network, &peers[0].standby[..]), (Network::Tls, &[Network::Yggdrasil][..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_closed_link_hands_over_at_once_and_nothing_is_lost_or_doubled() {
    let (mut net, group, [(first, _), _]) = twice();
    for line in lines(0, 10) {
        net.publish(0, group, &line);
    }
    net.cut(0, first);
    for line in lines(10, 20) {
        net.publish(0, group, &line);
        net.publish(1, group, &line);
    }
    assert_eq!(net.texts(1)[..10], lines(0, 10));
    let (here, there) = (net.texts(0), net.texts(1));
    assert_eq!(here.len(), 30, "each of both senders once");
    assert_eq!(there.len(), 30);
    let moved = |notice: &Notice| matches!(notice, Notice::PeerMoved { network: Network::Yggdrasil, .. });
    assert!(net.hosts[0].notices.iter().any(moved) && net.hosts[1].notices.iter().any(moved));
}

#[test]
fn a_black_hole_with_data_outstanding_is_left_within_two_seconds() {
    let (mut net, group, [(first, far), _]) = twice();
    net.publish(0, group, "before");
    net.mute(0, first);
    net.mute(1, far);
    let lost = lines(0, 30);
    for line in &lost {
        net.publish(0, group, line);
        net.pass(20);
    }
    assert_eq!(net.texts(1).len(), 1, "they went into the hole");
    net.pass(1_300);
    assert_eq!(net.texts(1)[1..], lost, "and came over the standby, each once");
}

#[test]
fn an_idle_black_hole_is_left_within_ten_seconds() {
    let (mut net, group, [(first, far), _]) = twice();
    net.mute(0, first);
    net.mute(1, far);
    net.pass(10_000);
    net.tap.clear();
    net.publish(1, group, "after");
    assert_eq!(net.texts(0), ["after"], "without waiting");
}

#[test]
fn the_far_better_link_takes_the_lead_and_nothing_is_lost() {
    let (mut net, group, [(first, _), _]) = twice();
    net.delay(0, first, 40_000);
    for line in lines(0, 100) {
        net.publish(0, group, &line);
        net.pass(200);
    }
    net.pass(1_000);
    assert_eq!(net.texts(1), lines(0, 100));
    match net.command(0, Command::Peers) {
        Some(Reply::Peers(peers)) => assert_eq!(peers[0].network, Network::Yggdrasil),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_named_on_two_networks_is_dialled_on_both() {
    let mut net = Net::new(2);
    let node = net.id(1);
    for place in ["tls://peer.example:1", "ygg://[200::1]:1", "quic://peer.example:1"] {
        net.command(0, Command::Attach { locator: Locator::parse(place).unwrap().with_node(node) });
    }
    let dials = |net: &mut Net| {
        let scheme = |request| {
            if let Request::Dial { dial, locator } = request { Some((dial, locator.scheme())) } else { None }
        };
        std::mem::take(&mut net.hosts[0].requests).into_iter().filter_map(scheme).collect::<Vec<_>>()
    };
    let asked = dials(&mut net);
    assert_eq!(asked.len(), 3);
    let (link, _) = net.connect_dialled(0, 1, Scheme::Tls, asked[0].0);
    let (over, _) = net.connect_dialled(0, 1, Scheme::Ygg, asked[1].0);
    net.pass(60_000);
    net.cut(0, over);
    net.pass(1_000);
    let again: Vec<Scheme> = dials(&mut net).into_iter().map(|(_, scheme)| scheme).collect();
    assert!(again.contains(&Scheme::Ygg), "a standby that is lost is dialled again: {again:?}");
    net.cut(0, link);
}

#[test]
fn a_group_that_is_joined_while_a_standby_is_there_flows_whatever_link_its_words_come_over_first() {
    for late in [false, true] {
        let mut net = Net::new(2);
        let (group, ticket) = net.create_group(0);
        net.publish(0, group, "early");
        let first = net.connect_over(0, 1, Scheme::Tls);
        let second = net.connect_over(0, 1, Scheme::Ygg);
        // The words of one of the two links are under way for longer, so that the other's come first.
        let (slow, _) = if late { first } else { second };
        let (_, slow_back) = if late { first } else { second };
        net.delay(0, slow, 30_000);
        net.delay(1, slow_back, 30_000);
        net.join(1, &ticket);
        net.subscribe(1, group, Since::Oldest);
        net.pass(2_000);
        net.publish(0, group, "late");
        net.publish(1, group, "back");
        net.pass(2_000);
        let mut texts = net.texts(1);
        texts.sort();
        assert_eq!(texts, ["back", "early", "late"], "slow is the first: {late}");
    }
}

#[test]
fn a_lead_that_changes_before_the_peer_has_asked_on_the_new_link_loses_nothing() {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.join(1, &ticket);
    net.subscribe(1, group, Since::Now);
    let (first, far) = net.connect_over(0, 1, Scheme::Tls);
    net.delay(0, first, 80_000);
    net.delay(1, far, 80_000);
    net.pass(6_000);
    // Fast, and at once better by far: what is said on it comes behind the first measurement.
    net.connect_over(1, 0, Scheme::Ygg);
    for line in lines(0, 50) {
        net.publish(0, group, &line);
        net.pass(10);
    }
    net.pass(3_000);
    assert_eq!(net.texts(1), lines(0, 50));
}
