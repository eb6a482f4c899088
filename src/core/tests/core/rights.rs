//! Capability groups: who is let in, who may publish, what a floor takes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use crosscast_core::{Command, CommandId, Input, InviteOptions, Notice, Refusal, Reply, Revoked, Since};
use crosscast_port::LinkId;
use crosscast_wire::{Frame, GroupId, NodeId, Policy, Rights, SecretKey, State, Ticket, frame};

use crate::common::Net;
use crate::puppet::{Owned, Puppet};

pub(crate) fn closed_group(net: &mut Net, host: usize) -> GroupId {
    let command = Command::CreateGroup { name: "g".into(), policy: Policy::Capability, public: false };
    match net.command(host, command) {
        Some(Reply::Group { group, .. }) => group,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn invite(net: &mut Net, host: usize, group: GroupId, options: InviteOptions) -> Ticket {
    match net.command(host, Command::Invite { group, options }) {
        Some(Reply::Ticket(ticket)) => *ticket,
        other => panic!("{other:?}"),
    }
}

/// A chain of nodes: 0 makes the group, each next one is let in by an invite of 0.
fn line(count: usize) -> (Net, GroupId) {
    let mut net = Net::new(count);
    let group = closed_group(&mut net, 0);
    for host in 1..count {
        net.connect(host - 1, host);
        let ticket = invite(&mut net, 0, group, InviteOptions::default());
        net.join(host, &ticket);
    }
    (net, group)
}

#[test]
fn an_invite_lets_in_over_several_hops_and_everyone_hears_everyone() {
    let (mut net, group) = line(4);
    for host in 0..4 {
        net.subscribe(host, group, Since::Now);
    }
    for host in 0..4 {
        net.publish(host, group, &format!("from {host}"));
    }
    for host in 0..4 {
        let mut texts = net.texts(host);
        texts.sort();
        assert_eq!(texts, ["from 0", "from 1", "from 2", "from 3"], "host {host}");
    }
}

#[test]
fn an_invite_is_used_up() {
    let mut net = Net::new(3);
    let group = closed_group(&mut net, 0);
    net.connect(0, 1);
    net.connect(0, 2);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    net.join(1, &ticket);
    let reply = net.command(2, Command::JoinGroup { ticket: Box::new(ticket), name: None });
    assert!(matches!(reply, Some(Reply::Refused(Refusal::InviteUsed))), "{reply:?}");
}

#[test]
fn an_offline_ticket_lets_in_while_its_maker_is_away() {
    let mut net = Net::new(3);
    let group = closed_group(&mut net, 0);
    let first = invite(&mut net, 0, group, InviteOptions::default());
    let ticket = invite(&mut net, 0, group, InviteOptions { offline: true, ..InviteOptions::default() });
    let (link, _) = net.connect(0, 1);
    net.join(1, &first);
    net.cut(0, link);
    net.connect(1, 2);
    net.join(2, &ticket);
    net.subscribe(1, group, Since::Now);
    net.publish(2, group, "hello");
    assert_eq!(net.texts(1), ["hello"]);
}

#[test]
fn who_was_revoked_neither_publishes_nor_reads_on() {
    let (mut net, group) = line(3);
    for host in 0..3 {
        net.subscribe(host, group, Since::Now);
    }
    let whom = Revoked::Subject(net.id(2));
    let reply = net.command(0, Command::Revoke { group, whom });
    assert!(matches!(reply, Some(Reply::Done)), "{reply:?}");
    assert!(net.hosts[2].notices.contains(&Notice::RightsLost { group }));
    let entries = vec![crosscast_wire::Entry::new("late".into())];
    let class = crosscast_wire::Class::Normal;
    let reply = net.command(2, Command::Publish { group, entries, class, life_ms: None });
    assert!(matches!(reply, Some(Reply::Refused(Refusal::NotAllowed))), "{reply:?}");
    net.pass(61_000);
    net.publish(0, group, "news");
    assert_eq!(net.texts(1), ["news"]);
    assert!(net.texts(2).is_empty());
}

#[test]
fn rights_taken_back_twice_at_once_cost_those_who_stay_nothing() {
    let (mut net, group) = line(5);
    for host in 0..3 {
        net.subscribe(host, group, Since::Now);
    }
    let revoke = |id, host| {
        let command = Command::Revoke { group, whom: Revoked::Subject(host) };
        (0, Input::Command(CommandId(id), command))
    };
    // The second floor record is made before anybody has the key of the first.
    net.inputs(vec![revoke(9_001, net.id(4)), revoke(9_002, net.id(3))]);
    net.publish(0, group, "at once");
    net.pass(31_000);
    net.publish(0, group, "later");
    for host in 1..3 {
        assert_eq!(net.texts(host), ["at once", "later"], "host {host}");
    }
}

#[test]
fn who_was_away_while_the_key_changed_twice_reads_what_was_said_between() {
    let (mut net, group) = line(3);
    for host in 3..5 {
        net.add(SecretKey::new([host as u8 + 1; 32]), 1_700_000_000);
        net.connect(0, host);
        let ticket = invite(&mut net, 0, group, InviteOptions::default());
        net.join(host, &ticket);
    }
    net.subscribe(2, group, Since::Now);
    let link = net.wires.keys().find(|(host, _)| *host == 2).copied().unwrap();
    net.cut(2, LinkId(link.1));
    for (host, text) in [(3, "between"), (4, "after")] {
        let whom = Revoked::Subject(net.id(host));
        assert!(matches!(net.command(0, Command::Revoke { group, whom }), Some(Reply::Done)));
        net.pass(31_000);
        net.publish(0, group, text);
    }
    net.connect(1, 2);
    assert_eq!(net.texts(2), ["between", "after"]);
}

#[test]
fn whoever_left_and_comes_back_by_an_old_ticket_misses_nothing_that_was_sealed_under_a_newer_key() {
    let (mut net, group) = line(2);
    net.add(SecretKey::new([3; 32]), 1_700_000_000);
    net.connect(0, 2);
    let ticket = invite(&mut net, 0, group, InviteOptions { offline: true, ..InviteOptions::default() });
    net.publish(0, group, "under the first key");
    let whom = Revoked::Subject(net.id(1));
    assert!(matches!(net.command(0, Command::Revoke { group, whom }), Some(Reply::Done)));
    net.pass(31_000);
    net.publish(0, group, "under the second");
    net.join(2, &ticket);
    net.subscribe(2, group, Since::Oldest);
    assert_eq!(net.texts(2), ["under the first key", "under the second"], "the first time");
    for time in ["the second time", "the third time"] {
        // Over the same link, on which its neighbour has answered the ticket's floor record before.
        assert!(matches!(net.command(2, Command::LeaveGroup { group }), Some(Reply::Done)));
        net.hosts[2].deliveries.clear();
        net.join(2, &ticket);
        net.subscribe(2, group, Since::Oldest);
        assert_eq!(net.texts(2), ["under the first key", "under the second"], "{time}");
    }
}

#[test]
fn a_key_comes_from_any_neighbour_while_whoever_renews_is_away() {
    let (mut net, group) = line(3);
    let (subject, rights) = (net.id(1), Rights::PUBLISH | Rights::SUBSCRIBE | Rights::REVOKE);
    let reply = net.command(0, Command::Grant { group, subject, rights, depth: 0, life_ms: None });
    assert!(matches!(reply, Some(Reply::Granted { .. })), "{reply:?}");
    let link = net.wires.keys().find(|(host, _)| *host == 0).copied().unwrap();
    net.cut(0, LinkId(link.1));
    // Past half of every capability's life: everybody asks to be renewed, and nobody answers.
    net.pass(20 * 24 * 3_600_000);
    net.subscribe(2, group, Since::Now);
    let whom = Revoked::Subject(NodeId::new(SecretKey::new([77; 32]).public()));
    assert!(matches!(net.command(1, Command::Revoke { group, whom }), Some(Reply::Done)));
    net.pass(31_000);
    net.publish(1, group, "under the new key");
    assert_eq!(net.texts(2), ["under the new key"]);
    net.connect(0, 1);
    net.pass(2_000);
    let Some(Reply::Groups(groups)) = net.command(1, Command::Groups) else { panic!("no groups") };
    assert_eq!(groups[0].asking, None, "renewed as soon as there is a way");
}

#[test]
fn a_second_ticket_lets_in_whom_the_first_did_not() {
    let mut net = Net::new(3);
    let group = closed_group(&mut net, 0);
    net.connect(0, 1);
    net.connect(0, 2);
    let used = invite(&mut net, 0, group, InviteOptions::default());
    net.join(1, &used);
    let join = |ticket: &Ticket| Command::JoinGroup { ticket: Box::new(ticket.clone()), name: None };
    let reply = net.command(2, join(&used));
    assert!(matches!(reply, Some(Reply::Refused(Refusal::InviteUsed))), "{reply:?}");
    let reply = net.command(2, join(&used));
    assert!(!matches!(reply, Some(Reply::Group { .. })), "still outside: {reply:?}");
    net.pass(2_000);
    let fresh = invite(&mut net, 0, group, InviteOptions::default());
    let reply = net.command(2, join(&fresh));
    assert!(matches!(reply, None | Some(Reply::Group { .. })), "{reply:?}");
    net.pass(2_000);
    net.subscribe(1, group, Since::Now);
    net.publish(2, group, "at last");
    assert_eq!(net.texts(1), ["at last"]);
}

#[test]
fn a_request_that_comes_first_by_somebody_whose_rights_are_gone_is_answered_by_another_way() {
    let (mut net, group) = line(2);
    let gone = net.add(SecretKey::new([51; 32]), 1_700_000_000);
    net.connect(0, gone);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    net.join(gone, &ticket);
    let whom = Revoked::Subject(net.id(gone));
    assert!(matches!(net.command(0, Command::Revoke { group, whom }), Some(Reply::Done)));
    let late = net.add(SecretKey::new([52; 32]), 1_700_000_000);
    net.connect(late, gone);
    net.connect(late, 1);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    net.join(late, &ticket);
    net.subscribe(0, group, Since::Now);
    net.publish(late, group, "round about");
    assert_eq!(net.texts(0), ["round about"]);
}

#[test]
fn whoever_joins_without_a_link_is_told_that_nobody_answers_and_is_let_in_later() {
    let mut net = Net::new(2);
    let group = closed_group(&mut net, 0);
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    let reply = net.command(1, Command::JoinGroup { ticket: Box::new(ticket), name: None });
    assert!(reply.is_none(), "{reply:?}");
    net.pass(21_000);
    let told = |reply: &Reply| matches!(reply, Reply::Refused(Refusal::NobodyAdmits));
    assert!(net.hosts[1].replies.values().any(told));
    net.connect(0, 1);
    net.subscribe(0, group, Since::Now);
    net.publish(1, group, "in after all");
    assert_eq!(net.texts(0), ["in after all"]);
}

#[test]
fn a_peer_whose_resume_comes_while_its_chain_is_checked_is_fed() {
    let mut net = Net::new(1);
    let (owned, now) = (Owned::new(500), net.now.wall);
    let floor = owned.floor(owned.floor_fields(Policy::Capability, now));
    owned.join(&mut net, 0, floor);
    net.publish(0, owned.group, "kept");
    let peer = Puppet::link(&mut net, 0, 7, "192.0.2.1").unwrap();
    let chain = owned.chain(owned.rights(&peer.key, Rights::SUBSCRIBE, now));
    let mut frames = vec![frame::chain(&chain), frame::subscribe(&owned.group, true, Some(&chain.hash()))];
    frames.extend(frame::resume(&owned.group, []));
    // All in one piece, and never said again.
    peer.send(&mut net, frames);
    let messages = peer.taken(&mut net).into_iter().filter(|frame| matches!(frame, Frame::Message { .. })).count();
    assert_eq!(messages, 1);
}

#[test]
fn a_renewed_capability_lives_as_long_as_the_first_and_no_longer() {
    let mut net = Net::new(2);
    let group = closed_group(&mut net, 0);
    net.connect(0, 1);
    let life_ms = 600_000;
    let ticket = invite(&mut net, 0, group, InviteOptions { life_ms: Some(life_ms), ..InviteOptions::default() });
    net.join(1, &ticket);
    for _ in 0..8 {
        net.pass(life_ms / 2);
        let Some(Reply::Groups(groups)) = net.command(1, Command::Groups) else { panic!("no groups") };
        let left = groups[0].rights_until.unwrap().0 - net.now.wall.0;
        assert!((life_ms / 4..=life_ms).contains(&left), "{left} of {life_ms}");
    }
}

#[test]
fn a_granted_key_is_let_in_by_a_ticket_without_secrets() {
    let mut net = Net::new(2);
    let group = closed_group(&mut net, 0);
    let subject = net.id(1);
    let rights = Rights::PUBLISH | Rights::SUBSCRIBE;
    let reply = net.command(0, Command::Grant { group, subject, rights, depth: 0, life_ms: None });
    assert!(matches!(reply, Some(Reply::Granted { .. })), "{reply:?}");
    let ticket = invite(&mut net, 0, group, InviteOptions::default());
    let mut fields = ticket.fields().clone();
    fields.invite = None;
    fields.invite_until = None;
    net.connect(0, 1);
    net.join(1, &Ticket::new(fields).unwrap());
    net.subscribe(0, group, Since::Now);
    net.subscribe(1, group, Since::Now);
    net.publish(1, group, "hello");
    net.publish(0, group, "welcome");
    assert_eq!(net.texts(0), ["hello", "welcome"]);
    assert_eq!(net.texts(1), ["hello", "welcome"]);
}

#[test]
fn a_member_whose_issuer_is_away_two_weeks_and_who_was_away_one_goes_on_with_the_same_rights() {
    let (mut net, group) = line(3);
    let day = 24 * 3_600_000;
    // The maker and the last one leave; the one between stays.
    let first = net.wires.keys().find(|(host, _)| *host == 0).copied().unwrap();
    net.cut(0, crosscast_port::LinkId(first.1));
    let last = net.wires.keys().find(|(host, _)| *host == 2).copied().unwrap();
    net.cut(2, crosscast_port::LinkId(last.1));
    net.pass(7 * day);
    net.connect(1, 2);
    net.subscribe(1, group, Since::Now);
    net.subscribe(2, group, Since::Now);
    net.publish(2, group, "after a week");
    net.publish(1, group, "welcome");
    assert_eq!(net.texts(1), ["after a week", "welcome"]);
    assert_eq!(net.texts(2), ["after a week", "welcome"]);
    net.pass(7 * day);
    net.connect(0, 1);
    net.subscribe(0, group, Since::Now);
    net.publish(0, group, "after two weeks");
    assert_eq!(net.texts(2).last().unwrap(), "after two weeks");
    // Past half of its life a capability is renewed by itself, so a month later all still holds.
    net.pass(30 * day);
    let id = net.publish(2, group, "a month later");
    // Of a sender silent for weeks nobody knows whether something came before.
    net.pass(1_500);
    assert_eq!(net.texts(0).last().unwrap(), "a month later");
    assert!(net.hosts[2].outcomes.iter().any(|outcome| outcome.id == id && outcome.state == State::Sent));
}
