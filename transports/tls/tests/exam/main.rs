//! The TLS transport sits the transports' exam on IPv4 and IPv6 loopback, and meets strangers that break the rules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod hostile;
mod limits;
mod quic;
mod stranger;

use crosscast_exam::transport::Candidate;
use crosscast_tls::{Tls, TlsConfig};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId, SecretKey};

/// Nodes on one loopback address.
struct OnLoopback(&'static str);

fn secret(node: u8) -> SecretKey {
    SecretKey::new([node; 32])
}

fn node_id(node: u8) -> NodeId {
    NodeId::new(secret(node).public())
}

impl Candidate for OnLoopback {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let tls = Tls::new(TlsConfig::new(secret(node))).unwrap();
        assert_eq!(tls.node(), node_id(node));
        Box::new(tls)
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse(&format!("tls://{}:0", self.0)).unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(node_id(node))
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Locator::parse(&format!("tls://{}:{}", self.0, free.port())).unwrap()
    }
}

mod v4 {
    use super::*;
    crosscast_exam::sit_transport_exam!(OnLoopback("127.0.0.1"));
}

mod v6 {
    use super::*;
    use crosscast_exam::transport as exam;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn links_work_over_ipv6() {
        let candidate = OnLoopback("[::1]");
        exam::frames_keep_their_order_within_each_lane(&candidate).await;
        exam::both_ends_of_a_link_know_each_other(&candidate).await;
        exam::a_dial_that_asks_for_another_key_fails(&candidate).await;
        exam::what_was_sent_before_a_close_arrives(&candidate).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn both_families_can_have_the_same_port() {
        let mut station = exam::Station::start(&OnLoopback("127.0.0.1"), 1);
        let v4 = station.listen(Locator::parse("tls://0.0.0.0:0").unwrap()).await.unwrap();
        let port = v4.host_port().unwrap().1;
        let v6 = station.listen(Locator::parse(&format!("tls://[::]:{port}")).unwrap()).await.unwrap();
        assert_eq!(v6.host_port(), Some(("::", port)));
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let mut other = exam::Station::start(&OnLoopback("127.0.0.1"), 2);
            let at = Locator::parse(&format!("tls://{host}:{port}")).unwrap();
            let (up, _) = tokio::join!(other.dial(at), station.accept());
            assert_eq!(up.unwrap().1.peer, Some(node_id(1)), "{host}");
        }
    }
}
