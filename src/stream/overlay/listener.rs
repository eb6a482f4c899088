//! Holding a port on the host node's own address, whatever becomes of that address.
//!
//! The listener is bound to that address and to no other, so nothing of this node is reachable by another network. When
//! the host node restarts its address goes and comes; the listener goes and comes with it, on the same port, while links
//! that were accepted live on. A port that cannot be had is asked for again.

use core::future::pending;
use core::time::Duration;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crosscast_port::{ListenError, Role};
use crosscast_wire::{Locator, PeerFault};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, info};

use super::Host;
use super::sight::{PortState, Refusal, attached, first_look};
use super::transport::{End, Shared};
use crate::accept::{Place, listen_at};
use crate::address::at;

/// First and last pause before a refused port is asked for again: a restarting host node is back in a second, and a
/// program that has the port may keep it for good.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// For how long a refused stranger's place stays taken: with 256 places at most 2,560 refusals a second are told, and
/// 160 from one prefix.
const REFUSAL_PAUSE: Duration = Duration::from_millis(100);

impl<H: Host> Shared<H> {
    /// Holds this node's own port until dropped.
    pub(super) async fn hold_own_port(self: Arc<Self>, state: watch::Sender<PortState>) {
        let mut port = self.config.port;
        let mut tasks = JoinSet::new();
        loop {
            let address = self.wait_for_address(None).await;
            let asked = at(self.scheme, SocketAddr::new(address.into(), port));
            let Some((listener, real)) = self.take_port(address, port, &state).await else {
                state.send_replace(PortState::Waiting);
                continue;
            };
            // A free port that was picked is kept over restarts of the host node.
            port = real.port();
            if let (Some(asked), Some(locator)) = (asked, at(self.scheme, real)) {
                state.send_replace(PortState::Listening(real));
                self.serve(listener, address, asked, locator, &mut tasks).await;
                state.send_replace(PortState::Waiting);
            }
        }
    }

    /// Listens where the node asked, until dropped. What fails at once is answered; what fails later heals.
    pub(super) async fn listen(self: Arc<Self>, asked: Locator) {
        let (address, mut port) = match self.place_to_listen(&asked).await {
            Ok(place) => place,
            Err(error) => return self.reporter.listen_failed(asked, error),
        };
        if let Some(answer) = self.answer_by_own_port(address, port).await {
            return match answer {
                Ok(locator) => self.reporter.listening(asked, locator),
                Err(error) => self.reporter.listen_failed(asked, error),
            };
        }
        let mut next = listen_at(SocketAddr::new(address.into(), port));
        if let Err(error) = next {
            return self.reporter.listen_failed(asked, error);
        }
        let mut tasks = JoinSet::new();
        let (state, _) = watch::channel(PortState::Waiting);
        loop {
            if let Ok((listener, real)) = next
                && let Some(locator) = at(self.scheme, real)
            {
                port = real.port();
                self.serve(listener, address, asked.clone(), locator, &mut tasks).await;
            }
            self.wait_for_address(Some(address)).await;
            next = self.take_port(address, port, &state).await.ok_or(ListenError::NoSuchAddress);
        }
    }

    /// The place that a locator names, if it is on the host node's own address.
    async fn place_to_listen(&self, asked: &Locator) -> Result<(Ipv6Addr, u16), ListenError> {
        let (host, port) = asked.host_port().ok_or(ListenError::BadLocator)?;
        let address: Ipv6Addr = host.parse().map_err(|_| ListenError::BadLocator)?;
        let seen = first_look(&mut self.sight.clone()).await;
        let own = seen.as_ref().and_then(attached);
        if own == Some(address) { Ok((address, port)) } else { Err(ListenError::NoSuchAddress) }
    }

    /// What came of this node's own port, when that is the one that is asked for.
    async fn answer_by_own_port(&self, address: Ipv6Addr, port: u16) -> Option<Result<Locator, ListenError>> {
        let mut state = self.own_port.clone();
        if port != 0 && port == self.config.port {
            let _ = state.wait_for(|state| *state != PortState::Waiting).await;
        }
        let now = *state.borrow();
        match now {
            PortState::Listening(real) if real == SocketAddr::new(address.into(), port) => {
                at(self.scheme, real).map(Ok)
            }
            PortState::Refused(refused, refusal) if refused == port => Some(Err(match refusal {
                Refusal::Taken => ListenError::AddressInUse,
                Refusal::NoAddress => ListenError::NoSuchAddress,
                Refusal::Denied => ListenError::Denied,
            })),
            PortState::Listening(_) | PortState::Refused(..) | PortState::Waiting => None,
        }
    }

    /// Waits until the host node has an address, or this one.
    async fn wait_for_address(&self, wanted: Option<Ipv6Addr>) -> Ipv6Addr {
        let mut sight = self.sight.clone();
        let there = |address: &Ipv6Addr| wanted.is_none_or(|wanted| wanted == *address);
        let found = sight.wait_for(|seen| seen.as_ref().and_then(attached).is_some_and(|address| there(&address)));
        let address = found.await.ok().and_then(|seen| seen.as_ref().and_then(attached));
        match address {
            Some(address) => address,
            // The looking has ended, and with it everything here.
            None => pending().await,
        }
    }

    /// Waits until the host node no longer has this address.
    async fn wait_until_gone(&self, address: Ipv6Addr) {
        let mut sight = self.sight.clone();
        if sight.wait_for(|seen| seen.as_ref().and_then(attached) != Some(address)).await.is_err() {
            pending().await
        }
    }

    /// Asks for a port until it is had; `None` when the address went meanwhile.
    async fn take_port(
        &self,
        address: Ipv6Addr,
        port: u16,
        state: &watch::Sender<PortState>,
    ) -> Option<(TcpListener, SocketAddr)> {
        let mut pause = RETRY_FIRST;
        loop {
            let refusal = match listen_at(SocketAddr::new(address.into(), port)) {
                Ok(listening) => return Some(listening),
                Err(ListenError::AddressInUse) => Refusal::Taken,
                Err(ListenError::NoSuchAddress) => Refusal::NoAddress,
                Err(_) => Refusal::Denied,
            };
            debug!(%address, port, ?refusal, "cannot listen yet");
            state.send_if_modified(|state| {
                let refused = PortState::Refused(port, refusal);
                core::mem::replace(state, refused) != refused
            });
            tokio::select! {
                () = sleep(pause) => pause = pause.saturating_mul(2).min(RETRY_LAST),
                () = self.wait_until_gone(address) => return None,
            }
        }
    }

    /// Accepts until the address is gone. The tasks of links are the caller's, so that they outlive the listener.
    async fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        address: Ipv6Addr,
        asked: Locator,
        locator: Locator,
        tasks: &mut JoinSet<()>,
    ) {
        info!(%locator, "listening");
        self.reporter.listening(asked, locator.clone());
        loop {
            tokio::select! {
                accepted = self.gate.accept(&listener) => if let Some((stream, from, place)) = accepted {
                    tasks.spawn(Arc::clone(self).greet(stream, from, place));
                },
                Some(_) = tasks.join_next() => {}
                () = self.wait_until_gone(address) => break,
            }
        }
        info!(%locator, "the address is gone");
        drop(listener);
        self.reporter.unlistened(locator);
    }

    async fn greet(self: Arc<Self>, mut stream: TcpStream, from: SocketAddr, place: Place) {
        let Some(locator) = at(self.scheme, from) else { return };
        let own = self.introduction();
        let shaken = timeout(self.config.timeouts.handshake, Box::pin(self.hand.respond(&mut stream, &own))).await;
        let met = match shaken {
            Ok(Ok(met)) => self.judge(&met.peer, from.ip()).map(|()| met),
            Ok(Err(_)) | Err(_) => Err(PeerFault::HandshakeBroken),
        };
        match met {
            Ok(met) => {
                drop(place);
                let Some(_link) = self.places.for_link() else {
                    debug!(%from, "no place for another link");
                    return;
                };
                self.run_link(stream, met, End { role: Role::Listener, dial: None, locator }).await;
            }
            Err(fault) => {
                drop(stream);
                debug!(%from, %fault, "refused");
                self.reporter.refused(self.scheme, locator, fault);
                sleep(REFUSAL_PAUSE).await;
                drop(place);
            }
        }
    }
}
