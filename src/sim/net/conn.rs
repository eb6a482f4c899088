//! A connection between two hosts, as each of its ends sees it.

use bytes::Bytes;
use crosscast_port::{DialId, LinkId, Role};
use crosscast_wire::Locator;

use super::flow::Flow;
use crate::HostId;

/// Names a connection in the world.
pub(crate) type ConnId = u64;

/// One value for each end.
#[derive(Clone, Debug)]
pub(crate) struct Ends<T> {
    pub(crate) dialer: T,
    pub(crate) listener: T,
}

impl<T> Ends<T> {
    pub(crate) const fn get(&self, role: Role) -> &T {
        match role {
            Role::Dialer => &self.dialer,
            Role::Listener => &self.listener,
        }
    }

    pub(crate) const fn get_mut(&mut self, role: Role) -> &mut T {
        match role {
            Role::Dialer => &mut self.dialer,
            Role::Listener => &mut self.listener,
        }
    }
}

/// The life of one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndState {
    /// The handshake is under way.
    Waiting,
    /// Up.
    Open,
    /// Its machine asked for the end; what it sent is leaving.
    Closing,
    /// Ended here, whatever the other end believes.
    Gone,
}

/// One end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) host: HostId,
    /// Which run of the host it belongs to.
    pub(crate) run: u64,
    pub(crate) state: EndState,
}

impl End {
    pub(crate) const fn is_up(&self) -> bool {
        match self.state {
            EndState::Open | EndState::Closing => true,
            EndState::Waiting | EndState::Gone => false,
        }
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) dial: DialId,
    pub(crate) dialled: Locator,
    pub(crate) binding: Bytes,
    pub(crate) ends: Ends<End>,
    /// What each end sends.
    pub(crate) flows: Ends<Flow>,
    /// Cut: nothing under way arrives.
    pub(crate) cut: bool,
}

/// The other end's role.
pub(crate) const fn other(role: Role) -> Role {
    match role {
        Role::Dialer => Role::Listener,
        Role::Listener => Role::Dialer,
    }
}

/// The name of one end; a world never uses a name twice, so neither does a process.
pub(crate) const fn link_of(conn: ConnId, role: Role) -> LinkId {
    let end = match role {
        Role::Dialer => 0,
        Role::Listener => 1,
    };
    LinkId(conn.saturating_mul(2).saturating_add(end))
}

/// The end with this name.
pub(crate) const fn end_of(link: LinkId) -> (ConnId, Role) {
    let role = if link.0.is_multiple_of(2) { Role::Dialer } else { Role::Listener };
    (link.0 / 2, role)
}
