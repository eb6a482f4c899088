//! From a stream to a link: nonces are exchanged, the port is opened, and the task runs to the link's end.
//!
//! The binding is both PeerIds as the swarm has authenticated them, the dialler's first, and both nonces in the same
//! order: who stands between two nodes with PeerIds of its own has other bindings on its two sides, and no binding comes
//! twice (`docs/spec/libp2p.md`).

use bytes::Bytes;
use crosscast_port::{DialError, DialId, LinkTraits, LinkUp, Role};
use crosscast_stream::{Timeouts, link};
use crosscast_transport::Reporter;
use crosscast_wire::{Locator, PathKind, Scheme};
use libp2p::PeerId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::address::locator;
use crate::duplex::Duplex;
use crate::ending::Ending;
use crate::limits::NONCE_LEN;
use crate::opened::Opened;

/// What a byte over a circuit costs beside one over a link. 100: it belongs to the relay, and there are few.
const CIRCUIT_COST: u32 = 100;

/// A stream whose ends have exchanged nonces.
#[derive(Debug)]
pub(crate) struct Ready {
    duplex: Duplex,
    place: OwnedSemaphorePermit,
    up: LinkUp,
}

impl Ready {
    /// Exchanges nonces.
    ///
    /// # Errors
    /// When the other side does not send its own in time.
    pub(crate) async fn make(own: PeerId, opened: Opened, timeouts: Timeouts) -> Result<Self, DialError> {
        let mut duplex = Duplex::new(opened.placed.stream, opened.budget);
        let exchanged = timeout(timeouts.handshake, exchange(&mut duplex)).await;
        let (ours, theirs) = exchanged.map_err(|_| DialError::Timeout)?.ok_or(DialError::Handshake)?;
        let binding = match opened.role {
            Role::Dialer => binding(own, opened.peer, ours, theirs),
            Role::Listener => binding(opened.peer, own, theirs, ours),
        };
        let relayed = opened.path == PathKind::Relayed;
        let up = LinkUp {
            scheme: Scheme::Libp2p,
            role: opened.role,
            dial: None,
            locator: locator(&opened.remote, opened.peer).ok_or(DialError::BadLocator)?,
            peer: None,
            binding,
            traits: LinkTraits { relayed, cost: if relayed { CIRCUIT_COST } else { 0 }, ..LinkTraits::STREAM },
            path: opened.path,
            reason: opened.reason,
            rendezvous: None,
        };
        Ok(Self { duplex, place: opened.placed.place, up })
    }

    /// Runs the link to its end; the dial it answers was to this locator.
    pub(crate) async fn run(mut self, dial: Option<(DialId, Locator)>, reporter: &Reporter, timeouts: Timeouts) {
        if let Some((dial, asked)) = dial {
            self.up.dial = Some(dial);
            self.up.locator = asked;
        }
        let port = reporter.open_link();
        port.up(self.up);
        link::run(port, self.duplex, Ending::default(), timeouts).await;
        drop(self.place);
    }
}

type Nonce = [u8; NONCE_LEN];

async fn exchange(duplex: &mut Duplex) -> Option<(Nonce, Nonce)> {
    let (mut ours, mut theirs) = ([0; NONCE_LEN], [0; NONCE_LEN]);
    getrandom::fill(&mut ours).ok()?;
    duplex.write_all(&ours).await.ok()?;
    duplex.flush().await.ok()?;
    duplex.read_exact(&mut theirs).await.ok()?;
    Some((ours, theirs))
}

fn binding(dialler: PeerId, listener: PeerId, of_dialler: Nonce, of_listener: Nonce) -> Bytes {
    [dialler.to_bytes().as_slice(), listener.to_bytes().as_slice(), &of_dialler, &of_listener].concat().into()
}
