//! Questions about what flows over a link: order, priority, back-pressure, bounds.

use std::time::Duration;

use crosscast_port::Request;
use crosscast_transport::RequestError;
use crosscast_transport::{LINK_SHARE_BYTES, TOTAL_SHARE_BYTES};
use crosscast_wire::Lane;
use crosscast_wire::limits::FRAME_MAX;

use super::station::{assert_numbered, numbered};
use super::{Candidate, Pair, Station};

/// One read's worth that may come on top of a bound, in bytes: the largest buffer any transport reads with, and the
/// bookkeeping of its frames.
const BATCH_SLACK: usize = 512 * 1024;

/// Frames of a lane arrive in the order they were sent, whole, whatever the other lanes do.
pub async fn frames_keep_their_order_within_each_lane(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let len = |number: u32| usize::try_from(number * 7919 % 60_000).unwrap();
    let frames = (0..200).flat_map(|n| Lane::ALL.iter().map(move |&lane| numbered(lane, n, len(n)))).collect();
    let ((), got) = tokio::join!(pair.a.send(pair.link_a, frames), pair.b.receive(pair.link_b, 800));
    for &lane in Lane::ALL {
        assert_numbered(&got, lane, 200, len);
    }
}

/// A link carries both directions at once.
pub async fn both_directions_can_be_saturated_at_once(candidate: &dyn Candidate) {
    let Pair { mut a, mut b, link_a, link_b, .. } = Pair::new(candidate).await;
    let frames = || (0..200).map(|n| numbered(Lane::Normal, n, 100_000)).collect::<Vec<_>>();
    let (got_a, got_b) = tokio::join!(
        async {
            a.send(link_a, frames()).await;
            a.receive(link_a, 200).await
        },
        async {
            b.send(link_b, frames()).await;
            b.receive(link_b, 200).await
        }
    );
    assert_numbered(&got_a, Lane::Normal, 200, |_| 100_000);
    assert_numbered(&got_b, Lane::Normal, 200, |_| 100_000);
}

/// The greatest length is allowed on every lane; one byte more is refused before it is sent, and the link lives.
pub async fn a_frame_of_the_greatest_length_passes_and_a_longer_one_is_refused(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let longest = Lane::ALL.iter().map(|&lane| numbered(lane, 0, FRAME_MAX)).collect();
    let ((), got) = tokio::join!(pair.a.send(pair.link_a, longest), pair.b.receive(pair.link_b, 4));
    for &lane in Lane::ALL {
        assert_numbered(&got, lane, 1, |_| FRAME_MAX);
    }
    let longer = Request::Send { link: pair.link_a, frames: vec![numbered(Lane::Bulk, 0, FRAME_MAX + 1)] };
    assert_eq!(pair.a.driver.request(longer), Err(RequestError::TooLarge));
    pair.a.send(pair.link_a, vec![numbered(Lane::Bulk, 0, 4)]).await;
    assert_numbered(&pair.b.receive(pair.link_b, 1).await, Lane::Bulk, 1, |_| 4);
}

/// A control frame sent after bulk that could not leave arrives before that bulk.
pub async fn control_overtakes_bulk_that_waits(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let bulk = numbered(Lane::Bulk, 0, 10_000);
    let sent = pair.a.send_until_dry(pair.link_a, &bulk, Duration::from_millis(500)).await;
    pair.a.send(pair.link_a, vec![numbered(Lane::Control, 0, 50)]).await;
    let got = pair.b.receive(pair.link_b, sent + 1).await;
    let at = got.iter().position(|frame| frame.lane == Lane::Control).expect("control arrived");
    let behind = got.len() - 1 - at;
    assert!(behind >= 6, "{behind} bulk frames behind control of {sent}");
}

/// When the peer's node takes nothing, grants stop, memory stays bounded, and everything arrives when it goes on.
pub async fn a_reader_that_stops_dries_up_the_writer_and_loses_nothing(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let frame = numbered(Lane::Normal, 0, 50_000);
    let sent = pair.a.send_until_dry(pair.link_a, &frame, Duration::from_millis(700)).await;
    assert!(sent * 50_000 < 64 * 1024 * 1024, "{sent} frames went somewhere");
    let waiting = pair.b.driver.waiting_bytes();
    assert!((LINK_SHARE_BYTES..=LINK_SHARE_BYTES + BATCH_SLACK).contains(&waiting), "{waiting} bytes wait");
    let got = pair.b.receive(pair.link_b, sent).await;
    assert!(got.iter().all(|one| one.tail == frame.tail));
    let more: Vec<_> = (0..100).map(|n| numbered(Lane::Normal, n, 50_000)).collect();
    let ((), got) = tokio::join!(pair.a.send(pair.link_a, more), pair.b.receive(pair.link_b, 100));
    assert_numbered(&got, Lane::Normal, 100, |_| 50_000);
}

/// A link whose peer takes nothing does not slow another link of the same node.
pub async fn a_link_that_stands_still_holds_up_no_other(candidate: &dyn Candidate) {
    let mut pair = Pair::new(candidate).await;
    let mut c = Station::start(candidate, 3);
    let at = c.listen(candidate.listen_at(3)).await.unwrap();
    let (up, (link_c, _)) = tokio::join!(pair.a.dial(at), c.accept());
    let (link, _) = up.unwrap();
    pair.a.send_until_dry(pair.link_a, &numbered(Lane::Bulk, 0, 50_000), Duration::from_millis(300)).await;
    let frames = (0..300).map(|n| numbered(Lane::Bulk, n, 20_000)).collect();
    let ((), got) = tokio::join!(pair.a.send(link, frames), c.receive(link_c, 300));
    assert_numbered(&got, Lane::Bulk, 300, |_| 20_000);
}

/// Many links that flood a node with small frames fill only its bound, and nothing is lost when it goes on.
pub async fn a_flood_over_many_links_stays_within_bounds(candidate: &dyn Candidate) {
    const LINKS: usize = 24;
    let mut pair = Pair::new(candidate).await;
    let mut links = vec![(pair.link_a, pair.link_b)];
    for _ in 1..LINKS {
        let (up, (link_b, _)) = tokio::join!(pair.a.dial(pair.at.clone()), pair.b.accept());
        links.push((up.unwrap().0, link_b));
    }
    let mut sent = Vec::new();
    for (n, &(link_a, _)) in links.iter().enumerate() {
        // All but the last fill up; the last has a few frames only and must not drown.
        if n + 1 < LINKS {
            sent.push(pair.a.send_until_dry(link_a, &numbered(Lane::Urgent, 0, 200), Duration::from_millis(50)).await);
        } else {
            pair.a.send(link_a, vec![numbered(Lane::Urgent, 0, 200); 10]).await;
            sent.push(10);
        }
    }
    let most = (LINKS * (LINK_SHARE_BYTES + BATCH_SLACK)).min(TOTAL_SHARE_BYTES + BATCH_SLACK);
    assert!(pair.b.driver.waiting_bytes() <= most, "{} bytes wait", pair.b.driver.waiting_bytes());
    for (&(_, link_b), &count) in links.iter().zip(&sent).rev() {
        assert_eq!(pair.b.receive(link_b, count).await.len(), count);
    }
}
