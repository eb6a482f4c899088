//! A transport for nodes that only send: once the router has said what it has of a group, the node's subscription ends.
//!
//! The protocol knows this (SUBSCRIBE with `on` false), the library does not: a node that joins a group follows it. A
//! thousand nodes that publish would each be sent what all others publish, a hundred times the deliveries in question.
//! So this stands between a node and its TLS transport, passes everything on, and adds that one frame.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::task::{Context, Poll};

use crosscast_port::{LinkId, Report, Request};
use crosscast_transport::{
    BoxFuture, LinkPort, LinkRequest, Port, PortDriver, PortRequest, Reporter, Transport, TransportError,
};
use crosscast_wire::frame::{self, Frame};
use crosscast_wire::{FrameType, RawFrame, Scheme};

/// Wraps a transport.
pub(crate) struct Sender(Box<dyn Transport>);

impl Sender {
    pub(crate) fn new(inner: Box<dyn Transport>) -> Self {
        Self(inner)
    }
}

impl Transport for Sender {
    fn scheme(&self) -> Scheme {
        self.0.scheme()
    }

    fn run(self: Box<Self>, mut port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        let mut inner = PortDriver::new();
        let inner_port = inner.attach(self.0.scheme());
        let running = self.0.run(inner_port);
        let reporter = port.reporter().clone();
        Box::pin(async move {
            let mut middle = Middle { inner, links: BTreeMap::new() };
            let mut running = std::pin::pin!(running);
            loop {
                tokio::select! {
                    done = &mut running => return done,
                    request = port.next() => match request {
                        Some(PortRequest::Listen { locator }) => middle.ask(Request::Listen { locator }),
                        Some(PortRequest::Dial { dial, locator }) => middle.ask(Request::Dial { dial, locator }),
                        None => return Ok(()),
                    },
                    () = poll_fn(|cx| middle.poll(cx, &reporter)) => {}
                }
            }
        })
    }
}

/// Between the node's port and the wrapped transport's.
struct Middle {
    inner: PortDriver,
    /// The node's ends of the wrapped transport's links.
    links: BTreeMap<LinkId, LinkPort>,
}

impl Middle {
    fn ask(&mut self, request: Request) {
        if let Err(error) = self.inner.request(request) {
            eprintln!("a frame was lost between a sender and its link: {error}");
        }
    }

    /// Ready when something was passed on.
    fn poll(&mut self, cx: &mut Context<'_>, reporter: &Reporter) -> Poll<()> {
        let mut reports = Vec::new();
        let mut passed = self.inner.poll_recv(cx, &mut reports).is_ready();
        for report in reports {
            self.pass_in(report, reporter);
        }
        let asked = self.links.iter().filter_map(|(link, port)| match port.poll_next(cx) {
            Poll::Ready(Some(LinkRequest::Send(frames))) => Some(Request::Send { link: *link, frames }),
            Poll::Ready(Some(LinkRequest::Datagram(bytes))) => Some(Request::Datagram { link: *link, bytes }),
            Poll::Ready(Some(LinkRequest::Judge(number, judgement))) => {
                Some(Request::Judge { link: *link, number, judgement })
            },
            Poll::Ready(Some(LinkRequest::Close) | None) => Some(Request::Close { link: *link }),
            Poll::Pending => None,
        });
        for request in asked.collect::<Vec<_>>() {
            passed = true;
            self.ask(request);
        }
        if passed { Poll::Ready(()) } else { Poll::Pending }
    }

    fn pass_in(&mut self, report: Report, reporter: &Reporter) {
        match report {
            Report::Listening { asked, locator } => reporter.listening(asked, locator),
            Report::ListenFailed { asked, error } => reporter.listen_failed(asked, error),
            Report::DialFailed { dial, error } => reporter.dial_failed(dial, error),
            Report::Unlistened { locator } => reporter.unlistened(locator),
            Report::Network(report) => reporter.network(*report),
            Report::Found { locator } => reporter.found(locator),
            Report::Refused { scheme, from, fault } => reporter.refused(scheme, from, fault),
            Report::Up { link, up } => {
                let outer = reporter.open_link();
                outer.up(*up);
                self.links.insert(link, outer);
            }
            Report::Frames { link, frames } => {
                let endings: Vec<RawFrame> = frames.iter().filter_map(ending).collect();
                if let Some(outer) = self.links.get(&link) {
                    outer.frames(frames);
                }
                if !endings.is_empty() {
                    self.ask(Request::Send { link, frames: endings });
                }
            }
            Report::Datagram { link, bytes } => {
                if let Some(outer) = self.links.get(&link) {
                    outer.datagram(bytes);
                }
            }
            Report::Writable { link, lane, bytes } => {
                if let Some(outer) = self.links.get(&link) {
                    outer.grant(lane, bytes);
                }
            }
            Report::Down { link, reason } => {
                if let Some(outer) = self.links.remove(&link) {
                    outer.down(reason);
                }
            }
        }
    }
}

/// The end of the subscription that a complete RESUME answers.
fn ending(raw: &RawFrame) -> Option<RawFrame> {
    if raw.frame_type != FrameType::RESUME {
        return None;
    }
    match Frame::parse(raw) {
        Ok(Frame::Resume { group, more: false, .. }) => Some(frame::subscribe(&group, false, None)),
        _ => None,
    }
}
