//! The swarm's task: it polls the swarm, keeps the hosts, meets others and lets carriers and gossipsub talk.
//!
//! What is decided here is decided in the parts; this only carries events to them and back.

use core::time::Duration;
use std::collections::HashMap;
use std::convert::Infallible;
use std::time::Instant;

use crosscast_port::NetworkReport;
use crosscast_transport::{PortRequest, Reporter};
use crosscast_wire::{NetworkReason, NetworkState, Rendezvous, Scheme};
use futures_util::StreamExt as _;
use libp2p::core::transport::ListenerId;
use libp2p::kad::{self, GetProvidersOk, QueryId, QueryResult};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, NetworkBehaviour as _, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, dcutr, gossipsub, identify, mdns, relay};
use tokio::sync::mpsc;
use tracing::{debug, info};

use super::carriers::Carriers;
use super::hosts::{Hosts, Standing};
use super::meetings::{Due, Meetings, key};
use super::swarm::{Sidecar, SidecarEvent};
use crate::PROTOCOL;
use crate::address::{is_link_local, is_relayed, reach, with_peer};
use crate::carrier::link::Word;
use crate::config::Libp2pConfig;

/// How often it is looked whether carriers are needed, beside whenever a neighbour joins a topic.
const LOOK: Duration = Duration::from_secs(5);
/// The same while one is about to be. 250 ms: a quarter of gossipsub's own beat.
const LOOK_SOON: Duration = Duration::from_millis(250);
/// How long a host is left alone after it has refused to relay.
const RESERVE_AGAIN: Duration = Duration::from_secs(30);
/// Providers of one answer that are looked at. 20: what one node of a DHT names.
const PROVIDERS: usize = 20;
/// Addresses reported of one of them, direct ones and circuits each. 2: v4 and v6, or TCP and QUIC.
const ADDRESSES: usize = 2;
/// Neighbours on the local network that are dialled of one answer.
const NEIGHBOURS: usize = 16;

/// What relays speak.
const HOP: StreamProtocol = StreamProtocol::new("/libp2p/circuit/relay/0.2.0/hop");

/// Everything that belongs to a running swarm.
pub(super) struct Driver {
    swarm: Swarm<Sidecar>,
    reporter: Reporter,
    requests: mpsc::Receiver<PortRequest>,
    words: mpsc::Receiver<(Rendezvous, Word)>,
    hosts: Hosts,
    meetings: Meetings,
    carriers: Carriers,
    dht: StreamProtocol,
    in_dht: bool,
    relay: bool,
    relays: HashMap<PeerId, Reservation>,
    look_at: Instant,
    reported: Option<NetworkReport>,
}

/// What was asked of a host that relays.
#[derive(Debug)]
enum Reservation {
    Held(ListenerId),
    Refused(Instant),
}

impl Driver {
    pub(super) fn new(
        swarm: Swarm<Sidecar>,
        config: &Libp2pConfig,
        reporter: Reporter,
        requests: mpsc::Receiver<PortRequest>,
    ) -> Self {
        let now = Instant::now();
        let (carriers, words) = Carriers::new(config.carrier_always, now);
        let dht = swarm.behaviour().dht.protocol_names().first().cloned();
        Self {
            swarm,
            reporter,
            requests,
            words,
            hosts: Hosts::new(config.hosts.clone(), now),
            meetings: Meetings::default(),
            carriers,
            dht: dht.unwrap_or(kad::PROTOCOL_NAME),
            in_dht: false,
            relay: config.relay,
            relays: HashMap::new(),
            look_at: now,
            reported: None,
        }
    }

    /// Runs until nobody uses the swarm.
    pub(super) async fn run(mut self, mut used: mpsc::Receiver<Infallible>) {
        loop {
            let now = Instant::now();
            let wake = self.on_time(now);
            tokio::select! {
                _ = used.recv() => return,
                event = self.swarm.select_next_some() => self.on_event(event, Instant::now()),
                Some(request) = self.requests.recv() => self.on_request(request, Instant::now()),
                Some((name, word)) = self.words.recv() => self.on_word(&name, word),
                () = tokio::time::sleep_until(wake.into()) => {}
            }
        }
    }

    /// Does what is due; when it is to be looked at again.
    fn on_time(&mut self, now: Instant) -> Instant {
        while let Some((number, peer, address)) = self.hosts.due(now) {
            self.dial_host(number, peer, address, now);
        }
        while self.in_dht
            && let Some(due) = self.meetings.due(now)
        {
            self.ask_dht(due, now);
        }
        self.reserve(now);
        if let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() {
            self.carriers.on_time(gossip, now);
            if self.look_at <= now {
                let unsettled = self.carriers.look(gossip, &self.reporter, now);
                self.look_at = later(now, if unsettled { LOOK_SOON } else { LOOK });
            }
        } else {
            self.look_at = later(now, LOOK);
        }
        self.report_standing();
        let meetings = if self.in_dht { self.meetings.next_due() } else { None };
        let due = [self.hosts.next_due(), meetings, self.carriers.next_due()];
        // A meeting that is due and waits for others to end is looked at when they have.
        let due = due.into_iter().flatten().filter(|due| *due > now);
        due.chain([self.look_at]).min().unwrap_or(self.look_at)
    }

    fn dial_host(&mut self, number: usize, peer: Option<PeerId>, address: Multiaddr, now: Instant) {
        let opts = match peer {
            Some(peer) => DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![address]).build(),
            None => DialOpts::unknown_peer_id().address(address).build(),
        };
        let dial = opts.connection_id();
        self.hosts.dialling(number, dial);
        if let Err(error) = self.swarm.dial(opts) {
            debug!(%error, "a host cannot be dialled");
            self.hosts.failed(dial, now);
        }
    }

    fn ask_dht(&mut self, due: Due, now: Instant) {
        let dht = &mut self.swarm.behaviour_mut().dht;
        let query = match due {
            Due::Say(name) => dht.start_providing(key(&name)).ok(),
            Due::Ask(name) => Some(dht.get_providers(key(&name))),
        };
        self.meetings.begun(due, query, now);
    }

    fn on_request(&mut self, request: PortRequest, now: Instant) {
        match request {
            PortRequest::Meet { rendezvous } => {
                if !self.meetings.begin(rendezvous, now) {
                    return debug!("more is to be met under than may be");
                }
                if let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() {
                    self.carriers.meet(rendezvous, gossip);
                }
                self.look_at = now;
            }
            PortRequest::Part { rendezvous } => {
                if self.meetings.end(&rendezvous) {
                    self.swarm.behaviour_mut().dht.stop_providing(&key(&rendezvous));
                }
                if let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() {
                    self.carriers.part(&rendezvous, gossip);
                }
            }
            // The transport serves these itself.
            PortRequest::Listen { .. } | PortRequest::Dial { .. } => {}
        }
    }

    fn on_word(&mut self, name: &Rendezvous, word: Word) {
        let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() else { return };
        let author = self.carriers.on_word(name, word, gossip, Instant::now());
        // Whose messages hold is worth a link, if only through the host that both know.
        if let Some(author) = author.filter(|author| !self.swarm.is_connected(author)) {
            self.found(author, &[]);
        }
    }

    fn on_event(&mut self, event: SwarmEvent<SidecarEvent>, now: Instant) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event, now),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, .. } => {
                if self.hosts.established(connection_id, peer_id) {
                    info!(host = %peer_id, "attached");
                    self.swarm.behaviour_mut().links.keep(peer_id, true);
                    self.name_addresses();
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => self.on_gone(peer_id, now),
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                debug!(%error, "a dial failed");
                self.hosts.failed(connection_id, now);
            }
            SwarmEvent::NewListenAddr { .. } => {
                self.name_addresses();
                self.meetings.restart(now);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.swarm.remove_external_address(&address),
            SwarmEvent::ListenerClosed { listener_id, .. } => self.on_listener_closed(listener_id, now),
            SwarmEvent::ExternalAddrConfirmed { address } => {
                debug!(%address, "reachable");
                self.meetings.restart(now);
            }
            SwarmEvent::ConnectionClosed { .. }
            | SwarmEvent::IncomingConnection { .. }
            | SwarmEvent::IncomingConnectionError { .. }
            | SwarmEvent::ListenerError { .. }
            | SwarmEvent::Dialing { .. }
            | SwarmEvent::NewExternalAddrCandidate { .. }
            | SwarmEvent::ExternalAddrExpired { .. }
            | SwarmEvent::NewExternalAddrOfPeer { .. }
            | _ => {}
        }
    }

    fn on_behaviour(&mut self, event: SidecarEvent, now: Instant) {
        match event {
            SidecarEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.on_identified(peer_id, connection_id, &info, now);
            }
            SidecarEvent::Dht(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => {
                self.on_query(id, result, step.last, now);
            }
            SidecarEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                if let Some(gossip) = self.swarm.behaviour_mut().gossip.as_mut() {
                    self.carriers.on_message(propagation_source, message_id, message, gossip, now);
                }
            }
            SidecarEvent::Gossip(gossipsub::Event::Subscribed { .. } | gossipsub::Event::Unsubscribed { .. }) => {
                self.look_at = now;
            }
            SidecarEvent::Dcutr(dcutr::Event { result: Ok(connection), .. }) => {
                self.swarm.behaviour_mut().links.punched(connection);
            }
            SidecarEvent::Dcutr(dcutr::Event { remote_peer_id, result: Err(error) }) => {
                debug!(peer = %remote_peer_id, %error, "no hole was punched");
            }
            SidecarEvent::Mdns(mdns::Event::Discovered(neighbours)) => self.on_neighbours(neighbours),
            SidecarEvent::Relay(
                relay::client::Event::ReservationReqAccepted { relay_peer_id, limit, .. }
                | relay::client::Event::OutboundCircuitEstablished { relay_peer_id, limit },
            ) => self.swarm.behaviour_mut().links.relay_limits(relay_peer_id, limit.is_some()),
            SidecarEvent::Identify(_)
            | SidecarEvent::Dht(_)
            | SidecarEvent::Gossip(_)
            | SidecarEvent::Mdns(_)
            | SidecarEvent::Ping(_)
            | SidecarEvent::Relay(relay::client::Event::InboundCircuitEstablished { .. })
            | SidecarEvent::Autonat(_) => {}
            SidecarEvent::Links(never) | SidecarEvent::Limits(never) => match never {},
        }
    }

    fn on_gone(&mut self, peer: PeerId, now: Instant) {
        if self.hosts.lost(peer, now) {
            info!(host = %peer, "no longer attached");
            self.swarm.behaviour_mut().links.keep(peer, false);
        }
        self.relays.remove(&peer);
        self.carriers.gone(peer);
    }

    fn on_identified(&mut self, peer: PeerId, connection: ConnectionId, info: &identify::Info, now: Instant) {
        if self.carriers.identified(peer, info.protocols.contains(&PROTOCOL)) {
            self.look_at = now;
        }
        let useful = info.listen_addrs.iter().filter(|address| !is_link_local(address));
        if info.protocols.contains(&self.dht) {
            for address in useful.clone() {
                self.swarm.behaviour_mut().dht.add_address(&peer, address.clone());
            }
            if !std::mem::replace(&mut self.in_dht, true) {
                self.meetings.restart(now);
            }
        }
        if self.relay && self.hosts.is_attached(peer) && info.protocols.contains(&HOP) {
            self.relays.entry(peer).or_insert(Reservation::Refused(now));
        }
        if self.swarm.behaviour().links.is_circuit_only(peer, connection) {
            // It may be reachable as it is; hole punching goes on beside.
            let direct: Vec<_> = useful.filter(|address| !is_relayed(address)).take(ADDRESSES * 2).cloned().collect();
            let opts = DialOpts::peer_id(peer).condition(PeerCondition::NotDialing).addresses(direct).build();
            if let Err(error) = self.swarm.dial(opts) {
                debug!(%peer, %error, "not dialled directly");
            }
        }
    }

    /// Asks hosts that relay to relay to this node, unless they do or have refused a moment ago.
    fn reserve(&mut self, now: Instant) {
        let due = |(peer, reservation): (&PeerId, &Reservation)| match reservation {
            Reservation::Refused(until) if *until <= now => Some(*peer),
            Reservation::Refused(_) | Reservation::Held(_) => None,
        };
        let Some(host) = self.relays.iter().find_map(due) else { return };
        let at = self.circuit(host);
        let reservation = match at.map(|address| self.swarm.listen_on(address)) {
            Some(Ok(listener)) => Reservation::Held(listener),
            Some(Err(_)) | None => Reservation::Refused(later(now, RESERVE_AGAIN)),
        };
        self.relays.insert(host, reservation);
    }

    fn on_listener_closed(&mut self, listener: ListenerId, now: Instant) {
        for reservation in self.relays.values_mut() {
            if matches!(reservation, Reservation::Held(held) if *held == listener) {
                debug!("a host no longer relays to this node");
                *reservation = Reservation::Refused(later(now, RESERVE_AGAIN));
            }
        }
    }

    /// The address of circuits through a host.
    fn circuit(&self, host: PeerId) -> Option<Multiaddr> {
        let (_, address) = self.hosts.attached().find(|(peer, _)| *peer == host)?;
        Some(with_peer(address.clone(), host).with(Protocol::P2pCircuit))
    }

    fn on_query(&mut self, query: QueryId, result: QueryResult, last: bool, now: Instant) {
        let worked = match &result {
            QueryResult::StartProviding(result) => result.is_ok(),
            QueryResult::GetProviders(result) => result.is_ok(),
            QueryResult::Bootstrap(_)
            | QueryResult::GetClosestPeers(_)
            | QueryResult::RepublishProvider(_)
            | QueryResult::GetRecord(_)
            | QueryResult::PutRecord(_)
            | QueryResult::RepublishRecord(_) => return,
        };
        if let QueryResult::GetProviders(Ok(GetProvidersOk::FoundProviders { providers, .. })) = result
            && self.meetings.is_asking(query)
        {
            let own = *self.swarm.local_peer_id();
            for peer in providers.into_iter().filter(|peer| *peer != own).take(PROVIDERS) {
                // While the query runs, the DHT knows what it was told of them, as a dial would learn it.
                let known = self.swarm.behaviour_mut().dht.handle_pending_outbound_connection(
                    ConnectionId::new_unchecked(usize::MAX),
                    Some(peer),
                    &[],
                    libp2p::core::Endpoint::Dialer,
                );
                if !self.swarm.behaviour().links.is_linked_directly(peer) {
                    self.meetings.found(query);
                    self.found(peer, &known.unwrap_or_default());
                }
            }
        }
        if last {
            self.meetings.ended(query, worked, now);
        }
    }

    /// Reports where a peer can be reached: straight, and through relays, those of its own or the hosts.
    fn found(&mut self, peer: PeerId, known: &[Multiaddr]) {
        let useful = || known.iter().filter(|address| !is_link_local(address));
        let direct = useful().filter(|address| !is_relayed(address)).take(ADDRESSES).cloned();
        let relayed = useful().filter(|address| is_relayed(address)).cloned();
        let hosts = self.relays.keys().filter_map(|host| self.circuit(*host));
        let places: Vec<_> = direct.chain(relayed.chain(hosts).take(ADDRESSES)).collect();
        for place in places {
            self.swarm.behaviour_mut().links.report_found(peer, &place);
        }
    }

    /// Neighbours on the local network are connected to; identify says whether they are nodes of ours.
    fn on_neighbours(&mut self, neighbours: Vec<(PeerId, Multiaddr)>) {
        for (peer, address) in neighbours.into_iter().filter(|(_, at)| !is_link_local(at)).take(NEIGHBOURS) {
            let condition = PeerCondition::DisconnectedAndNotDialing;
            let opts = DialOpts::peer_id(peer).condition(condition).addresses(vec![address]).build();
            if let Err(error) = self.swarm.dial(opts) {
                debug!(%peer, %error, "a neighbour is not dialled");
            }
        }
    }

    /// Tells others of this node's addresses: a provider record names those alone that are held to be reachable. Which
    /// ones are of use to the hosts, and to those behind them, shows by where the hosts are.
    fn name_addresses(&mut self) {
        let Some(nearest) = self.hosts.attached().map(|(_, address)| reach(address)).min() else { return };
        let named = |address: &&Multiaddr| !is_relayed(address) && reach(address) >= nearest;
        let own: Vec<_> = self.swarm.listeners().filter(named).cloned().collect();
        for address in own {
            if !self.swarm.external_addresses().any(|known| *known == address) {
                self.swarm.add_external_address(address);
            }
        }
    }

    fn report_standing(&mut self) {
        let (state, reason, detail) = match self.hosts.standing() {
            Standing::None | Standing::Attached => (NetworkState::Up, None, ""),
            Standing::Starting => (NetworkState::Starting, None, ""),
            Standing::Unreachable => {
                (NetworkState::Degraded, Some(NetworkReason::HostUnreachable), "none of the hosts answers")
            }
        };
        let report = NetworkReport {
            scheme: Scheme::Libp2p,
            state,
            address: Some(self.swarm.local_peer_id().to_string()),
            reason,
            meets: true,
            detail: detail.to_owned(),
        };
        if self.reported.as_ref() != Some(&report) {
            self.reporter.network(report.clone());
            self.reported = Some(report);
        }
    }
}

fn later(now: Instant, pause: Duration) -> Instant {
    now.checked_add(pause).unwrap_or(now)
}
