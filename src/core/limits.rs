//! Every bound of the core's collections, with the reason for its number.

/// Links at once, those in the hello included. 1,024: a core's neighbours and a flood of half-open ones fit in 64 MiB.
pub(crate) const LINKS: usize = 1_024;
/// Links in the hello at once; the transports hold back the rest. 256: 1 MiB of hello bodies.
pub(crate) const HELLOS: usize = 256;
/// Bytes of frames behind a proof that is being checked. 256 KiB: floors and subscriptions of 500 groups,
/// which a peer that is done first sends within the time of one signature check.
pub(crate) const EARLY_BYTES: usize = 256 << 10;
/// Locators to keep a link to. 64: an operator's list, not a directory.
pub(crate) const ATTACHED: usize = 64;
/// Keys pinned at first sight. 1,024: what an operator ever typed.
pub(crate) const PINS: usize = 1_024;
/// Groups this node is part of. 10,000: the target of a router.
pub(crate) const GROUPS: usize = 10_000;
/// Groups one link may subscribe to. As many as a router has.
pub(crate) const SUBSCRIPTIONS_PER_LINK: usize = 10_000;
/// Copies of one message that wait while another copy is checked. 16: more neighbours than a view has.
pub(crate) const COPIES: usize = 16;
/// Signatures that do not hold before a link is closed. 20: the protocol's.
pub(crate) const BAD_SIGNATURES_PER_LINK: u32 = 20;
/// Index entries per group. 65,536: 10 minutes at 100 messages a second; about 10 MB.
pub(crate) const LOG_ENTRIES: usize = 65_536;
/// Sender instances with a replay window per destination. 4,096: new senders are refused beyond, nobody is evicted.
pub(crate) const WINDOWS: usize = 4_096;
/// Live instances per sender and destination. 8: the protocol's.
pub(crate) const INSTANCES_PER_SENDER: usize = 8;
/// Sequence numbers a replay window spans. 4,096: what a receiver holds back at most.
pub(crate) const WINDOW_SPAN: u64 = 4_096;
/// Held-back messages per group. 4,096: the protocol's.
pub(crate) const HELD_MESSAGES: usize = 4_096;
/// Held-back bytes per group. 16 MiB: the protocol's.
pub(crate) const HELD_BYTES: u64 = 16 << 20;
/// Local readers. 1,024: applications on one machine.
pub(crate) const READERS: usize = 1_024;
/// Own messages whose outcome is awaited. 65,536: ten minutes at 100 a second.
pub(crate) const OUTCOMES: usize = 65_536;
/// Bytes of unicast messages waiting for absent peers. 4 MiB: 64 of the largest.
pub(crate) const OUTBOX_BYTES: u64 = 4 << 20;
/// Peers whose prekey is remembered. 1,024: as many as can be linked.
pub(crate) const PREKEYS: usize = 1_024;
/// Nodes ever sent to in one run. 65,536: 5 MB; their numbers must not start over.
pub(crate) const CORRESPONDENTS: usize = 65_536;
/// Ids remembered per link and group as known by the peer. 1,024: a window's worth of messages under way.
pub(crate) const KNOWN_IDS: usize = 1_024;
/// How wide the credit of a lane may become that is used up fast. 4 MiB: 100 MB/s over 40 ms, what gossip over a far or
/// busy path keeps under way.
pub(crate) const CREDIT_WIDE: u64 = 4 << 20;
/// Using up a lane's credit is fast within two round trips, or this many milliseconds. 50: below it the grants themselves
/// hold a sender up, whom the other side's processors let wait that long.
pub(crate) const CREDIT_FAST_MS: u64 = 50;
/// What all links together are granted beyond their first credit. 64 MiB: a core's ten busiest lanes.
pub(crate) const CREDIT_WIDE_ALL: u64 = 64 << 20;
/// How long acknowledgements gather in a steady stream, in milliseconds. 10: far below what a sender waits for them, and
/// a thousand messages a second cost a hundred of them.
pub(crate) const ACK_MS: u64 = 10;
/// Credit after which they do not gather longer. 64 KiB: a sixteenth of a lane's.
pub(crate) const ACK_BYTES: u64 = 64 << 10;
/// RESUME frames accepted per link and group in one exchange. 8: as many windows as [`WINDOWS`].
pub(crate) const RESUME_FRAMES: usize = 8;
/// Bytes on the control lane waiting for a link; beyond, the link is closed. 1 MiB: 4,096 windows and every floor.
pub(crate) const CONTROL_BYTES: u64 = 1 << 20;
/// Bytes read from the log at once to feed a link or a reader. 512 KiB: two full messages.
pub(crate) const READ_BYTES: u32 = 512 << 10;
/// The same for a link that has not acknowledged anything yet. 64 KiB: a round trip's worth.
pub(crate) const FIRST_READ_BYTES: u32 = 64 << 10;
/// Own messages signed but not committed, per group. 4: a signature overlaps a commit, the rest gathers.
pub(crate) const SIGNED_AHEAD: usize = 4;
/// How far in the future a message's time may lie, in milliseconds. 2 min: the protocol's.
pub(crate) const FUTURE_MS: u64 = 120_000;
/// How old a pushed message may be, in milliseconds. 10 min: the protocol's.
pub(crate) const PUSHED_MS: u64 = 600_000;
/// How much longer an answer to our RESUME may have taken, in milliseconds. 2 min: as much as clocks may differ.
pub(crate) const ANSWER_MS: u64 = 120_000;
/// Clock difference that both sides are told of, in milliseconds. 60 s: the protocol's.
pub(crate) const SKEW_MS: u64 = 60_000;
/// Bytes of verified chains, for all groups. 2 MiB: 3,000 chains of one link, the publishers of many groups at once.
pub(crate) const CHAINS_BYTES: usize = 2 << 20;
/// Chains of one link that wait for their verification. 1,024: the members of a large group.
pub(crate) const CHAIN_CHECKS: usize = 1_024;
/// Chains remembered per link as sent. 4,096: 128 KiB; a chain sent twice costs less than remembering more.
pub(crate) const CHAINS_SENT: usize = 4_096;
/// Messages that wait their turn to be put on a carrier. 4,096: 200 ms of twenty thousand a second; more go at once.
pub(crate) const CARRIER_WAITING: usize = 4_096;
/// Longest wait before what came over a link is put on a carrier, in milliseconds. 200: the protocol's.
pub(crate) const CARRIER_DELAY_MS: u64 = 200;
/// Queued on a carrier per lane, in bytes. 1 MiB: as much as on a link.
pub(crate) const CARRIER_QUEUE_BYTES: u64 = 1 << 20;
/// Bytes that a carrier may have handed up and not judged, per lane. 1 MiB: as much as a link is granted.
pub(crate) const CARRIER_CREDIT: u64 = 1 << 20;
/// Places that transports found or peers named and that are dialled. 64: as many as an operator may list.
pub(crate) const HINTS: usize = 64;
/// Of a peer's addresses on key-addressed networks, how many are dialled. 2: one for each such network.
pub(crate) const HINTS_PER_PEER: usize = 2;
/// Failures in a row after which a hint is forgotten. 4: half a minute of silence, longer than a restart.
pub(crate) const HINT_FAILURES: u32 = 4;
/// Entries of a log that are looked at for the trail of its senders. 4,096: a millisecond at most.
pub(crate) const TRAILS_LOOKED_AT: usize = 4_096;
/// Messages that wait for their chain, per link. 64: a burst behind a chain that is being checked.
pub(crate) const PARKED: usize = 64;
/// Messages offered again to a link for want of their chain: 64 at once, then 4 a second.
pub(crate) const OFFERS_AGAIN: u64 = 64;
/// See [`OFFERS_AGAIN`].
pub(crate) const OFFERS_AGAIN_PER_S: u64 = 4;
/// Content keys kept per group. 4: the one in use, the one before, and two for what a store still keeps.
pub(crate) const CONTENT_KEYS: usize = 4;
/// Nodes that are not linked and whose place is remembered. 4,096: a router's live correspondents; about 400 KB.
pub(crate) const ROUTES: usize = 4_096;
/// How long a place is remembered, in milliseconds. 10 min: as long as the message that taught it may be pushed.
pub(crate) const ROUTE_LIFE_MS: u64 = 600_000;
/// Invites, grants and revocations remembered per group by whoever made them. 4,096: four for each of the thousand
/// members that a group with content keys may have.
pub(crate) const REGISTER: usize = 4_096;
/// Floor records waiting to be made, per group. 64: an operator's commands, not a stream.
pub(crate) const FLOOR_CHANGES: usize = 64;
/// Requests of others remembered so that none goes round. 4,096: a minute at 64 a second.
pub(crate) const REQUESTS: usize = 4_096;
/// Requests taken from one link: 64 at once, then 8 a second.
pub(crate) const REQUESTS_PER_LINK: u64 = 64;
/// See [`REQUESTS_PER_LINK`].
pub(crate) const REQUESTS_PER_LINK_PER_S: u64 = 8;
/// Hops that a request or a unicast message may take. 8: the protocol's.
pub(crate) const HOPS: u8 = 8;
/// Verifications of one link under way at once beyond the bad signatures it has left: one for each that held before, up
/// to this. 256: a saturated link keeps every verifier busy, a bad one wastes at most so many more than 20.
pub(crate) const CHECKS_EARNED: u32 = 256;
/// Bytes of floors, chains, requests and proofs of one link that wait for their verification. 1 MiB: as much as may wait
/// to be sent.
pub(crate) const CHECK_BYTES: usize = 1 << 20;
/// Messages of one link refused at once, copies not counted; what is refused beyond keeps its credit until its turn
/// comes. 1,000: the live window of a busy group by a peer that was told of a change too late.
pub(crate) const REFUSALS: u64 = 1_000;
/// See [`REFUSALS`]. 200 a second: a refusal costs about as much as a message that is taken costs before its signature.
pub(crate) const REFUSALS_PER_S: u64 = 200;
/// Provable faults of links from one prefix: 60 at once, then one a second; then it opens no new link.
pub(crate) const FAULTS_PER_PREFIX: u64 = 60;
/// See [`FAULTS_PER_PREFIX`].
pub(crate) const FAULTS_PER_PREFIX_PER_S: u64 = 1;
/// Provable faults over all links of one listener: 600 at once, then ten a second; then prefixes with a fault wait.
pub(crate) const FAULTS_PER_LISTENER: u64 = 600;
/// See [`FAULTS_PER_LISTENER`].
pub(crate) const FAULTS_PER_LISTENER_PER_S: u64 = 10;
/// Prefixes with a fault on record. 4,096: 300 KiB; those beyond share one budget.
pub(crate) const PREFIXES: usize = 4_096;
/// Links in the hello from one prefix. 32: an eighth of [`HELLOS`].
pub(crate) const HELLOS_PER_PREFIX: u64 = 32;
/// Senders that nobody vouches for and that were never heard in a group, from one prefix: 64 at once, then one a second.
pub(crate) const FRESH_SENDERS: u64 = 64;
/// See [`FRESH_SENDERS`].
pub(crate) const FRESH_SENDERS_PER_S: u64 = 1;
/// The rate class without a bound of its own: the format's highest.
pub(crate) const UNLIMITED_RATE_CLASS: u8 = 7;
/// Seconds' worth of its rate that a sender with a lower rate class may say at once. 64: somebody who was away catches up.
pub(crate) const SENDER_BURST_S: u64 = 64;
/// Two claims of one number taken up per link: 8 at once, then one a second. A read and two signatures each.
pub(crate) const EQUIVOCATIONS: u64 = 8;
/// See [`EQUIVOCATIONS`].
pub(crate) const EQUIVOCATIONS_PER_S: u64 = 1;
/// Proofs about runs that have not been heard here yet. 64: 100 KiB; the oldest goes.
pub(crate) const EARLY_PROOFS: usize = 64;
/// Runs barred at once. 1,024: each needs a sender that was let in first; about 100 KiB, and their proofs in the store.
pub(crate) const BARRED: usize = 1_024;
/// How long a run is barred, in milliseconds. 24 h: far longer than anything it said can be pushed.
pub(crate) const BARRED_MS: u64 = 86_400_000;
/// Barred runs that bar their key. 3: the protocol's.
pub(crate) const BARRED_RUNS_OF_A_KEY: usize = 3;
/// Bytes of others' messages on their way through. 8 MiB: 30 of the largest; a quarter of it from one link.
pub(crate) const TRANSIT_BYTES: u64 = 8 << 20;
/// Ids of messages passed on that are told from copies. 16,384: 12 minutes at 20 a second; windows know the rest.
pub(crate) const TRANSIT_IDS: usize = 16_384;
/// How long a message passed on waits for a way, in milliseconds. 30 s: a link that broke is back or replaced by then.
pub(crate) const TRANSIT_WAIT_MS: u64 = 30_000;
/// Bytes of messages passed on for one link at once. 4 MiB: 15 of the largest.
pub(crate) const TRANSIT_BURST: u64 = 4 << 20;
/// Bytes of messages passed on for one link a second. 2 MiB: what a verifier of one core does in a tenth of its time.
pub(crate) const TRANSIT_PER_S: u64 = 2 << 20;
/// What a message passed on costs beside its bytes. 2 KiB: checking a signature takes as long as hashing so much.
pub(crate) const TRANSIT_OVERHEAD: u64 = 2 << 10;
/// How long a request is remembered, in milliseconds. 60 s: longer than any way it can take.
pub(crate) const REQUEST_MEMORY_MS: u64 = 60_000;
/// Nodes that are looked for at once. 1,024: as many as prekeys.
pub(crate) const SEARCHES: usize = 1_024;
/// When a node is taken for not found, in milliseconds. 10 s: three requests and their answers over 8 links.
pub(crate) const NOT_FOUND_MS: u64 = 10_000;
/// Commands that wait for a prekey. 256: 16 MiB of the largest.
pub(crate) const WAITING_SENDS: usize = 256;
/// Messages a stranger may leave a day. 8: the protocol's.
pub(crate) const STRANGER_MESSAGES: u32 = 8;
/// Bytes a stranger may leave a day. 64 KiB: the protocol's; an entry of the largest size does not fit with its frame.
pub(crate) const STRANGER_BYTES: u64 = 64 << 10;
/// A stranger's day, in milliseconds.
pub(crate) const STRANGER_DAY_MS: u64 = 24 * 3_600_000;
/// Strangers whose day is remembered. 4,096: sixteen times as many as the box can hold.
pub(crate) const STRANGERS: usize = 4_096;
/// Messages of strangers that wait at once. 256: what a person looks through.
pub(crate) const CONTACT_MESSAGES: usize = 256;
/// Bytes of strangers' messages that wait at once. 1 MiB: a sixteenth of the inbox.
pub(crate) const CONTACT_BYTES: u64 = 1 << 20;
/// Services of this node. 64: an application each.
pub(crate) const SERVICES: usize = 64;
/// Requests that wait for an own record to be signed. 64: a burst of one link.
pub(crate) const ASKERS: usize = 64;
