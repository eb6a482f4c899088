//! What measuring programs do with a link: fill it, answer PINGs, and time PINGs beside bulk.
//!
//! These keep books of grants of their own, which the station's [`Station::send`] does not see, and drop reports that
//! are not theirs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use crosscast_port::{LinkId, Report, Request};
use crosscast_wire::{FrameType, Lane, RawFrame};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Station;

/// Bytes in a frame of bulk.
const BULK_LEN: usize = 64 * 1024;

/// One round trip of a control frame, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trip {
    /// How long it took.
    pub took: u64,
    /// When it began, counted from the first.
    pub asked: u64,
}

/// Round trips of control frames beside saturated bulk.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The round trips, the shortest first.
    pub trips: Vec<Trip>,
    /// Bytes of bulk that were sent.
    pub sent: usize,
}

impl Beside {
    /// The round trip below which this share of them is, in microseconds.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> u64 {
        let last = self.trips.len().saturating_sub(1);
        self.trips.get((self.trips.len() * percent / 100).min(last)).map_or(u64::MAX, |trip| trip.took)
    }
}

/// Saturates lane bulk of a link for a time, and measures round trips of PINGs on lane control at an interval.
pub async fn pings_beside_bulk(station: &mut Station, link: LinkId, every: Duration, time: Duration) -> Beside {
    let bulk = RawFrame::new(FrameType::MESSAGE, Lane::Bulk, Bytes::from(vec![7; BULK_LEN]));
    let (mut beside, mut reports) = (Beside::default(), Vec::new());
    let (start, mut ticks) = (Instant::now(), interval(every));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let now = || u64::try_from(start.elapsed().as_micros()).unwrap();
    let mut balance = station.balance(link).bulk;
    while start.elapsed() < time {
        beside.sent += BULK_LEN * spend(station, link, &bulk, &mut balance, usize::MAX);
        tokio::select! {
            _ = ticks.tick() => {
                let body = Bytes::copy_from_slice(&now().to_be_bytes());
                let frames = vec![RawFrame::new(FrameType::PING, Lane::Control, body)];
                station.driver.request(Request::Send { link, frames }).unwrap();
            }
            _ = timeout(Duration::from_secs(1), station.driver.recv(&mut reports)) => {}
        }
        balance += granted(&reports, link, Lane::Bulk);
        for report in reports.drain(..) {
            match report {
                Report::Frames { frames, .. } => {
                    let asked = frames.iter().map(|pong| u64::from_be_bytes(pong.tail[..].try_into().unwrap()));
                    beside.trips.extend(asked.map(|asked| Trip { took: now() - asked, asked }));
                }
                Report::Down { reason, .. } => panic!("down as {reason:?}"),
                _ => {}
            }
        }
    }
    beside.trips.sort_unstable();
    beside
}

/// Sends a frame this many times, as many at once as the grants have room for.
pub async fn send_copies(station: &mut Station, link: LinkId, frame: &RawFrame, count: usize) {
    let (mut balance, mut left) = (*station.balance(link).get(frame.lane), count);
    let mut reports = Vec::new();
    loop {
        left -= spend(station, link, frame, &mut balance, left);
        if left == 0 {
            return;
        }
        station.driver.recv(&mut reports).await;
        balance += granted(&reports, link, frame.lane);
        reports.clear();
    }
}

/// Answers every PING on every link, and shows every other frame to the hook. Never ends.
pub async fn answer_pings(mut station: Station, mut other: impl FnMut(&RawFrame)) {
    let mut reports = Vec::new();
    loop {
        station.driver.recv(&mut reports).await;
        for report in reports.drain(..) {
            let Report::Frames { link, frames } = report else { continue };
            let mut pongs = Vec::new();
            for frame in frames {
                if frame.frame_type == FrameType::PING {
                    pongs.push(RawFrame { frame_type: FrameType::PONG, ..frame });
                } else {
                    other(&frame);
                }
            }
            if !pongs.is_empty() {
                station.driver.request(Request::Send { link, frames: pongs }).unwrap();
            }
        }
    }
}

/// Sends copies of a frame while the balance lasts, at the most so many; returns how many.
fn spend(station: &mut Station, link: LinkId, frame: &RawFrame, balance: &mut i64, most: usize) -> usize {
    let mut frames = Vec::new();
    while *balance > 0 && frames.len() < most {
        *balance -= i64::try_from(frame.body_len()).unwrap();
        frames.push(frame.clone());
    }
    let count = frames.len();
    if count > 0 {
        station.driver.request(Request::Send { link, frames }).unwrap();
    }
    count
}

/// Bytes that reports allow on a lane of a link.
fn granted(reports: &[Report], of: LinkId, on: Lane) -> i64 {
    let grant = |report: &Report| match report {
        Report::Writable { link, lane, bytes } if *link == of && *lane == on => i64::from(*bytes),
        _ => 0,
    };
    reports.iter().map(grant).sum()
}
