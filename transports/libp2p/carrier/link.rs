//! The carrier as the node's port sees it: a link without a peer, over which only messages and their chains go.
//!
//! Its task puts what the node sends together into payloads, hands up what came, and carries judgements down. Both ways
//! are bounded: what the node may send by grants, what came by the bytes that all carriers together may hold.

use bytes::Bytes;
use crosscast_port::{DownReason, Judgement, LinkTraits, LinkUp, Role};
use crosscast_transport::{Grants, LinkPort, LinkRequest, PerLane};
use crosscast_wire::{FrameType, Lane, Locator, PathKind, PathReason, RawFrame, Rendezvous, Scheme};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tracing::debug;

use super::codec::{self, Payload};

/// Payloads that a carrier may have handed to its task. 64: what waits here is bounded in bytes too.
pub(crate) const INBOX: usize = 64;

/// A payload on its way up, and its share of the bytes that may wait.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) payload: Payload,
    pub(crate) room: OwnedSemaphorePermit,
}

/// What a carrier asks of the swarm.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Publish a payload.
    Publish(Vec<u8>),
    /// A message that was handed up is judged.
    Judge(u64, Judgement),
    /// The node wants the carrier no more.
    Closed,
}

/// Words of all carriers, each with the name it meets under.
pub(crate) type Words = mpsc::Sender<(Rendezvous, Word)>;

/// Runs a carrier until the node closes it or the swarm lets go of its inbox.
pub(crate) async fn run(port: LinkPort, rendezvous: Rendezvous, mut inbox: mpsc::Receiver<Handed>, words: Words) {
    let Some(locator) = Locator::new(Scheme::Libp2p, &format!("/{}", codec::topic(&rendezvous)), None).ok() else {
        return;
    };
    port.up(LinkUp {
        scheme: Scheme::Libp2p,
        role: Role::Dialer,
        dial: None,
        locator,
        peer: None,
        binding: Bytes::new(),
        // Whatever is carried can be read by whoever joins the topic.
        traits: LinkTraits { ordered: false, encrypted: false, broadcast: true, ..LinkTraits::STREAM },
        path: PathKind::Relayed,
        reason: PathReason::Overlay,
        rendezvous: Some(rendezvous),
    });
    let mut desk = Desk { rendezvous, words, grants: Grants::default(), chains: PerLane::default() };
    let reason = loop {
        for &lane in Lane::ALL {
            port.grant(lane, desk.grants.take_due(lane));
        }
        tokio::select! {
            request = port.next() => if let Some(reason) = desk.on_request(request).await {
                break reason;
            },
            handed = next(&port, &mut inbox) => match handed {
                Some(Handed { payload: Payload { chain, message }, room }) => {
                    port.frames(chain.into_iter().chain([message]).collect());
                    drop(room);
                }
                None => break DownReason::PeerClosed,
            },
        }
    };
    port.down(reason);
}

/// The next payload, taken only when the node has room for it.
async fn next(port: &LinkPort, inbox: &mut mpsc::Receiver<Handed>) -> Option<Handed> {
    port.room().await.ok()?;
    inbox.recv().await
}

struct Desk {
    rendezvous: Rendezvous,
    words: Words,
    grants: Grants,
    /// The chain that stands before the next message of its lane.
    chains: PerLane<Option<RawFrame>>,
}

impl Desk {
    async fn on_request(&mut self, request: Option<LinkRequest>) -> Option<DownReason> {
        match request {
            None => return Some(DownReason::Stopped),
            Some(LinkRequest::Send(frames)) => {
                for frame in frames {
                    self.send(frame).await;
                }
            }
            Some(LinkRequest::Judge(number, judgement)) => self.say(Word::Judge(number, judgement)).await,
            // The traits say that there are none.
            Some(LinkRequest::Datagram(_)) => {}
            Some(LinkRequest::Close) => {
                self.say(Word::Closed).await;
                return Some(DownReason::Requested);
            }
        }
        None
    }

    async fn send(&mut self, frame: RawFrame) {
        let lane = frame.lane;
        // As in the core's balance, a frame without a body counts as one byte.
        self.grants.left(lane, frame.body_len().max(1));
        match frame.frame_type {
            FrameType::CHAIN => *self.chains.get_mut(lane) = Some(frame),
            FrameType::MESSAGE => {
                let payload = Payload { chain: self.chains.get_mut(lane).take(), message: frame };
                match codec::encode(&payload) {
                    Some(data) => self.say(Word::Publish(data)).await,
                    None => debug!(bytes = payload.message.body_len(), "too long for a carrier; streams bring it"),
                }
            }
            other => debug!(frame = other.0, "nothing but messages goes over a carrier"),
        }
    }

    async fn say(&self, word: Word) {
        // Nobody hears it when the swarm is gone, and then the inbox is too.
        let _ = self.words.send((self.rendezvous, word)).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use crate::carrier::codec::{PAYLOAD_MAX, decode};
    use crate::carrier::testing::{by_right, chain, frame, message};
    use crosscast_port::{LinkId, Report, Request};
    use crosscast_transport::PortDriver;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    struct Rig {
        driver: PortDriver,
        link: LinkId,
        inbox: mpsc::Sender<Handed>,
        words: mpsc::Receiver<(Rendezvous, Word)>,
        reports: Vec<Report>,
    }

    const NAME: Rendezvous = Rendezvous::new([5; 32]);

    async fn rig() -> Rig {
        let mut driver = PortDriver::new();
        let port = driver.attach(Scheme::Libp2p);
        let (to, words) = mpsc::channel(8);
        let (inbox, from) = mpsc::channel(INBOX);
        tokio::spawn(run(port.reporter().open_link(), NAME, from, to));
        let mut reports = Vec::new();
        driver.recv(&mut reports).await;
        let Some(Report::Up { link, up }) = reports.first().cloned() else { panic!("{reports:?}") };
        assert!(up.traits.broadcast && up.rendezvous == Some(NAME) && up.peer.is_none());
        Rig { driver, link, inbox, words, reports: Vec::new() }
    }

    impl Rig {
        fn send(&mut self, frames: Vec<RawFrame>) {
            self.driver.request(Request::Send { link: self.link, frames }).unwrap();
        }

        async fn report(&mut self) -> Report {
            while self.reports.is_empty() {
                self.driver.recv(&mut self.reports).await;
                self.reports.retain(|report| !matches!(report, Report::Writable { .. }));
            }
            self.reports.remove(0)
        }
    }

    #[tokio::test]
    async fn a_message_goes_out_behind_its_chain_and_what_is_too_long_does_not() {
        let mut rig = rig().await;
        let [long, short] = [message(2, PAYLOAD_MAX), message(3, 20)];
        rig.send(vec![chain(Lane::Normal), frame(&by_right(1, 10)), frame(&long), frame(&short)]);
        let mut published = Vec::new();
        for _ in 0..2 {
            let Some((NAME, Word::Publish(data))) = rig.words.recv().await else { panic!("no payload") };
            published.push(decode(data).unwrap());
        }
        assert!(published[0].chain.is_some() && published[1].chain.is_none());
        rig.driver.request(Request::Judge { link: rig.link, number: 9, judgement: Judgement::Reject }).unwrap();
        assert_eq!(rig.words.recv().await, Some((NAME, Word::Judge(9, Judgement::Reject))));
        rig.driver.request(Request::Close { link: rig.link }).unwrap();
        assert_eq!(rig.words.recv().await, Some((NAME, Word::Closed)));
        assert_eq!(rig.report().await, Report::Down { link: rig.link, reason: DownReason::Requested });
    }

    #[tokio::test]
    async fn what_came_is_handed_up_while_the_node_has_room_and_the_end_of_the_swarm_is_the_carriers() {
        let mut rig = rig().await;
        let room = Arc::new(Semaphore::new(1_000));
        for number in 0..20 {
            let room = Arc::clone(&room).acquire_many_owned(50).await.unwrap();
            let payload = Payload { chain: None, message: frame(&message(number + 1, 50_000)) };
            rig.inbox.send(Handed { payload, room }).await.unwrap();
        }
        // The node takes half a megabyte of one link at once, and the rest stays here.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(rig.driver.waiting_bytes() < 700_000 && room.available_permits() < 600);
        let mut count = 0;
        while count < 20 {
            let Report::Frames { frames, .. } = rig.report().await else { panic!("not frames") };
            count += frames.len();
        }
        assert_eq!(room.available_permits(), 1_000);
        drop(rig.inbox);
        let mut reports = Vec::new();
        rig.driver.recv(&mut reports).await;
        let down = Report::Down { link: rig.link, reason: DownReason::PeerClosed };
        assert_eq!(reports.last(), Some(&down));
    }
}
