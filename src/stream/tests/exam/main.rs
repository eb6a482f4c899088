//! The transport over an attached host node sits the transports' exam on loopback, meets peers that are not what they
//! say, and a host node that comes and goes; plain streams sit what of the exam concerns a link.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)] // a look picks one kind of report out of many

mod attested;
mod host;
mod hostile;
mod limits;
mod plain;
mod restarts;
mod stranger;

use std::time::Duration;

use crosscast_exam::transport::Candidate;
use crosscast_stream::overlay::{Looks, Overlay, OverlayConfig, Ownership};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};
use host::{LoopbackHost, host_secret, node_id};

/// What a node is made of.
type Made = (LoopbackHost, OverlayConfig);

/// Nodes on loopback, made as a test wants them.
struct Nodes<M>(M);

/// Nodes that each have a host node of their own.
const ON_LOOPBACK: Nodes<fn(u8) -> Made> = Nodes(|node| (host_of(node), config(node)));

/// Nodes on loopback whose configuration a test has changed.
fn tuned(tune: fn(&mut OverlayConfig)) -> impl Candidate {
    Nodes(move |node| {
        let mut config = config(node);
        tune(&mut config);
        (host_of(node), config)
    })
}

/// A configuration for tests: any free port, and looks that come quickly.
fn config(node: u8) -> OverlayConfig {
    let quick = Duration::from_millis(20);
    let looks = Looks { up: quick, down: quick, neighbours: quick };
    OverlayConfig { port: 0, looks, ..OverlayConfig::new(node_id(node)) }
}

fn host_of(node: u8) -> LoopbackHost {
    LoopbackHost::up(host_secret(node, Ownership::Node).public())
}

impl<M: Fn(u8) -> Made + Send + Sync> Candidate for Nodes<M> {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let (host, config) = (self.0)(node);
        Box::new(Overlay::new(host, config).unwrap())
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse("ygg://[::1]:0").unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(node_id(node))
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = std::net::TcpListener::bind("[::1]:0").unwrap().local_addr().unwrap();
        Locator::parse(&format!("ygg://{free}")).unwrap()
    }
}

crosscast_exam::sit_transport_exam!(ON_LOOPBACK);
