//! A sender that claims one number twice is convicted by its own signatures, everywhere its group is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_core::{Notice, Since};
use crosscast_wire::{Equivocation, Frame, Instance, NodeId, RefuseCode, RustCrypto, frame};

use crate::common::Net;
use crate::puppet::{Puppet, draft, forged, key, message, payload};

/// A chain of cores with readers, and the group they share.
fn chain(count: usize) -> (Net, crosscast_wire::GroupId) {
    let mut net = Net::new(count);
    let (group, ticket) = net.create_group(0);
    for host in 0..count {
        if host > 0 {
            net.connect(host - 1, host);
            net.join(host, &ticket);
        }
        net.subscribe(host, group, Since::Now);
    }
    (net, group)
}

fn convicted(net: &Net, host: usize) -> Vec<(NodeId, Instance)> {
    let who = |notice: &Notice| {
        if let Notice::Equivocated { node, instance, .. } = notice { Some((*node, *instance)) } else { None }
    };
    net.hosts[host].notices.iter().filter_map(who).collect()
}

fn run(run: u32) -> Instance {
    Instance::new(1_700_000_000, run)
}

/// A message of key 1 in some run of it.
fn said(
    net: &Net,
    group: crosscast_wire::GroupId,
    instance: Instance,
    seq: u64,
    text: &str,
) -> crosscast_wire::Message {
    let draft = crosscast_wire::HeaderDraft { instance, ..draft(&key(1), group, seq, net.now.wall) };
    draft.sign(&RustCrypto, &key(1), &payload(text)).unwrap()
}

#[test]
fn two_messages_with_one_number_convict_their_sender_at_every_node() {
    let (mut net, group) = chain(4);
    let liar = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let messages = [said(&net, group, run(1), 1, "yes"), said(&net, group, run(1), 1, "no")];
    liar.bring(&mut net, &messages[..1]);
    liar.bring(&mut net, &messages[1..]);
    for host in 0..4 {
        assert_eq!(net.texts(host), ["yes"], "host {host}");
        assert_eq!(convicted(&net, host), [(crate::puppet::id(&key(1)), run(1))], "host {host}");
    }
    assert_eq!(liar.refusals(&mut net), [RefuseCode::Replayed], "the second is a number that is taken");
    // From then on that run is not heard, and another one of the same key is.
    let more = [said(&net, group, run(1), 2, "more"), said(&net, group, run(2), 1, "another run")];
    liar.bring(&mut net, &more);
    assert_eq!(liar.refusals(&mut net), [RefuseCode::NotAllowed]);
    assert_eq!(net.texts(3), ["yes", "another run"]);
    assert!(!liar.is_closed(&net), "the link is not to blame");
}

#[test]
fn each_node_passes_a_proof_on_once() {
    let (mut net, group) = chain(4);
    let liar = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let messages = [said(&net, group, run(1), 1, "yes"), said(&net, group, run(1), 1, "no")];
    liar.bring(&mut net, &messages);
    let told = |(_, raw): &(usize, _)| matches!(Frame::parse(raw), Ok(Frame::Equivocation(_)));
    assert_eq!(net.tap.iter().filter(|sent| told(sent)).count(), 3, "three links");
    assert!(convicted(&net, 3).len() == 1);
}

#[test]
fn the_two_may_be_told_to_different_nodes() {
    let (mut net, group) = chain(3);
    let left = Puppet::link(&mut net, 0, 7, "192.0.2.1").unwrap();
    let right = Puppet::link(&mut net, 2, 8, "192.0.2.1").unwrap();
    let (yes, no) = (said(&net, group, run(1), 1, "yes"), said(&net, group, run(1), 1, "no"));
    let brings = |puppet: &Puppet, message| {
        let frames = vec![crate::puppet::data(message)];
        (puppet.host, crosscast_core::Input::Link(crosscast_port::Report::Frames { link: puppet.link, frames }))
    };
    let inputs = vec![brings(&left, &yes), brings(&right, &no)];
    net.inputs(inputs);
    for host in 0..3 {
        assert_eq!(convicted(&net, host).len(), 1, "host {host}");
    }
}

#[test]
fn three_convicted_runs_bar_the_key_for_a_day() {
    let (mut net, group) = chain(1);
    let liar = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    for number in 1..=3 {
        let messages = [said(&net, group, run(number), 1, "yes"), said(&net, group, run(number), 1, "no")];
        liar.bring(&mut net, &messages);
    }
    assert_eq!(convicted(&net, 0).len(), 3);
    liar.taken(&mut net);
    let honest = said(&net, group, run(4), 1, "a fourth run");
    liar.bring(&mut net, &[honest]);
    assert_eq!(liar.refusals(&mut net), [RefuseCode::NotAllowed]);
    net.pass(86_400_000 + 20_000);
    let liar = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let later = said(&net, group, run(5), 1, "a day later");
    liar.bring(&mut net, &[later]);
    assert_eq!(net.texts(0).last().unwrap(), "a day later");
}

#[test]
fn a_conviction_outlives_a_restart() {
    let (mut net, group) = chain(1);
    let liar = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let messages = [said(&net, group, run(1), 1, "yes"), said(&net, group, run(1), 1, "no")];
    liar.bring(&mut net, &messages);
    assert_eq!(convicted(&net, 0).len(), 1);
    let (key, store) = (net.hosts[0].key.clone(), net.hosts[0].store.clone());
    let again = net.add_with(key.clone(), crate::common::config(&key, 1_700_000_100), store);
    let liar = Puppet::link(&mut net, again, 1, "192.0.2.1").unwrap();
    let more = said(&net, group, run(1), 2, "more");
    liar.bring(&mut net, &[more]);
    assert_eq!(liar.refusals(&mut net), [RefuseCode::NotAllowed]);
}

#[test]
fn a_restored_backup_and_a_second_machine_with_the_key_are_no_equivocation() {
    let mut net = Net::new(3);
    let (group, ticket) = net.create_group(0);
    net.subscribe(0, group, Since::Now);
    net.connect(0, 1);
    net.join(1, &ticket);
    net.publish(1, group, "before the backup");
    let (key, backup) = (net.hosts[1].key.clone(), net.hosts[1].store.clone());
    net.publish(1, group, "after the backup");
    // The backup runs beside the machine it was made of, with the same key and older numbers.
    let twin = net.add_with(key.clone(), crate::common::config(&key, 1_700_000_200), backup);
    net.connect(twin, 0);
    for (host, text) in [(twin, "from the twin"), (1, "from the first"), (twin, "the twin again")] {
        net.publish(host, group, text);
    }
    assert_eq!(net.texts(0).len(), 5);
    assert!((0..net.hosts.len()).all(|host| convicted(&net, host).is_empty()));
}

#[test]
fn a_forged_second_claim_and_a_forged_proof_convict_nobody_and_blame_the_link() {
    let (mut net, group) = chain(2);
    let honest = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let forger = Puppet::link(&mut net, 0, 2, "198.51.100.1").unwrap();
    let real = message(&key(1), group, 1, net.now.wall, "yes");
    honest.bring(&mut net, std::slice::from_ref(&real));
    let other = forged(&key(1), group, 1, net.now.wall);
    forger.bring(&mut net, std::slice::from_ref(&other));
    forger.send(&mut net, vec![frame::equivocation(&Equivocation::new(&real, &other).unwrap())]);
    assert!(convicted(&net, 0).is_empty() && convicted(&net, 1).is_empty());
    for _ in 0..12 {
        forger.bring(&mut net, &vec![other.clone(); 2]);
        net.pass(1_500);
    }
    assert!(forger.is_closed(&net), "twenty signatures that do not hold");
    let more = message(&key(1), group, 2, net.now.wall, "still heard");
    // The first link said nothing for so long that it is gone.
    let honest = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    honest.bring(&mut net, &[more]);
    assert_eq!(net.texts(1), ["yes", "still heard"]);
}

#[test]
fn proofs_about_runs_that_were_never_heard_are_not_looked_at() {
    let (mut net, group) = chain(2);
    let link = Puppet::link(&mut net, 0, 1, "192.0.2.1").unwrap();
    let before = net.verified[&0];
    for number in 100..200 {
        let liar = key(number);
        let two = ["yes", "no"].map(|text| message(&liar, group, 1, net.now.wall, text));
        link.send(&mut net, vec![frame::equivocation(&Equivocation::new(&two[0], &two[1]).unwrap())]);
    }
    assert_eq!(net.verified[&0], before);
    assert!(convicted(&net, 0).is_empty());
}
