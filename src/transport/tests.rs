//! The port's promises: order, fair turns, bounds, and an end for everyone when one side goes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use crosscast_port::{DialError, DialId, DownReason, LinkTraits, LinkUp, ListenError, Report, Request, Role};
use crosscast_wire::limits::FRAME_MAX;
use crosscast_wire::{FrameType, Lane, Locator, PathKind, PathReason, RawFrame, Scheme};

use super::*;

fn locator() -> Locator {
    Locator::parse("memory:somewhere").unwrap()
}

fn link_up() -> LinkUp {
    LinkUp {
        scheme: Scheme::Memory,
        role: Role::Dialer,
        dial: None,
        locator: locator(),
        peer: None,
        binding: Bytes::new(),
        traits: LinkTraits::STREAM,
        path: PathKind::Direct,
        reason: PathReason::Lan,
        rendezvous: None,
    }
}

fn frame(lane: Lane, len: usize) -> RawFrame {
    RawFrame::new(FrameType::MESSAGE, lane, Bytes::from(vec![0; len]))
}

fn take(driver: &mut PortDriver) -> Vec<Report> {
    let mut reports = Vec::new();
    while driver.try_recv(&mut reports) {}
    reports
}

fn now() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

/// An announced link whose `Up` was taken.
fn open(driver: &mut PortDriver, port: &Port) -> LinkPort {
    let link = port.reporter().open_link();
    link.up(link_up());
    assert!(matches!(take(driver)[..], [Report::Up { .. }]));
    link
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_link_is_told_from_up_to_down_in_order() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = port.reporter().open_link();
    link.grant(Lane::Bulk, 5);
    assert_eq!(take(&mut driver), [], "nobody hears of a link before it is up");
    link.up(link_up());
    link.frames(vec![frame(Lane::Bulk, 1)]);
    link.frames(vec![frame(Lane::Bulk, 2)]);
    link.grant(Lane::Bulk, 7);
    link.datagram(Bytes::from_static(b"d"));
    let id = link.id();
    link.down(DownReason::PeerClosed);
    assert_eq!(
        take(&mut driver),
        [
            Report::Up { link: id, up: Box::new(link_up()) },
            Report::Writable { link: id, lane: Lane::Bulk, bytes: 12 },
            Report::Frames { link: id, frames: vec![frame(Lane::Bulk, 1), frame(Lane::Bulk, 2)] },
            Report::Datagram { link: id, bytes: Bytes::from_static(b"d") },
            Report::Down { link: id, reason: DownReason::PeerClosed },
        ]
    );
    assert_eq!(driver.waiting_bytes(), 0);
}

#[test]
fn a_link_that_is_dropped_is_down_as_stopped_and_one_never_up_is_silent() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    drop(port.reporter().open_link());
    let link = open(&mut driver, &port);
    let id = link.id();
    drop(link);
    assert_eq!(take(&mut driver), [Report::Down { link: id, reason: DownReason::Stopped }]);
    assert_eq!(driver.request(Request::Send { link: id, frames: vec![frame(Lane::Bulk, 1)] }), Ok(()));
}

#[test]
fn a_flooding_link_stops_at_its_share_and_delays_another_by_one_turn() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let (flood, calm) = (open(&mut driver, &port), open(&mut driver, &port));
    let mut batches = 0;
    while flood.poll_room(&mut now()) == Poll::Ready(Ok(())) {
        flood.frames(vec![frame(Lane::Bulk, 64 * 1024)]);
        batches += 1;
    }
    assert_eq!(batches, 8);
    assert_eq!(calm.poll_room(&mut now()), Poll::Ready(Ok(())));
    calm.frames(vec![frame(Lane::Urgent, 10)]);
    let mut reports = Vec::new();
    assert!(driver.try_recv(&mut reports));
    let of_calm = |report: &Report| matches!(report, Report::Frames { link, .. } if *link == calm.id());
    assert!(reports.iter().any(of_calm), "both fit one turn");
    assert_eq!(flood.poll_room(&mut now()), Poll::Ready(Ok(())));
}

#[test]
fn all_links_together_stay_within_the_sum_and_every_one_is_woken_when_it_drains() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let links: Vec<LinkPort> = (0..10_000).map(|_| port.reporter().open_link()).collect();
    let mut stopped = 0;
    for link in &links {
        link.up(link_up());
        while link.poll_room(&mut Context::from_waker(&waker)) == Poll::Ready(Ok(())) {
            link.frames(vec![frame(Lane::Bulk, 64 * 1024)]);
        }
        stopped += 1;
        assert!(driver.waiting_bytes() <= TOTAL_SHARE_BYTES + 65 * 1024);
    }
    assert_eq!(stopped, 10_000);
    assert!(driver.waiting_bytes() >= TOTAL_SHARE_BYTES);
    assert_eq!(bell.0.load(Ordering::SeqCst), 0);
    take(&mut driver);
    assert_eq!(driver.waiting_bytes(), 0);
    assert_eq!(bell.0.load(Ordering::SeqCst), 10_000);
}

#[test]
fn the_driver_is_woken_once_by_the_first_report() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = open(&mut driver, &port);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut reports = Vec::new();
    assert!(driver.poll_recv(&mut Context::from_waker(&waker), &mut reports).is_pending());
    link.grant(Lane::Urgent, 1);
    link.grant(Lane::Urgent, 1);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert!(driver.poll_recv(&mut Context::from_waker(&waker), &mut reports).is_ready());
    assert_eq!(reports, [Report::Writable { link: link.id(), lane: Lane::Urgent, bytes: 2 }]);
}

#[test]
fn frames_pass_within_the_grant_and_may_overdraw_it_once() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = open(&mut driver, &port);
    let send = |link: &LinkPort, lane, lens: &[usize]| Request::Send {
        link: link.id(),
        frames: lens.iter().map(|&len| frame(lane, len)).collect(),
    };
    link.grant(Lane::Bulk, 100);
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[1])), Err(RequestError::Overdrawn), "not granted yet");
    take(&mut driver);
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[100, 1])), Err(RequestError::Overdrawn));
    assert!(link.poll_next(&mut now()).is_pending(), "of a refused batch nothing is sent");
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[99, FRAME_MAX])), Ok(()));
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[1])), Err(RequestError::Overdrawn));
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[FRAME_MAX + 1])), Err(RequestError::TooLarge));
    let sent = vec![frame(Lane::Bulk, 99), frame(Lane::Bulk, FRAME_MAX)];
    assert_eq!(link.poll_next(&mut now()), Poll::Ready(Some(LinkRequest::Send(sent))));
    link.grant(Lane::Bulk, u32::try_from(FRAME_MAX - 1).unwrap());
    take(&mut driver);
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[1])), Err(RequestError::Overdrawn), "nothing left");
    link.grant(Lane::Bulk, 1);
    take(&mut driver);
    assert_eq!(driver.request(send(&link, Lane::Bulk, &[1])), Ok(()));
}

#[test]
fn close_comes_after_what_was_sent_before_it() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = open(&mut driver, &port);
    link.grant(Lane::Control, 10);
    take(&mut driver);
    driver.request(Request::Send { link: link.id(), frames: vec![frame(Lane::Control, 3)] }).unwrap();
    driver.request(Request::Close { link: link.id() }).unwrap();
    let sent = LinkRequest::Send(vec![frame(Lane::Control, 3)]);
    assert_eq!(link.poll_next(&mut now()), Poll::Ready(Some(sent)));
    assert_eq!(link.poll_next(&mut now()), Poll::Ready(Some(LinkRequest::Close)));
    assert!(link.poll_next(&mut now()).is_pending());
}

#[test]
fn what_no_transport_can_take_is_answered_by_a_report() {
    let mut driver = PortDriver::new();
    let dial = |n: u64| Request::Dial { dial: DialId(n), locator: locator() };
    driver.request(dial(1)).unwrap();
    driver.request(Request::Listen { locator: locator() }).unwrap();
    let port = driver.attach(Scheme::Memory);
    for n in 0..=u64::try_from(PORT_REQUESTS).unwrap() {
        driver.request(dial(n)).unwrap();
    }
    drop(port);
    driver.request(dial(2)).unwrap();
    assert_eq!(
        take(&mut driver),
        [
            Report::DialFailed { dial: DialId(1), error: DialError::BadLocator },
            Report::ListenFailed { asked: locator(), error: ListenError::BadLocator },
            Report::DialFailed { dial: DialId(256), error: DialError::Full },
            Report::DialFailed { dial: DialId(2), error: DialError::Unreachable },
        ]
    );
}

#[test]
fn everyone_hears_that_the_node_is_gone() {
    let mut driver = PortDriver::new();
    let mut port = driver.attach(Scheme::Memory);
    let link = open(&mut driver, &port);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(link.poll_next(&mut Context::from_waker(&waker)).is_pending());
    drop(driver);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert_eq!(link.poll_next(&mut now()), Poll::Ready(None));
    assert_eq!(link.poll_room(&mut now()), Poll::Ready(Err(PortClosed)));
    assert!(port.reporter().is_closed());
    assert_eq!(port.requests.blocking_recv(), None);
}

#[test]
fn link_ids_are_never_used_twice_in_a_node() {
    let mut driver = PortDriver::new();
    let (a, b) = (driver.attach(Scheme::Memory), driver.attach(Scheme::Tls));
    let ids = [a.reporter().next_link_id(), b.reporter().open_link().id(), a.reporter().open_link().id()];
    assert!(ids[0] < ids[1] && ids[1] < ids[2]);
}

#[test]
fn a_tap_sees_both_ways_and_can_cut_a_link() {
    let mut driver = PortDriver::new();
    let mut port = driver.attach(Scheme::Memory);
    let seen = Arc::new(AtomicUsize::default());
    let count = Arc::clone(&seen);
    let spy = move |_, way, frames: &[RawFrame]| {
        count.fetch_add(if way == Way::In { 1 } else { 100 } * frames.len(), Ordering::SeqCst);
        frames[0].body_len() < 50
    };
    port.reporter.tap = tap::TapSlot(Some(Arc::new(spy)));
    let link = open(&mut driver, &port);
    link.grant(Lane::Bulk, 100);
    link.frames(vec![frame(Lane::Bulk, 1), frame(Lane::Bulk, 2)]);
    assert_eq!(take(&mut driver).len(), 2);
    driver.request(Request::Send { link: link.id(), frames: vec![frame(Lane::Bulk, 3)] }).unwrap();
    assert!(link.poll_next(&mut now()).is_ready());
    assert_eq!(seen.load(Ordering::SeqCst), 102);
    link.frames(vec![frame(Lane::Bulk, 50)]);
    assert_eq!(take(&mut driver), [], "what cuts the link is lost");
    assert_eq!(link.poll_next(&mut now()), Poll::Ready(None));
    assert_eq!(link.poll_room(&mut now()), Poll::Ready(Err(PortClosed)));
}

#[test]
fn the_same_seed_cuts_the_same_links_at_the_same_frames() {
    let lives = |seed: u64| -> Vec<usize> {
        let faulty = Faulty::new(seed, 100);
        let one = [frame(Lane::Bulk, 1)];
        let life = |link| (0..).take_while(|_| faulty.pass(crosscast_port::LinkId(link), Way::Out, &one)).count();
        (0..50).map(life).collect()
    };
    assert_eq!(lives(1), lives(1));
    assert_ne!(lives(1), lives(2));
    assert!(lives(1).iter().all(|&life| life < 100) && lives(1).iter().any(|&life| life > 50));
}

/// An express way with a lever; it notes what it sent, and sends only while it is free.
#[derive(Debug, Default)]
struct Lever {
    free: std::sync::atomic::AtomicBool,
    sent: std::sync::Mutex<Vec<usize>>,
}

impl Express for Lever {
    fn send(&self, frames: Vec<RawFrame>) -> Result<bool, Vec<RawFrame>> {
        if !self.free.load(Ordering::SeqCst) {
            return Err(frames);
        }
        self.sent.lock().unwrap().extend(frames.iter().map(RawFrame::body_len));
        Ok(false)
    }
}

#[test]
fn small_frames_go_by_express_unless_something_waits_before_them() {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = open(&mut driver, &port);
    link.grant(Lane::Bulk, 1_000_000);
    take(&mut driver);
    let way = Arc::new(Lever::default());
    let express: Arc<dyn Express> = Arc::clone(&way) as _;
    link.set_express(Arc::downgrade(&express));
    let mut send =
        |len| driver.request(Request::Send { link: link.id(), frames: vec![frame(Lane::Bulk, len)] }).unwrap();
    let lens = |asked| match asked {
        Poll::Ready(Some(LinkRequest::Send(frames))) => frames.iter().map(RawFrame::body_len).collect(),
        Poll::Ready(_) => panic!("{asked:?}"),
        Poll::Pending => Vec::new(),
    };
    way.free.store(true, Ordering::SeqCst);
    send(1);
    send(EXPRESS_MAX + 1);
    send(2);
    assert_eq!(
        lens(link.poll_next(&mut now())),
        [EXPRESS_MAX + 1, 2],
        "the large one is the task's, and what follows it"
    );
    send(3);
    way.free.store(false, Ordering::SeqCst);
    send(4);
    way.free.store(true, Ordering::SeqCst);
    send(5);
    assert_eq!(lens(link.poll_next(&mut now())), [4, 5], "what was given back stays in front");
    send(6);
    assert_eq!(*way.sent.lock().unwrap(), [1, 3, 6]);
    drop((way, express));
    send(7);
    assert_eq!(lens(link.poll_next(&mut now())), [7], "the way ended before the link");
}
