//! What runs on each connection: it opens and takes streams of our protocol, and nothing else.
//!
//! The streams of one connection are bounded by places that a stream takes for life; a stream without a place is reset.
//! Whether the other side speaks the protocol is learned from what identify says of it, where the host runs identify.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandler, ConnectionHandlerEvent, DialUpgradeError, FullyNegotiatedInbound,
    FullyNegotiatedOutbound, ProtocolsChange, StreamUpgradeError, SubstreamProtocol,
};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use crate::PROTOCOL;

/// Names a stream that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(pub(crate) u64);

/// What the behaviour asks of a connection.
#[derive(Debug)]
pub struct Order(pub(crate) Ask);

#[derive(Debug)]
pub(crate) enum Ask {
    /// Open a stream.
    Open(Ticket),
    /// Keep the connection, or let it go when nothing uses it.
    Keep(bool),
}

/// What a connection tells the behaviour.
#[derive(Debug)]
pub struct Notice(pub(crate) Word);

#[derive(Debug)]
pub(crate) enum Word {
    /// A stream that was asked for is open.
    Opened(Ticket, Placed),
    /// A stream that was asked for could not be opened.
    Failed(Ticket, Failure),
    /// The other side has opened a stream.
    Came(Placed),
    /// Whether the other side speaks our protocol, as it says itself.
    Speaks(bool),
}

/// A stream and its place among those of its connection.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) stream: Stream,
    pub(crate) place: OwnedSemaphorePermit,
}

/// Why a stream could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The connection carries as many as it may.
    Full,
    /// The other side does not speak the protocol.
    Foreign,
    /// It did not answer in time.
    Timeout,
    /// The connection is broken.
    Broken,
}

/// Opens and takes the streams of one connection.
#[derive(Debug)]
pub struct Handler {
    places: Arc<Semaphore>,
    asked: VecDeque<Ticket>,
    words: VecDeque<Word>,
    keep: bool,
}

impl Handler {
    pub(crate) const fn new(places: Arc<Semaphore>, keep: bool) -> Self {
        Self { places, asked: VecDeque::new(), words: VecDeque::new(), keep }
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    fn on_inbound(&mut self, stream: Stream) {
        match self.place() {
            Some(place) => self.words.push_back(Word::Came(Placed { stream, place })),
            None => debug!("a connection has all its links; one more stream is reset"),
        }
    }

    fn on_outbound(&mut self, ticket: Ticket, stream: Stream) {
        let word = match self.place() {
            Some(place) => Word::Opened(ticket, Placed { stream, place }),
            None => Word::Failed(ticket, Failure::Full),
        };
        self.words.push_back(word);
    }

    fn on_remote_protocols(&mut self, change: &ProtocolsChange<'_>) {
        let (mut protocols, speaks) = match change {
            ProtocolsChange::Added(added) => (added.clone().collect::<Vec<_>>().into_iter(), true),
            ProtocolsChange::Removed(removed) => (removed.clone().collect::<Vec<_>>().into_iter(), false),
        };
        if protocols.any(|protocol| *protocol == PROTOCOL) {
            self.words.retain(|word| !matches!(word, Word::Speaks(_)));
            self.words.push_back(Word::Speaks(speaks));
        }
    }
}

fn protocol<I>(info: I) -> SubstreamProtocol<ReadyUpgrade<StreamProtocol>, I> {
    SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), info)
}

fn failure(error: &StreamUpgradeError<Infallible>) -> Failure {
    match error {
        StreamUpgradeError::Timeout => Failure::Timeout,
        StreamUpgradeError::NegotiationFailed => Failure::Foreign,
        StreamUpgradeError::Io(_) => Failure::Broken,
        StreamUpgradeError::Apply(never) => match *never {},
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Notice;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Ticket;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        protocol(())
    }

    fn connection_keep_alive(&self) -> bool {
        // A stream keeps its connection alive by itself.
        self.keep
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order.0 {
            Ask::Open(ticket) => self.asked.push_back(ticket),
            Ask::Keep(keep) => self.keep = keep,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Ticket>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, info: () }) => {
                self.on_inbound(stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound { protocol: stream, info }) => {
                self.on_outbound(info, stream);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                self.words.push_back(Word::Failed(info, failure(&error)));
            }
            ConnectionEvent::RemoteProtocolsChange(change) => self.on_remote_protocols(&change),
            ConnectionEvent::AddressChange(_)
            | ConnectionEvent::ListenUpgradeError(_)
            | ConnectionEvent::LocalProtocolsChange(_)
            | _ => {}
        }
    }

    fn poll(
        &mut self,
        _cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Ticket, Self::ToBehaviour>> {
        if let Some(word) = self.words.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Notice(word)));
        }
        match self.asked.pop_front() {
            Some(ticket) => {
                Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol: protocol(ticket) })
            }
            None => Poll::Pending,
        }
    }
}
