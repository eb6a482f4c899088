//! Where the swarm listens, and what the node is told of it.
//!
//! The node learns every address of the swarm, also those that the swarm's owner listens on: they are where it can be
//! dialled. A wildcard becomes the addresses that it stands for.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use crosscast_port::ListenError;
use crosscast_transport::Reporter;
use crosscast_wire::Locator;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ListenOpts;
use libp2p::{Multiaddr, PeerId};

use crate::address::{is_link_local, last_peer, locator};
use crate::error::{listen_error, listen_io_error};
use crate::limits::OWN_ADDRESSES;

/// The listeners that were asked for, and every address of this node.
#[derive(Debug)]
pub(crate) struct Listening {
    own: PeerId,
    reporter: Option<Reporter>,
    asked: HashMap<ListenerId, Asked>,
    addresses: Vec<(Option<ListenerId>, Locator)>,
}

#[derive(Debug)]
struct Asked {
    locator: Locator,
    answered: bool,
}

impl Listening {
    pub(crate) fn new(own: PeerId) -> Self {
        Self { own, reporter: None, asked: HashMap::new(), addresses: Vec::new() }
    }

    /// From now on there is somebody to tell, who has to hear what is known already.
    pub(crate) fn attach(&mut self, reporter: Reporter) {
        for (_, locator) in &self.addresses {
            reporter.listening(locator.clone(), locator.clone());
        }
        self.reporter = Some(reporter);
    }

    pub(crate) const fn reporter(&self) -> Option<&Reporter> {
        self.reporter.as_ref()
    }

    /// What to ask of the swarm for a listener; a refusal is reported.
    pub(crate) fn ask(&mut self, asked: Locator) -> Option<ListenOpts> {
        match listen_address(&asked, self.own) {
            Ok(address) => {
                let opts = ListenOpts::new(address);
                self.asked.insert(opts.listener_id(), Asked { locator: asked, answered: false });
                Some(opts)
            }
            Err(error) => {
                self.failed(asked, error);
                None
            }
        }
    }

    /// The listeners that were asked for, which end with the node.
    pub(crate) fn detach(&mut self) -> Vec<ListenerId> {
        self.reporter = None;
        self.asked.drain().map(|(id, _)| id).collect()
    }

    /// The swarm has an address now.
    pub(crate) fn gained(&mut self, listener: Option<ListenerId>, address: &Multiaddr) {
        if is_link_local(address) || self.addresses.len() >= OWN_ADDRESSES {
            return;
        }
        let Some(locator) = locator(address, self.own) else { return };
        if self.addresses.iter().any(|(_, known)| *known == locator) {
            return;
        }
        self.addresses.push((listener, locator.clone()));
        let asked = match listener.and_then(|id| self.asked.get_mut(&id)) {
            Some(asked) if !asked.answered => {
                asked.answered = true;
                asked.locator.clone()
            }
            Some(_) | None => locator.clone(),
        };
        if let Some(reporter) = &self.reporter {
            reporter.listening(asked, locator);
        }
    }

    /// An address is no longer the swarm's.
    pub(crate) fn lost(&mut self, address: &Multiaddr) {
        if let Some(gone) = locator(address, self.own) {
            self.forget(|_, locator| *locator == gone);
        }
    }

    /// A listener has failed, at the start or later.
    pub(crate) fn error(&mut self, listener: ListenerId, error: &(dyn std::error::Error + 'static)) {
        // Errors of a listener that is up concern single connections.
        if self.asked.get(&listener).is_some_and(|asked| !asked.answered)
            && let Some(asked) = self.asked.remove(&listener)
        {
            self.failed(asked.locator, listen_error(error));
        }
    }

    /// A listener is gone, and its addresses with it.
    pub(crate) fn closed(&mut self, listener: ListenerId, reason: Result<(), &io::Error>) {
        self.forget(|id, _| id == Some(listener));
        if let Some(asked) = self.asked.remove(&listener)
            && !asked.answered
        {
            self.failed(asked.locator, reason.err().map_or(ListenError::Denied, listen_io_error));
        }
    }

    fn forget(&mut self, is_gone: impl Fn(Option<ListenerId>, &Locator) -> bool) {
        for (_, locator) in self.addresses.extract_if(.., |(id, locator)| is_gone(*id, locator)) {
            if let Some(reporter) = &self.reporter {
                reporter.unlistened(locator);
            }
        }
    }

    fn failed(&self, asked: Locator, error: ListenError) {
        if let Some(reporter) = &self.reporter {
            reporter.listen_failed(asked, error);
        }
    }
}

/// The address to listen on.
fn listen_address(asked: &Locator, own: PeerId) -> Result<Multiaddr, ListenError> {
    let mut address: Multiaddr = asked.address().parse().map_err(|_| ListenError::BadLocator)?;
    // The library shares ports between sockets, as hole punching needs; so it would not mind another program's.
    probe(&address).map_err(|error| listen_io_error(&error))?;
    match last_peer(&address) {
        // An own address with the own name on it, as it was reported before.
        Some(peer) if peer == own => drop(address.pop()),
        Some(_) => return Err(ListenError::BadLocator),
        None => {}
    }
    Ok(address)
}

/// Binds what is to be listened on, and lets it go again.
fn probe(address: &Multiaddr) -> io::Result<()> {
    let mut parts = address.iter();
    let ip = match parts.next() {
        Some(Protocol::Ip4(v4)) => v4.into(),
        Some(Protocol::Ip6(v6)) => v6.into(),
        Some(_) | None => return Ok(()),
    };
    match parts.next() {
        Some(Protocol::Tcp(port)) => TcpListener::bind(SocketAddr::new(ip, port)).map(drop),
        Some(Protocol::Udp(port)) => UdpSocket::bind(SocketAddr::new(ip, port)).map(drop),
        Some(_) | None => Ok(()),
    }
}
