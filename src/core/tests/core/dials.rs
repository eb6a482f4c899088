//! Whom a core dials: its own key may be another machine's too, and only the hello tells which of the two it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Input, Reply};
use crosscast_port::{DialId, LinkId, Report, Request, Role};
use crosscast_wire::{Frame, Locator, RawFrame, SecretKey, frame};

use crate::common::{Net, link_up};

/// The dials that a host has asked for and that were not taken yet.
fn dials(net: &mut Net, host: usize) -> Vec<DialId> {
    let requests = std::mem::take(&mut net.hosts[host].requests);
    let dial = |request: Request| if let Request::Dial { dial, .. } = request { Some(dial) } else { None };
    requests.into_iter().filter_map(dial).collect()
}

fn attach_own_key(net: &mut Net, host: usize) -> DialId {
    let locator = Locator::parse("memory:somewhere").unwrap().with_node(net.id(host));
    let reply = net.command(host, Command::Attach { locator });
    assert!(matches!(reply, Some(Reply::Done)), "{reply:?}");
    let dials = dials(net, host);
    assert_eq!(dials.len(), 1, "a locator with the own key is dialled");
    dials[0]
}

#[test]
fn a_twin_with_the_same_key_is_dialled_and_dialled_again() {
    let mut net = Net::new(1);
    let twin = net.add(SecretKey::new([1; 32]), 1_700_000_500);
    let dial = attach_own_key(&mut net, 0);
    let (link, _) = net.connect_as(0, twin, Some(dial));
    for host in [0, twin] {
        match net.command(host, Command::Peers) {
            Some(Reply::Peers(peers)) => assert_eq!(peers.len(), 1, "host {host} lists its twin"),
            other => panic!("{other:?}"),
        }
    }
    net.cut(0, link);
    net.pass(1_000);
    assert_eq!(dials(&mut net, 0).len(), 1, "a lost twin is dialled again");
}

#[test]
fn both_machines_of_one_key_are_dialled_and_each_but_once() {
    let mut net = Net::new(2);
    let twin = net.add(SecretKey::new([2; 32]), 1_700_000_500);
    for place in ["memory:first", "memory:second"] {
        let locator = Locator::parse(place).unwrap().with_node(net.id(1));
        net.command(0, Command::Attach { locator });
    }
    let asked = dials(&mut net, 0);
    assert_eq!(asked.len(), 2, "the second locator may lead to another machine");
    net.connect_as(0, 1, Some(asked[0]));
    let (link, _) = net.connect_as(0, twin, Some(asked[1]));
    net.pass(60_000);
    assert_eq!((dials(&mut net, 0), net.wires.len()), (vec![], 4), "two links that stay");
    net.cut(0, link);
    net.pass(1_000);
    let again = dials(&mut net, 0);
    assert_eq!(again.len(), 1, "the lost one is dialled though the other is linked");
    // Now both locators lead to the same machine: the newer link stays, the older one's target rests.
    net.connect_as(0, 1, Some(again[0]));
    net.pass(60_000);
    assert_eq!((dials(&mut net, 0), net.wires.len()), (vec![], 2), "no dial follows another");
}

#[test]
fn a_locator_that_leads_back_is_dialled_once() {
    let mut net = Net::new(1);
    let dial = attach_own_key(&mut net, 0);
    let mut up = link_up(Role::Dialer, Bytes::from_static(b"binding"));
    up.dial = Some(dial);
    let link = LinkId(77);
    net.wires.insert((0, 77), (0, 78));
    net.input(0, Input::Link(Report::Up { link, up: Box::new(up) }));
    net.input(0, Input::Link(Report::Writable { link, lane: crosscast_wire::Lane::Control, bytes: 1 << 20 }));
    let hello = net.tap.iter().map(|(_, raw)| raw).find(|raw| matches!(Frame::parse(raw), Ok(Frame::Hello(_))));
    let echo: RawFrame = match Frame::parse(hello.unwrap()) {
        Ok(Frame::Hello(hello)) => crate::common::received(&frame::hello(&hello)),
        other => panic!("{other:?}"),
    };
    net.input(0, Input::Link(Report::Frames { link, frames: vec![echo] }));
    net.pass(120_000);
    assert_eq!(dials(&mut net, 0), [], "it is known to be this very run");
}
