//! One message to several named nodes: split by next hop, each recipient once, whatever the ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Refusal, Reply, Since, Source};
use crosscast_wire::{
    Destination, Frame, FrameType, HeaderDraft, Hop, Lane, MessageId, NodeId, RawFrame, RefuseCode, RustCrypto,
    SecretKey, State,
};

use crate::common::Net;
use crate::puppet::{self, Puppet, draft, key, payload};
use crate::unicast::members;

fn send_many(net: &mut Net, host: usize, to: &[usize], text: &str) -> MessageId {
    let to = to.iter().map(|host| net.id(*host)).collect();
    match net.command(host, Command::SendMany { to, payload: Bytes::copy_from_slice(text.as_bytes()), life_ms: None }) {
        Some(Reply::Published { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

/// Sender 0, routers 1 and 2, router 3, and recipients from 4 on, all behind 3.
fn diamond(recipients: usize) -> (Net, Vec<usize>) {
    let (mut net, _) = members(4 + recipients);
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        net.connect(a, b);
    }
    let all: Vec<usize> = (4..4 + recipients).collect();
    for host in &all {
        net.connect(3, *host);
    }
    (net, all)
}

fn sent_to(net: &Net, id: MessageId) -> Vec<NodeId> {
    let mut nodes: Vec<NodeId> = net.hosts[0]
        .outcomes
        .iter()
        .filter(|outcome| outcome.id == id && outcome.state == State::Sent)
        .map(|outcome| outcome.to.expect("of one recipient"))
        .collect();
    nodes.sort_unstable();
    nodes
}

fn ids(net: &Net, hosts: &[usize]) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = hosts.iter().map(|host| net.id(*host)).collect();
    ids.sort_unstable();
    ids
}

/// Copies of messages with explicit recipients that a host has sent.
fn copies(net: &Net, host: usize) -> Vec<(RawFrame, u32)> {
    let hops = net.tap.iter().filter(|(from, frame)| *from == host && frame.frame_type == FrameType::MESSAGE);
    hops.filter_map(|(_, frame)| {
        let (hop, _) = Hop::split(&Bytes::from([frame.head.as_ref(), frame.tail.as_ref()].concat())).unwrap();
        hop.remaining.map(|remaining| (frame.clone(), remaining))
    })
    .collect()
}

#[test]
fn thirty_two_recipients_behind_a_diamond_get_it_once_each() {
    let (mut net, all) = diamond(32);
    let id = send_many(&mut net, 0, &all, "to all of you");
    for host in &all {
        assert_eq!(net.texts(*host), ["to all of you"], "host {host}");
        assert_eq!(net.hosts[*host].deliveries[0].1.recipients, ids(&net, &all));
    }
    assert_eq!(sent_to(&net, id), ids(&net, &all));
    let from_sender = copies(&net, 0);
    let bits = from_sender.iter().fold(0u32, |bits, (_, more)| {
        assert_eq!(bits & more, 0, "no branch carries another's recipients");
        bits | more
    });
    assert_eq!(bits, u32::MAX);
    assert!(from_sender.len() <= 2, "one copy a branch, not one a recipient");
    let last: Vec<u32> = copies(&net, 3).into_iter().map(|(_, bits)| bits).collect();
    assert!(last.len() == 32 && last.iter().all(|bits| bits.count_ones() == 1));
}

#[test]
fn a_router_that_is_named_too_takes_its_own() {
    let (mut net, mut all) = diamond(3);
    all.extend([1, 3]);
    let id = send_many(&mut net, 0, &all, "routers too");
    for host in &all {
        assert_eq!(net.texts(*host), ["routers too"], "host {host}");
    }
    assert_eq!(sent_to(&net, id), ids(&net, &all));
    assert!(net.texts(2).is_empty());
}

#[test]
fn a_sender_may_name_itself() {
    let (mut net, mut all) = diamond(2);
    all.push(0);
    let id = send_many(&mut net, 0, &all, "me too");
    for host in &all {
        assert_eq!(net.texts(*host), ["me too"], "host {host}");
    }
    assert_eq!(sent_to(&net, id), ids(&net, &all));
}

#[test]
fn copies_over_both_branches_reach_each_recipient_once() {
    let (mut net, all) = diamond(8);
    // Some hang on two routers.
    for host in &all[..4] {
        net.connect(1, *host);
        net.connect(2, *host);
    }
    send_many(&mut net, 0, &all, "once");
    // A sender that gives the whole list to both routers, again and again.
    let (frame, _) = copies(&net, 0).remove(0);
    let (_, bytes) = Hop::split(&Bytes::from([frame.head.as_ref(), frame.tail.as_ref()].concat())).unwrap();
    for router in [1, 2, 1, 2, 3] {
        let whole = Hop::new(0, 0, 0).with_remaining(u32::MAX).frame(bytes.clone(), frame.lane);
        let neighbour = if router == 3 { 1 } else { 0 };
        let link = net.link_between(router, neighbour);
        net.slip(router, link, whole);
    }
    for host in &all {
        assert_eq!(net.texts(*host), ["once"], "host {host}");
    }
}

#[test]
fn a_branch_that_dies_in_the_middle_goes_the_other_way() {
    let (mut net, all) = diamond(32);
    net.connect(1, 2);
    send_many(&mut net, 0, &all, "one");
    // The last routers fall silent towards 3 before the next, and break after it.
    for router in [1, 2] {
        let link = net.link_between(router, 3);
        net.mute(router, link);
    }
    let id = send_many(&mut net, 0, &all, "two");
    net.pass(200);
    assert_eq!(sent_to(&net, id), ids(&net, &all), "the routers have it");
    let used = if copies(&net, 1).iter().any(|(_, bits)| bits.count_ones() > 1) { 1 } else { 2 };
    let link = net.link_between(used, 3);
    net.cut(used, link);
    let link = net.link_between(3 - used, 3);
    net.cut(3 - used, link);
    net.connect(3 - used, 3);
    net.pass(6_000);
    for host in &all {
        assert_eq!(net.texts(*host), ["one", "two"], "host {host}");
    }
    // The sender's own link dies before the acknowledgement: it sends again, and nobody gets it twice.
    for router in [1, 2] {
        let link = net.link_between(router, 0);
        net.mute(router, link);
    }
    let id = send_many(&mut net, 0, &all, "three");
    assert!(sent_to(&net, id).is_empty());
    for router in [1, 2] {
        let link = net.link_between(0, router);
        net.cut(0, link);
    }
    net.connect(0, 1);
    net.connect(2, 0);
    net.pass(6_000);
    assert_eq!(sent_to(&net, id), ids(&net, &all));
    for host in &all {
        assert_eq!(net.texts(*host), ["one", "two", "three"], "host {host}");
    }
}

#[test]
fn whom_nobody_can_reach_is_told_by_name_and_the_rest_is_sent_to() {
    let (mut net, all) = diamond(2);
    let nobody = NodeId::new(SecretKey::new([99; 32]).public());
    let mut to: Vec<NodeId> = all.iter().map(|host| net.id(*host)).collect();
    to.push(nobody);
    let payload = Bytes::from_static(b"some of you");
    let command = net.post(0, Command::SendMany { to, payload, life_ms: None });
    net.pass(11_000);
    let Some(Reply::Published { id, .. }) = net.reply(0, command) else { panic!("not sent") };
    assert_eq!(sent_to(&net, id), ids(&net, &all));
    let missing: Vec<_> = net.hosts[0].outcomes.iter().filter(|outcome| outcome.to == Some(nobody)).collect();
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].state, missing[0].code), (State::Refused, Some(RefuseCode::UnknownTo)));
    for host in &all {
        assert_eq!(net.texts(*host), ["some of you"]);
    }
}

#[test]
fn a_known_recipient_that_stays_away_is_told_when_the_life_is_over() {
    let (mut net, all) = diamond(3);
    send_many(&mut net, 0, &all, "one");
    let link = net.link_between(3, all[0]);
    net.cut(3, link);
    net.pass(700_000);
    let id = send_many(&mut net, 0, &all, "two");
    net.pass(700_000);
    assert_eq!(sent_to(&net, id), ids(&net, &all[1..]));
    let away = net.id(all[0]);
    let last = net.hosts[0].outcomes.iter().rfind(|outcome| outcome.to == Some(away)).unwrap();
    assert_eq!((last.id, last.state, last.code), (id, State::Expired, Some(RefuseCode::UnknownTo)));
    assert_eq!(net.texts(all[1]), ["one", "two"]);
}

#[test]
fn a_list_is_its_senders_own_and_names_one_to_thirty_two() {
    let (mut net, all) = diamond(33);
    let to: Vec<NodeId> = all.iter().map(|host| net.id(*host)).collect();
    let payload = Bytes::from_static(b"x");
    let many = Command::SendMany { to, payload: payload.clone(), life_ms: None };
    assert!(matches!(net.command(0, many), Some(Reply::Refused(Refusal::Recipients))));
    let none = Command::SendMany { to: Vec::new(), payload, life_ms: None };
    assert!(matches!(net.command(0, none), Some(Reply::Refused(Refusal::Recipients))));
    // The same node twice is one recipient.
    send_many(&mut net, 0, &[all[0], all[0]], "one");
    assert_eq!(net.texts(all[0]), ["one"]);
}

#[test]
fn lists_and_single_messages_of_one_sender_do_not_get_in_each_others_way() {
    let (mut net, all) = diamond(2);
    let sender = net.id(0);
    net.command(all[0], Command::Accept { node: sender });
    for number in 0..5 {
        send_many(&mut net, 0, &all, &format!("list {number}"));
        let to = net.id(all[0]);
        let payload = Bytes::from(format!("single {number}"));
        net.command(0, Command::Send { to, payload, life_ms: None });
    }
    assert_eq!(net.texts(all[0]).len(), 10);
    // Nor after a restart.
    let link = net.link_between(3, all[0]);
    net.cut(3, link);
    let store = std::mem::take(&mut net.hosts[all[0]].store);
    let key = net.hosts[all[0]].key.clone();
    let back = net.add_with(key.clone(), crate::common::config(&key, 1_700_000_100), store);
    net.read(back, Source::Inbox, Since::Now, 1 << 20);
    net.connect(3, back);
    send_many(&mut net, 0, &all, "list");
    let to = net.id(all[0]);
    net.command(0, Command::Send { to, payload: Bytes::from_static(b"single"), life_ms: None });
    net.pass(3_000);
    assert_eq!(net.texts(back), ["list", "single"]);
}

#[test]
fn a_router_that_knows_no_way_to_one_of_many_says_so_and_another_way_is_found() {
    let (mut net, _) = members(5);
    for (a, b) in [(0, 1), (1, 2), (1, 3), (1, 4)] {
        net.connect(a, b);
    }
    send_many(&mut net, 0, &[1, 2, 3, 4], "one");
    // The sender still believes that the last two lie behind the router.
    let links = [net.link_between(1, 3), net.link_between(1, 4)];
    net.cut(1, links[0]);
    net.cut(1, links[1]);
    net.connect(2, 3);
    let id = send_many(&mut net, 0, &[1, 2, 3, 4], "two");
    net.pass(3_000);
    for host in 1..4 {
        assert_eq!(net.texts(host), ["one", "two"], "host {host}");
    }
    assert_eq!(sent_to(&net, id), ids(&net, &[1, 2, 3]), "of the last one nothing is claimed");
    net.pass(700_000);
    let away = net.id(4);
    let last = net.hosts[0].outcomes.iter().rfind(|outcome| outcome.id == id && outcome.to == Some(away)).unwrap();
    assert!(matches!(last.state, State::Refused | State::Expired), "{last:?}");
    assert_eq!(net.texts(4), ["one"]);
}

#[test]
fn two_copies_of_one_message_go_each_its_way_and_neither_back_over_its_own_link() {
    let (sender, behind) = (key(50), key(51));
    let mut net = Net::new(1);
    let (group, _) = net.create_group(0);
    let left = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let right = Puppet::link(&mut net, 0, 2, "192.0.2.2").unwrap();
    left.join(&mut net, group);
    right.join(&mut net, group);
    let now = net.now.wall;
    // What it signed comes over the left link: there it lies.
    let to = Destination::Unicast(net.id(0));
    let word = HeaderDraft { to, ..draft(&behind, group, 1, now) };
    left.bring(&mut net, &[word.sign(&RustCrypto, &behind, &payload("here I am")).unwrap()]);
    let mut recipients = vec![puppet::id(&behind), puppet::id(&right.key)];
    recipients.sort_unstable();
    let to = Destination::Unicast(puppet::id(&sender));
    let list = HeaderDraft { to, recipients: recipients.clone(), ..draft(&sender, group, 1, now) };
    let list = list.sign(&RustCrypto, &sender, &payload("to both")).unwrap();
    let copy_for = |key: &SecretKey, hops: u8| {
        let place = recipients.iter().position(|node| *node == puppet::id(key)).unwrap();
        let hop = Hop::new(0, hops, 0).with_remaining(1 << place);
        crate::common::received(&hop.frame(list.bytes().clone(), Lane::Normal))
    };
    let hops_of = |puppet: &Puppet, net: &mut Net| -> Vec<u8> {
        let taken = puppet.taken(net).into_iter();
        taken.filter_map(|frame| if let Frame::Message { hop, .. } = frame { Some(hop.hops) } else { None }).collect()
    };
    hops_of(&left, &mut net);
    hops_of(&right, &mut net);
    // The one for the right is not acknowledged, so that the message is still there when the other copy comes.
    left.send(&mut net, vec![copy_for(&right.key, 4)]);
    assert_eq!(hops_of(&right, &mut net), [5]);
    right.send(&mut net, vec![copy_for(&behind, 1)]);
    assert_eq!(hops_of(&left, &mut net), [2]);
}

#[test]
fn a_router_that_takes_no_more_from_a_stranger_still_passes_on_what_is_others() {
    let (mut net, _) = members(4);
    for host in 1..4 {
        net.connect(host - 1, host);
    }
    for number in 0..8 {
        send_many(&mut net, 0, &[2], &number.to_string());
    }
    send_many(&mut net, 0, &[2, 3], "both");
    net.pass(3_000);
    assert_eq!(net.texts(3), ["both"]);
    assert_eq!(net.texts(2).len(), 8, "a stranger's share is used up");
}
