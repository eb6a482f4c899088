//! The QUIC transport sits the same exam, meets the same strangers, and shows what only it can do.

mod hostile;
mod limits;
mod loss;
mod migration;
mod stranger;

use std::time::Duration;

use crosscast_exam::transport::Candidate;
use crosscast_port::DialError;
use crosscast_tls::{Quic, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};

/// Nodes on one loopback address, whose configuration a test may have changed.
pub(crate) struct OverQuic {
    pub(crate) host: &'static str,
    pub(crate) tune: fn(&mut TlsConfig),
}

pub(crate) const V4: OverQuic = OverQuic { host: "127.0.0.1", tune: |_| {} };

impl OverQuic {
    pub(crate) fn quic(&self, node: u8) -> Quic {
        let mut config = TlsConfig::new(crate::secret(node));
        (self.tune)(&mut config);
        Quic::new(config).unwrap()
    }
}

impl Candidate for OverQuic {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let quic = self.quic(node);
        assert_eq!(quic.node(), crate::node_id(node));
        Box::new(quic)
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse(&format!("quic://{}:0", self.host)).unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(crate::node_id(node))
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Locator::parse(&format!("quic://{}:{}", self.host, free.port())).unwrap()
    }

    fn answer_of_nowhere(&self) -> DialError {
        // Nobody says no over UDP.
        DialError::Timeout
    }
}

mod v4 {
    use super::*;
    const HASTY: OverQuic =
        OverQuic { host: "127.0.0.1", tune: |config| config.timeouts.handshake = Duration::from_secs(2) };
    crosscast_exam::sit_transport_exam!(HASTY);
}

mod v6 {
    use super::*;
    use crosscast_exam::transport as exam;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn links_work_over_ipv6() {
        let candidate = OverQuic { host: "[::1]", ..V4 };
        exam::frames_keep_their_order_within_each_lane(&candidate).await;
        exam::both_ends_of_a_link_know_each_other(&candidate).await;
        exam::a_dial_that_asks_for_another_key_fails(&candidate).await;
        exam::what_was_sent_before_a_close_arrives(&candidate).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_families_can_have_the_same_port() {
        let mut station = exam::Station::start(&V4, 1);
        let v4 = station.listen(Locator::parse("quic://0.0.0.0:0").unwrap()).await.unwrap();
        let port = v4.host_port().unwrap().1;
        let v6 = station.listen(Locator::parse(&format!("quic://[::]:{port}")).unwrap()).await.unwrap();
        assert_eq!(v6.host_port(), Some(("::", port)));
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let mut other = exam::Station::start(&V4, 2);
            let at = Locator::parse(&format!("quic://{host}:{port}")).unwrap();
            let (up, _) = tokio::join!(other.dial(at), station.accept());
            assert_eq!(up.unwrap().1.peer, Some(crate::node_id(1)), "{host}");
        }
    }
}
