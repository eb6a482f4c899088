//! The memory transport sits the transports' exam.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

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
