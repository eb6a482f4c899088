//! The actor: one task per listener, one per connection; all of them end with the transport's future.
//!
//! A dial's task becomes the task of its link. Nothing here waits on a peer. The tasks of quinn itself, one for each
//! socket and connection, end when nobody holds them any more and the last words are out.

use core::time::Duration;
use std::net::SocketAddr;

use crosscast_port::{DialId, ListenError};
use crosscast_stream::accept::{Gate, Place, judge, resolve};
use crosscast_stream::address::at;
use crosscast_stream::places::{Dialling, Places};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, NodeId, Scheme};
use quinn::{Connecting, Endpoint};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, info, warn};

use super::dial::Dialler;
use super::end::Farewell;
use super::establish::{Channel, finish};
use super::setup::QuicSetup;
use super::sockets::QuicSockets;
use super::{door, link};
use crate::config::{TlsConfig, TlsLimits, TlsTimeouts};

/// How long a transport that ends waits for its connections' last words: three time-outs of a short path.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The transport for `quic://host:port`.
#[derive(Debug)]
pub struct Quic {
    setup: QuicSetup,
    limits: TlsLimits,
    timeouts: TlsTimeouts,
    sockets: QuicSockets,
}

/// What every task needs.
#[derive(Clone, Debug)]
struct Shared {
    dialler: Dialler,
    gate: Gate,
    places: Places,
    reporter: Reporter,
}

/// Lets go of the sockets when the transport's future is dropped.
struct Held(QuicSockets);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.take_all();
    }
}

impl Quic {
    /// Makes the transport of one node.
    ///
    /// # Errors
    /// When the identity cannot be used as a certificate's key.
    #[expect(clippy::needless_pass_by_value, reason = "the identity is wanted nowhere else and dies here")]
    pub fn new(config: TlsConfig) -> Result<Self, TransportError> {
        let setup = QuicSetup::new(&config.identity)?;
        let sockets = QuicSockets::new(setup.endpoint().clone());
        Ok(Self { setup, limits: config.limits, timeouts: config.timeouts, sockets })
    }

    /// The NodeId that peers will see.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.setup.node()
    }

    /// A handle on the sockets, which stays good while the transport runs.
    #[must_use]
    pub fn sockets(&self) -> QuicSockets {
        self.sockets.clone()
    }

    async fn serve(self, mut port: Port) {
        let _held = Held(self.sockets.clone());
        let shared = Shared {
            dialler: Dialler { setup: self.setup, sockets: self.sockets.clone(), timeouts: self.timeouts },
            gate: Gate::new(&self.limits),
            places: Places::new(&self.limits),
            reporter: port.reporter().clone(),
        };
        // Dropped with this future, and every task with it.
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                request = port.next() => match request {
                    Some(PortRequest::Listen { locator }) => drop(tasks.spawn(shared.clone().listen(locator))),
                    Some(PortRequest::Dial { dial, locator }) => {
                        if let Some(dialling) = shared.places.for_dial(dial, &shared.reporter) {
                            tasks.spawn(shared.clone().dial(dial, locator, dialling));
                        }
                    }
                    // Nobody is found on the Internet at large without being named.
                    Some(PortRequest::Meet { .. } | PortRequest::Part { .. }) => {}
                    None => break,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
        tasks.shutdown().await;
        drop(shared);
        let endpoints = self.sockets.take_all();
        let idle = async {
            for endpoint in &endpoints {
                endpoint.wait_idle().await;
            }
        };
        // Whoever does not answer in this time finds out by itself.
        let _ = timeout(LAST_WORDS, idle).await;
    }
}

impl Transport for Quic {
    fn scheme(&self) -> Scheme {
        Scheme::Quic
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            self.serve(port).await;
            Ok(())
        })
    }
}

impl Shared {
    async fn dial(self, dial: DialId, locator: Locator, dialling: Dialling) {
        let attempt = Box::pin(self.dialler.connect(&locator));
        if let Some((channel, _link)) = dialling.end(attempt, &locator, &self.reporter).await {
            self.run_link(channel, Some(dial), locator).await;
        }
    }

    async fn listen(self, asked: Locator) {
        match self.bind(&asked).await {
            Ok((endpoint, locator)) => {
                info!(%locator, "listening");
                self.reporter.listening(asked, locator.clone());
                self.accept_all(endpoint).await;
                warn!(%locator, "the socket has failed");
            }
            Err(error) => self.reporter.listen_failed(asked, error),
        }
    }

    async fn bind(&self, asked: &Locator) -> Result<(Endpoint, Locator), ListenError> {
        let address = resolve(asked).await?;
        let listening = self.dialler.sockets.listen(address, self.dialler.setup.server());
        let endpoint = listening.map_err(|error| judge(&error))?;
        let real = endpoint.local_addr().map_err(|error| judge(&error))?;
        Ok((endpoint, at(Scheme::Quic, real).ok_or(ListenError::BadLocator)?))
    }

    async fn accept_all(&self, endpoint: Endpoint) {
        let mut tasks = JoinSet::new();
        loop {
            tokio::select! {
                incoming = endpoint.accept() => {
                    let Some(incoming) = incoming else { return };
                    let address = incoming.remote_address();
                    if let Some((connecting, place)) = door::greet(&self.gate, incoming) {
                        tasks.spawn(self.clone().greet(connecting, address, place));
                    }
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    async fn greet(self, connecting: Connecting, address: SocketAddr, place: Place) {
        let accepted = finish(connecting, self.dialler.timeouts.handshake).await;
        drop(place);
        let (Ok(channel), Some(from)) = (accepted, at(Scheme::Quic, address)) else { return };
        match self.places.for_link() {
            Some(_link) => self.run_link(channel, None, from).await,
            None => {
                debug!(%address, "no place for another link");
                Farewell::Full.say(&channel.connection);
            }
        }
    }

    async fn run_link(self, channel: Channel, dial: Option<DialId>, locator: Locator) {
        let port = self.reporter.open_link();
        port.up(channel.link_up(dial, locator));
        Box::pin(link::run(port, channel, self.dialler.timeouts)).await;
    }
}
