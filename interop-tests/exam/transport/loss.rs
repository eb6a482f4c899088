//! What lost packets do to lanes: for transports whose lanes travel on their own over UDP.
//!
//! A transport's tests ask these at reduced size, and its measuring program at full size; both get figures back and
//! judge them themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crosscast_port::LinkId;
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};
use tokio::time::sleep;

use super::measure::{Beside, answer_pings, pings_beside_bulk};
use super::path::{Carried, UdpPath, Weather};
use super::station::numbered;
use super::{Candidate, Station};

/// Two stations with a path between them.
#[derive(Debug)]
pub struct Apart {
    /// The station that dialled.
    pub a: Station,
    /// The station that listens.
    pub b: Station,
    /// The path between them.
    pub path: UdpPath,
    /// The dialler's name of the link.
    pub link_a: LinkId,
    /// The listener's name of the link.
    pub link_b: LinkId,
}

impl Apart {
    /// Starts nodes 1 and 2 and links them over a path.
    pub async fn new(candidate: &dyn Candidate, weather: Weather, seed: u64) -> Self {
        Self::between(candidate, Station::start(candidate, 1), weather, seed).await
    }

    /// Links a station that runs to a new one over a path.
    pub async fn between(candidate: &dyn Candidate, mut a: Station, weather: Weather, seed: u64) -> Self {
        let mut b = Station::start(candidate, 2);
        let at = b.listen(candidate.listen_at(2)).await.expect("the listener is up");
        let path = UdpPath::to(at.address().parse().expect("an address"), weather, seed).await;
        let front = Locator::new(at.scheme(), &path.front.to_string(), None).unwrap();
        let (up, accepted) = tokio::join!(a.dial(front), b.accept());
        Self { a, b, path, link_a: up.expect("the dial succeeds").0, link_b: accepted.0 }
    }
}

/// Round trips of control frames, and what went beside them.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The round trips beside what was sent.
    pub beside: Beside,
    /// Bytes of bulk frames that arrived.
    pub bulk: usize,
    /// What the path carried.
    pub carried: Carried,
}

/// Saturates lane bulk over a path for a time, and measures the round trips of control frames beside it.
pub async fn control_beside_bulk(candidate: &dyn Candidate, weather: Weather, seed: u64, time: Duration) -> Figures {
    let Apart { mut a, b, path, link_a, .. } = Apart::new(candidate, weather, seed).await;
    let arrived = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&arrived);
    let count = move |frame: &RawFrame| _ = counter.fetch_add(frame.body_len(), Ordering::Relaxed);
    let echo = tokio::spawn(answer_pings(b, count));
    let beside = pings_beside_bulk(&mut a, link_a, Duration::from_millis(20), time).await;
    let figures = Figures { beside, bulk: arrived.load(Ordering::Relaxed), carried: path.carried() };
    echo.abort();
    figures
}

/// One way of the paths on which single packets are lost: repairing a loss takes three of them at least, so it shows
/// beside whatever a busy machine does.
const FAR: Duration = Duration::from_millis(60);

/// Control frames sent behind each bulk frame.
const CONTROL: u32 = 5;

/// Sends a bulk frame of six packets and, when they are on their way, control frames; in each round, if asked, one of
/// the bulk frame's packets is lost, which one by the seed. Returns in how many rounds all control frames arrived
/// before the bulk frame.
pub async fn control_before_bulk(candidate: &dyn Candidate, seed: u64, rounds: u32, lose: bool) -> u32 {
    let Apart { mut a, mut b, path, link_a, link_b } = Apart::new(candidate, Weather::calm(FAR), seed).await;
    // Until then the path's size is being searched, with long packets that are not the frame's.
    sleep(Duration::from_millis(1_500)).await;
    let mut first = 0;
    for round in 0..rounds {
        if lose {
            path.lose_after(usize::try_from((seed ^ u64::from(round).wrapping_mul(0x9e37_79b9)) % 5).unwrap());
        }
        a.send(link_a, vec![numbered(Lane::Bulk, round, 8_000)]).await;
        // The frame is just arriving; a repair comes a whole round trip later.
        sleep(FAR).await;
        a.send(link_a, (0..CONTROL).map(|n| numbered(Lane::Control, n, 40)).collect()).await;
        let got = b.receive(link_b, usize::try_from(CONTROL).unwrap() + 1).await;
        first += u32::from(got.last().is_some_and(|frame| frame.lane == Lane::Bulk));
    }
    assert_eq!(path.carried().lost, if lose { usize::try_from(rounds).unwrap() } else { 0 });
    first
}

/// Loses the packet of a control frame of a type, sends data on every lane behind it, and returns what arrived in its
/// order.
pub async fn data_behind_a_lost_control_frame(candidate: &dyn Candidate, of: FrameType, seed: u64) -> Vec<RawFrame> {
    let Apart { mut a, mut b, path, link_a, link_b } = Apart::new(candidate, Weather::calm(FAR), seed).await;
    sleep(Duration::from_millis(1_500)).await;
    path.lose_after(0);
    a.send(link_a, vec![RawFrame { frame_type: of, ..numbered(Lane::Control, 0, 1_100) }]).await;
    sleep(FAR / 3).await;
    a.send(link_a, [Lane::Bulk, Lane::Normal, Lane::Urgent].map(|lane| numbered(lane, 0, 40)).to_vec()).await;
    let got = b.receive(link_b, 4).await;
    assert_eq!(path.carried().lost, 1);
    got
}

/// What came over a path whose NAT forgot its mapping again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Frames that were sent and arrived, each once and in order.
    pub frames: u32,
    /// Times the mapping was forgotten.
    pub moves: u32,
}

/// Sends numbered frames for a time over a path whose NAT forgets its mapping at every interval, and checks that all of
/// them arrive, once and in order, on the one link.
pub async fn transfer_over_moves(candidate: &dyn Candidate, every: Duration, time: Duration, seed: u64) -> Moved {
    let Apart { mut a, mut b, path, link_a, link_b } =
        Apart::new(candidate, Weather::calm(Duration::from_millis(10)), seed).await;
    let len = |number: u32| usize::try_from(number.wrapping_mul(7919) % 60_000).unwrap();
    let sent = AtomicU32::new(0);
    let sending = async {
        let (start, mut moves) = (Instant::now(), 0);
        while start.elapsed() < time {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            a.send(link_a, vec![numbered(Lane::Normal, number, len(number))]).await;
            if start.elapsed() > every * (moves + 1) {
                path.remap();
                moves += 1;
            }
        }
        a.send(link_a, vec![numbered(Lane::Control, 0, 4)]).await;
        moves
    };
    let receiving = async {
        let (mut next, mut last) = (0, false);
        // The last word may overtake what was sent before it.
        while !last || next < sent.load(Ordering::Relaxed) {
            for frame in b.receive(link_b, 1).await {
                last |= frame.lane == Lane::Control;
                if frame.lane == Lane::Normal {
                    assert!(frame == numbered(Lane::Normal, next, len(next)), "frame {next} is another");
                    next += 1;
                }
            }
        }
        next
    };
    let (moves, frames) = tokio::join!(sending, receiving);
    Moved { frames, moves }
}
