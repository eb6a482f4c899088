//! A link outlives the address of its dialler.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use crosscast_exam::transport::loss::Apart;
use crosscast_exam::transport::path::Weather;
use crosscast_exam::transport::{Candidate, Pair, Station};
use crosscast_port::LinkId;
use crosscast_tls::QuicSockets;
use crosscast_transport::Transport;
use crosscast_wire::{FrameType, Lane, Locator, NodeId, RawFrame};
use tokio::time::sleep;

use super::V4;

/// Frames in each direction: 6 MB, hundreds of round trips of what a path takes at first.
const FRAMES: u32 = 300;

/// Moves in the middle of it.
const MOVES: usize = 4;

fn frames() -> Vec<RawFrame> {
    let frame = |number: u32| {
        let mut body = number.to_be_bytes().to_vec();
        body.resize(20_000, 7);
        RawFrame::new(FrameType::MESSAGE, Lane::ALL[usize::try_from(number % 4).unwrap()], body.into())
    };
    (0..FRAMES).map(frame).collect()
}

/// Every frame of every lane came, once and in order.
fn assert_whole(got: &[RawFrame]) {
    let sent = frames();
    assert_eq!(got.len(), sent.len());
    for &lane in Lane::ALL {
        let of = |frames: &[RawFrame]| frames.iter().filter(|frame| frame.lane == lane).cloned().collect::<Vec<_>>();
        assert!(of(got) == of(&sent), "lane {lane}");
    }
}

/// Sends in both directions at once.
async fn transfer((a, link_a): (&mut Station, LinkId), (b, link_b): (&mut Station, LinkId)) {
    let count = frames().len();
    let (got_a, got_b) = tokio::join!(
        async {
            a.send(link_a, frames()).await;
            a.receive(link_a, count).await
        },
        async {
            b.send(link_b, frames()).await;
            b.receive(link_b, count).await
        }
    );
    assert_whole(&got_a);
    assert_whole(&got_b);
}

/// Keeps a hand on the sockets of the nodes it starts.
#[derive(Default)]
struct Movable(Mutex<Vec<QuicSockets>>);

impl Candidate for Movable {
    fn transport(&self, node: u8) -> Box<dyn Transport> {
        let quic = V4.quic(node);
        self.0.lock().unwrap().push(quic.sockets());
        Box::new(quic)
    }

    fn listen_at(&self, node: u8) -> Locator {
        V4.listen_at(node)
    }

    fn key(&self, node: u8) -> Option<NodeId> {
        V4.key(node)
    }

    fn nowhere(&self) -> Locator {
        V4.nowhere()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_survives_new_sockets_of_the_dialler() {
    let movable = Movable::default();
    let Pair { mut a, mut b, link_a, link_b, .. } = Pair::new(&movable).await;
    let [dialler, listener] = <[QuicSockets; 2]>::try_from(movable.0.into_inner().unwrap()).unwrap();
    assert_eq!(listener.rebind().unwrap(), [], "a socket that listens stays");
    let moving = async {
        let mut places: Vec<SocketAddr> = Vec::new();
        for _ in 0..MOVES {
            sleep(Duration::from_millis(40)).await;
            let now = dialler.rebind().unwrap();
            assert_eq!(now.len(), 1);
            assert!(!places.contains(&now[0]), "{places:?}");
            places.extend(now);
        }
    };
    tokio::join!(moving, transfer((&mut a, link_a), (&mut b, link_b)));
    transfer((&mut a, link_a), (&mut b, link_b)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_survives_a_nat_that_forgets_its_mapping() {
    let Apart { mut a, mut b, path, link_a, link_b } =
        Apart::new(&V4, Weather::calm(Duration::from_millis(10)), 1).await;
    let forgetting = async {
        for _ in 0..MOVES {
            sleep(Duration::from_millis(150)).await;
            path.remap();
        }
    };
    tokio::join!(forgetting, transfer((&mut a, link_a), (&mut b, link_b)));
}
