//! Unicast beyond linked peers: routes, searches, strangers, services, lists; each test a sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Input, Notice, Outcome, Refusal, Reply, Since, Source};
use crosscast_port::{LinkId, Report};
use crosscast_wire::{
    Destination, Frame, FrameType, HeaderDraft, Hop, Lane, Message, MessageId, NodeId, RawFrame, RefuseCode,
    RustCrypto, SecretKey, State, Ticket, frame,
};

use crate::common::{self, Net};
use crate::puppet::{self, Puppet};

/// Hosts in a row that are all part of one group and read their inboxes.
pub(crate) fn row(count: usize) -> (Net, Ticket) {
    let (mut net, ticket) = members(count);
    for host in 1..count {
        net.connect(host - 1, host);
    }
    (net, ticket)
}

/// Hosts that are all part of one group and read their inboxes, not linked yet.
pub(crate) fn members(count: usize) -> (Net, Ticket) {
    let mut net = Net::new(count);
    let (_, ticket) = net.create_group(0);
    for host in 0..count {
        if host > 0 {
            net.join(host, &ticket);
        }
        net.read(host, Source::Inbox, Since::Oldest, 1 << 20);
    }
    (net, ticket)
}

pub(crate) fn send(net: &mut Net, host: usize, to: NodeId, text: &str) -> MessageId {
    match try_send(net, host, to, text) {
        Some(Reply::Published { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

fn try_send(net: &mut Net, host: usize, to: NodeId, text: &str) -> Option<Reply> {
    let payload = Bytes::copy_from_slice(text.as_bytes());
    net.command(host, Command::Send { to, payload, life_ms: None })
}

fn rejects(net: &mut Net, host: usize) -> Vec<(&'static str, u64)> {
    match net.command(host, Command::Status) {
        Some(Reply::Status(status)) => status.rejects,
        other => panic!("{other:?}"),
    }
}

fn state_of(net: &Net, host: usize, id: MessageId) -> Option<State> {
    net.hosts[host].outcomes.iter().rev().find(|outcome| outcome.id == id).map(|outcome| outcome.state)
}

/// The bodies of the frames of one type that hosts have sent, oldest first.
fn tapped(net: &Net, frame_type: FrameType) -> Vec<(usize, RawFrame)> {
    net.tap.iter().filter(|(_, frame)| frame.frame_type == frame_type).cloned().collect()
}

#[test]
fn a_message_finds_a_node_that_was_never_heard_of() {
    let (mut net, _) = row(5);
    let to = net.id(4);
    let id = send(&mut net, 0, to, "far");
    assert_eq!(net.texts(4), ["far"]);
    assert_eq!(state_of(&net, 0, id), Some(State::Sent));
    let (_, delivery) = &net.hosts[4].deliveries[0];
    assert_eq!((delivery.from, delivery.hops, delivery.request), (net.id(0), 4, true));
    for host in 1..4 {
        assert!(net.texts(host).is_empty(), "routers pass on and keep nothing");
    }
}

#[test]
fn an_answer_takes_the_way_that_the_question_taught() {
    let (mut net, _) = row(4);
    let (first, last) = (net.id(0), net.id(3));
    send(&mut net, 0, last, "question");
    let asked = tapped(&net, FrameType::LOCATE).len();
    // The prekey of the asker is not known there yet, so it is asked for: one more search, along the same row.
    send(&mut net, 3, first, "answer");
    assert_eq!(net.texts(0), ["answer"]);
    assert!(!net.hosts[0].deliveries[0].1.request, "whom one writes to is no stranger");
    assert!(tapped(&net, FrameType::LOCATE).len() > asked);
    let again = tapped(&net, FrameType::LOCATE).len();
    send(&mut net, 0, last, "thanks");
    assert_eq!(net.texts(3), ["question", "thanks"]);
    assert_eq!(tapped(&net, FrameType::LOCATE).len(), again, "the way is known");
}

#[test]
fn nobody_carries_for_links_that_share_no_group() {
    let mut net = Net::new(3);
    net.connect(0, 1);
    net.connect(1, 2);
    let to = net.id(2);
    assert!(matches!(try_send(&mut net, 0, to, "x"), Some(Reply::Refused(Refusal::NotLinked))));
    // The first link shares a group, the second does not.
    let (_, ticket) = net.create_group(0);
    net.join(1, &ticket);
    assert!(try_send(&mut net, 0, to, "x").is_none());
    net.pass(11_000);
    assert!(net.texts(2).is_empty());
}

#[test]
fn who_is_not_found_within_ten_seconds_is_told() {
    let (mut net, _) = row(3);
    let nobody = NodeId::new(SecretKey::new([99; 32]).public());
    let payload = Bytes::from_static(b"x");
    let command = net.post(0, Command::Send { to: nobody, payload, life_ms: None });
    net.pass(9_000);
    assert!(net.reply(0, command).is_none());
    net.pass(2_500);
    assert!(matches!(net.reply(0, command), Some(Reply::Refused(Refusal::NotFound))));
    assert!(net.hosts[0].notices.contains(&Notice::NotFound { node: nobody }));
    let searches = tapped(&net, FrameType::LOCATE).iter().filter(|(host, _)| *host == 0).count();
    net.pass(120_000);
    let later = tapped(&net, FrameType::LOCATE).iter().filter(|(host, _)| *host == 0).count();
    assert_eq!(searches, later, "nobody waits for it any more");
}

#[test]
fn a_message_waits_for_a_known_node_until_its_life_is_over() {
    let (mut net, _) = row(3);
    let to = net.id(2);
    send(&mut net, 0, to, "one");
    let far = net.link_between(1, 2);
    net.cut(1, far);
    net.pass(700_000);
    let id = send(&mut net, 0, to, "two");
    net.pass(12_000);
    assert!(net.hosts[0].notices.contains(&Notice::NotFound { node: to }));
    assert_eq!(state_of(&net, 0, id), None, "it still waits");
    net.pass(600_000);
    let last = net.hosts[0].outcomes.last().unwrap();
    assert_eq!((last.id, last.state, last.code), (id, State::Expired, Some(RefuseCode::UnknownTo)));
}

#[test]
fn a_message_goes_another_way_when_its_link_is_lost() {
    let (mut net, _) = members(4);
    // 0 - 1 - 3 and 0 - 2 - 3.
    for (a, b) in [(0, 1), (1, 3), (0, 2), (2, 3)] {
        net.connect(a, b);
    }
    let to = net.id(3);
    send(&mut net, 0, to, "one");
    // Whichever router was used falls silent towards 3, then the link breaks.
    for router in [1, 2] {
        let link = net.link_between(router, 3);
        net.mute(router, link);
    }
    send(&mut net, 0, to, "two");
    assert_eq!(net.texts(3), ["one"]);
    let link = net.link_between(1, 3);
    net.cut(1, link);
    let link = net.link_between(2, 3);
    net.cut(2, link);
    net.connect(2, 3);
    net.connect(1, 3);
    net.pass(5_000);
    assert_eq!(net.texts(3), ["one", "two"]);
}

#[test]
fn a_message_is_passed_on_once_however_often_it_comes() {
    let (mut net, _) = row(4);
    let to = net.id(3);
    send(&mut net, 0, to, "once");
    let (_, message) = tapped(&net, FrameType::MESSAGE).into_iter().rfind(|(host, _)| *host == 0).unwrap();
    let sent = |net: &Net| tapped(net, FrameType::MESSAGE).iter().filter(|(host, _)| *host == 1).count();
    let before = sent(&net);
    let link = net.link_between(1, 0);
    for _ in 0..3 {
        net.slip(1, link, message.clone());
    }
    assert_eq!(sent(&net), before);
    assert_eq!(net.texts(3), ["once"]);
    // From another side too: nothing can circle.
    let link = net.link_between(1, 2);
    net.slip(1, link, message);
    assert_eq!(sent(&net), before);
}

#[test]
fn a_message_crosses_eight_links_and_not_nine() {
    let (mut net, _) = row(10);
    let (near, far) = (net.id(8), net.id(9));
    send(&mut net, 0, near, "eight");
    assert_eq!(net.texts(8), ["eight"]);
    assert!(try_send(&mut net, 0, far, "nine").is_none());
    net.pass(11_000);
    assert!(net.texts(9).is_empty());
}

#[test]
fn a_forged_sender_teaches_no_way_and_goes_no_further() {
    let (mut net, _) = row(4);
    let to = net.id(3);
    send(&mut net, 0, to, "real");
    let (_, mut forged) = tapped(&net, FrameType::MESSAGE).into_iter().rfind(|(host, _)| *host == 0).unwrap();
    let (hop, bytes) = Hop::split(&Bytes::from([forged.head.as_ref(), forged.tail.as_ref()].concat())).unwrap();
    let mut bytes = bytes.to_vec();
    // Its instance is another: no copy, and the signature does not hold.
    let place = bytes.windows(9).position(|window| window[0] == 0x1b && window[1..5] == 1_700_000_000u32.to_be_bytes());
    bytes[place.unwrap() + 8] ^= 1;
    forged = hop.frame(bytes.into(), forged.lane);
    let before = tapped(&net, FrameType::MESSAGE).len();
    let link = net.link_between(1, 0);
    net.slip(1, link, forged);
    assert!(rejects(&mut net, 1).contains(&("bad-signature", 1)));
    assert_eq!(tapped(&net, FrameType::MESSAGE).len(), before);
}

#[test]
fn a_locate_without_its_askers_signature_is_not_passed_on() {
    let (mut net, _) = row(3);
    let fields = crosscast_wire::LocateFields {
        target: net.id(2),
        from: net.id(0),
        prekey: [1; 32],
        time: net.now.wall,
        nonce: [3; 16],
    };
    let body = crosscast_wire::Locate::draft(&fields);
    let forged = crosscast_wire::Locate::parse(&[body.as_slice(), &[7; 64]].concat()).unwrap();
    let link = net.link_between(1, 0);
    let raw = common::received(&frame::locate(0, &forged));
    net.input(1, Input::Link(Report::Frames { link, frames: vec![raw] }));
    assert!(tapped(&net, FrameType::LOCATE).is_empty());
    assert!(rejects(&mut net, 1).contains(&("bad-signature", 1)));
    // The real one is not kept out by it.
    let real = crosscast_wire::Locate::issue(fields, &RustCrypto, &net.hosts[0].key.clone()).unwrap();
    for _ in 0..2 {
        let raw = common::received(&frame::locate(0, &real));
        net.input(1, Input::Link(Report::Frames { link, frames: vec![raw] }));
    }
    assert_eq!(tapped(&net, FrameType::LOCATE).len(), 1, "and is passed on once");
    let (_, raw) = tapped(&net, FrameType::LOCATE).remove(0);
    assert!(matches!(Frame::parse(&raw), Ok(Frame::Locate { hops: 1, .. })));
}

#[test]
fn a_neighbour_that_asks_too_often_is_held_to_its_share() {
    let (mut net, _) = row(3);
    let key = SecretKey::new([77; 32]);
    let link = net.link_between(1, 0);
    for number in 0..200u8 {
        let mut nonce = [0; 16];
        nonce[0] = number;
        let fields = crosscast_wire::LocateFields {
            target: NodeId::new([9; 32]),
            from: NodeId::new(key.public()),
            prekey: [1; 32],
            time: net.now.wall,
            nonce,
        };
        let locate = crosscast_wire::Locate::issue(fields, &RustCrypto, &key).unwrap();
        let raw = common::received(&frame::locate(0, &locate));
        net.input(1, Input::Link(Report::Frames { link, frames: vec![raw] }));
    }
    assert_eq!(tapped(&net, FrameType::LOCATE).len(), 64);
    assert!(rejects(&mut net, 1).contains(&("link-rate", 136)));
}

#[test]
fn a_stranger_leaves_eight_messages_until_it_is_accepted() {
    let mut net = Net::new(2);
    net.connect(0, 1);
    net.read(1, Source::Inbox, Since::Oldest, 1 << 20);
    let (stranger, to) = (net.id(0), net.id(1));
    for number in 0..8 {
        send(&mut net, 0, to, &format!("{number}"));
    }
    let ninth = send(&mut net, 0, to, "ninth");
    let outcome = net.hosts[0].outcomes.iter().find(|outcome| outcome.id == ninth).unwrap();
    assert_eq!((outcome.state, outcome.code), (State::Refused, Some(RefuseCode::Rate)));
    assert_eq!(net.texts(1).len(), 8);
    assert!(net.hosts[1].deliveries.iter().all(|(_, delivery)| delivery.request));
    assert!(matches!(net.command(1, Command::Accept { node: stranger }), Some(Reply::Done)));
    send(&mut net, 0, to, "welcome");
    assert!(!net.hosts[1].deliveries.last().unwrap().1.request);
    // What came before is read again without the mark.
    net.hosts[1].deliveries.clear();
    net.read(1, Source::Inbox, Since::Oldest, 1 << 20);
    assert_eq!(net.texts(1).len(), 9);
    assert!(net.hosts[1].deliveries.iter().all(|(_, delivery)| !delivery.request));
}

#[test]
fn an_answer_accepts_and_a_restart_remembers_it() {
    let mut net = Net::new(2);
    net.connect(0, 1);
    let (stranger, to) = (net.id(0), net.id(1));
    send(&mut net, 0, to, "hello");
    send(&mut net, 1, stranger, "hello yourself");
    let link = net.link_between(1, 0);
    net.cut(1, link);
    let store = std::mem::take(&mut net.hosts[1].store);
    let key = net.hosts[1].key.clone();
    let config = common::config(&key, 1_700_000_100);
    let back = net.add_with(key, config, store);
    net.connect(0, back);
    net.read(back, Source::Inbox, Since::Oldest, 1 << 20);
    for number in 0..20 {
        send(&mut net, 0, to, &format!("{number}"));
    }
    assert_eq!(net.texts(back).len(), 21);
    assert!(net.hosts[back].deliveries.iter().all(|(_, delivery)| !delivery.request));
}

#[test]
fn a_restart_does_not_empty_the_box_of_strangers() {
    let mut net = Net::new(1);
    let strangers: Vec<usize> =
        (0..40).map(|number| net.add(SecretKey::new([100 + number; 32]), 1_700_000_000)).collect();
    let to = net.id(0);
    for stranger in &strangers {
        net.connect(*stranger, 0);
        for number in 0..8 {
            send(&mut net, *stranger, to, &format!("{number}"));
        }
    }
    net.read(0, Source::Inbox, Since::Oldest, 1 << 20);
    assert_eq!(net.texts(0).len(), 256, "no more than the box holds");
    assert!(rejects(&mut net, 0).contains(&("requests-full", 64)));
    let store = std::mem::take(&mut net.hosts[0].store);
    let key = net.hosts[0].key.clone();
    let back = net.add_with(key.clone(), common::config(&key, 1_700_000_100), store);
    let late = net.add(SecretKey::new([99; 32]), 1_700_000_000);
    net.connect(late, back);
    let id = send(&mut net, late, to, "no room");
    assert_eq!(state_of(&net, late, id), Some(State::Refused));
}

#[test]
fn a_sender_that_has_published_in_a_common_group_is_no_stranger() {
    let (mut net, ticket) = row(3);
    let group = ticket.fields().group;
    net.publish(0, group, "to all");
    let to = net.id(2);
    send(&mut net, 0, to, "to you");
    assert_eq!(net.texts(2), ["to you"]);
    assert!(!net.hosts[2].deliveries[0].1.request);
}

#[test]
fn a_service_is_found_by_its_key_and_keeps_it() {
    let (mut net, _) = row(4);
    let serve = |net: &mut Net, host: usize| match net.command(host, Command::Serve { name: "shop".into() }) {
        Some(Reply::Service(view)) => view.service,
        other => panic!("{other:?}"),
    };
    let shop = serve(&mut net, 3);
    assert_eq!(serve(&mut net, 3), shop);
    send(&mut net, 0, shop, "one dozen");
    let (_, delivery) = &net.hosts[3].deliveries[0];
    assert_eq!((delivery.service, delivery.from), (Some(shop), net.id(0)));
    assert_eq!(net.texts(3), ["one dozen"]);
    let direct = net.id(3);
    send(&mut net, 0, direct, "to the node");
    assert_eq!(net.hosts[3].deliveries[1].1.service, None);
    // A restart keeps the key, and what was taken is not taken again.
    let links: Vec<u64> = net.wires.keys().filter(|(host, _)| *host == 3).map(|(_, link)| *link).collect();
    for link in links {
        net.cut(3, LinkId(link));
    }
    let store = std::mem::take(&mut net.hosts[3].store);
    let key = net.hosts[3].key.clone();
    let back = net.add_with(key.clone(), common::config(&key, 1_700_000_100), store);
    net.read(back, Source::Inbox, Since::Oldest, 1 << 20);
    net.connect(2, back);
    send(&mut net, 0, shop, "another");
    net.pass(5_000);
    assert_eq!(net.texts(back), ["one dozen", "to the node", "another"]);
    assert_eq!(net.hosts[back].deliveries[0].1.service, Some(shop));
    assert!(matches!(net.command(back, Command::Services), Some(Reply::Services(all)) if all.len() == 1));
    assert!(matches!(net.command(back, Command::Unserve { name: "shop".into() }), Some(Reply::Done)));
    let id = send(&mut net, 0, shop, "closed");
    net.pass(601_000);
    assert_ne!(state_of(&net, 0, id), None);
    assert_eq!(net.texts(back).len(), 3);
}

#[test]
fn outcomes_of_single_messages_name_nobody() {
    let (mut net, _) = row(3);
    let to = net.id(2);
    let id = send(&mut net, 0, to, "x");
    assert_eq!(net.hosts[0].outcomes, [Outcome { id, state: State::Sent, links: 1, to: None, code: None }]);
}

#[test]
fn a_router_with_a_link_of_no_common_group_to_the_recipient_does_not_stand_in_the_way() {
    let mut net = Net::new(4);
    let (_, near) = net.create_group_named(0, "near");
    let (_, far) = net.create_group_named(3, "far");
    for host in [1, 2] {
        net.join(host, &near);
    }
    net.join(2, &far);
    for host in 0..4 {
        net.read(host, Source::Inbox, Since::Oldest, 1 << 20);
    }
    for (a, b) in [(0, 1), (1, 2), (2, 3), (1, 3)] {
        net.connect(a, b);
    }
    let to = net.id(3);
    let id = send(&mut net, 0, to, "around");
    net.pass(3_000);
    assert_eq!(net.texts(3), ["around"]);
    assert_eq!(state_of(&net, 0, id), Some(State::Sent));
    // What the node in between says itself goes straight.
    send(&mut net, 1, to, "straight");
    assert_eq!(net.texts(3), ["around", "straight"]);
    assert_eq!(net.hosts[3].deliveries[1].1.hops, 1);
}

#[test]
fn what_was_led_in_a_circle_is_refused_and_a_copy_by_another_way_is_not() {
    let behind = puppet::key(51);
    let mut net = Net::new(1);
    let (group, _) = net.create_group(0);
    let [left, right, back] = [1, 2, 3].map(|number| {
        let puppet = Puppet::link(&mut net, 0, number, &format!("192.0.2.{number}")).unwrap();
        puppet.join(&mut net, group);
        puppet
    });
    let now = net.now.wall;
    let signed = |from: &SecretKey, to: NodeId, seq: u64| {
        let draft = HeaderDraft { to: Destination::Unicast(to), ..puppet::draft(from, group, seq, now) };
        draft.sign(&RustCrypto, from, &puppet::payload("text")).unwrap()
    };
    let copy = |message: &Message, hops: u8| {
        common::received(&Hop::new(0, hops, 0).frame(message.bytes().clone(), Lane::Normal))
    };
    let messages = |puppet: &Puppet, net: &mut Net| -> Vec<Message> {
        let taken = puppet.taken(net).into_iter();
        taken
            .filter_map(|frame| if let Frame::Message { message, .. } = frame { Some(message) } else { None })
            .collect()
    };
    // What it signed comes over the left link: there it lies.
    let word = signed(&behind, net.id(0), 1);
    left.bring(&mut net, &[word]);
    let others = signed(&right.key, puppet::id(&behind), 1);
    right.send(&mut net, vec![copy(&others, 1)]);
    assert_eq!(messages(&left, &mut net).len(), 1);
    back.taken(&mut net);
    back.send(&mut net, vec![copy(&others, 2)]);
    assert_eq!(back.refusals(&mut net), [], "it may have come by another way");
    back.send(&mut net, vec![copy(&others, 3)]);
    assert_eq!(back.refusals(&mut net), [RefuseCode::UnknownTo]);
    // The sender's own comes back by nothing but a circle.
    net.command(0, Command::Send { to: puppet::id(&left.key), payload: Bytes::from_static(b"own"), life_ms: None });
    let own = messages(&left, &mut net).pop().unwrap();
    back.send(&mut net, vec![copy(&own, 1)]);
    assert_eq!(back.refusals(&mut net), [RefuseCode::UnknownTo]);
}

#[test]
fn a_router_to_which_the_way_leads_back_finds_the_one_that_leads_on() {
    let (mut net, _) = members(7);
    for (a, b) in [(0, 1), (1, 4), (4, 3)] {
        net.connect(a, b);
    }
    let to = net.id(3);
    send(&mut net, 0, to, "one");
    let link = net.link_between(4, 3);
    net.cut(4, link);
    // The short way from the router is behind the sender, who does not know that.
    for (a, b) in [(0, 2), (2, 3), (4, 5), (5, 6), (6, 3)] {
        net.connect(a, b);
    }
    send(&mut net, 0, to, "two");
    net.pass(10_000);
    assert_eq!(net.texts(3), ["one", "two"]);
}
