//! The transport over an attached host node: one task that looks at it, one per listener, one per connection; all of
//! them end with the transport's future.
//!
//! A dial's task becomes the task of its link. Nothing here waits on a peer.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use crosscast_port::{DialError, DialId, DownReason, LinkTraits, LinkUp, Role};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, PathKind, PathReason, PeerFault, RustCrypto, Scheme};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::debug;

use super::handshake::{Failure, Hand, Met};
use super::judge::judge;
use super::neighbours::keep_finding;
use super::own::{Own, now};
use super::sight::{OwnPort, PortState, Sight, attached, first_look, keep_looking, keep_reporting};
use super::{Host, Introduction, OverlayConfig};
use crate::accept::Gate;
use crate::dial;
use crate::link::{Noise, run_tcp};
use crate::places::{Dialling, Places};

/// The transport for `scheme://[address]:port` over the network of a host node.
#[derive(Debug)]
pub struct Overlay<H> {
    host: Arc<H>,
    config: OverlayConfig,
    own: Own,
    hand: Hand,
}

impl<H: Host> Overlay<H> {
    /// Makes the transport of one node.
    ///
    /// # Errors
    /// When the system has no randomness, or the attestation is not this node's.
    pub fn new(host: H, config: OverlayConfig) -> Result<Self, TransportError> {
        let own = Own::new(&host, &config)?;
        let hand = Hand::new(host.scheme())?;
        Ok(Self { host: Arc::new(host), config, own, hand })
    }

    async fn serve(self, mut port: Port) {
        let (seen, sight) = watch::channel(None);
        let (port_state, own_port) = watch::channel(PortState::Waiting);
        let shared = Arc::new(Shared {
            scheme: self.host.scheme(),
            gate: Gate::new(&self.config.limits),
            places: Places::new(&self.config.limits),
            reporter: port.reporter().clone(),
            host: self.host,
            config: self.config,
            own: self.own,
            hand: self.hand,
            sight,
            own_port,
        });
        // Dropped with this future, and every task with it.
        let mut tasks = JoinSet::new();
        let with = |shared: &Arc<Shared<H>>| Arc::clone(shared);
        let looking = with(&shared);
        tasks.spawn(async move { keep_looking(&*looking.host, looking.config.looks, seen).await });
        let of = with(&shared);
        tasks.spawn(keep_reporting(of.scheme, of.sight.clone(), of.own_port.clone(), of.reporter.clone()));
        let finding = with(&shared);
        tasks.spawn(async move {
            keep_finding(&*finding.host, &finding.config, finding.sight.clone(), finding.reporter.clone()).await;
        });
        tasks.spawn(with(&shared).hold_own_port(port_state));
        loop {
            tokio::select! {
                request = port.next() => match request {
                    Some(PortRequest::Listen { locator }) => drop(tasks.spawn(with(&shared).listen(locator))),
                    Some(PortRequest::Dial { dial, locator }) => {
                        if let Some(dialling) = shared.places.for_dial(dial, &shared.reporter) {
                            tasks.spawn(with(&shared).dial(dial, locator, dialling));
                        }
                    }
                    // These networks have no place to meet under a name.
                    Some(PortRequest::Meet { .. } | PortRequest::Part { .. }) => {}
                    None => return,
                },
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

impl<H: Host> Transport for Overlay<H> {
    fn scheme(&self) -> Scheme {
        self.host.scheme()
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            self.serve(port).await;
            Ok(())
        })
    }
}

/// What every task needs.
#[derive(Debug)]
pub(super) struct Shared<H> {
    pub(super) scheme: Scheme,
    pub(super) host: Arc<H>,
    pub(super) config: OverlayConfig,
    own: Own,
    pub(super) hand: Hand,
    pub(super) gate: Gate,
    pub(super) places: Places,
    pub(super) reporter: Reporter,
    pub(super) sight: Sight,
    pub(super) own_port: OwnPort,
}

/// This node's end of a link.
#[derive(Debug)]
pub(super) struct End {
    pub(super) role: Role,
    pub(super) dial: Option<DialId>,
    pub(super) locator: Locator,
}

impl From<Failure> for DialError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unfinished => Self::Handshake,
            Failure::Broken => Self::Refused(PeerFault::HandshakeBroken),
        }
    }
}

impl<H: Host> Shared<H> {
    /// What this node says of itself now.
    pub(super) fn introduction(&self) -> Introduction {
        self.own.introduction(&*self.host, self.sight.borrow().as_ref())
    }

    /// Judges a peer by its introduction and its address on the network.
    pub(super) fn judge(&self, peer: &Introduction, address: IpAddr) -> Result<(), PeerFault> {
        let IpAddr::V6(address) = address else { return Err(PeerFault::AddressNotOwned) };
        judge(&*self.host, &RustCrypto, peer, address, now())
    }

    async fn dial(self: Arc<Self>, dial: DialId, locator: Locator, dialling: Dialling) {
        let attempt = Box::pin(self.connect(&locator));
        if let Some(((stream, met), _link)) = dialling.end(attempt, &locator, &self.reporter).await {
            self.run_link(stream, met, End { role: Role::Dialer, dial: Some(dial), locator }).await;
        }
    }

    /// Connects to a locator and shakes hands with who must be there.
    async fn connect(&self, locator: &Locator) -> Result<(TcpStream, Met), DialError> {
        let to = self.target(locator)?;
        let within = self.config.timeouts.connect;
        let seen = timeout(within, first_look(&mut self.sight.clone())).await.ok().flatten();
        let own = seen.as_ref().and_then(attached).ok_or(DialError::NotAttached)?;
        let connecting = connect_from(own, SocketAddr::new(to.0.into(), to.1));
        let mut stream = timeout(within, connecting).await.unwrap_or(Err(DialError::Timeout))?;
        let accept = |peer: &Introduction| {
            if let Err(fault) = self.judge(peer, to.0.into()) {
                debug!(%locator, %fault, "refused");
                return Err(DialError::Refused(fault));
            }
            match locator.node() {
                Some(expected) if expected != peer.node => Err(DialError::WrongKey { expected, actual: peer.node }),
                Some(_) | None => Ok(()),
            }
        };
        let introduction = self.introduction();
        let shaking = Box::pin(self.hand.initiate(&mut stream, &introduction, accept));
        let met = timeout(self.config.timeouts.handshake, shaking).await.unwrap_or(Err(DialError::Handshake))?;
        Ok((stream, met))
    }

    /// The place that a locator names, if it is on this network.
    fn target(&self, locator: &Locator) -> Result<(Ipv6Addr, u16), DialError> {
        let (host, port) = locator.host_port().ok_or(DialError::BadLocator)?;
        let address: Ipv6Addr = host.parse().map_err(|_| DialError::BadLocator)?;
        if port == 0 || !self.host.is_address(address) {
            return Err(DialError::BadLocator);
        }
        Ok((address, port))
    }

    /// Reports a link up and runs it to its end.
    pub(super) async fn run_link(&self, stream: TcpStream, met: Met, end: End) {
        let Met { peer, channel } = met;
        let port = self.reporter.open_link();
        port.up(LinkUp {
            scheme: self.scheme,
            role: end.role,
            dial: end.dial,
            locator: end.locator,
            peer: Some(peer.node),
            binding: Bytes::copy_from_slice(&channel.binding),
            traits: LinkTraits::STREAM,
            path: PathKind::Direct,
            reason: PathReason::Overlay,
            rendezvous: None,
        });
        match Noise::new(channel) {
            Ok(codec) => Box::pin(run_tcp(port, stream, codec, self.config.timeouts)).await,
            Err(_) => port.down(DownReason::Broken),
        }
    }
}

/// Connects from the host node's own address, so that the peer sees the one that this node introduces.
async fn connect_from(own: Ipv6Addr, to: SocketAddr) -> Result<TcpStream, DialError> {
    let socket = TcpSocket::new_v6().map_err(|_| DialError::Unreachable)?;
    socket.bind(SocketAddr::new(own.into(), 0)).map_err(|_| DialError::NotAttached)?;
    socket.connect(to).await.map_err(|error| dial::judge(error.kind()))
}
