//! Unicast: to one node and to many, the inbox, services, and whom this node knows.

use std::time::Duration;

use bytes::Bytes;
use crosscast_core::{Command, Reply, ServiceView, Since, Source};
use crosscast_port::LogPos;
use crosscast_wire::{MessageId, NodeId};

use crate::publish::life_ms;
use crate::{Error, Node, Subscription};

impl Node {
    /// Sends to one node, which may be away for as long as `life` (10 minutes without).
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn send(
        &self,
        to: NodeId,
        payload: impl Into<Bytes>,
        life: Option<Duration>,
    ) -> Result<MessageId, Error> {
        let command = Command::Send { to, payload: payload.into(), life_ms: life_ms(life) };
        self.query(command, |reply| if let Reply::Published { id, first_index: _ } = reply { Some(id) } else { None })
            .await
    }

    /// Sends one message to 1 to 32 nodes or services. Waits at most ten seconds for those that have to be found first;
    /// what becomes of each recipient, those that were not found included, is told by [`Node::outcomes`].
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn send_many(
        &self,
        to: Vec<NodeId>,
        payload: impl Into<Bytes>,
        life: Option<Duration>,
    ) -> Result<MessageId, Error> {
        let command = Command::SendMany { to, payload: payload.into(), life_ms: life_ms(life) };
        self.query(command, |reply| if let Reply::Published { id, first_index: _ } = reply { Some(id) } else { None })
            .await
    }

    /// Reads the inbox from the oldest message that was not acknowledged.
    ///
    /// # Errors
    /// As [`Node::subscribe`].
    pub async fn inbox(&self, window_bytes: u32) -> Result<Subscription, Error> {
        self.subscribe(Source::Inbox, Since::Oldest, window_bytes).await
    }

    /// Says that everything in the inbox up to and including this position was taken for good.
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn acknowledge_inbox(&self, through: LogPos) -> Result<(), Error> {
        self.done(Command::AcknowledgeInbox { through }).await
    }

    /// Takes a node for no stranger any more: what it sends is not held to a stranger's share.
    ///
    /// # Errors
    /// [`Error::Refused`] with the node's reason.
    pub async fn accept(&self, node: NodeId) -> Result<(), Error> {
        self.done(Command::Accept { node }).await
    }

    /// Has a service under a key of its own, which is kept; the same name gives the same key again. What others send to
    /// the key comes to the inbox, marked with it.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is none or there are too many.
    pub async fn serve(&self, name: &str) -> Result<ServiceView, Error> {
        let command = Command::Serve { name: name.to_owned() };
        self.query(command, |reply| if let Reply::Service(view) = reply { Some(view) } else { None }).await
    }

    /// Gives up a service and its key.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is none of that name.
    pub async fn unserve(&self, name: &str) -> Result<(), Error> {
        self.done(Command::Unserve { name: name.to_owned() }).await
    }

    /// The services of this node.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn services(&self) -> Result<Vec<ServiceView>, Error> {
        self.query(Command::Services, |reply| if let Reply::Services(views) = reply { Some(views) } else { None }).await
    }
}
