//! The transport beside a [`Behaviour`]: it serves the node's port and runs the links, whoever owns the swarm.
//!
//! A dial's task becomes the task of its link; all of them end with the transport's future. Nothing here waits on a peer.

use std::convert::Infallible;
use std::sync::Arc;

use crosscast_port::{DialError, DialId, ListenError, NetworkReport};
use crosscast_stream::places::Places;
use crosscast_stream::{Limits, Timeouts};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, NetworkState, Scheme};
use libp2p::PeerId;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;

use crate::Behaviour;
use crate::address::Target;
use crate::limits::{COMMANDS, INCOMING};
use crate::link::Ready;
use crate::opened::{Command, Opened};

/// Makes the two halves of a node in a swarm: the behaviour is added to the swarm, the transport is given to the node.
///
/// `own` is the PeerId of the swarm. Dials and streams go through the swarm, so its own limits hold for them too; its
/// owner polls it. Where the swarm runs identify, connected peers that speak our protocol are found. Meeting nodes by
/// rendezvous and carrying messages over gossipsub are not part of this: they need protocols that the swarm has for
/// itself.
#[must_use]
pub fn embed(own: PeerId) -> (Behaviour, Embedded) {
    embed_within(own, Limits::default(), Timeouts::default())
}

/// The same with other bounds.
pub(crate) fn embed_within(own: PeerId, limits: Limits, timeouts: Timeouts) -> (Behaviour, Embedded) {
    let (to_behaviour, commands) = mpsc::channel(COMMANDS);
    let (to_transport, incoming) = mpsc::channel(INCOMING);
    let behaviour = Behaviour::new(own, commands, to_transport);
    (behaviour, Embedded { own, limits, timeouts, commands: to_behaviour, incoming, lease: None })
}

/// The transport of a node whose links go through somebody's swarm; made by [`embed`].
#[derive(Debug)]
pub struct Embedded {
    own: PeerId,
    limits: Limits,
    timeouts: Timeouts,
    commands: mpsc::Sender<Command>,
    incoming: mpsc::Receiver<Opened>,
    lease: Option<Lease>,
}

/// Held by everything that uses a swarm; its owner may end it when nobody does. A swarm that ended earlier would look to
/// its links like a network that broke.
pub(crate) type Lease = mpsc::Sender<Infallible>;

/// A request that is not about links, which the owner of the swarm may serve.
pub(crate) type Meeting = mpsc::Sender<PortRequest>;

impl Transport for Embedded {
    fn scheme(&self) -> Scheme {
        Scheme::Libp2p
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            port.reporter().network(NetworkReport {
                scheme: Scheme::Libp2p,
                state: NetworkState::Up,
                address: Some(self.own.to_string()),
                reason: None,
                meets: false,
                detail: String::new(),
            });
            self.serve(port, None).await;
            Ok(())
        })
    }
}

impl Embedded {
    /// The same for a swarm that lives as long as somebody holds the lease.
    pub(crate) fn with_lease(mut self, lease: Lease) -> Self {
        self.lease = Some(lease);
        self
    }

    /// Serves the port until it closes; what is about meeting goes to whoever can do it.
    pub(crate) async fn serve(mut self, mut port: Port, meeting: Option<Meeting>) {
        let mut desk = Desk::new(&self, port.reporter().clone());
        desk.command(Command::Attach(port.reporter().clone()));
        loop {
            tokio::select! {
                request = port.next() => match request {
                    Some(PortRequest::Listen { locator }) => desk.listen(locator),
                    Some(PortRequest::Dial { dial, locator }) => desk.dial(dial, locator),
                    Some(request @ (PortRequest::Meet { .. } | PortRequest::Part { .. })) => {
                        if meeting.as_ref().is_some_and(|meeting| meeting.try_send(request).is_err()) {
                            debug!("too many meetings are asked for at once");
                        }
                    }
                    None => return,
                },
                Some(opened) = self.incoming.recv() => desk.admit(opened),
                Some(_) = desk.links.join_next() => {}
            }
        }
    }
}

/// What a running transport has at hand; dropping it ends its links.
struct Desk {
    own: PeerId,
    timeouts: Timeouts,
    reporter: Reporter,
    commands: mpsc::Sender<Command>,
    links: JoinSet<()>,
    places: Places,
    half_open: Arc<Semaphore>,
    lease: Option<Lease>,
}

impl Desk {
    fn new(of: &Embedded, reporter: Reporter) -> Self {
        Self {
            own: of.own,
            timeouts: of.timeouts,
            reporter,
            commands: of.commands.clone(),
            links: JoinSet::new(),
            places: Places::new(&of.limits),
            half_open: Arc::new(Semaphore::new(of.limits.half_open)),
            lease: of.lease.clone(),
        }
    }

    /// What a link holds on to: its listener is not to be closed under it, nor its swarm to end.
    fn held(&self) -> (mpsc::Sender<Command>, Option<Lease>) {
        (self.commands.clone(), self.lease.clone())
    }

    /// Whether the behaviour takes a command: not when the swarm is gone, or is not polled.
    fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    fn listen(&self, asked: Locator) {
        if !self.command(Command::Listen { asked: asked.clone() }) {
            self.reporter.listen_failed(asked, ListenError::Denied);
        }
    }

    fn dial(&mut self, dial: DialId, asked: Locator) {
        let Some(target) = Target::of(&asked) else {
            return self.reporter.dial_failed(dial, DialError::BadLocator);
        };
        // A swarm would connect to its own listener, from the listener's own port.
        if target.peer == Some(self.own) {
            return self.reporter.dial_failed(dial, DialError::Unreachable);
        }
        let Some(dialling) = self.places.for_dial(dial, &self.reporter) else { return };
        let (answer, opened) = oneshot::channel();
        if !self.command(Command::Open { target, answer }) {
            return self.reporter.dial_failed(dial, DialError::Unreachable);
        }
        let (own, timeouts, reporter, held) = (self.own, self.timeouts, self.reporter.clone(), self.held());
        self.links.spawn(async move {
            let attempt = async {
                let opened = timeout(timeouts.connect, opened).await.map_err(|_| DialError::Timeout)?;
                Ready::make(own, opened.map_err(|_| DialError::Unreachable)??, timeouts).await
            };
            if let Some((ready, place)) = Box::pin(dialling.end(attempt, &asked, &reporter)).await {
                Box::pin(ready.run(Some((dial, asked)), &reporter, timeouts)).await;
                drop(place);
            }
            drop(held);
        });
    }

    fn admit(&mut self, opened: Opened) {
        let half_open = Arc::clone(&self.half_open).try_acquire_owned().ok();
        let Some((half_open, place)) = half_open.zip(self.places.for_link()) else {
            debug!(peer = %opened.peer, "no place for a stream that came");
            return;
        };
        let (own, timeouts, reporter, held) = (self.own, self.timeouts, self.reporter.clone(), self.held());
        self.links.spawn(async move {
            let peer = opened.peer;
            match Box::pin(Ready::make(own, opened, timeouts)).await {
                Ok(ready) => {
                    drop(half_open);
                    Box::pin(ready.run(None, &reporter, timeouts)).await;
                }
                Err(error) => debug!(%peer, ?error, "a stream that came did not become a link"),
            }
            drop((place, held));
        });
    }
}
