//! The running nodes that this one is attached to: each is dialled until it answers, kept, and dialled again.
//!
//! Pure: times come in, and what is to be dialled goes out. A host is named by an address; who answers there is the host,
//! unless the address names a peer.

use core::time::Duration;
use std::time::Instant;

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use crate::address::last_peer;

/// First pause after a failure. 1 s: somebody may be starting the host right now.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// Longest pause. 1 min: a host that comes back is used again before anybody gives up.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Every host.
#[derive(Debug, Default)]
pub(super) struct Hosts(Vec<Host>);

#[derive(Debug)]
struct Host {
    address: Multiaddr,
    peer: Option<PeerId>,
    state: State,
    failures: u32,
}

#[derive(Debug)]
enum State {
    Waiting(Instant),
    Dialling(ConnectionId),
    Attached,
}

/// How the hosts stand together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// There is none, by configuration.
    None,
    /// None has answered yet, none has failed.
    Starting,
    /// At least one is attached.
    Attached,
    /// None answers.
    Unreachable,
}

impl Hosts {
    pub(super) fn new(addresses: Vec<Multiaddr>, now: Instant) -> Self {
        let host = |address: Multiaddr| {
            let peer = last_peer(&address);
            Host { address, peer, state: State::Waiting(now), failures: 0 }
        };
        Self(addresses.into_iter().map(host).collect())
    }

    /// The next host that is to be dialled now. The dial's name is to be told by [`Self::dialling`].
    pub(super) fn due(&self, now: Instant) -> Option<(usize, Option<PeerId>, Multiaddr)> {
        let waits = |host: &Host| matches!(host.state, State::Waiting(until) if until <= now);
        let (number, host) = self.0.iter().enumerate().find(|(_, host)| waits(host))?;
        Some((number, host.peer, host.address.clone()))
    }

    /// When the next one is.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let until = |host: &Host| match host.state {
            State::Waiting(until) => Some(until),
            State::Dialling(_) | State::Attached => None,
        };
        self.0.iter().filter_map(until).min()
    }

    pub(super) fn dialling(&mut self, number: usize, dial: ConnectionId) {
        if let Some(host) = self.0.get_mut(number) {
            host.state = State::Dialling(dial);
        }
    }

    /// There is a connection to a peer; true when it attaches a host that was not.
    pub(super) fn established(&mut self, id: ConnectionId, peer: PeerId) -> bool {
        let mut news = false;
        for host in &mut self.0 {
            let dialled = matches!(host.state, State::Dialling(dial) if dial == id);
            let fits = host.peer == Some(peer) || (dialled && host.peer.is_none());
            if fits && !matches!(host.state, State::Attached) {
                host.peer = Some(peer);
                host.state = State::Attached;
                host.failures = 0;
                news = true;
            }
        }
        news
    }

    /// A dial has failed.
    pub(super) fn failed(&mut self, dial: ConnectionId, now: Instant) {
        for host in &mut self.0 {
            if matches!(host.state, State::Dialling(of) if of == dial) {
                host.wait(now);
            }
        }
    }

    /// The last connection to a peer is gone; true when it was a host.
    pub(super) fn lost(&mut self, peer: PeerId, now: Instant) -> bool {
        let mut news = false;
        for host in &mut self.0 {
            if host.peer == Some(peer) && matches!(host.state, State::Attached) {
                // Some nodes have another name with every start; what is configured is where they are.
                host.peer = last_peer(&host.address);
                host.wait(now);
                news = true;
            }
        }
        news
    }

    /// Whether a peer is a host that is attached.
    pub(super) fn is_attached(&self, peer: PeerId) -> bool {
        self.attached().any(|(host, _)| host == peer)
    }

    /// The attached hosts, with their configured addresses.
    pub(super) fn attached(&self) -> impl Iterator<Item = (PeerId, &Multiaddr)> {
        self.0
            .iter()
            .filter(|host| matches!(host.state, State::Attached))
            .filter_map(|host| Some((host.peer?, &host.address)))
    }

    pub(super) fn standing(&self) -> Standing {
        let mut standing = if self.0.is_empty() { Standing::None } else { Standing::Unreachable };
        for host in &self.0 {
            match host.state {
                State::Attached => return Standing::Attached,
                State::Waiting(_) | State::Dialling(_) if host.failures == 0 => standing = Standing::Starting,
                State::Waiting(_) | State::Dialling(_) => {}
            }
        }
        standing
    }
}

impl Host {
    fn wait(&mut self, now: Instant) {
        let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(6)).min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting(now.checked_add(pause).unwrap_or(now));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn one(now: Instant) -> Hosts {
        Hosts::new(vec!["/ip4/192.0.2.1/tcp/4001".parse().unwrap()], now)
    }

    #[test]
    fn a_host_is_dialled_until_it_answers_and_then_kept() {
        let start = Instant::now();
        let mut hosts = one(start);
        assert_eq!((hosts.standing(), hosts.next_due()), (Standing::Starting, Some(start)));
        let mut now = start;
        for (dial, pause) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 60), (8, 60)] {
            let (number, peer, _) = hosts.due(now).unwrap();
            assert_eq!((number, peer), (0, None));
            hosts.dialling(number, id(dial));
            assert_eq!((hosts.due(now), hosts.next_due()), (None, None));
            hosts.failed(id(dial), now);
            assert_eq!(hosts.standing(), Standing::Unreachable);
            assert_eq!(hosts.next_due(), Some(now + Duration::from_secs(pause)));
            now += Duration::from_secs(pause);
        }
        hosts.dialling(0, id(9));
        let peer = PeerId::random();
        assert!(hosts.established(id(9), peer) && !hosts.established(id(10), peer));
        assert_eq!((hosts.standing(), hosts.is_attached(peer)), (Standing::Attached, true));
        assert!(hosts.lost(peer, now) && !hosts.is_attached(peer));
        assert_eq!(hosts.next_due(), Some(now + PAUSE_MIN));
        // Whoever answers next is the host; another connection of the old one is not.
        assert!(!hosts.established(id(11), peer));
        hosts.dialling(0, id(12));
        let other = PeerId::random();
        assert!(hosts.established(id(12), other) && hosts.is_attached(other));
    }

    #[test]
    fn one_host_that_answers_is_enough_and_none_is_a_choice() {
        let now = Instant::now();
        assert_eq!(Hosts::default().standing(), Standing::None);
        let peer = PeerId::random();
        let named = format!("/ip4/192.0.2.2/tcp/4001/p2p/{peer}").parse().unwrap();
        let mut hosts = Hosts::new(vec!["/ip4/192.0.2.1/tcp/4001".parse().unwrap(), named], now);
        hosts.dialling(0, id(1));
        hosts.failed(id(1), now);
        assert_eq!(hosts.standing(), Standing::Starting);
        assert!(hosts.established(id(2), peer));
        assert_eq!(hosts.standing(), Standing::Attached);
        assert_eq!(hosts.attached().map(|(peer, _)| peer).collect::<Vec<_>>(), [peer]);
    }
}
