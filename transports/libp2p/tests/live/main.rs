//! The libp2p transport sits the transports' exam, over TCP and over QUIC.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)] // a look picks one kind of report out of many

mod dials;
mod embedded;

use crosscast_exam::transport::Candidate;
use crosscast_libp2p::{Libp2p, Libp2pConfig};
use crosscast_port::DialError;
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId, SecretKey};

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
