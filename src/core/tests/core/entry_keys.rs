//! Entry keys: a retried publish is delivered once, whichever way the retry goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use crosscast_core::{Command, Reply, Since};
use crosscast_wire::{Class, Entry, GroupId, MessageId, SecretKey, State};

use crate::common::{Net, config};

const KEY: [u8; 16] = [7; 16];
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn keyed(text: &str, key: [u8; 16]) -> Entry {
    let mut entry = Entry::new(Bytes::copy_from_slice(text.as_bytes()));
    entry.meta.key = Some(key);
    entry
}

fn publish(net: &mut Net, host: usize, group: GroupId, entries: Vec<Entry>, life_ms: Option<u64>) -> Option<Reply> {
    net.command(host, Command::Publish { group, entries, class: Class::Normal, life_ms })
}

fn new(net: &mut Net, host: usize, group: GroupId, text: &str) -> MessageId {
    match publish(net, host, group, vec![keyed(text, KEY)], None) {
        Some(Reply::Published { id, first_index: 0 }) => id,
        other => panic!("{other:?}"),
    }
}

fn again(net: &mut Net, host: usize, group: GroupId, text: &str) -> MessageId {
    match publish(net, host, group, vec![keyed(text, KEY)], None) {
        Some(Reply::Repeated { id, index: 0 }) => id,
        other => panic!("{other:?}"),
    }
}

/// What readers are given: without repetitions.
fn fresh(net: &Net, host: usize) -> Vec<String> {
    let entries = net.hosts[host].deliveries.iter().flat_map(|(_, delivery)| delivery.fresh());
    entries.map(|(_, entry)| String::from_utf8(entry.payload.to_vec()).unwrap()).collect()
}

/// Two members that are linked; the second reads.
fn pair() -> (Net, GroupId) {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.connect(0, 1);
    net.join(1, &ticket);
    net.subscribe(1, group, Since::Now);
    (net, group)
}

#[test]
fn a_key_publishes_once_within_a_day_and_tells_again_what_became_of_it() {
    let (mut net, group) = pair();
    let first = new(&mut net, 0, group, "once");
    net.hosts[0].outcomes.clear();
    assert_eq!(again(&mut net, 0, group, "once"), first);
    assert_eq!((net.hosts[0].outcomes[0].id, net.hosts[0].outcomes[0].state), (first, State::Sent));
    assert_eq!(net.texts(1), ["once"]);
    net.pass(DAY_MS - 1_000);
    assert_eq!(again(&mut net, 0, group, "once"), first);
    assert_eq!(net.texts(1), ["once"]);
}

#[test]
fn a_key_is_remembered_over_a_restart_and_written_with_its_message() {
    let (mut net, group) = pair();
    let first = new(&mut net, 0, group, "once");
    let (key, store) = (net.hosts[0].key.clone(), std::mem::take(&mut net.hosts[0].store));
    let host = net.add_with(key.clone(), config(&key, 1_700_000_100), store);
    net.hosts[0].outcomes.clear();
    assert_eq!(again(&mut net, host, group, "once"), first);
    assert_eq!(net.hosts[host].outcomes[0].state, State::Sent);
    assert_eq!(net.texts(1), ["once"]);
}

#[test]
fn what_nobody_had_taken_is_followed_over_a_restart() {
    let mut net = Net::new(2);
    let (group, ticket) = net.create_group(0);
    net.join(1, &ticket);
    net.subscribe(1, group, Since::Now);
    let first = new(&mut net, 0, group, "to nobody yet");
    let (key, store) = (net.hosts[0].key.clone(), std::mem::take(&mut net.hosts[0].store));
    let host = net.add_with(key.clone(), config(&key, 1_700_000_100), store);
    assert_eq!(again(&mut net, host, group, "to nobody yet"), first);
    assert!(net.hosts[host].outcomes.is_empty());
    net.connect(host, 1);
    net.pass(2_000);
    assert_eq!(net.texts(1), ["to nobody yet"]);
    assert_eq!((net.hosts[host].outcomes[0].id, net.hosts[host].outcomes[0].state), (first, State::Sent));
}

#[test]
fn what_a_neighbour_took_before_the_link_broke_counts_as_sent() {
    let (mut net, group) = pair();
    // Its acknowledgement is lost with the link.
    let (near, far) = (net.link_between(0, 1), net.link_between(1, 0));
    net.mute(1, far);
    let id = new(&mut net, 0, group, "once");
    assert_eq!((net.texts(1), net.hosts[0].outcomes.len()), (vec!["once".to_owned()], 0));
    net.cut(0, near);
    net.connect(0, 1);
    net.pass(2_000);
    assert_eq!(net.texts(1), ["once"]);
    let outcome = net.hosts[0].outcomes[0];
    assert_eq!((outcome.id, outcome.state, outcome.links), (id, State::Sent, 1));
}

#[test]
fn what_nobody_took_within_its_life_may_be_published_again() {
    let (mut net, _) = pair();
    let (alone, _) = net.create_group_named(0, "alone");
    let first = match publish(&mut net, 0, alone, vec![keyed("x", KEY)], Some(1_000)) {
        Some(Reply::Published { id, .. }) => id,
        other => panic!("{other:?}"),
    };
    net.pass(2_000);
    assert_ne!(new(&mut net, 0, alone, "x"), first);
}

#[test]
fn of_several_entries_only_those_with_new_keys_are_published() {
    let (mut net, group) = pair();
    new(&mut net, 0, group, "one");
    let entries = vec![keyed("one", KEY), keyed("two", [8; 16]), keyed("two", [8; 16]), Entry::new("three".into())];
    assert!(matches!(publish(&mut net, 0, group, entries, None), Some(Reply::Published { first_index: 0, .. })));
    assert_eq!(net.texts(1), ["one", "two", "three"]);
    let same = vec![keyed("one", KEY), keyed("two", [8; 16])];
    assert!(matches!(publish(&mut net, 0, group, same, None), Some(Reply::Repeated { .. })));
}

#[test]
fn a_retry_at_another_machine_of_the_sender_is_read_once() {
    let (mut net, group) = pair();
    let ticket = match net.command(0, Command::Invite { group, options: crosscast_core::InviteOptions::default() }) {
        Some(Reply::Ticket(ticket)) => *ticket,
        other => panic!("{other:?}"),
    };
    let twin = net.add(net.hosts[0].key.clone(), 1_700_000_050);
    net.join(twin, &ticket);
    new(&mut net, 0, group, "once");
    // It has not seen the first: it is linked only now, and nobody reads there.
    let other = new(&mut net, twin, group, "once");
    net.connect(twin, 1);
    net.pass(2_000);
    assert_eq!(net.texts(1), ["once", "once"], "both messages are there");
    assert_eq!(fresh(&net, 1), ["once"]);
    assert_eq!(net.hosts[1].deliveries[1].1.id, other);
    let late = net.subscribe(1, group, Since::Oldest);
    let read = net.hosts[1].deliveries.iter().filter(|(reader, _)| *reader == late);
    assert_eq!(read.flat_map(|(_, delivery)| delivery.fresh()).count(), 1, "for every reader");
}

#[test]
fn the_same_key_of_another_sender_is_another_entry() {
    let (mut net, group) = pair();
    net.subscribe(0, group, Since::Now);
    new(&mut net, 0, group, "mine");
    new(&mut net, 1, group, "yours");
    assert_eq!(fresh(&net, 1), ["mine", "yours"]);
    assert_eq!(fresh(&net, 0), ["mine", "yours"]);
}

#[test]
fn a_cursor_kept_by_name_is_there_after_a_restart() {
    let mut net = Net::new(1);
    let keep = |name: &str, value: &'static str| Command::KeepCursor { name: name.into(), value: value.into() };
    assert!(matches!(net.command(0, keep("app", "3.0")), Some(Reply::Done)));
    assert!(matches!(net.command(0, keep("app", "8.0")), Some(Reply::Done)));
    assert!(matches!(net.command(0, keep("other", "1.0")), Some(Reply::Done)));
    assert!(matches!(net.command(0, keep("other", "")), Some(Reply::Done)));
    assert!(matches!(net.command(0, keep("a\nb", "1.0")), Some(Reply::Refused(_))));
    let (key, store) = (SecretKey::new([1; 32]), std::mem::take(&mut net.hosts[0].store));
    let host = net.add_with(key.clone(), config(&key, 1_700_000_100), store);
    let kept = |reply| if let Some(Reply::Cursor(value)) = reply { value } else { panic!("{reply:?}") };
    assert_eq!(kept(net.command(host, Command::Cursor { name: "app".into() })).as_deref(), Some(b"8.0".as_slice()));
    assert_eq!(kept(net.command(host, Command::Cursor { name: "other".into() })), None);
}
