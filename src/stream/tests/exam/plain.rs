//! A link without a codec over streams in memory: the questions of the exam that are about a link, and how it ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crosscast_exam::transport::Candidate;
use crosscast_port::{DialError, DownReason, LinkTraits, LinkUp, ListenError, Report, Request, Role};
use crosscast_stream::Timeouts;
use crosscast_stream::link::{Plain, run};
use crosscast_transport::framing::FragmentReader;
use crosscast_transport::{BoxFuture, Port, PortDriver, PortRequest, Transport, TransportError};
use crosscast_wire::{FrameType, Lane, Locator, NodeId, PathKind, PathReason, RawFrame, Scheme};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// What a stream holds in each direction.
const HELD: usize = 64 * 1024;

type Names = Arc<Mutex<BTreeMap<String, mpsc::Sender<DuplexStream>>>>;

/// Nodes of one process, linked by streams in memory.
struct Piped(Names);

struct PipedTransport(Names);

impl Candidate for Piped {
    fn transport(&self, _node: u8) -> Box<dyn Transport> {
        Box::new(PipedTransport(Arc::clone(&self.0)))
    }

    fn listen_at(&self, node: u8) -> Locator {
        Locator::parse(&format!("memory:node-{node}")).unwrap()
    }

    fn key(&self, _node: u8) -> Option<NodeId> {
        None
    }

    fn nowhere(&self) -> Locator {
        Locator::parse("memory:nowhere").unwrap()
    }
}

fn link_up(role: Role, dial: Option<crosscast_port::DialId>, locator: Locator) -> LinkUp {
    LinkUp {
        scheme: Scheme::Memory,
        role,
        dial,
        locator,
        peer: None,
        binding: vec![0; 32].into(),
        traits: LinkTraits::STREAM,
        path: PathKind::Direct,
        reason: PathReason::Lan,
        rendezvous: None,
    }
}

impl Transport for PipedTransport {
    fn scheme(&self) -> Scheme {
        Scheme::Memory
    }

    fn run(self: Box<Self>, mut port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            let (sender, mut incoming) = mpsc::channel(64);
            let mut links = JoinSet::new();
            let reporter = port.reporter().clone();
            loop {
                tokio::select! {
                    request = port.next() => match request {
                        None => return Ok(()),
                        Some(PortRequest::Listen { locator }) => {
                            let name = locator.address().to_owned();
                            if self.0.lock().unwrap().insert(name, sender.clone()).is_some() {
                                reporter.listen_failed(locator, ListenError::AddressInUse);
                            } else {
                                reporter.listening(locator.clone(), locator);
                            }
                        }
                        Some(PortRequest::Dial { dial, locator }) => {
                            let (near, far) = duplex(HELD);
                            let there = self.0.lock().unwrap().get(locator.address()).cloned();
                            if there.is_none_or(|there| there.try_send(far).is_err()) {
                                reporter.dial_failed(dial, DialError::Unreachable);
                                continue;
                            }
                            let link = reporter.open_link();
                            link.up(link_up(Role::Dialer, Some(dial), locator));
                            links.spawn(run(link, near, Plain, Timeouts::default()));
                        }
                        Some(PortRequest::Meet { .. } | PortRequest::Part { .. }) => {}
                    },
                    Some(stream) = incoming.recv() => {
                        let link = reporter.open_link();
                        link.up(link_up(Role::Listener, None, Locator::parse("memory:someone").unwrap()));
                        links.spawn(run(link, stream, Plain, Timeouts::default()));
                    }
                    Some(_) = links.join_next() => {}
                }
            }
        })
    }
}

crosscast_exam::sit_transport_exam!(Piped(Names::default());
    frames_keep_their_order_within_each_lane,
    both_directions_can_be_saturated_at_once,
    a_frame_of_the_greatest_length_passes_and_a_longer_one_is_refused,
    control_overtakes_bulk_that_waits,
    a_reader_that_stops_dries_up_the_writer_and_loses_nothing,
    a_link_that_stands_still_holds_up_no_other,
    a_flood_over_many_links_stays_within_bounds,
    what_was_sent_before_a_close_arrives,
    a_close_ends_although_the_peer_reads_nothing,
    a_node_that_goes_ends_its_transport,
    a_closed_port_ends_its_links,
);

/// Runs a link over one end of a stream; the other is the test's.
fn bare() -> (PortDriver, Port, crosscast_port::LinkId, DuplexStream) {
    let mut driver = PortDriver::new();
    let port = driver.attach(Scheme::Memory);
    let link = port.reporter().open_link();
    let id = link.id();
    link.up(link_up(Role::Listener, None, Locator::parse("memory:a").unwrap()));
    let (near, far) = duplex(HELD);
    tokio::spawn(run(link, near, Plain, Timeouts::default()));
    (driver, port, id, far)
}

async fn down(driver: &mut PortDriver) -> (usize, DownReason) {
    let (mut frames, mut reports) = (0, Vec::new());
    loop {
        driver.recv(&mut reports).await;
        for report in reports.drain(..) {
            match report {
                Report::Frames { frames: of_link, .. } => frames += of_link.len(),
                Report::Down { reason, .. } => return (frames, reason),
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn an_end_between_two_frames_is_the_peers_and_any_other_is_a_break() {
    let frame = [&[0, 0, 3, 0x10, 1][..], b"abc"].concat();
    let half = [&[0, 0, 3, 0x10, 0x81][..], b"abc"].concat();
    for (bytes, wanted) in [
        (Vec::new(), (0, DownReason::PeerClosed)),
        (frame.clone(), (1, DownReason::PeerClosed)),
        (frame[..1].to_vec(), (0, DownReason::Broken)),
        (frame[..7].to_vec(), (0, DownReason::Broken)),
        (half.clone(), (0, DownReason::Broken)),
        ([half, frame].concat(), (1, DownReason::PeerClosed)),
        (vec![0, 0, 1, 0x10, 4], (0, DownReason::Framing)),
    ] {
        let (mut driver, _port, _, mut far) = bare();
        far.write_all(&bytes).await.unwrap();
        far.shutdown().await.unwrap();
        assert_eq!(down(&mut driver).await, wanted, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_close_ends_the_stream_in_order_behind_what_was_sent() {
    let (mut driver, _port, link, mut far) = bare();
    let mut reports = Vec::new();
    while !reports.iter().any(|report| matches!(report, Report::Writable { lane: Lane::Urgent, .. })) {
        driver.recv(&mut reports).await;
    }
    let frame = RawFrame::new(FrameType::MESSAGE, Lane::Urgent, vec![5; 30_000].into());
    driver.request(Request::Send { link, frames: vec![frame.clone()] }).unwrap();
    driver.request(Request::Close { link }).unwrap();
    let mut got = Vec::new();
    far.read_to_end(&mut got).await.unwrap();
    let (mut reader, mut frames) = (FragmentReader::new(), Vec::new());
    reader.push(&got, &mut frames).unwrap();
    assert_eq!(frames, [frame]);
    assert!(reader.is_between_frames(), "and nothing else");
    drop(far);
    assert_eq!(down(&mut driver).await.1, DownReason::Requested);
}
