//! The part of a swarm that makes links: a [`NetworkBehaviour`] which opens and takes streams of our protocol.
//!
//! It holds what a link needs to know of the swarm (connections, addresses, dials under way) and decides which connection
//! a link goes over. It reads no clock but to bound what it reports, waits for nothing, and has no protocol of its own
//! but the streams.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Instant;

use crosscast_port::DialError;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandlerInEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;
use tracing::debug;

use crate::address::{Target, locator, relay_of, remote};
use crate::connections::{Connections, role};
use crate::error::{dial_error, open_error};
use crate::found::Found;
use crate::handler::{Ask, Handler, Notice, Order, Placed, Ticket, Word};
use crate::known::Known;
use crate::limits::PEERS_KEPT;
use crate::listening::Listening;
use crate::opened::{Answer, Command, Opened};

/// Opens and takes links in the swarm it is added to; made by [`embed`](crate::embed()).
#[derive(Debug)]
pub struct Behaviour {
    commands: mpsc::Receiver<Command>,
    incoming: mpsc::Sender<Opened>,
    detached: bool,
    connections: Connections,
    dials: HashMap<ConnectionId, Dialling>,
    opens: HashMap<Ticket, Opening>,
    last_ticket: u64,
    listening: Listening,
    known: Known,
    found: Found,
    kept: HashSet<PeerId>,
    /// Relays that limit no circuit.
    generous: HashSet<PeerId>,
    out: VecDeque<ToSwarm<Infallible, Order>>,
}

/// A connection that is being made for links.
#[derive(Debug)]
struct Dialling {
    target: Target,
    waiting: Vec<Answer>,
}

/// A stream that is being opened on a connection.
#[derive(Debug)]
struct Opening {
    connection: ConnectionId,
    /// Nobody asked for a link that replaces one over a circuit.
    answer: Option<Answer>,
}

impl Behaviour {
    pub(crate) fn new(own: PeerId, commands: mpsc::Receiver<Command>, incoming: mpsc::Sender<Opened>) -> Self {
        Self {
            commands,
            incoming,
            detached: false,
            connections: Connections::default(),
            dials: HashMap::new(),
            opens: HashMap::new(),
            last_ticket: 0,
            listening: Listening::new(own),
            known: Known::default(),
            found: Found::default(),
            kept: HashSet::new(),
            generous: HashSet::new(),
            out: VecDeque::new(),
        }
    }

    /// Keeps the connections to a peer while nothing uses them, or no longer.
    pub(crate) fn keep(&mut self, peer: PeerId, keep: bool) {
        let changed = if keep { self.kept.insert(peer) } else { self.kept.remove(&peer) };
        if changed {
            let ids: Vec<_> = self.connections.of(peer).map(|(id, _)| id).collect();
            for id in ids {
                self.order(peer, id, Ask::Keep(keep));
            }
        }
    }

    /// Notes whether a relay limits its circuits; without word of it, it does.
    pub(crate) fn relay_limits(&mut self, relay: PeerId, limits: bool) {
        if limits {
            self.generous.remove(&relay);
        } else if self.generous.len() < PEERS_KEPT {
            self.generous.insert(relay);
        }
    }

    /// Notes that a hole was punched for a connection.
    pub(crate) fn punched(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.punched = true;
        }
    }

    /// Whether a link leads straight to a peer.
    pub(crate) fn is_linked_directly(&self, peer: PeerId) -> bool {
        self.connections.is_linked_directly(peer)
    }

    /// Whether a connection is a circuit and no other to that peer is direct.
    pub(crate) fn is_circuit_only(&self, peer: PeerId, id: ConnectionId) -> bool {
        let is_circuit = self.connections.get(id).is_some_and(|connection| connection.relayed);
        is_circuit && self.connections.of(peer).all(|(_, connection)| connection.relayed)
    }

    /// Reports a place where another node of ours may answer, unless it was reported a while ago or a link leads there.
    pub(crate) fn report_found(&mut self, peer: PeerId, address: &Multiaddr) {
        let Some(reporter) = self.listening.reporter().filter(|_| !self.connections.is_linked_directly(peer)) else {
            return;
        };
        let Some(place) = locator(address, peer) else { return };
        if self.found.is_news(&place, Instant::now()) {
            debug!(%place, "found");
            reporter.found(place);
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Attach(reporter) => self.listening.attach(reporter),
            Command::Open { target, answer } => self.open(target, answer),
            Command::Listen { asked } => {
                if let Some(opts) = self.listening.ask(asked) {
                    self.out.push_back(ToSwarm::ListenOn { opts });
                }
            }
        }
    }

    /// The node is gone: its listeners end. What the swarm's owner listens on stays.
    fn detach(&mut self) {
        if !std::mem::replace(&mut self.detached, true) {
            let listeners = self.listening.detach();
            self.out.extend(listeners.into_iter().map(|id| ToSwarm::RemoveListener { id }));
        }
    }

    fn open(&mut self, target: Target, answer: Answer) {
        if let Some(id) = self.connections.towards(&target) {
            return self.open_on(id, Some(answer));
        }
        if let Some(dialling) = self.dials.values_mut().find(|dialling| dialling.target == target) {
            return dialling.waiting.push(answer);
        }
        let opts = match (target.peer, target.address.is_empty()) {
            (Some(peer), true) => DialOpts::peer_id(peer).condition(PeerCondition::Always).build(),
            (Some(peer), false) => {
                DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![target.address.clone()]).build()
            }
            (None, _) => DialOpts::unknown_peer_id().address(target.address.clone()).build(),
        };
        self.dials.insert(opts.connection_id(), Dialling { target, waiting: vec![answer] });
        self.out.push_back(ToSwarm::Dial { opts });
    }

    fn open_on(&mut self, connection: ConnectionId, answer: Option<Answer>) {
        let Some(peer) = self.connections.get(connection).map(|connection| connection.peer) else { return };
        self.last_ticket = self.last_ticket.saturating_add(1);
        let ticket = Ticket(self.last_ticket);
        self.opens.insert(ticket, Opening { connection, answer });
        self.order(peer, connection, Ask::Open(ticket));
    }

    fn order(&mut self, peer_id: PeerId, connection: ConnectionId, ask: Ask) {
        let handler = NotifyHandler::One(connection);
        self.out.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: Order(ask) });
    }

    fn on_established(&mut self, id: ConnectionId) {
        for answer in self.dials.remove(&id).into_iter().flat_map(|dialling| dialling.waiting) {
            self.open_on(id, Some(answer));
        }
        if let Some(peer) = self.connections.get(id).map(|connection| connection.peer) {
            self.relieve(peer);
        }
    }

    /// Opens a link over a direct connection where there is one over a circuit: over one connection at a time, so that
    /// several that come at once make one link.
    fn relieve(&mut self, peer: PeerId) {
        let to_peer = |opening: &Opening| self.connections.get(opening.connection).is_some_and(|it| it.peer == peer);
        if self.opens.values().any(|opening| opening.answer.is_none() && to_peer(opening)) {
            return;
        }
        let Some(id) = self.connections.relief(peer) else { return };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.asked = true;
        }
        self.open_on(id, None);
    }

    fn on_closed(&mut self, id: ConnectionId) {
        let gone = self.connections.remove(id);
        for (_, opening) in self.opens.extract_if(|_, opening| opening.connection == id) {
            tell(opening.answer, Err(DialError::Unreachable));
        }
        if let Some(gone) = gone {
            self.relieve(gone.peer);
        }
    }

    fn on_opened(&mut self, ticket: Ticket, placed: Placed) {
        let Some(opening) = self.opens.remove(&ticket) else { return };
        let Some(connection) = self.connections.get_mut(opening.connection) else { return };
        connection.opened = true;
        let peer = connection.peer;
        let Some(opened) = self.stream(opening.connection, placed, true) else { return };
        match opening.answer {
            Some(answer) => tell(Some(answer), Ok(opened)),
            None => self.hand_over(opened),
        }
        // A direct connection may have come while the stream was opened over a circuit.
        self.relieve(peer);
    }

    fn stream(&self, id: ConnectionId, placed: Placed, opened_here: bool) -> Option<Opened> {
        let connection = self.connections.get(id)?;
        let (path, reason) = connection.path();
        let (peer, remote) = (connection.peer, connection.remote.clone());
        let limited = relay_of(&remote).is_none_or(|relay| !self.generous.contains(&relay));
        let budget = connection.budget.clone().filter(|_| limited);
        Some(Opened { placed, role: role(opened_here), peer, remote, path, reason, budget })
    }

    fn hand_over(&self, opened: Opened) {
        if self.incoming.try_send(opened).is_err() {
            debug!("a stream came that nobody takes up");
        }
    }

    fn on_speaks(&mut self, id: ConnectionId, speaks: bool) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.speaks = speaks;
            let peer = connection.peer;
            self.look_at(peer);
        }
    }

    /// Reports a connected peer that speaks our protocol, at the best address that is known of it.
    fn look_at(&mut self, peer: PeerId) {
        let speaking: Vec<_> = self.connections.of(peer).filter(|(_, connection)| connection.speaks).collect();
        if speaking.is_empty() {
            return;
        }
        let dialled = speaking.iter().find(|(_, connection)| connection.dialled && !connection.relayed);
        let address = match dialled {
            Some((_, connection)) => connection.remote.clone(),
            // Who dialled in has told identify where it listens; until it has, its name leads over the connection.
            None => self.known.first(peer).cloned().unwrap_or_else(Multiaddr::empty),
        };
        self.report_found(peer, &address);
    }
}

/// Answers a dial; nobody may be waiting any more.
fn tell(answer: Option<Answer>, result: Result<Opened, DialError>) {
    if let Some(answer) = answer {
        drop(answer.send(result));
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.connections.prepare(id), self.kept.contains(&peer)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler::new(self.connections.prepare(id), self.kept.contains(&peer)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(new) => {
                self.connections.insert(new.connection_id, new.peer_id, new.endpoint);
                self.on_established(new.connection_id);
            }
            FromSwarm::ConnectionClosed(gone) => self.on_closed(gone.connection_id),
            FromSwarm::AddressChange(change) => {
                if let Some(connection) = self.connections.get_mut(change.connection_id) {
                    connection.remote = remote(change.new);
                }
            }
            FromSwarm::DialFailure(failed) => {
                self.connections.failed(failed.connection_id);
                let error = dial_error(failed.error);
                for answer in self.dials.remove(&failed.connection_id).into_iter().flat_map(|dial| dial.waiting) {
                    tell(Some(answer), Err(error.clone()));
                }
            }
            FromSwarm::NewListenAddr(new) => self.listening.gained(Some(new.listener_id), new.addr),
            FromSwarm::ExternalAddrConfirmed(new) => self.listening.gained(None, new.addr),
            FromSwarm::ExpiredListenAddr(gone) => self.listening.lost(gone.addr),
            FromSwarm::ExternalAddrExpired(gone) => self.listening.lost(gone.addr),
            FromSwarm::ListenerError(failed) => self.listening.error(failed.listener_id, failed.err),
            FromSwarm::ListenerClosed(closed) => self.listening.closed(closed.listener_id, closed.reason),
            FromSwarm::NewExternalAddrOfPeer(new) => {
                self.known.note(new.peer_id, new.addr);
                self.look_at(new.peer_id);
            }
            FromSwarm::ListenFailure(_) | FromSwarm::NewListener(_) | FromSwarm::NewExternalAddrCandidate(_) | _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, notice: Notice) {
        match notice.0 {
            Word::Opened(ticket, placed) => self.on_opened(ticket, placed),
            Word::Failed(ticket, failure) => {
                if let Some(opening) = self.opens.remove(&ticket) {
                    tell(opening.answer, Err(open_error(failure)));
                }
                self.relieve(peer);
            }
            Word::Came(placed) => {
                if let Some(opened) = self.stream(id, placed, false) {
                    self.hand_over(opened);
                }
            }
            Word::Speaks(speaks) => self.on_speaks(id, speaks),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        loop {
            if let Some(out) = self.out.pop_front() {
                return Poll::Ready(out);
            }
            match self.commands.poll_recv(cx) {
                Poll::Ready(Some(command)) => self.on_command(command),
                Poll::Ready(None) if !self.detached => self.detach(),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}
