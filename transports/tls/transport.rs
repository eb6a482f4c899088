//! The actor: one task per listener, one per connection; all of them end with the transport's future.
//!
//! A dial's task becomes the task of its link. Nothing here waits on a peer.

use std::net::SocketAddr;

use crosscast_port::{DialId, ListenError};
use crosscast_stream::accept::{Gate, Place, listen};
use crosscast_stream::address::at;
use crosscast_stream::dial;
use crosscast_stream::places::{Dialling, Places};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, NodeId, Scheme};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::config::{TlsConfig, TlsLimits, TlsTimeouts};
use crate::establish::{Channel, accept, connect};
use crate::link;
use crate::provider::Setup;

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
    places: Places,
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

impl Shared {
    async fn dial(self, dial: DialId, locator: Locator, dialling: Dialling) {
        let attempt = Box::pin(async {
            let stream = dial::connect(&locator, self.timeouts.connect).await?;
            connect(&self.setup, stream, locator.node(), self.timeouts.handshake).await
        });
        if let Some((channel, _link)) = dialling.end(attempt, &locator, &self.reporter).await {
            self.run_link(channel, Some(dial), locator).await;
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
                accepted = self.gate.accept(&listener) => if let Some((stream, address, place)) = accepted {
                    tasks.spawn(self.clone().greet(stream, address, place));
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }

    async fn greet(self, stream: TcpStream, address: SocketAddr, place: Place) {
        let accepted = accept(&self.setup, stream, self.timeouts.handshake).await;
        drop(place);
        let (Some(channel), Some(from)) = (accepted, at(Scheme::Tls, address)) else { return };
        match self.places.for_link() {
            Some(_link) => self.run_link(channel, None, from).await,
            None => debug!(%address, "no place for another link"),
        }
    }

    async fn run_link(self, channel: Channel, dial: Option<DialId>, locator: Locator) {
        let port = self.reporter.open_link();
        port.up(channel.link_up(dial, locator));
        Box::pin(link::run(port, channel, self.timeouts)).await;
    }
}
