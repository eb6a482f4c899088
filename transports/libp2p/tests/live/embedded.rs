//! Nodes in somebody's own swarm: they sit the same exam, meet a node with a swarm of ours, and the example works.

use crosscast_exam::transport::{Candidate, Station};
use crosscast_libp2p::embed;
use crosscast_port::DialError;
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NetworkState, NodeId, PathReason, RawFrame};
use futures_util::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{SwarmBuilder, identify, noise, tcp, yamux};

use super::{Attached, OnLoopback, found, standing};

#[path = "../../examples/embed.rs"]
mod example;

#[derive(NetworkBehaviour)]
struct Host {
    identify: identify::Behaviour,
    crosscast: crosscast_libp2p::Behaviour,
}

/// A program with a swarm, as far as the exam sees it.
struct InSomebodysSwarm;

impl Candidate for InSomebodysSwarm {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let key = Keypair::ed25519_from_bytes([node; 32]).unwrap();
        let (crosscast, transport) = embed(key.public().to_peer_id());
        let mut swarm = SwarmBuilder::with_existing_identity(key)
            .with_tokio()
            .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|key| Host {
                identify: identify::Behaviour::new(identify::Config::new("/host/1".to_owned(), key.public())),
                crosscast,
            })
            .unwrap()
            .build();
        tokio::spawn(async move { while swarm.next().await.is_some() {} });
        Box::new(transport)
    }

    fn listen_at(&self, _node: u8) -> Locator {
        Locator::parse("libp2p:/ip4/127.0.0.1/tcp/0").unwrap()
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        OnLoopback::tcp().nowhere()
    }
}

mod exam {
    use super::InSomebodysSwarm;
    crosscast_exam::sit_transport_exam!(InSomebodysSwarm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_attached_to_a_program_finds_the_node_in_it_and_is_found() {
    let mut host = Station::start(&InSomebodysSwarm, 1);
    assert_eq!(host.until(standing).await, (NetworkState::Up, false));
    let at = host.listen(InSomebodysSwarm.listen_at(0)).await.unwrap();
    let mut own = Station::start(&Attached(vec![at.address().parse().unwrap()]), 2);
    assert_eq!(own.until(standing).await, (NetworkState::Starting, true));
    assert_eq!(own.until(standing).await, (NetworkState::Up, true));
    // Each learns from identify that the other is worth dialling.
    let (to_host, to_own) = tokio::join!(own.until(found), host.until(found));
    assert!(to_host.address().starts_with("/ip4/127.0.0.1/tcp/") && to_own.address().contains("/p2p/"));
    for (dialler, place, listener) in [(&mut own, to_host, true), (&mut host, to_own, false)] {
        let (_, up) = dialler.dial(place).await.unwrap();
        assert_eq!(up.reason, PathReason::Lan, "listener first: {listener}");
    }
    let ((link, _), (far, _)) = (own.accept().await, host.accept().await);
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Normal, vec![7; 100_000].into());
    own.send(link, vec![frame.clone()]).await;
    host.send(far, vec![frame]).await;
}

#[tokio::test]
async fn a_swarm_that_is_gone_is_no_way_to_anybody() {
    let (behaviour, transport) = embed(Keypair::generate_ed25519().public().to_peer_id());
    drop(behaviour);
    struct Orphan(std::sync::Mutex<Option<crosscast_libp2p::Embedded>>);
    impl Candidate for Orphan {
        fn transport(&self, _node: u8) -> Box<dyn Transport> {
            Box::new(self.0.lock().unwrap().take().unwrap())
        }
        fn listen_at(&self, node: u8) -> Locator {
            InSomebodysSwarm.listen_at(node)
        }
        fn key(&self, _node: u8) -> Option<NodeId> {
            None
        }
        fn nowhere(&self) -> Locator {
            InSomebodysSwarm.nowhere()
        }
    }
    let orphan = Orphan(std::sync::Mutex::new(Some(transport)));
    let mut station = Station::start(&orphan, 1);
    assert_eq!(station.dial(orphan.nowhere()).await.unwrap_err(), DialError::Unreachable);
    assert!(station.listen(orphan.listen_at(1)).await.is_err());
}

#[test]
fn the_example_carries_a_message_from_one_program_to_the_other() {
    example::main().unwrap();
}
