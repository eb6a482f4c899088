//! The memory transport sits the transports' exam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)] // a look picks one kind of report out of many

use crosscast_exam::transport::Candidate;
use crosscast_memory::{Hub, Memory};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};

struct InMemory(Hub);

impl Candidate for InMemory {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        Box::new(Memory::with_node(self.0.clone(), NodeId::new([node; 32])))
    }

    fn listen_at(&self, node: u8) -> Locator {
        Locator::parse(&format!("memory:node-{node}")).unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(NodeId::new([node; 32]))
    }

    fn nowhere(&self) -> Locator {
        Locator::parse("memory:nowhere").unwrap()
    }
}

crosscast_exam::sit_transport_exam!(InMemory(Hub::new()));

/// Every link dies young; a dialler that tries again gets everything through in the end.
#[tokio::test]
async fn a_faulty_transport_cuts_links_and_a_new_dial_goes_on() {
    use crosscast_exam::transport::Station;
    use crosscast_transport::{Faulty, Tapped};
    use crosscast_wire::{FrameType, Lane, RawFrame};
    use std::sync::Arc;

    struct Cut(InMemory);
    impl Candidate for Cut {
        fn transport(&self, node: u8) -> Box<dyn Transport> {
            Box::new(Tapped::new(self.0.transport(node), Arc::new(Faulty::new(7, 20))))
        }
        fn listen_at(&self, node: u8) -> Locator {
            self.0.listen_at(node)
        }
        fn key(&self, node: u8) -> Option<NodeId> {
            self.0.key(node)
        }
        fn nowhere(&self) -> Locator {
            self.0.nowhere()
        }
    }

    let inner = InMemory(Hub::new());
    let mut receiver = Station::start(&inner, 1);
    let at = receiver.listen(inner.listen_at(1)).await.unwrap();
    let mut sender = Station::start(&Cut(InMemory(inner.0.clone())), 2);
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Urgent, vec![1, 2, 3].into());
    let (mut got, mut links) = (0, 0);
    while got < 50 {
        links += 1;
        let (up, (link_b, _)) = tokio::join!(sender.dial(at.clone()), receiver.accept());
        let link = up.unwrap().0;
        // Each frame is waited for; a cut shows as a link that is down instead.
        for _ in 0..20 {
            sender.send(link, vec![frame.clone()]).await;
            let arrived = receiver
                .until(|report| match report {
                    crosscast_port::Report::Frames { link, .. } if *link == link_b => Some(true),
                    crosscast_port::Report::Down { link, .. } if *link == link_b => Some(false),
                    _ => None,
                })
                .await;
            if !arrived {
                break;
            }
            got += 1;
        }
    }
    assert!(links >= 3, "{links} links were enough");
}
