//! A node reduced to its port: it drives one transport and keeps the core's side of the contract.
//!
//! It sends only within what was granted, and it waits for nothing longer than ten seconds.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use crosscast_port::{DialError, DialId, DownReason, LinkId, LinkUp, ListenError, Report, Request};
use crosscast_transport::{PerLane, PortDriver, TransportError};
use crosscast_wire::{FrameType, Lane, Locator, RawFrame};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Candidate;

/// Longest wait for anything, so that a transport that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node that consists of a port driver and one transport.
#[derive(Debug)]
pub struct Station {
    /// The node's end of the port.
    pub driver: PortDriver,
    /// The transport's task.
    pub task: JoinHandle<Result<(), TransportError>>,
    reports: VecDeque<Report>,
    balances: BTreeMap<LinkId, PerLane<i64>>,
    dials: u64,
}

/// Two stations with a link between them.
#[derive(Debug)]
pub struct Pair {
    /// The station that dialled.
    pub a: Station,
    /// The station that listens.
    pub b: Station,
    /// Where it listens.
    pub at: Locator,
    /// The dialler's name of the link.
    pub link_a: LinkId,
    /// The listener's name of the link.
    pub link_b: LinkId,
}

impl Pair {
    /// Starts nodes 1 and 2 and links them.
    pub async fn new(candidate: &dyn Candidate) -> Self {
        let (mut a, mut b) = (Station::start(candidate, 1), Station::start(candidate, 2));
        let at = b.listen(candidate.listen_at(2)).await.expect("the listener is up");
        let (up, accepted) = tokio::join!(a.dial(at.clone()), b.accept());
        Self { a, b, at, link_a: up.expect("the dial succeeds").0, link_b: accepted.0 }
    }
}

impl Station {
    /// Starts a node of the candidate.
    #[must_use]
    pub fn start(candidate: &dyn Candidate, node: u8) -> Self {
        let transport = candidate.transport(node);
        let mut driver = PortDriver::new();
        let port = driver.attach(transport.scheme());
        let task = tokio::spawn(transport.run(port));
        Self { driver, task, reports: VecDeque::new(), balances: BTreeMap::new(), dials: 0 }
    }

    /// Listens and waits for the answer.
    ///
    /// # Errors
    /// What the transport reported.
    pub async fn listen(&mut self, asked: Locator) -> Result<Locator, ListenError> {
        self.driver.request(Request::Listen { locator: asked.clone() }).unwrap();
        self.until(|report| match report {
            Report::Listening { asked: of, locator } if *of == asked => Some(Ok(locator.clone())),
            Report::ListenFailed { asked: of, error } if *of == asked => Some(Err(error.clone())),
            _ => None,
        })
        .await
    }

    /// Dials and waits for the answer.
    ///
    /// # Errors
    /// What the transport reported.
    pub async fn dial(&mut self, locator: Locator) -> Result<(LinkId, LinkUp), DialError> {
        let dial = self.start_dial(locator);
        self.dialled(dial).await
    }

    /// Dials without waiting.
    pub fn start_dial(&mut self, locator: Locator) -> DialId {
        self.dials += 1;
        let dial = DialId(self.dials);
        self.driver.request(Request::Dial { dial, locator }).unwrap();
        dial
    }

    /// Waits for the answer to a dial.
    ///
    /// # Errors
    /// What the transport reported.
    pub async fn dialled(&mut self, dial: DialId) -> Result<(LinkId, LinkUp), DialError> {
        self.until(|report| match report {
            Report::Up { link, up } if up.dial == Some(dial) => Some(Ok((*link, up.as_ref().clone()))),
            Report::DialFailed { dial: of, error } if *of == dial => Some(Err(error.clone())),
            _ => None,
        })
        .await
    }

    /// Waits for a link that another node dialled.
    pub async fn accept(&mut self) -> (LinkId, LinkUp) {
        self.until(|report| match report {
            Report::Up { link, up } if up.dial.is_none() => Some((*link, up.as_ref().clone())),
            _ => None,
        })
        .await
    }

    /// Waits for the end of a link.
    pub async fn down(&mut self, of: LinkId) -> DownReason {
        self.until(|report| match report {
            Report::Down { link, reason } if *link == of => Some(*reason),
            _ => None,
        })
        .await
    }

    /// Sends frames one by one, waiting for grants.
    pub async fn send(&mut self, link: LinkId, frames: Vec<RawFrame>) {
        for frame in frames {
            while *self.balance(link).get(frame.lane) <= 0 {
                assert!(self.pump().await, "no grant in {PATIENCE:?}");
            }
            self.send_now(link, frame);
        }
    }

    /// Sends frames until grants have been absent for a while; returns how many were sent.
    pub async fn send_until_dry(&mut self, link: LinkId, frame: &RawFrame, quiet: Duration) -> usize {
        let mut sent = 0;
        loop {
            while *self.balance(link).get(frame.lane) > 0 {
                self.send_now(link, frame.clone());
                sent += 1;
            }
            let mut batch = Vec::new();
            if timeout(quiet, self.driver.recv(&mut batch)).await.is_err() {
                return sent;
            }
            self.note(batch);
        }
    }

    fn send_now(&mut self, link: LinkId, frame: RawFrame) {
        let balance = self.balances.entry(link).or_default().get_mut(frame.lane);
        *balance -= i64::try_from(frame.body_len()).unwrap();
        self.driver.request(Request::Send { link, frames: vec![frame] }).expect("within the grants");
    }

    /// Waits for this many frames of a link.
    pub async fn receive(&mut self, of: LinkId, count: usize) -> Vec<RawFrame> {
        let mut got = Vec::new();
        while got.len() < count {
            let frames = self
                .until(|report| match report {
                    Report::Frames { link, frames } if *link == of => Some(frames.clone()),
                    Report::Down { link, reason } if *link == of => {
                        panic!("down as {reason:?} after {} frames", got.len())
                    }
                    _ => None,
                })
                .await;
            got.extend(frames);
        }
        got
    }

    /// Bytes that may be sent on each lane of a link.
    #[must_use]
    pub fn balance(&self, link: LinkId) -> PerLane<i64> {
        self.balances.get(&link).copied().unwrap_or_default()
    }

    /// Waits for a report that the look accepts, and takes it; the others stay for later looks, in order.
    pub async fn until<T>(&mut self, mut look: impl FnMut(&Report) -> Option<T>) -> T {
        let mut from = 0;
        loop {
            for at in from..self.reports.len() {
                if let Some(found) = look(&self.reports[at]) {
                    self.reports.remove(at);
                    return found;
                }
            }
            from = self.reports.len();
            assert!(self.pump().await, "not reported in {PATIENCE:?}; there is {:?}", self.kinds());
        }
    }

    /// Takes reports from the port; false when there was none for too long.
    async fn pump(&mut self) -> bool {
        let mut batch = Vec::new();
        let came = timeout(PATIENCE, self.driver.recv(&mut batch)).await.is_ok();
        self.note(batch);
        came
    }

    fn note(&mut self, batch: Vec<Report>) {
        for report in batch {
            match report {
                Report::Writable { link, lane, bytes } => {
                    *self.balances.entry(link).or_default().get_mut(lane) += i64::from(bytes);
                }
                other => self.reports.push_back(other),
            }
        }
    }

    fn kinds(&self) -> Vec<String> {
        self.reports.iter().map(|report| format!("{report:?}").chars().take(80).collect()).collect()
    }
}

/// Starts node 1 and has it listen.
pub async fn listening(candidate: &dyn Candidate) -> (Station, Locator) {
    let mut station = Station::start(candidate, 1);
    let at = station.listen(candidate.listen_at(1)).await.unwrap();
    (station, at)
}

/// A frame whose body is a number and filling, so that any loss or mix-up shows.
#[must_use]
pub(crate) fn numbered(lane: Lane, number: u32, len: usize) -> RawFrame {
    let mut body = number.to_be_bytes().to_vec();
    body.resize(len.max(4), number.to_le_bytes()[0]);
    RawFrame::new(FrameType::MESSAGE, lane, Bytes::from(body))
}

/// Checks that the frames are the numbered ones of a lane, in order, and whole.
pub(crate) fn assert_numbered(frames: &[RawFrame], lane: Lane, count: u32, len: impl Fn(u32) -> usize) {
    let of_lane: Vec<&RawFrame> = frames.iter().filter(|frame| frame.lane == lane).collect();
    assert_eq!(of_lane.len(), usize::try_from(count).unwrap(), "lane {lane}");
    for (frame, number) in of_lane.iter().zip(0..) {
        let wanted = numbered(lane, number, len(number));
        assert!(frame.frame_type == wanted.frame_type && frame.head.is_empty(), "lane {lane} frame {number}");
        assert!(frame.tail == wanted.tail, "lane {lane} frame {number} is another");
    }
}
