//! What the core is told at its start. Every default has its source beside it.

use std::fmt;

use crosscast_wire::{Crypto, Instance, NodeId, Successor};

/// The core's configuration; fixed for the life of a machine.
pub struct Config {
    /// This node's key.
    pub node: NodeId,
    /// This run: start time and a random number.
    pub instance: Instance,
    /// A name for peers to show; at most 64 bytes.
    pub name: String,
    /// Program and version, shown to peers; at most 64 printable ASCII bytes.
    pub agent: String,
    /// Role bits for the hello.
    pub roles: u64,
    /// Drives jitter and choices: the same seed replays the same run.
    pub choice_seed: [u8; 32],
    /// Drives keys and nonces: drawn by the driver from the operating system at each start.
    pub key_seed: [u8; 32],
    /// X25519 secret that others seal to this node with; kept with the identity.
    pub prekey: [u8; 32],
    /// What shows that this key took the place of an older one.
    pub successor: Option<Successor>,
    /// AEADs and the synchronous checks of cold paths.
    pub crypto: std::sync::Arc<dyn Crypto>,
    /// Tunable times.
    pub times: Times,
    /// Tunable sizes.
    pub sizes: Sizes,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("node", &self.node).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tunable times, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// From link-up to a finished hello. 5 s: the protocol's.
    pub hello_ms: u64,
    /// Silence on an idle link before a PING. 5 s: the protocol's.
    pub idle_ping_ms: u64,
    /// Silence on an idle link before it is dead. 8 s: the protocol's.
    pub idle_dead_ms: u64,
    /// Data outstanding without an ACK before a link is dead, at least; also 4 round trips. A loaded verifier or disk
    /// may take seconds, so this only closes a link when a PING stays unanswered too.
    pub ack_dead_ms: u64,
    /// First redial delay. 200 ms: a restarted daemon is back within half a second.
    pub redial_min_ms: u64,
    /// Longest redial delay. 30 s: guess; an operator waits no longer than a glance.
    pub redial_max_ms: u64,
    /// How long messages are kept for RESUME. 10 min: the protocol's live window.
    pub window_ms: u64,
    /// How long a message waits for a missing earlier one. 30 s: the protocol's.
    pub gap_ms: u64,
    /// How long the first message seen of a sender waits for earlier ones. 1 s: a RESUME takes a round trip.
    pub first_gap_ms: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            hello_ms: 5_000,
            idle_ping_ms: 5_000,
            idle_dead_ms: 8_000,
            ack_dead_ms: 8_000,
            redial_min_ms: 200,
            redial_max_ms: 30_000,
            window_ms: 600_000,
            gap_ms: 30_000,
            first_gap_ms: 1_000,
        }
    }
}

/// Tunable sizes, in bytes where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Kept per group for RESUME and local readers. 16 MiB: the protocol's live window.
    pub window_bytes: u64,
    /// Kept per group instead, of what readers here have read, while this node is a leaf: has one link in the group that
    /// has everything, and nothing of its own under way. Nobody can ask for it then but who links to it later. `None`: as
    /// above; a node whose store is in memory takes 1 MiB.
    pub leaf_bytes: Option<u64>,
    /// Kept in the inbox. 16 MiB: the protocol's mailbox default.
    pub inbox_bytes: u64,
    /// Queued per link and data lane before its groups are fed from the log instead. 1 MiB: 4 full messages.
    pub lane_queue_bytes: u64,
    /// Initial credit granted to a peer per data lane. 1 MiB: a full message and three more under way.
    pub credit_bytes: u64,
    /// Entries gathering per group before `Busy`. 1 MiB: 4 full messages.
    pub gather_bytes: u64,
    /// Largest payload this node builds. 256 KiB: the format's limit.
    pub message_bytes: u64,
    /// How many times the budgets of a network prefix a local one has (LAN and loopback), as a factor. 16: an office or
    /// a machine full of nodes stands behind one local prefix, as many as a node has links, and whoever misbehaves there
    /// can be found.
    pub lan_budget: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            window_bytes: 16 << 20,
            leaf_bytes: None,
            inbox_bytes: 16 << 20,
            lane_queue_bytes: 1 << 20,
            credit_bytes: 1 << 20,
            gather_bytes: 1 << 20,
            message_bytes: 256 << 10,
            lan_budget: 16,
        }
    }
}
