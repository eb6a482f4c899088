//! The transport sits the transports' exam, over daemons that say what was recorded and addresses of theirs on `lo`.

use std::net::{Ipv6Addr, TcpListener};
use std::sync::Mutex;

use crosscast_exam::transport::Candidate;
use crosscast_hosts::yggdrasil::{AdminServer, At, Recording};
use crosscast_transport::Transport;
use crosscast_wire::{Locator, NodeId};
use crosscast_yggdrasil::{AdminAddress, YggdrasilConfig, transport};

use super::{node_id, on_lo};

/// Nodes beside daemons, one each in turn.
struct Beside {
    recordings: Vec<Recording>,
    servers: Mutex<Vec<AdminServer>>,
}

impl Beside {
    /// Nodes beside daemons of these versions, where their addresses can be had.
    fn daemons(versions: &[&str]) -> Option<Self> {
        let recordings: Vec<_> = versions.iter().map(|version| Recording::of(version)).collect();
        let ready = recordings.iter().all(|recording| on_lo(recording.nodes()[0].address));
        ready.then(|| Self { recordings, servers: Mutex::default() })
    }

    fn recording(&self, node: u8) -> &Recording {
        &self.recordings[usize::from(node) % self.recordings.len()]
    }

    fn address(&self, node: u8) -> Ipv6Addr {
        self.recording(node).nodes()[0].address
    }
}

impl Candidate for Beside {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let server = AdminServer::replay(self.recording(node).clone(), At::Tcp);
        let admin = AdminAddress::parse(server.address()).ok();
        self.servers.lock().unwrap().push(server);
        transport(YggdrasilConfig { admin, port: 0, ..YggdrasilConfig::new(node_id(node)) }).unwrap()
    }

    fn listen_at(&self, node: u8) -> Locator {
        Locator::parse(&format!("ygg://[{}]:0", self.address(node))).unwrap()
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        Some(node_id(node))
    }

    fn nowhere(&self) -> Locator {
        // Bound and let go: nothing listens there.
        let free = TcpListener::bind((self.address(2), 0)).unwrap().local_addr().unwrap();
        Locator::parse(&format!("ygg://{free}")).unwrap()
    }
}

mod one_daemon {
    use super::*;
    crosscast_exam::sit_transport_exam!(match Beside::daemons(&["0.5.14"]) {
        Some(candidate) => candidate,
        None => return,
    });
}

mod two_daemons {
    use super::*;
    crosscast_exam::sit_transport_exam!(
        match Beside::daemons(&["0.4.7", "0.5.14"]) {
            Some(candidate) => candidate,
            None => return,
        };
        frames_keep_their_order_within_each_lane,
        both_ends_of_a_link_know_each_other,
        a_dial_that_asks_for_another_key_fails,
        a_dial_to_nowhere_fails,
        what_was_sent_before_a_close_arrives,
    );
}
