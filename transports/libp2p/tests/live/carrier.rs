//! Messages over gossipsub, through a js-libp2p node that has joined the topic and takes everything for good.

use std::collections::VecDeque;
use std::time::Duration;

use crosscast_exam::transport::Station;
use crosscast_port::{DownReason, Judgement, LinkId, Report, Request};
use crosscast_wire::{FrameType, Hop, Lane, Message, RawFrame, Rendezvous, RustCrypto, Scheme, Seq};
use futures_util::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::foreign::attached;
use super::js::Js;
use testing::{by_right, chain, frame, message};

#[path = "../../carrier/testing.rs"]
mod testing;

const NAME: Rendezvous = Rendezvous::new([0xc4; 32]);

fn topic() -> String {
    format!("crosscast/1/{}", "c4".repeat(32))
}

/// The bytes of a payload with this message.
fn laid_out(message: &Message) -> Vec<u8> {
    let frame = frame(message);
    let body = [frame.head.as_ref(), frame.tail.as_ref()].concat();
    let [.., high, mid, low] = body.len().to_be_bytes();
    [&[high, mid, low, frame.frame_type.0, frame.lane.number()], body.as_slice()].concat()
}

/// Meets under the name; the carrier, once there is one.
fn meet(station: &mut Station) {
    station.driver.request(Request::Meet { scheme: Scheme::Libp2p, rendezvous: NAME }).unwrap();
}

async fn carrier(station: &mut Station) -> LinkId {
    let carrier = |report: &Report| match report {
        Report::Up { link, up } if up.rendezvous == Some(NAME) => Some(*link),
        _ => None,
    };
    station.until(carrier).await
}

/// A node behind a carrier: judges what comes as the core would.
struct Reader {
    station: Station,
    link: LinkId,
    frames: VecDeque<RawFrame>,
    handed: u64,
}

impl Reader {
    async fn frame(&mut self) -> RawFrame {
        while self.frames.is_empty() {
            self.frames.extend(self.station.receive(self.link, 1).await);
        }
        self.frames.pop_front().unwrap()
    }

    /// The next message that holds.
    async fn next(&mut self) -> Message {
        loop {
            let frame = self.frame().await;
            if frame.frame_type != FrameType::MESSAGE {
                continue;
            }
            self.handed += 1;
            let (_, bytes) = Hop::split(&frame.tail).unwrap();
            let good = Message::parse(bytes)
                .ok()
                .filter(|message| message.verify_signature(&RustCrypto) && message.check_payload_hash());
            let judgement = if good.is_some() { Judgement::Accept } else { Judgement::Reject };
            let judge = Request::Judge { link: self.link, number: self.handed, judgement };
            self.station.driver.request(judge).unwrap();
            if let Some(message) = good {
                return message;
            }
        }
    }
}

/// Two nodes behind a foreign one that has joined their topic.
async fn pair(js: &mut Js) -> ((Station, LinkId), Reader) {
    let (mut a, mut b) = (attached(js, 1).await, attached(js, 2).await);
    meet(&mut a);
    meet(&mut b);
    js.tell(&format!("subscribe {}", topic())).await;
    let (at_a, at_b) = tokio::join!(carrier(&mut a), carrier(&mut b));
    let mut reader = Reader { station: b, link: at_b, frames: VecDeque::new(), handed: 0 };
    // What is published while the foreign node is taking its neighbours in passes by those that are not.
    for seq in 1_000.. {
        a.send(at_a, vec![frame(&message(seq, 10))]).await;
        if timeout(Duration::from_millis(500), reader.next()).await.is_ok() {
            break;
        }
    }
    ((a, at_a), reader)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_crosses_a_foreign_node_with_its_chain() {
    let Some(mut js) = Js::start(0).await else { return };
    let ((mut a, link), mut b) = pair(&mut js).await;
    let chain = chain(Lane::Normal);
    let sent = by_right(1, 5_000);
    a.send(link, vec![chain.clone(), frame(&sent)]).await;
    let seen = js.until(|event| event["ev"] == "message" && event["bytes"].as_u64().unwrap() > 5_000).await;
    assert_eq!(seen["topic"], topic());
    assert_eq!(b.frame().await, chain);
    assert_eq!(b.next().await.bytes(), sent.bytes());
    // What does not fit is for streams.
    a.send(link, vec![frame(&message(2, 61 * 1024)), frame(&message(3, 10))]).await;
    assert_eq!(b.next().await.header().seq, Seq(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_carrier_is_there_while_a_foreign_neighbour_has_joined_and_the_node_meets() {
    let Some(mut js) = Js::start(0).await else { return };
    let ((mut a, link), mut b) = pair(&mut js).await;
    a.driver.request(Request::Part { scheme: Scheme::Libp2p, rendezvous: NAME }).unwrap();
    assert_eq!(a.down(link).await, DownReason::PeerClosed);
    b.station.driver.request(Request::Close { link: b.link }).unwrap();
    assert_eq!(b.station.down(b.link).await, DownReason::Requested);
}

/// A swarm that puts whatever it likes on the topic.
struct Forger {
    swarm: Swarm<gossipsub::Behaviour>,
    orders: mpsc::Receiver<Vec<u8>>,
}

impl Forger {
    fn start(seed: u8, host: &Multiaddr) -> mpsc::Sender<Vec<u8>> {
        let config = gossipsub::ConfigBuilder::default().build().unwrap();
        let mut swarm = SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes([seed; 32]).unwrap())
            .with_tokio()
            .with_tcp(tcp::Config::new(), noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|key| gossipsub::Behaviour::new(MessageAuthenticity::Signed(key.clone()), config).unwrap())
            .unwrap()
            .build();
        swarm.dial(host.clone()).unwrap();
        swarm.behaviour_mut().subscribe(&IdentTopic::new(topic())).unwrap();
        let (give, orders) = mpsc::channel(10_000);
        tokio::spawn(Self { swarm, orders }.run());
        give
    }

    async fn run(mut self) {
        loop {
            tokio::select! {
                _ = self.swarm.select_next_some() => {}
                order = self.orders.recv() => {
                    let Some(data) = order else { return };
                    while self.swarm.behaviour_mut().publish(IdentTopic::new(topic()), data.clone()).is_err() {
                        let _ = timeout(Duration::from_millis(20), self.swarm.select_next_some()).await;
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgers_of_several_names_behind_a_foreign_node_do_not_stop_honest_traffic() {
    const FORGERS: u8 = 4;
    const MESSAGES: u64 = 60;
    let Some(mut js) = Js::start(0).await else { return };
    let ((mut a, link), mut b) = pair(&mut js).await;
    // One message came already, so the honest author is known.
    let known = b.handed;
    let forgers: Vec<_> = (0..FORGERS).map(|seed| Forger::start(100 + seed, &js.address)).collect();
    for seq in 1..=MESSAGES {
        let honest = message(seq, 1_000);
        for (n, forger) in forgers.iter().enumerate() {
            // The header of the very message that follows, with another payload; and what is nothing at all.
            let mut forged = laid_out(&honest);
            let last = forged.len() - 1;
            forged[last] = u8::try_from(n).unwrap();
            let _ = forger.try_send(forged);
            let _ = forger.try_send(format!("junk {n} {seq}").into_bytes());
        }
        // The forgeries have a head start.
        tokio::time::sleep(Duration::from_millis(20)).await;
        a.send(link, vec![frame(&honest)]).await;
        assert_eq!(b.next().await.header().seq, Seq(seq));
    }
    let handed = b.handed - known;
    assert!(handed > MESSAGES, "no forgery came: {handed}");
    // Who forged twenty is not heard any more.
    assert!(handed <= MESSAGES + u64::from(FORGERS) * 20, "{handed} were handed up");
}
