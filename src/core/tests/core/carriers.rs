//! Networks that a node is attached to: meetings, carriers, hints; what a carrier hands up is judged and never believed.

use bytes::Bytes;
use crosscast_core::{Command, Input, InviteOptions, Reply, Since};
use crosscast_port::{DialError, Judgement, LinkId, LinkTraits, NetworkReport, Report, Request, Role};
use crosscast_wire::{FrameType, GroupId, Lane, Locator, NetworkState, RawFrame, Rendezvous, Scheme};

use crate::common::{Net, link_up, received};
use crate::rights::{closed_group, invite};

/// The day on which the tests' clock stands.
const TODAY: u64 = 1_700_000_000_000 / 86_400_000;

fn report(scheme: Scheme, state: NetworkState, meets: bool) -> Input {
    let report = NetworkReport { scheme, state, address: None, reason: None, meets, detail: String::new() };
    Input::Link(Report::Network(Box::new(report)))
}

/// A medium between hosts: what one puts on it all others hear.
struct Medium {
    ends: Vec<(usize, LinkId)>,
}

impl Medium {
    fn among(net: &mut Net, hosts: &[usize], group: GroupId) -> Self {
        let ends = hosts.iter().map(|host| {
            net.input(*host, report(Scheme::Libp2p, NetworkState::Up, true));
            let mut up = link_up(Role::Listener, Bytes::new());
            up.scheme = Scheme::Libp2p;
            up.traits = LinkTraits { broadcast: true, encrypted: false, ..LinkTraits::STREAM };
            up.rendezvous = Some(Rendezvous::of(&group, TODAY));
            (*host, net.loose_link(*host, up))
        });
        Self { ends: ends.collect() }
    }

    /// Takes what an end has put on the medium.
    fn take(&self, net: &mut Net, host: usize) -> Vec<RawFrame> {
        let end = self.ends.iter().find(|(at, _)| *at == host).unwrap();
        net.loose.remove(&(end.0, end.1.0)).unwrap_or_default()
    }

    fn hear(&self, net: &mut Net, host: usize, frames: Vec<RawFrame>) {
        let (_, link) = *self.ends.iter().find(|(at, _)| *at == host).unwrap();
        net.input(host, Input::Link(Report::Frames { link, frames }));
    }

    /// Carries everything to everybody until nothing is left.
    fn settle(&self, net: &mut Net) {
        loop {
            let mut any = false;
            for (host, _) in &self.ends {
                let frames = self.take(net, *host);
                any |= !frames.is_empty();
                for (other, _) in self.ends.iter().filter(|(other, _)| other != host && !frames.is_empty()) {
                    self.hear(net, *other, frames.iter().map(received).collect());
                }
            }
            if !any {
                return;
            }
        }
    }
}

fn judgements(net: &mut Net, host: usize) -> Vec<(u64, Judgement)> {
    let requests = std::mem::take(&mut net.hosts[host].requests);
    let judged = |request| {
        if let Request::Judge { number, judgement, .. } = request { Some((number, judgement)) } else { None }
    };
    requests.into_iter().filter_map(judged).collect()
}

fn open_group(count: usize) -> (Net, GroupId) {
    let mut net = Net::new(count);
    let (group, ticket) = net.create_group(0);
    for host in 1..count {
        net.join(host, &ticket);
        net.subscribe(host, group, Since::Now);
    }
    (net, group)
}

#[test]
fn a_message_reaches_members_that_only_a_carrier_leads_to_and_is_judged_good() {
    let (mut net, group) = open_group(3);
    let medium = Medium::among(&mut net, &[0, 1, 2], group);
    net.publish(0, group, "hello");
    medium.settle(&mut net);
    for host in [1, 2] {
        assert_eq!(net.texts(host), ["hello"]);
        assert_eq!(judgements(&mut net, host), [(1, Judgement::Accept)]);
    }
}

#[test]
fn a_chain_travels_beside_every_message_of_a_closed_group() {
    let mut net = Net::new(3);
    let group = closed_group(&mut net, 0);
    net.connect(0, 1);
    net.connect(0, 2);
    for host in [1, 2] {
        let ticket = invite(&mut net, 0, group, InviteOptions::default());
        net.join(host, &ticket);
        net.subscribe(host, group, Since::Now);
    }
    for host in [1, 2] {
        let link = net.link_between(host, 0);
        net.cut(host, link);
    }
    let medium = Medium::among(&mut net, &[1, 2], group);
    for text in ["one", "two"] {
        net.publish(1, group, text);
        let frames = medium.take(&mut net, 1);
        let types: Vec<FrameType> = frames.iter().map(|frame| frame.frame_type).collect();
        assert_eq!(types, [FrameType::CHAIN, FrameType::MESSAGE]);
        medium.hear(&mut net, 2, frames.iter().map(received).collect());
    }
    assert_eq!(net.texts(2), ["one", "two"]);
}

#[test]
fn a_message_laid_out_anew_beside_another_chain_of_the_same_name_is_not_passed_on() {
    let mut net = Net::new(3);
    let group = closed_group(&mut net, 0);
    net.connect(0, 1);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    net.join(1, &ticket);
    let link = net.link_between(1, 0);
    net.cut(1, link);
    net.connect(0, 2);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    net.join(2, &ticket);
    net.subscribe(2, group, Since::Now);
    let link = net.link_between(2, 0);
    net.cut(2, link);
    let medium = Medium::among(&mut net, &[1, 2], group);
    net.publish(1, group, "one");
    let frames: Vec<RawFrame> = medium.take(&mut net, 1).iter().map(received).collect();
    let [chain, message] = frames.as_slice() else { panic!("{frames:?}") };
    // The name of a chain does not cover its signatures: a byte of one is another.
    let mut body = chain.tail.to_vec();
    *body.last_mut().unwrap() ^= 1;
    let other = RawFrame::new(FrameType::CHAIN, chain.lane, body.into());
    let alike = vec![other, message.clone()];
    medium.hear(&mut net, 2, alike.clone());
    medium.hear(&mut net, 2, frames.clone());
    medium.hear(&mut net, 2, alike);
    medium.hear(&mut net, 2, frames.clone());
    assert_eq!(net.texts(2), ["one"]);
    let judged: Vec<Judgement> = judgements(&mut net, 2).into_iter().map(|(_, judgement)| judgement).collect();
    assert_eq!(judged.iter().filter(|judgement| **judgement == Judgement::Accept).count(), 2, "{judged:?}");
    assert_eq!(judged[2], Judgement::Ignore);
}

#[test]
fn what_came_over_a_link_waits_and_is_not_put_on_the_carrier_when_it_was_heard_there() {
    let (mut net, group) = open_group(3);
    net.connect(0, 1);
    net.connect(0, 2);
    let medium = Medium::among(&mut net, &[1, 2], group);
    net.publish(0, group, "hello");
    assert!(medium.take(&mut net, 1).is_empty() && medium.take(&mut net, 2).is_empty(), "not at once");
    let mut put = 0;
    for _ in 0..250 {
        net.pass(1);
        for (host, other) in [(1, 2), (2, 1)] {
            let frames = medium.take(&mut net, host);
            put += frames.len();
            if !frames.is_empty() {
                medium.hear(&mut net, other, frames.iter().map(received).collect());
            }
        }
    }
    assert_eq!(put, 1, "the first to speak speaks for both");
    let judged = [judgements(&mut net, 1), judgements(&mut net, 2)].concat();
    assert_eq!(judged, [(1, Judgement::Accept)], "a copy of what is here is passed on once it is seen to be the same");
}

#[test]
fn a_forgery_sent_first_is_rejected_and_the_real_message_is_taken() {
    let (mut net, group) = open_group(2);
    let medium = Medium::among(&mut net, &[0, 1], group);
    net.publish(0, group, "hello");
    let real: Vec<RawFrame> = medium.take(&mut net, 0).iter().map(received).collect();
    let mut body = real[0].tail.to_vec();
    *body.last_mut().unwrap() ^= 1;
    let forged = RawFrame::new(FrameType::MESSAGE, real[0].lane, body.into());
    medium.hear(&mut net, 1, vec![forged.clone()]);
    medium.hear(&mut net, 1, real);
    medium.hear(&mut net, 1, vec![forged]);
    assert_eq!(net.texts(1), ["hello"]);
    let expected = [(1, Judgement::Reject), (2, Judgement::Accept), (3, Judgement::Reject)];
    assert_eq!(judgements(&mut net, 1), expected);
}

#[test]
fn a_flood_of_forgeries_closes_no_carrier() {
    let (mut net, group) = open_group(2);
    let medium = Medium::among(&mut net, &[0, 1], group);
    net.publish(0, group, "first");
    let real = received(&medium.take(&mut net, 0)[0]);
    for number in 0..2_000u32 {
        let mut body = real.tail.to_vec();
        let at = body.len() - 5;
        body[at..at + 4].copy_from_slice(&number.to_be_bytes());
        medium.hear(&mut net, 1, vec![RawFrame::new(FrameType::MESSAGE, real.lane, body.into())]);
        medium.hear(&mut net, 1, vec![RawFrame::new(FrameType::HELLO, Lane::Control, Bytes::from_static(b"x"))]);
    }
    medium.hear(&mut net, 1, vec![real]);
    net.publish(0, group, "second");
    medium.settle(&mut net);
    assert_eq!(net.texts(1), ["first", "second"]);
    assert!(net.closed.is_empty());
}

#[test]
fn groups_meet_on_networks_that_can_and_part_when_they_are_left() {
    let (mut net, group) = open_group(1);
    net.input(0, report(Scheme::Ygg, NetworkState::Up, false));
    net.input(0, report(Scheme::Libp2p, NetworkState::Starting, true));
    let meets = |net: &mut Net| std::mem::take(&mut net.hosts[0].requests);
    let rendezvous = Rendezvous::of(&group, TODAY);
    assert_eq!(meets(&mut net), [Request::Meet { scheme: Scheme::Libp2p, rendezvous }]);
    net.input(0, report(Scheme::Libp2p, NetworkState::Up, true));
    assert_eq!(meets(&mut net), []);
    net.command(0, Command::LeaveGroup { group });
    assert_eq!(meets(&mut net), [Request::Part { scheme: Scheme::Libp2p, rendezvous }]);
}

#[test]
fn a_place_that_was_found_is_dialled_and_forgotten_when_it_leads_nowhere() {
    let mut net = Net::new(1);
    let locator = Locator::parse("ygg://[200::1]:7700").unwrap();
    net.input(0, Input::Link(Report::Found { locator: locator.clone() }));
    net.input(0, Input::Link(Report::Found { locator }));
    let mut dials = 0;
    for _ in 0..20 {
        for request in std::mem::take(&mut net.hosts[0].requests) {
            if let Request::Dial { dial, .. } = request {
                dials += 1;
                net.input(0, Input::Link(Report::DialFailed { dial, error: DialError::Unreachable }));
            }
        }
        net.pass(30_000);
    }
    assert_eq!(dials, 4);
}

fn overlay(host: usize) -> Locator {
    Locator::parse(&format!("ygg://[200::{host}]:7700")).unwrap()
}

fn attach(net: &mut Net, host: usize) {
    let locator = overlay(host);
    net.input(host, Input::Link(Report::Listening { asked: locator.clone(), locator }));
    net.input(host, report(Scheme::Ygg, NetworkState::Up, false));
}

fn dialled(net: &mut Net, host: usize) -> Vec<Locator> {
    let requests = std::mem::take(&mut net.hosts[host].requests);
    let dial = |request| if let Request::Dial { locator, .. } = request { Some(locator) } else { None };
    requests.into_iter().filter_map(dial).collect()
}

#[test]
fn who_attaches_after_a_link_has_come_up_dials_for_the_standby_itself() {
    for later in 0..2 {
        let mut net = Net::new(2);
        attach(&mut net, 1 - later);
        net.connect_over(0, 1, Scheme::Tls);
        attach(&mut net, later);
        assert_eq!(dialled(&mut net, later), [overlay(1 - later).with_node(net.id(1 - later))]);
        assert_eq!(dialled(&mut net, 1 - later), []);
    }
}

#[test]
fn a_peer_s_address_on_a_network_that_both_have_is_dialled_for_a_standby() {
    let mut net = Net::new(2);
    for host in 0..2 {
        attach(&mut net, host);
    }
    net.connect_over(0, 1, Scheme::Tls);
    let (smaller, larger) = if net.id(0) < net.id(1) { (0, 1) } else { (1, 0) };
    assert_eq!(dialled(&mut net, smaller), [overlay(larger).with_node(net.id(larger))]);
    assert_eq!(dialled(&mut net, larger), []);
    match net.command(0, Command::Status) {
        Some(Reply::Status(status)) => assert_eq!(status.networks.len(), 1),
        other => panic!("{other:?}"),
    }
}
