//! What a node with a single link in a group keeps of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_core::{Since, Sizes};
use crosscast_wire::{GroupId, SecretKey};

use crate::common::{Net, config};
use crate::shelf::Shelf;

const LEAF: u64 = 20_000;

/// A publisher and a leaf, linked, and a third node that is not yet.
fn net() -> (Net, GroupId) {
    let mut net = Net::new(1);
    for seed in [2, 3] {
        let key = SecretKey::new([seed; 32]);
        let mut config = config(&key, 1_700_000_000);
        config.sizes = Sizes { leaf_bytes: Some(LEAF), ..Sizes::default() };
        net.add_with(key, config, Shelf::default());
    }
    let (group, ticket) = net.create_group(0);
    net.connect(0, 1);
    net.join(1, &ticket);
    net.join(2, &ticket);
    (net, group)
}

fn publish(net: &mut Net, host: usize, group: GroupId, count: usize) -> Vec<String> {
    let lines: Vec<String> = (0..count).map(|n| format!("{n} of {host} {}", "x".repeat(1_000))).collect();
    lines.iter().for_each(|line| {
        net.publish(host, group, line);
        net.pass(1);
    });
    lines
}

fn kept(net: &Net, host: usize) -> u64 {
    let logs = net.hosts[host].store.recover().logs;
    logs.iter().flat_map(|(_, entries)| entries).map(|entry| u64::from(entry.len)).sum()
}

#[test]
fn a_leaf_keeps_little_of_what_it_received_and_takes_nothing_twice() {
    let (mut net, group) = net();
    net.subscribe(1, group, Since::Now);
    let lines = publish(&mut net, 0, group, 100);
    assert_eq!(net.texts(1), lines);
    assert!(kept(&net, 1) <= LEAF, "{}", kept(&net, 1));
    assert!(kept(&net, 0) > 100_000, "who is asked keeps what there is");
    // Everything comes again over another link, and is known by its id or number.
    let link = net.link_between(1, 0);
    net.cut(1, link);
    net.connect(0, 1);
    net.pass(20_000);
    assert_eq!(net.texts(1), lines);
    assert_eq!(net.hosts[1].gaps, 0);
    // Whoever links to the leaf later gets what it still has.
    net.subscribe(2, group, Since::Oldest);
    net.connect(1, 2);
    net.pass(40_000);
    let late = net.texts(2);
    assert!((10..30).contains(&late.len()), "{}", late.len());
    assert_eq!(late, lines[lines.len() - late.len()..]);
}

#[test]
fn a_leaf_with_two_links_is_none_and_keeps_everything() {
    let (mut net, group) = net();
    net.connect(1, 2);
    publish(&mut net, 0, group, 100);
    assert!(kept(&net, 1) > 100_000);
    assert!(kept(&net, 2) <= LEAF);
}

#[test]
fn what_a_leaf_said_itself_and_nobody_has_yet_is_kept() {
    let (mut net, group) = net();
    let link = net.link_between(1, 0);
    net.cut(1, link);
    let lines = publish(&mut net, 1, group, 100);
    net.pass(20_000);
    assert!(kept(&net, 1) > 100_000);
    net.subscribe(0, group, Since::Now);
    net.connect(1, 0);
    net.pass(1_000);
    assert_eq!(net.texts(0), lines);
}
