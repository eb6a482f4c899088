//! Questions about a node's limits and deadlines. A transport brings nodes on which the limit in question is small, and
//! what only its own strangers can do.

use std::time::{Duration, Instant};

use crosscast_port::{DialError, DownReason, LinkId, Request};
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};

use super::station::listening;
use super::{Candidate, Pair, Station};

/// A dial to a place that takes everything and says nothing fails with this error, at its deadline. The nodes give a
/// handshake a fraction of a second.
pub async fn a_server_that_never_answers_costs_a_dial_its_deadline(
    candidate: &dyn Candidate,
    silent: Locator,
    error: DialError,
) {
    let start = Instant::now();
    assert_eq!(Station::start(candidate, 1).dial(silent).await.unwrap_err(), error);
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// A node that has its two links dials no third one. Returns the nodes with their links up, so that a stranger can ask
/// the listener for one more.
pub async fn a_dial_beyond_the_limit_of_two_links_is_refused(candidate: &dyn Candidate) -> Pair {
    let mut pair = Pair::new(candidate).await;
    let (up, _) = tokio::join!(pair.a.dial(pair.at.clone()), pair.b.accept());
    up.unwrap();
    assert_eq!(pair.a.dial(pair.at.clone()).await.unwrap_err(), DialError::Full);
    pair
}

/// Where one link is the limit, its end makes room for the next at both nodes.
pub async fn a_link_makes_room_when_it_ends(candidate: &dyn Candidate) {
    let (mut station, at) = listening(candidate).await;
    let mut dialler = Station::start(candidate, 2);
    for _ in 0..5 {
        let (up, (link_b, _)) = tokio::join!(dialler.dial(at.clone()), station.accept());
        let link = up.unwrap().0;
        dialler.driver.request(Request::Close { link }).unwrap();
        dialler.down(link).await;
        station.down(link_b).await;
    }
}

/// A link whose path swallows everything is down as stalled, once its sender has waited for long enough.
pub async fn a_path_that_swallows_everything_stalls_the_link(dialler: &mut Station, link: LinkId) {
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, vec![0; 50_000].into());
    dialler.send_until_dry(link, &frame, Duration::from_millis(300)).await;
    assert_eq!(dialler.down(link).await, DownReason::Stalled);
}
