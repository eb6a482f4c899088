//! Every number that bounds a format, with its reason.
//!
//! Lengths are bytes, times are milliseconds. A reader refuses what exceeds a length or a count; durations that a remote
//! names are clipped. The bounds of collections inside one room (queues, tables) live in that room.

/// 64: Ed25519, RFC 8032.
pub const SIGNATURE_LEN: usize = 64;
/// 8 KiB less the signature: header and signature together are the 8 KiB of framing that a message may add.
pub const HEADER_MAX: usize = 8 * 1024 - SIGNATURE_LEN;
/// 256 KiB: four entries of the largest size, and still cheap to hash, hold and re-send as one piece.
pub const PAYLOAD_MAX: usize = 256 * 1024;
/// 264 KiB: header, signature and payload.
pub const MESSAGE_MAX: usize = HEADER_MAX + SIGNATURE_LEN + PAYLOAD_MAX;
/// 30 days: no store keeps anything longer, so no message may ask for it.
pub const LIFE_MAX_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// 16: a wider causal frontier is first merged by the sender.
pub const DEPS_MAX: usize = 16;
/// 32: one bit each in the 32-bit bitmap of the recipients that remain.
pub const RECIPIENTS_MAX: usize = 32;
/// 256: what gathers while one signature is made, at the largest rate that a single publisher was seen to reach.
pub const ENTRIES_MAX: usize = 256;
/// 64 KiB: larger payloads are cut into a manifest and its parts.
pub const ENTRY_MAX: usize = 64 * 1024;
/// 128: longer than any registered media type with a parameter or two.
pub const CONTENT_TYPE_MAX: usize = 128;
/// 128: a topic is a label, not a document.
pub const TOPIC_MAX: usize = 128;
/// 64: holds a UUID as text, or any 512-bit hash.
pub const CORRELATION_MAX: usize = 64;
/// 16: a random key of 128 bits does not collide within the 24 hours it is remembered.
pub const ENTRY_KEY_LEN: usize = 16;
/// 4,096: a blob of 1 GiB in parts of 256 KiB; the hashes fill 136 KiB of a payload.
pub const MANIFEST_PARTS_MAX: usize = 4096;
/// 24: XAES-256-GCM and XChaCha20-Poly1305 both take 192 bits, enough to draw at random.
pub const NONCE_LEN: usize = 24;
/// 16: the full tag of both AEADs.
pub const TAG_LEN: usize = 16;
/// 160: a one-way Noise message that carries a 32-byte key takes 96; the rest is room for a hybrid half later.
pub const WRAP_MAX: usize = 160;
/// 5: inner codec (1) and inner length (4) before the inner payload of a sealed message.
pub const SEALED_PREFIX_LEN: usize = 5;
/// 248 KiB less the prefix: the largest inner payload that still fits a sealed payload, padded and with 32 wraps.
pub const SEALED_INNER_MAX: usize = 248 * 1024 - SEALED_PREFIX_LEN;

/// 3: group key, an admitting member, a member it admitted.
pub const CHAIN_LINKS_MAX: usize = 3;
/// 512: a capability with every number at its largest takes about 240; the rest is room for ignorable keys.
pub const CAPABILITY_MAX: usize = 512;
/// 2: the most that a root capability of a chain of [`CHAIN_LINKS_MAX`] can leave.
pub const DELEGATION_DEPTH_MAX: u64 = 2;
/// 7: eight rate classes.
pub const RATE_CLASS_MAX: u64 = 7;
/// 2 KiB, signed: a floor goes to every neighbour of a group at every link-up.
pub const FLOOR_MAX: usize = 2 * 1024;
/// 32: more revocations than that are a reason to raise the lowest epoch.
pub const REVOKED_MAX: usize = 32;
/// 1 KiB, signed: what the DHT stores under one key.
pub const PEER_RECORD_MAX: usize = 1024;
/// 16: four networks with v4, v6 and two spare addresses each.
pub const LOCATORS_MAX: usize = 16;
/// 256: a host name of full length does not fit beside scheme and port, but every one in use does.
pub const LOCATOR_MAX: usize = 256;
/// 4: one binding for each network that has keys of its own, and one spare.
pub const ATTESTATIONS_MAX: usize = 4;
/// 256: a body of 95, two signatures, and 33 bytes for ignorable keys.
pub const ATTESTATION_MAX: usize = 256;
/// 400 days: a year, and a month for whoever renews late; what an operator's key said does not hold for ever.
pub const ATTESTATION_LIFE_MAX_MS: u64 = 400 * 24 * 60 * 60 * 1000;
/// 2 minutes: clocks may differ by as much as a message's time may lie ahead.
pub const ATTESTATION_SLACK_MS: u64 = 2 * 60 * 1000;
/// 3 KiB, signed: a chain and a successor of full length, an invite and its proof, and 500 bytes for ignorable keys.
pub const JOIN_REQUEST_MAX: usize = 3 * 1024;
/// 16: drawn at random, so that two requests of one millisecond have two names.
pub const REQUEST_NONCE_LEN: usize = 16;
/// 512, signed: a locate takes about 210; the rest is room for ignorable keys.
pub const LOCATE_MAX: usize = 512;
/// 1 KiB, signed: what the DHT stores under one key.
pub const SERVICE_RECORD_MAX: usize = 1024;
/// 8: nodes that serve one service side by side.
pub const SERVICE_NODES_MAX: usize = 8;
/// 512, signed: a successor takes about 220; the rest is room for ignorable keys.
pub const SUCCESSOR_MAX: usize = 512;
/// Two headers of full length, and 1 KiB for their signatures and for ignorable keys.
pub const EQUIVOCATION_MAX: usize = 2 * HEADER_MAX + 1024;
/// 8 KiB: two chains and a floor of full length take 5 KiB; the rest is room for ignorable keys.
pub const GRANT_MAX: usize = 8 * 1024;
/// 4: the key in use, and those of three rotations before it that stored messages may still need.
pub const GRANT_KEYS_MAX: usize = 4;

/// 4 KiB: all that is read of a peer before it has proved its key.
pub const HELLO_MAX: usize = 4 * 1024;
/// 64: program name and version.
pub const AGENT_MAX: usize = 64;
/// 64: names of nodes and groups are shown in one column of a terminal.
pub const NAME_MAX: usize = 64;
/// 8: two addresses on each of four networks.
pub const OVERLAY_ADDRESSES_MAX: usize = 8;
/// 64: an IPv6 address as text takes 45, a PeerId 52.
pub const OVERLAY_ADDRESS_MAX: usize = 64;
/// 64 KiB: a peer that claims to take less is treated as taking one entry of the largest size.
pub const PEER_MESSAGE_MIN: u64 = 64 * 1024;
/// 128: the longest channel binding inside a proof.
pub const BINDING_MAX: usize = 128;

/// 16 KiB: the longest wait of an urgent frame behind a piece of a bulk frame; TLS cuts records there too.
pub const FRAGMENT_MAX: usize = 16 * 1024;
/// 272 KiB: the largest message and 8 KiB for what a hop adds.
pub const FRAME_MAX: usize = MESSAGE_MAX + 8 * 1024;
/// 128: one line for a log.
pub const CLOSE_TEXT_MAX: usize = 128;
/// 1 hour: a longer pause named by a peer is clipped to this.
pub const RETRY_AFTER_MAX_MS: u64 = 60 * 60 * 1000;
/// 512 windows in a RESUME frame, about 28 KiB; more travel in further frames.
pub const RESUME_WINDOWS_MAX: usize = 512;
/// 4: routers that a sender may name ahead.
pub const VIA_MAX: usize = 4;

/// 4 KiB: a ticket is pasted, and still fits a dense QR code when it has few locators.
pub const TICKET_MAX: usize = 4 * 1024;
/// 8: one core on each of four networks, twice.
pub const TICKET_LOCATORS_MAX: usize = 8;
