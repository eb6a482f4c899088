//! Rights in a group as the library's callers name them: tickets, grants, revocations, the policy.

use crosscast_core::{Command, InviteOptions, Reply, Revoked};
use crosscast_wire::{GroupId, Locator, NodeId, Policy, Rights, WallMillis};

use crate::{Error, Node, reach};

/// Rights to be given to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// To whom.
    pub subject: NodeId,
    /// Which; what the issuer does not have is left out.
    pub rights: Rights,
    /// How many more links may follow below it: with 1 it can name devices of its own, or, with `admit`, let others in.
    pub depth: u8,
    /// How long it holds unless it is renewed, in milliseconds; `None` is 30 days.
    pub life_ms: Option<u64>,
}

/// Rights that were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// To whom.
    pub subject: NodeId,
    /// Which.
    pub rights: Rights,
    /// Last millisecond of their life.
    pub not_after: WallMillis,
}

impl Node {
    /// Makes a ticket for a group; without locators it names the places this node listens on.
    ///
    /// # Errors
    /// [`Error::Refused`] when the group is not one of this node's.
    pub async fn invite(&self, group: GroupId, locators: Vec<Locator>) -> Result<String, Error> {
        self.invite_with(group, InviteOptions { locators, ..InviteOptions::default() }).await
    }

    /// Makes a ticket of a certain kind for a group; without locators it names the places this node listens on.
    ///
    /// # Errors
    /// [`Error::Refused`] when the group is not one of this node's, or its rights do not cover it.
    pub async fn invite_with(&self, group: GroupId, mut options: InviteOptions) -> Result<String, Error> {
        if options.locators.is_empty() {
            options.locators = reach::dialable(&self.status().await?.listen, self.node_id());
        }
        self.query(Command::Invite { group, options }, |reply| {
            if let Reply::Ticket(ticket) = reply { Some(ticket.to_text()) } else { None }
        })
        .await
    }

    /// Gives a node rights in a group of capabilities; it gets them at once when it can be reached, else when it asks.
    ///
    /// # Errors
    /// [`Error::Refused`] when this node may not.
    pub async fn grant(&self, group: GroupId, grant: Grant) -> Result<Granted, Error> {
        let Grant { subject, rights, depth, life_ms } = grant;
        self.query(Command::Grant { group, subject, rights, depth, life_ms }, |reply| {
            if let Reply::Granted { subject, rights, not_after } = reply {
                Some(Granted { subject, rights, not_after })
            } else {
                None
            }
        })
        .await
    }

    /// Takes rights back in a group of capabilities, and changes its content key; returns when that is kept here.
    ///
    /// # Errors
    /// [`Error::Refused`] when this node may not.
    pub async fn revoke(&self, group: GroupId, whom: Revoked) -> Result<(), Error> {
        self.done(Command::Revoke { group, whom }).await
    }

    /// Changes who may publish to a group whose key this node holds.
    ///
    /// # Errors
    /// [`Error::Refused`] when it does not.
    pub async fn set_policy(&self, group: GroupId, policy: Policy) -> Result<(), Error> {
        self.done(Command::SetPolicy { group, policy }).await
    }
}
