//! Questions about how links, ports and transports end.

use std::time::{Duration, Instant};

use crosscast_port::{DownReason, Request};
use crosscast_wire::Lane;
use tokio::time::timeout;

use super::station::{assert_numbered, numbered};
use super::{Candidate, Pair};

/// A close flushes what was sent before it; both sides hear of the end, each with its reason.
pub async fn what_was_sent_before_a_close_arrives(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let frames = (0..100).map(|n| numbered(Lane::Bulk, n, 20_000)).collect();
    let (a, link) = (&mut pair.a, pair.link_a);
    let send_and_close = async {
        a.send(link, frames).await;
        a.driver.request(Request::Close { link }).unwrap();
    };
    let ((), got) = tokio::join!(send_and_close, pair.b.receive(pair.link_b, 100));
    assert_numbered(&got, Lane::Bulk, 100, |_| 20_000);
    assert_eq!(pair.b.down(pair.link_b).await, DownReason::PeerClosed);
    assert_eq!(pair.a.down(pair.link_a).await, DownReason::Requested);
    assert_eq!(pair.a.driver.waiting_bytes() + pair.b.driver.waiting_bytes(), 0);
}

/// A close gives up flushing after about a second.
pub async fn a_close_ends_although_the_peer_reads_nothing(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    pair.a.send_until_dry(pair.link_a, &numbered(Lane::Bulk, 0, 50_000), Duration::from_millis(500)).await;
    let start = Instant::now();
    pair.a.driver.request(Request::Close { link: pair.link_a }).unwrap();
    assert_eq!(pair.a.down(pair.link_a).await, DownReason::Requested);
    assert!(start.elapsed() < Duration::from_secs(3), "it took {:?}", start.elapsed());
}

/// A peer whose transport dies without a word is down at once where the network tells, and on the own side too.
pub async fn a_peer_that_vanishes_is_down(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    pair.a.task.abort();
    assert_eq!(pair.a.down(pair.link_a).await, DownReason::Stopped);
    assert_eq!(pair.b.down(pair.link_b).await, DownReason::Broken);
}

/// When the node drops its end of the port, the transport's future ends in order and with it every link.
pub async fn a_node_that_goes_ends_its_transport(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    drop(pair.a.driver);
    let ended = timeout(Duration::from_secs(3), pair.a.task).await.expect("the transport ends");
    assert_eq!(ended.unwrap(), Ok(()));
    pair.b.down(pair.link_b).await;
}

/// When the node detaches one transport, that transport ends and its links are reported down.
pub async fn a_closed_port_ends_its_links(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    pair.b.driver.detach(candidate.listen_at(2).scheme());
    assert_eq!(pair.b.down(pair.link_b).await, DownReason::Stopped);
    let ended = timeout(Duration::from_secs(3), pair.b.task).await.expect("the transport ends");
    assert_eq!(ended.unwrap(), Ok(()));
    pair.a.down(pair.link_a).await;
}
