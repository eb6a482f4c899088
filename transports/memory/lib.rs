//! An in-process transport: links between nodes of one process, for tests.
//!
//! Nodes that share a [`Hub`] reach each other at `memory:name`. A link carries the same fragments as a stream would,
//! over a channel of a few chunks, so lanes, grants, back-pressure and framing behave as on a network. Nothing is
//! encrypted and nobody is authenticated: a node says who it is, when it says so at all.

mod hub;
mod link;

use crosscast_port::{DialError, ListenError, Role};
use crosscast_transport::{BoxFuture, Port, PortRequest, Reporter, Transport, TransportError};
use crosscast_wire::{Locator, NodeId, Scheme};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use hub::{BACKLOG, Hub};
use hub::{Incoming, Names, wires};
use link::Link;

/// A node's way into a [`Hub`].
#[derive(Debug)]
pub struct Memory {
    hub: Hub,
    node: Option<NodeId>,
}

impl Memory {
    /// Makes a transport whose links leave it to the hello who the peer is.
    #[must_use]
    pub const fn new(hub: Hub) -> Self {
        Self { hub, node: None }
    }

    /// Makes a transport that tells its peers this NodeId, as a transport does that authenticates.
    #[must_use]
    pub const fn with_node(hub: Hub, node: NodeId) -> Self {
        Self { hub, node: Some(node) }
    }

    async fn serve(self, mut port: Port) {
        let (sender, mut incoming) = mpsc::channel(BACKLOG);
        let mut names = Names::new(&self.hub, self.node, sender);
        // Dropped with this future, and the links with it.
        let mut links = JoinSet::new();
        loop {
            tokio::select! {
                request = port.next() => match request {
                    Some(PortRequest::Listen { locator }) => listen(&mut names, port.reporter(), locator),
                    Some(PortRequest::Dial { dial, locator }) => match self.dial(&locator) {
                        Ok(link) => drop(links.spawn(link.run(port.reporter().open_link(), Some(dial), locator))),
                        Err(error) => port.reporter().dial_failed(dial, error),
                    },
                    Some(PortRequest::Meet { .. } | PortRequest::Part { .. }) => {}
                    None => return,
                },
                Some(Incoming { link, from }) = incoming.recv() => {
                    links.spawn(link.run(port.reporter().open_link(), None, from));
                }
                Some(_) = links.join_next() => {}
            }
        }
    }

    fn dial(&self, locator: &Locator) -> Result<Link, DialError> {
        let endpoint = self.hub.find(locator.address()).ok_or(DialError::Unreachable)?;
        match (locator.node(), endpoint.node) {
            (Some(expected), Some(actual)) if expected != actual => {
                return Err(DialError::WrongKey { expected, actual });
            }
            (Some(_) | None, _) => {}
        }
        let (here, there, binding) = wires(&self.hub);
        let from = Locator::new(Scheme::Memory, "dialler", self.node).map_err(|_| DialError::BadLocator)?;
        let far = Link { role: Role::Listener, peer: self.node, wire: there, binding: binding.clone() };
        endpoint.accept.try_send(Incoming { link: far, from }).map_err(|_| DialError::Unreachable)?;
        Ok(Link { role: Role::Dialer, peer: endpoint.node, wire: here, binding })
    }
}

fn listen(names: &mut Names, reporter: &Reporter, locator: Locator) {
    if names.claim(locator.address()) {
        reporter.listening(locator.clone(), locator);
    } else {
        reporter.listen_failed(locator, ListenError::AddressInUse);
    }
}

impl Transport for Memory {
    fn scheme(&self) -> Scheme {
        Scheme::Memory
    }

    fn run(self: Box<Self>, port: Port) -> BoxFuture<'static, Result<(), TransportError>> {
        Box::pin(async move {
            self.serve(port).await;
            Ok(())
        })
    }
}
