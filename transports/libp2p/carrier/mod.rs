//! gossipsub as a carrier: a group's messages as payloads on a topic, where other nodes of ours hear them although no
//! stream leads to them, and foreign nodes pass them on (`docs/adr/0021`, `docs/spec/libp2p.md`).
//!
//! [`codec`] lays a payload out; [`gossip`] sets gossipsub up; [`budget`] says how much is taken from whom; [`pending`]
//! knows what the node has not judged yet; [`link`] is the carrier as the node's port sees it. Who meets where, and when a
//! carrier is needed, is for the swarm's owner to know.

pub(crate) mod budget;
pub(crate) mod codec;
pub(crate) mod gossip;
pub(crate) mod link;
pub(crate) mod pending;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod testing;
