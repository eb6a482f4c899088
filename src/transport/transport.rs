//! What a transport is, and the end of the port that it holds.
//!
//! A transport takes `Listen` and `Dial` from its [`Port`] until the port closes, and opens one [`LinkPort`] for each
//! link it makes. What concerns one link (send, close) never passes through here.

use std::sync::Arc;

use crosscast_port::{DialError, DialId, LinkId, ListenError, NetworkReport, Report};
use crosscast_wire::{Locator, PeerFault, Rendezvous, Scheme};
use futures_core::future::BoxFuture;
use tokio::sync::mpsc;

use crate::LinkPort;
use crate::board::Board;
use crate::tap::TapSlot;

/// A way to reach peers over one network.
///
/// `run` is the whole life of the transport. It returns `Ok` when the port closes, after ending every task it started;
/// dropping its future must end them too.
pub trait Transport: Send {
    /// The first part of the locators it dials and listens on.
    fn scheme(&self) -> Scheme;

    /// Serves the port until it closes.
    ///
    /// # Errors
    /// When it cannot work at all; a failed listener, dial or link is a report and no error.
    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>>;
}

/// Why a transport cannot work at all, by guilty party.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// Its configuration cannot be used; the words say what.
    #[error("configuration cannot be used: {0}")]
    Config(String),
    /// The operating system refused something it needs; the words are its own.
    #[error("the system refused: {0}")]
    System(String),
    /// The host node it is attached to does not answer as it should.
    #[error("the host node misbehaved: {0}")]
    Host(String),
}

/// What a transport is asked to do that is not about one of its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRequest {
    /// Listen on a locator; port 0 picks a free one.
    Listen {
        /// Where.
        locator: Locator,
    },
    /// Open a link.
    Dial {
        /// The attempt's name, repeated in the answer.
        dial: DialId,
        /// Where to; a NodeId in it is the key that must answer.
        locator: Locator,
    },
    /// Look for others who meet under a name, and carry messages to them where the network can.
    Meet {
        /// The name.
        rendezvous: Rendezvous,
    },
    /// Meet there no more; the carrier ends.
    Part {
        /// The name.
        rendezvous: Rendezvous,
    },
}

/// A transport's end: requests come out of it, reports go into it.
#[derive(Debug)]
pub struct Port {
    pub(crate) requests: mpsc::Receiver<PortRequest>,
    pub(crate) reporter: Reporter,
}

impl Port {
    /// Waits for the next request; `None` when the node has closed the port and the transport must end.
    pub async fn next(&mut self) -> Option<PortRequest> {
        self.requests.recv().await
    }

    /// The reporting half, to be cloned into tasks.
    #[must_use]
    pub const fn reporter(&self) -> &Reporter {
        &self.reporter
    }
}

/// Answers requests and opens links; cheap to clone.
///
/// None of its methods waits: there is one answer per request and one report per link event, so what is kept here is
/// bounded by what was asked.
#[derive(Clone, Debug)]
pub struct Reporter {
    pub(crate) board: Arc<Board>,
    pub(crate) tap: TapSlot,
}

impl Reporter {
    /// A number no other link of this node has.
    #[must_use]
    pub fn next_link_id(&self) -> LinkId {
        self.board.next_link_id()
    }

    /// Opens the port of a new link. The node hears of it when [`LinkPort::up`] is called.
    #[must_use]
    pub fn open_link(&self) -> LinkPort {
        LinkPort::new(Arc::clone(&self.board), self.tap.clone())
    }

    /// Reports that a listener is up, with the locator it became.
    pub fn listening(&self, asked: Locator, locator: Locator) {
        self.board.answer(Report::Listening { asked, locator });
    }

    /// Reports that a listener could not be made.
    pub fn listen_failed(&self, asked: Locator, error: ListenError) {
        self.board.answer(Report::ListenFailed { asked, error });
    }

    /// Reports that a dial came to nothing.
    pub fn dial_failed(&self, dial: DialId, error: DialError) {
        self.board.answer(Report::DialFailed { dial, error });
    }

    /// Reports that a listener that was up is gone.
    pub fn unlistened(&self, locator: Locator) {
        self.board.answer(Report::Unlistened { locator });
    }

    /// Reports how the network stands. To be called when that changes, not otherwise.
    pub fn network(&self, report: NetworkReport) {
        self.board.answer(Report::Network(Box::new(report)));
    }

    /// Reports a place where another node of ours may answer. The caller bounds how often.
    pub fn found(&self, locator: Locator) {
        self.board.answer(Report::Found { locator });
    }

    /// Reports that somebody was refused before the hello. The caller bounds how often, by its half-open places.
    pub fn refused(&self, scheme: Scheme, from: Locator, fault: PeerFault) {
        self.board.answer(Report::Refused { scheme, from, fault });
    }

    /// Whether the node's end is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.board.is_closed()
    }
}
