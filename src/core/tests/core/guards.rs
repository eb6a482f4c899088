//! What strangers may cost: bad signatures, refusals, fresh keys, rates, half-open links.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Input, Reply, Since};
use crosscast_port::{Report, Role};
use crosscast_wire::{CloseCode, Frame, FrameType, Lane, Policy, RawFrame, RefuseCode, Rights, RustCrypto, frame};

use crate::common::Net;
use crate::puppet::{Owned, Puppet, draft, forged, key, message, payload, up};

fn open_group() -> (Net, crosscast_wire::GroupId) {
    let mut net = Net::new(1);
    let (group, _) = net.create_group(0);
    net.subscribe(0, group, Since::Now);
    (net, group)
}

fn rejects(net: &mut Net, host: usize, word: &str) -> u64 {
    let Some(Reply::Status(status)) = net.command(host, Command::Status) else { panic!() };
    status.rejects.iter().find(|(name, _)| *name == word).map_or(0, |(_, count)| *count)
}

#[test]
fn a_bad_link_wastes_at_most_twenty_verifications_however_much_it_sends_at_once() {
    let (mut net, group) = open_group();
    let bad = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let before = net.verified[&0];
    let now = net.now.wall;
    let flood: Vec<_> = (1..=1_000).map(|seq| forged(&key(1), group, seq, now)).collect();
    bad.bring(&mut net, &flood);
    assert_eq!(net.verified[&0] - before, 20);
    assert!(bad.is_closed(&net));
    assert_eq!(rejects(&mut net, 0, "bad-signature"), 20);
}

#[test]
fn what_waits_behind_a_bad_links_messages_is_examined_by_others_copies() {
    let (mut net, group) = open_group();
    let bad = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let good = Puppet::link(&mut net, 0, 2, "198.51.100.1").unwrap();
    let now = net.now.wall;
    let real: Vec<_> = (1..=60).map(|seq| message(&key(3), group, seq, now, "real")).collect();
    let flood: Vec<_> = (1..=60).map(|seq| forged(&key(3), group, seq, now)).collect();
    // Both in one turn: the real ones are copies of forged ones that wait and will never be verified.
    let link = |puppet: &Puppet, messages: &[_]| {
        let frames = messages.iter().map(crate::puppet::data).collect();
        crosscast_core::Input::Link(crosscast_port::Report::Frames { link: puppet.link, frames })
    };
    let inputs = vec![(0, link(&bad, &flood)), (0, link(&good, &real))];
    net.inputs(inputs);
    assert_eq!(net.texts(0).len(), 60);
}

#[test]
fn a_link_that_was_right_often_has_as_many_under_way() {
    let (mut net, group) = open_group();
    let good = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let now = net.now.wall;
    let all: Vec<_> = (1..=2_000).map(|seq| message(&key(1), group, seq, now, "x")).collect();
    good.bring(&mut net, &all);
    assert_eq!(net.texts(0).len(), 2_000, "nothing of a saturated publisher is refused");
    assert_eq!(rejects(&mut net, 0, "rate"), 0);
}

#[test]
fn a_prefix_that_was_wrong_too_often_opens_no_new_link_for_a_while_and_others_do() {
    let (mut net, group) = open_group();
    let now = net.now.wall;
    for number in 0..3 {
        let bad = Puppet::link(&mut net, 0, number, &format!("192.0.2.{number}")).unwrap();
        let flood: Vec<_> = (1..=100).map(|seq| forged(&key(50), group, seq, now)).collect();
        bad.bring(&mut net, &flood);
        assert!(bad.is_closed(&net));
    }
    assert!(Puppet::link(&mut net, 0, 9, "192.0.2.77").is_none());
    assert_eq!(rejects(&mut net, 0, "prefix-waits"), 1);
    assert!(Puppet::link(&mut net, 0, 9, "192.0.3.77").is_some());
    net.pass(2_000);
    assert!(Puppet::link(&mut net, 0, 10, "192.0.2.77").is_some());
}

#[test]
fn links_of_one_prefix_in_the_hello_leave_room_for_others() {
    let (mut net, _) = open_group();
    for _ in 0..400 {
        net.loose_link(0, crate::puppet::up("192.0.2.1", Role::Listener, "b".into()));
    }
    assert_eq!(rejects(&mut net, 0, "prefix-waits"), 400 - 32);
    assert!(Puppet::link(&mut net, 0, 9, "192.0.3.77").is_some());
}

#[test]
fn fresh_keys_from_one_prefix_get_one_budget_and_newcomers_from_elsewhere_come_in() {
    let (mut net, group) = open_group();
    let mut came = 0;
    for links in 0..8 {
        let flood = Puppet::link(&mut net, 0, links, &format!("192.0.2.{links}")).unwrap();
        let now = net.now.wall;
        let fresh: Vec<_> = (0..50).map(|n| message(&key(1_000 + links * 50 + n), group, 1, now, "fresh")).collect();
        flood.bring(&mut net, &fresh);
        let refused = flood.refusals(&mut net);
        assert!(refused.iter().all(|code| *code == RefuseCode::Rate), "{refused:?}");
        came += 50 - refused.len();
    }
    assert_eq!((came, net.texts(0).len()), (64, 64));
    let newcomer = Puppet::link(&mut net, 0, 99, "198.51.100.1").unwrap();
    let now = net.now.wall;
    newcomer.bring(&mut net, &[message(&key(99), group, 1, now, "hello")]);
    assert_eq!(net.texts(0).last().unwrap(), "hello");
    // Those who have spoken are heard, however many fresh ones come beside them.
    let known = Puppet::link(&mut net, 0, 100, "192.0.2.200").unwrap();
    known.bring(&mut net, &[message(&key(1_000), group, 2, now, "still here")]);
    assert_eq!(net.texts(0).last().unwrap(), "still here");
}

#[test]
fn whoever_leaves_before_the_verdict_is_not_spared_it() {
    let (mut net, group) = open_group();
    let now = net.now.wall;
    let leave = |net: &mut Net, link: u64, messages: Vec<crosscast_wire::Message>| {
        let puppet = Puppet::link(net, 0, link, &format!("192.0.2.{link}"))?;
        let frames = messages.iter().map(crate::puppet::data).collect();
        let went = crosscast_port::DownReason::PeerClosed;
        net.inputs(vec![
            (0, Input::Link(Report::Frames { link: puppet.link, frames })),
            (0, Input::Link(Report::Down { link: puppet.link, reason: went })),
        ]);
        Some(())
    };
    for link in 0..10 {
        let fresh = (0..20).map(|n| message(&key(1_000 + link * 20 + n), group, 1, now, "fresh")).collect();
        leave(&mut net, link, fresh).unwrap();
    }
    assert_eq!(net.texts(0).len(), 64);
    for link in 10..13 {
        let bad = (0..20).map(|n| forged(&key(1_000), group, link * 20 + n + 2, now)).collect();
        leave(&mut net, link, bad).unwrap();
    }
    assert!(leave(&mut net, 14, Vec::new()).is_none(), "three links' worth of faults");
}

#[test]
fn what_is_refused_beyond_a_links_bound_keeps_its_credit_until_its_turn() {
    let (mut net, group) = open_group();
    let link = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let old = crosscast_wire::WallMillis(net.now.wall.0 - 3_600_000);
    let stale = message(&key(1), group, 1, old, "old");
    for _ in 0..11 {
        link.bring(&mut net, &vec![stale.clone(); 100]);
    }
    assert_eq!(link.refusals(&mut net).len(), 1_000);
    net.pass(250);
    assert_eq!(link.refusals(&mut net).len(), 40, "two hundred a second");
    net.pass(1_000);
    assert_eq!(link.refusals(&mut net).len(), 60);
    assert!(!link.is_closed(&net));
    // Whoever goes on regardless has no credit left and is to blame.
    for _ in 0..60 {
        link.bring(&mut net, &vec![stale.clone(); 100]);
    }
    assert!(link.is_closed(&net));
    assert_eq!(rejects(&mut net, 0, "over-credit"), 1);
}

#[test]
fn a_rate_class_bounds_its_sender_and_no_other() {
    let mut net = Net::new(1);
    let (owned, now) = (Owned::new(500), net.now.wall);
    owned.join(&mut net, 0, owned.floor(owned.floor_fields(Policy::Capability, now)));
    net.subscribe(0, owned.group, Since::Now);
    let link = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let mut sent = 0;
    for (number, class) in [(1, 0), (2, 7)] {
        let fields =
            crosscast_wire::CapabilityFields { rate_class: class, ..owned.rights(&key(number), Rights::PUBLISH, now) };
        let chain = owned.chain(fields);
        link.send(&mut net, vec![RawFrame::new(FrameType::CHAIN, Lane::Control, chain.encode().into())]);
        let all: Vec<_> = (1..=200)
            .map(|seq| {
                let mut draft = draft(&key(number), owned.group, seq, now);
                draft.chain = Some(chain.hash());
                draft.sign(&RustCrypto, &key(number), &payload("x")).unwrap()
            })
            .collect();
        link.bring(&mut net, &all);
        let refused = link.refusals(&mut net);
        assert!(refused.iter().all(|code| *code == RefuseCode::Rate), "{refused:?}");
        sent += 200 - refused.len();
    }
    assert_eq!(sent, 64 + 200);
    assert_eq!(net.texts(0).len(), 264);
}

/// Whether the host said goodbye on a link with this code.
fn closes(frames: &[Frame], wanted: CloseCode) -> bool {
    frames.iter().any(|frame| matches!(frame, Frame::Close { code, .. } if *code == wanted))
}

/// A host with a link that it dialled, and a puppet that dials back: the host's key is the smaller one.
fn rivals() -> (Net, Puppet, Puppet) {
    let mut net = Net::new(1);
    let larger = (0..).map(key).find(|key| crate::puppet::id(key) > net.id(0)).unwrap();
    let first = Puppet::link_as(&mut net, 0, larger.clone(), "192.0.2.1", Role::Dialer).unwrap();
    first.taken(&mut net);
    let second = Puppet::link_as(&mut net, 0, larger, "192.0.2.1", Role::Listener).unwrap();
    (net, first, second)
}

#[test]
fn a_link_that_still_answers_wins_over_a_newer_one_by_the_larger_key() {
    let (mut net, first, second) = rivals();
    let pings: Vec<_> = first.taken(&mut net);
    let token = pings.iter().find_map(|frame| if let Frame::Ping { token } = frame { Some(*token) } else { None });
    first.send(&mut net, vec![frame::pong(token.unwrap())]);
    assert!(second.is_closed(&net) && !first.is_closed(&net));
    assert!(closes(&second.taken(&mut net), CloseCode::Duplicate));
    net.pass(3_000);
    assert!(!first.is_closed(&net));
}

#[test]
fn a_half_open_link_gives_way_to_a_newer_one_after_a_second() {
    let (mut net, first, second) = rivals();
    net.pass(900);
    assert!(!first.is_closed(&net) && !second.is_closed(&net));
    net.pass(200);
    assert!(first.is_closed(&net) && !second.is_closed(&net));
}

/// Links with a peer that is the dialler and the listener in turn, one after the other; true is one through a relay.
fn linked(net: &mut Net, number: u64, relayed: [bool; 2], roles: [Role; 2]) -> [Puppet; 2] {
    let link = |net: &mut Net, relayed, role| {
        let mut up = up("192.0.2.1", role, Bytes::from_static(b"binding"));
        up.traits.relayed = relayed;
        let puppet = Puppet::link_up(net, 0, key(number), up).unwrap();
        puppet.answer(net);
        puppet
    };
    [link(net, relayed[0], roles[0]), link(net, relayed[1], roles[1])]
}

#[test]
fn a_direct_link_stays_rather_than_one_through_a_relay_whoever_dialled_and_whichever_came_first() {
    for (number, roles) in (1..=8).flat_map(|number| {
        [Role::Dialer, Role::Listener].into_iter().flat_map(move |first| {
            [Role::Dialer, Role::Listener].into_iter().map(move |second| (number, [first, second]))
        })
    }) {
        for relayed in [[true, false], [false, true]] {
            let mut net = Net::new(1);
            let links = linked(&mut net, number, relayed, roles);
            links.iter().for_each(|link| link.answer(&mut net));
            let open = links.each_ref().map(|link| !link.is_closed(&net));
            assert_eq!(open, relayed.map(|relayed| !relayed), "{number} {roles:?} {relayed:?}");
        }
    }
}

#[test]
fn a_direct_link_that_answers_no_more_gives_way_to_one_through_a_relay() {
    let mut net = Net::new(1);
    let [direct, relayed] = linked(&mut net, 1, [false, true], [Role::Listener; 2]);
    net.pass(1_100);
    assert!(direct.is_closed(&net) && !relayed.is_closed(&net));
}
