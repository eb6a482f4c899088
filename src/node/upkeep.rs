//! What an operator or an application changes while the node runs, and what it asks beside: targets, name and limits,
//! cursors kept by name, the links of a group.

use bytes::Bytes;
use crosscast_core::{Command, PeerView, Reply, TrailView, Tuning};
use crosscast_wire::{GroupId, Locator};

use crate::{Error, Node};

impl Node {
    /// Keeps no link to this locator any more; one that is up stays until it breaks.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn detach(&self, locator: &Locator) -> Result<(), Error> {
        self.done(Command::Detach { locator: locator.clone() }).await
    }

    /// Changes what can change while the node runs: its name, which peers see from the next link on, and limits.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn tune(&self, tuning: Tuning) -> Result<(), Error> {
        let name = tuning.name.clone();
        self.done(Command::Tune(tuning)).await?;
        self.rename(name);
        Ok(())
    }

    /// Keeps a cursor under a name, for an application that is to find it again; an empty one is forgotten.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is no name, or there are too many.
    pub async fn keep_cursor(&self, name: &str, cursor: impl Into<Bytes>) -> Result<(), Error> {
        self.done(Command::KeepCursor { name: name.to_owned(), value: cursor.into() }).await
    }

    /// The cursor that was kept under a name.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the node has stopped.
    pub async fn cursor(&self, name: &str) -> Result<Option<Bytes>, Error> {
        let command = Command::Cursor { name: name.to_owned() };
        self.query(command, |reply| if let Reply::Cursor(cursor) = reply { Some(cursor) } else { None }).await
    }

    /// The links over which a group flows, one view each.
    ///
    /// # Errors
    /// [`Error::Refused`] when the group is not one of this node's.
    pub async fn group_peers(&self, group: GroupId) -> Result<Vec<PeerView>, Error> {
        let command = Command::GroupPeers { group };
        self.query(command, |reply| if let Reply::Peers(peers) = reply { Some(peers) } else { None }).await
    }

    /// How the newest message of each sender of a group came here: over how many links, and of which networks.
    ///
    /// # Errors
    /// [`Error::Refused`] when the group is not one of this node's.
    pub async fn group_trails(&self, group: GroupId) -> Result<Vec<TrailView>, Error> {
        let command = Command::GroupTrails { group };
        self.query(command, |reply| if let Reply::Trails(trails) = reply { Some(trails) } else { None }).await
    }
}
