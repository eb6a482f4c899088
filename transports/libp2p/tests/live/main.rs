//! The libp2p transport sits the transports' exam, over TCP and over QUIC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)] // a look picks one kind of report out of many

mod carrier;
mod dials;
mod embedded;
mod foreign;
mod js;

use crosscast_exam::transport::Candidate;
use crosscast_libp2p::{Libp2p, Libp2pConfig, Multiaddr};
use crosscast_port::{DialError, Report};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NetworkState, NodeId, SecretKey};

/// A sidecar that is attached to running nodes and listens nowhere by itself.
struct Attached(Vec<Multiaddr>);

impl Candidate for Attached {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let config = Libp2pConfig { hosts: self.0.clone(), ..Libp2pConfig::new(SecretKey::new([node; 32])) };
        Box::new(Libp2p::new(config).unwrap())
    }

    fn listen_at(&self, node: u8) -> Locator {
        OnLoopback::tcp().listen_at(node)
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        OnLoopback::tcp().nowhere()
    }
}

/// How the network stands, and whether others can be met there.
fn standing(report: &Report) -> Option<(NetworkState, bool)> {
    match report {
        Report::Network(network) => Some((network.state, network.meets)),
        _ => None,
    }
}

/// A place that was found.
fn found(report: &Report) -> Option<Locator> {
    match report {
        Report::Found { locator } => Some(locator.clone()),
        _ => None,
    }
}

/// A sidecar on loopback.
struct OnLoopback {
    listen: &'static str,
    answer_of_nowhere: DialError,
}

impl OnLoopback {
    const fn tcp() -> Self {
        Self { listen: "/ip4/127.0.0.1/tcp/0", answer_of_nowhere: DialError::Unreachable }
    }

    const fn quic() -> Self {
        Self { listen: "/ip4/127.0.0.1/udp/0/quic-v1", answer_of_nowhere: DialError::Timeout }
    }
}

impl Candidate for OnLoopback {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        Box::new(Libp2p::new(Libp2pConfig::new(SecretKey::new([node; 32]))).unwrap())
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse(&format!("libp2p:{}", self.listen)).unwrap()
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Locator::parse(&format!("libp2p:{}", self.listen.replace("/0", &format!("/{free}")))).unwrap()
    }

    fn answer_of_nowhere(&self) -> DialError {
        self.answer_of_nowhere.clone()
    }
}

mod tcp {
    use super::OnLoopback;
    crosscast_exam::sit_transport_exam!(OnLoopback::tcp());
}

mod quic {
    use super::OnLoopback;
    crosscast_exam::sit_transport_exam!(OnLoopback::quic());
}
