//! Questions about making links: who is at the other end, dialling again, dialling twice, dialling in vain.

use crosscast_port::{BINDING_MAX, DialError, ListenError, Request, Role};
use crosscast_wire::{Lane, NodeId};

use super::station::{assert_numbered, numbered};
use super::{Candidate, Pair, Station};

/// Both ends agree on the channel and know role, scheme, and, where the transport authenticates, the other's key.
pub async fn both_ends_of_a_link_know_each_other(candidate: &dyn Candidate) {
    let (mut a, mut b) = (Station::start(candidate, 1), Station::start(candidate, 2));
    let at = b.listen(candidate.listen_at(2)).await.unwrap();
    let (up_a, (_, up_b)) = tokio::join!(a.dial(at.clone()), b.accept());
    let (_, up_a) = up_a.unwrap();
    assert_eq!((up_a.role, up_b.role), (Role::Dialer, Role::Listener));
    assert_eq!((up_a.scheme, up_b.scheme), (at.scheme(), at.scheme()));
    assert_eq!((up_a.peer, up_b.peer), (candidate.key(2), candidate.key(1)));
    assert_eq!(up_a.locator.address(), at.address());
    assert_eq!(up_a.binding, up_b.binding);
    assert!(up_a.binding.len() >= 32 && up_a.binding.len() <= BINDING_MAX);
}

/// After a close the same peer can be dialled again and again, each time under a new name and with a new binding.
pub async fn links_come_and_go_under_new_names(candidate: &dyn Candidate) {
    let Pair { mut a, mut b, at, mut link_a, mut link_b } = Pair::new(candidate).await;
    let (mut names, mut bindings) = (vec![link_a], Vec::new());
    for _ in 0..10 {
        a.driver.request(Request::Close { link: link_a }).unwrap();
        a.down(link_a).await;
        b.down(link_b).await;
        let (up_a, up_b) = tokio::join!(a.dial(at.clone()), b.accept());
        let (name, up) = up_a.unwrap();
        assert!(!names.contains(&name) && !bindings.contains(&up.binding));
        names.push(name);
        bindings.push(up.binding);
        (link_a, link_b) = (name, up_b.0);
        b.send(link_b, vec![numbered(Lane::Urgent, 0, 9)]).await;
        assert_numbered(&a.receive(link_a, 1).await, Lane::Urgent, 1, |_| 9);
    }
}

/// Dialling one peer twice at once gives two links; which one stays is for the hello above to say.
pub async fn two_dials_to_one_peer_are_two_links(candidate: &dyn Candidate) {
    let Pair { mut a, mut b, at, link_a, link_b } = Pair::new(candidate).await;
    let dials = [a.start_dial(at.clone()), a.start_dial(at)];
    let mut links = vec![(link_a, link_b)];
    for dial in dials {
        links.push((a.dialled(dial).await.unwrap().0, b.accept().await.0));
    }
    let mut names: Vec<_> = links.iter().flat_map(|&(of_a, _)| [of_a]).collect();
    names.dedup();
    assert_eq!(names.len(), 3);
    for (n, &(of_a, _)) in links.iter().enumerate() {
        a.send(of_a, vec![numbered(Lane::Normal, 0, 10 + n)]).await;
    }
    let mut lens = Vec::new();
    for &(_, of_b) in &links {
        lens.push(b.receive(of_b, 1).await[0].body_len());
    }
    lens.sort_unstable();
    assert_eq!(lens, [10, 11, 12]);
}

/// A dial to a place where nobody listens is answered with a failure.
pub async fn a_dial_to_nowhere_fails(candidate: &dyn Candidate) {
    let mut a = Station::start(candidate, 1);
    assert_eq!(a.dial(candidate.nowhere()).await.unwrap_err(), candidate.answer_of_nowhere());
}

/// Where another key answers than the one asked for, the dial fails and names both.
pub async fn a_dial_that_asks_for_another_key_fails(candidate: &dyn Candidate) {
    let Some(actual) = candidate.key(2) else { return };
    let (mut a, mut b) = (Station::start(candidate, 1), Station::start(candidate, 2));
    let at = b.listen(candidate.listen_at(2)).await.unwrap();
    let expected = candidate.key(3).unwrap_or(NodeId::new([7; 32]));
    let failed = a.dial(at.clone().with_node(expected)).await.unwrap_err();
    assert_eq!(failed, DialError::WrongKey { expected, actual });
    let (up, _) = tokio::join!(a.dial(at.with_node(actual)), b.accept());
    assert_eq!(up.unwrap().1.peer, Some(actual));
}

/// Two listeners cannot have the same place.
pub async fn a_listener_cannot_take_a_place_twice(candidate: &dyn Candidate) {
    let (mut a, mut b) = (Station::start(candidate, 1), Station::start(candidate, 2));
    let at = a.listen(candidate.listen_at(1)).await.unwrap();
    assert_eq!(b.listen(at).await, Err(ListenError::AddressInUse));
}
