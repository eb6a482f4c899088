//! The actor: one task per listener, one per connection; all of them end with the transport's future.
//!
//! A dial's task becomes the task of its link. Nothing here waits on a peer.

use core::time::Duration;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crosscast_port::{DialError, DialId, ListenError};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, NodeId, Scheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{debug, info, warn};

use crate::accept::{Gate, Place, listen};
use crate::config::{TlsConfig, TlsLimits, TlsTimeouts};
use crate::establish::{Channel, accept, connect};
use crate::provider::Setup;
use crate::{dial, link};

/// Pause after the system refused to accept, in most cases for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The transport for `tls://host:port`.
#[derive(Debug)]
pub struct Tls {
    setup: Setup,
    limits: TlsLimits,
    timeouts: TlsTimeouts,
}

/// What every task needs.
#[derive(Clone, Debug)]
struct Shared {
    setup: Setup,
    timeouts: TlsTimeouts,
    gate: Gate,
    /// Places for links that are up.
    links: Arc<Semaphore>,
    dials: Arc<Semaphore>,
    reporter: Reporter,
}

impl Tls {
    /// Makes the transport of one node.
    ///
    /// # Errors
    /// When the identity cannot be used as a certificate's key.
    #[expect(clippy::needless_pass_by_value, reason = "the identity is wanted nowhere else and dies here")]
    pub fn new(config: TlsConfig) -> Result<Self, TransportError> {
        Ok(Self { setup: Setup::new(&config.identity)?, limits: config.limits, timeouts: config.timeouts })
    }

    /// The NodeId that peers will see.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.setup.node()
    }

    async fn serve(self, mut port: Port) {
        let shared = Shared {
            setup: self.setup,
            timeouts: self.timeouts,
            gate: Gate::new(&self.limits),
            links: Arc::new(Semaphore::new(self.limits.links)),
            dials: Arc::new(Semaphore::new(self.limits.dials)),
            reporter: port.reporter().clone(),
        };
        // Dropped with this future, and every task with it.
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                request = port.next() => match request {
                    Some(PortRequest::Listen { locator }) => drop(tasks.spawn(shared.clone().listen(locator))),
                    Some(PortRequest::Dial { dial, locator }) => match shared.dial_places() {
                        Some(places) => drop(tasks.spawn(shared.clone().dial(dial, locator, places))),
                        None => shared.reporter.dial_failed(dial, DialError::Full),
                    },
                    None => return,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

impl Transport for Tls {
    fn scheme(&self) -> Scheme {
        Scheme::Tls
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            self.serve(port).await;
            Ok(())
        })
    }
}

/// A place among the dials under way and one among the links.
type DialPlaces = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Shared {
    fn dial_places(&self) -> Option<DialPlaces> {
        let dial = Arc::clone(&self.dials).try_acquire_owned().ok()?;
        Some((dial, Arc::clone(&self.links).try_acquire_owned().ok()?))
    }

    async fn dial(self, id: DialId, locator: Locator, (dialling, _link): DialPlaces) {
        let dialled = async {
            let stream = dial::connect(&locator, self.timeouts.connect).await?;
            connect(&self.setup, stream, locator.node(), self.timeouts.handshake).await
        };
        match Box::pin(dialled).await {
            Ok(channel) => {
                drop(dialling);
                self.run_link(channel, Some(id), locator).await;
            }
            Err(error) => {
                debug!(%locator, ?error, "dial failed");
                self.reporter.dial_failed(id, error);
            }
        }
    }

    async fn listen(self, asked: Locator) {
        let listening = listen(&asked).await;
        match listening
            .and_then(|(listener, address)| Ok((listener, at(Scheme::Tls, address).ok_or(ListenError::BadLocator)?)))
        {
            Ok((listener, locator)) => {
                info!(%locator, "listening");
                self.reporter.listening(asked, locator);
                self.accept_all(listener).await;
            }
            Err(error) => self.reporter.listen_failed(asked, error),
        }
    }

    async fn accept_all(self, listener: TcpListener) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.accept_one(&listener) => if let Some((stream, address, place)) = accepted {
                    tasks.spawn(self.clone().greet(stream, address, place));
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    async fn accept_one(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, Place)> {
        let place = self.gate.place().await?;
        match listener.accept().await {
            Ok((stream, address)) => {
                let place = self.gate.admit(place, address.ip());
                if place.is_none() {
                    debug!(%address, "too many half-open connections from this prefix");
                }
                Some((stream, address, place?))
            }
            Err(error) => {
                warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    async fn greet(self, stream: TcpStream, address: SocketAddr, place: Place) {
        let accepted = accept(&self.setup, stream, self.timeouts.handshake).await;
        drop(place);
        let (Some(channel), Some(from)) = (accepted, at(Scheme::Tls, address)) else { return };
        match Arc::clone(&self.links).try_acquire_owned() {
            Ok(_link) => self.run_link(channel, None, from).await,
            Err(_) => debug!(%address, "no place for another link"),
        }
    }

    async fn run_link(self, channel: Channel, dial: Option<DialId>, locator: Locator) {
        let port = self.reporter.open_link();
        port.up(channel.link_up(dial, locator));
        Box::pin(link::run(port, channel, self.timeouts)).await;
    }
}

/// The locator of a socket address; every one of them is a host, in brackets where it has to be, and a port.
pub(crate) fn at(scheme: Scheme, address: SocketAddr) -> Option<Locator> {
    let address = match address.ip().to_canonical() {
        IpAddr::V4(v4) => SocketAddr::new(v4.into(), address.port()),
        IpAddr::V6(_) => address,
    };
    Locator::new(scheme, &address.to_string(), None).ok()
}
