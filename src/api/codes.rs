//! The one table of error codes: what each means, what to do next, its HTTP status and the exit code of the verbs.
//!
//! The API answers with `{code, cause, next}`; `crosscast explain CODE` prints the same rows. A code is never reused for
//! another meaning. Words of the network layer (why a network is not simply up, why somebody was refused before the hello)
//! are codes under their own names, with dashes.

#[macro_use]
mod shape;

pub use shape::Exit;

codes! {
    /// The command line does not parse.
    Usage = "usage" 400 Usage,
        "The command line is not one this program takes.",
        "`crosscast help` lists the verbs, `crosscast help VERB` their options.";
    /// The request is malformed.
    BadRequest = "bad_request" 400 Usage,
        "The request is not one this endpoint or verb takes.",
        "Compare it with `crosscast help VERB` or the list of endpoints.";
    /// A key does not parse.
    BadKey = "bad_key" 400 Usage,
        "A NodeId (cn..) or GroupId (cg..) has 58 characters and a checksum; this text is not one.",
        "Copy the whole key again; `crosscast status` and `crosscast group ls` print the keys known here.";
    /// A locator does not parse.
    BadLocator = "bad_locator" 400 Usage,
        "A locator names where a node can be dialled, such as tls://192.0.2.1:7710#NODEID; this text is not one.",
        "Write SCHEME://HOST:PORT, IPv6 addresses in brackets; `crosscast status` prints this node's own.";
    /// A ticket does not parse or hold.
    BadTicket = "bad_ticket" 400 Usage,
        "A ticket is one string that starts with `cct1.`; this one is damaged, cut off, or its records do not hold.",
        "Ask for the ticket again (`crosscast group invite GROUP`) and pass it whole, or through `join -`.";
    /// The start of a stream does not parse.
    BadSince = "bad_since" 400 Usage,
        "A stream starts at a message id, a cursor (`pos.index`), a time, `oldest` or `now`; this is none of them.",
        "Use the `id` or `cursor` field of `crosscast sub --json`, a time such as 2026-01-31T12:00:00Z, or `oldest`.";
    /// A topic or a filter of topics is none.
    BadTopic = "bad_topic" 400 Usage,
        "A topic is levels with slashes between them; in a filter + stands for one whole level, a last # for any number.",
        "Write a filter such as 'a/+/#', with wildcards in place of whole levels; a topic that is published has none.";
    /// An entry key does not parse, or stands for several entries.
    BadEntryKey = "bad_entry_key" 400 Usage,
        "An entry key is 16 bytes as 32 hexadecimal digits, dashes allowed, and belongs to one entry.",
        "Draw one per entry, such as a UUID, and send the same again with a retry.";
    /// The configuration cannot be used.
    BadConfig = "bad_config" 400 Usage,
        "config.toml has a mistake, or names something this build does not have.",
        "Correct the line that is named; `crosscast config check` tests the file without starting anything.";
    /// There is nothing to publish.
    Empty = "empty" 400 Usage,
        "Nothing was given to publish or send.",
        "Give TEXT, or pipe lines to standard input; an empty line is an entry, an empty input is none.";
    /// Larger than the format allows.
    TooLarge = "too_large" 413 Usage,
        "An entry holds at most 65,536 bytes, and a name at most 64.",
        "Split it: one entry per line, or several entries.";
    /// The caller may not use the API.
    Denied = "denied" 403 Denied,
        "The local API answers only the daemon's user, root, and members of the group named in `[api].group`.",
        "Run the verb as the daemon's user, or set `group = \"NAME\"` under `[api]` in config.toml and restart the daemon.";
    /// The policy forbids publishing.
    NotAllowed = "not_allowed" 403 Denied,
        "The group's policy does not let this node publish.",
        "`crosscast group show GROUP` names policy and rights; ask for `group grant`, or publish from the node with the key.";
    /// The group's content key is missing.
    NoKey = "no_key" 503 NotReachable,
        "The group's content key was changed and the new one has not come yet.",
        "Wait: the node asks the group's members for it; `crosscast group show GROUP` says `asking` until it has come.";
    /// A right is missing.
    NoRight = "no_right" 403 Denied,
        "This node's rights in the group do not cover that.",
        "Run it on a node with the right (`crosscast group show GROUP` lists them), or ask its maker for `group grant`.";
    /// The group knows no capabilities.
    NoCapabilities = "no_capabilities" 409 Failed,
        "The group's policy is not `capability`, so there are no rights to hand out or take back.",
        "`crosscast group policy GROUP capability` on the node that holds the group's key changes that.";
    /// Nobody has answered a request to join.
    NobodyAdmits = "nobody_admits" 503 NotReachable,
        "Nobody who may admit to the group has answered; the node stays with the group and goes on asking.",
        "Keep the daemon running and linked; `crosscast group show GROUP` says when it is in.";
    /// The group does not admit this node.
    NotAdmitted = "not_admitted" 403 Denied,
        "Whoever admits to the group has said no: the invite is used up, has run out, or the key was revoked.",
        "Ask for a new ticket (`crosscast group invite GROUP`), or for `crosscast group grant GROUP KEY`.";
    /// No such endpoint.
    NotFound = "not_found" 404 Failed,
        "There is nothing under that path.",
        "Compare the path with the list of endpoints; client and daemon may be of different versions.";
    /// The endpoint has another method.
    MethodNotAllowed = "method_not_allowed" 405 Failed,
        "That path exists, but not with this method.",
        "Compare the method with the list of endpoints.";
    /// Not one of this node's groups.
    UnknownGroup = "unknown_group" 404 Failed,
        "This node is not part of a group of that name or GroupId.",
        "`crosscast group ls` lists the groups here; `crosscast group join TICKET` joins one.";
    /// A local group of that name exists.
    NameTaken = "name_taken" 409 Failed,
        "A group of that name exists here already.",
        "Choose another local name: `--name`, which only this node sees.";
    /// Older than what is kept.
    NoHistory = "no_history" 410 Failed,
        "What followed that point is no longer kept here.",
        "Start at `--since oldest`, and treat what lies between as missing.";
    /// A queue is full.
    Busy = "busy" 429 Failed,
        "The queue for this is full: publishing is faster than the links carry it away.",
        "Try again in a moment; `crosscast peers` shows what waits for whom.";
    /// A limit is reached.
    Limit = "limit" 429 Failed,
        "A limit of this node is reached: groups, readers, streams or connections.",
        "Leave or end what is not needed any more.";
    /// A node or service that nobody could find.
    NobodyAnswers = "nobody_answers" 404 NotReachable,
        "No neighbour leads to that node or service, or it did not answer within ten seconds.",
        "Check the key, and that both sides take part in a group that links them; it may be off line: try again later.";
    /// No service of that name.
    UnknownService = "unknown_service" 404 Failed,
        "This node has no service of that name.",
        "`crosscast serve` lists the services of this node.";
    /// Nobody is linked to that node.
    NotLinked = "not_linked" 503 NotReachable,
        "There is no link to that node.",
        "`crosscast peers` lists the linked nodes; attach to it with `attach = [\"LOCATOR\"]` in config.toml.";
    /// Not in this version.
    Unsupported = "unsupported" 501 Failed,
        "This version does not have that yet.",
        "Leave the option out, or use a newer version.";
    /// This build was made without it.
    NotBuilt = "not_built" 501 Usage,
        "This program was built without what was asked for.",
        "Build it with the feature that the cause names: `cargo build --release --features NAME`.";
    /// The store does not take writes.
    StoreFailed = "store_failed" 507 Failed,
        "The store under the home folder could not be written or read.",
        "Look for a full disk or wrong owner there; the daemon's log names the system's own words.";
    /// The daemon is going down.
    ShuttingDown = "shutting_down" 503 NotReachable,
        "The daemon is shutting down.",
        "Try again when it is back.";
    /// The daemon is not ready yet.
    NotReady = "not_ready" 503 NotReachable,
        "The daemon is starting.",
        "Try again in a moment.";
    /// The wait is over.
    Timeout = "timeout" 504 Timeout,
        "It took longer than the time given.",
        "Give more with `--timeout`, or see `crosscast peers` and `crosscast status` for what is missing.";
    /// Something that should not happen.
    Internal = "internal" 500 Failed,
        "The daemon met a state that should not exist.",
        "Please report it, with the daemon's log.";
    /// The client finds no daemon.
    NoDaemon = "no_daemon" 503 NotReachable,
        "No daemon answers on the socket of this home folder.",
        "Start it with `crosscast run`, or name the right folder with `--home` or CROSSCAST_HOME.";
    /// The connection to the daemon broke.
    ConnectionLost = "connection_lost" 503 NotReachable,
        "The connection to the daemon ended before the answer was complete.",
        "See whether the daemon still runs; what was answered until then holds.";
    /// The home folder has no identity.
    NoIdentity = "no_identity" 400 Failed,
        "The home folder holds no identity and no config.toml.",
        "Make them with `crosscast init`, or name the right folder with `--home` or CROSSCAST_HOME.";
    /// The home folder has an identity already.
    HasIdentity = "has_identity" 409 Failed,
        "The home folder holds an identity already; it is never overwritten.",
        "Choose another folder with `--home`; to begin anew, move the old one away.";
    /// A key file others could read.
    KeyMode = "key_mode" 403 Denied,
        "A key file must be readable by its owner only; otherwise the daemon does not start.",
        "`chmod 600` the file, and consider the key known to whoever could read it.";
    /// A key file that holds no key.
    KeyFile = "key_file" 400 Failed,
        "The identity file does not hold a key.",
        "Restore it from a backup; `crosscast init` in another folder makes a new identity.";
    /// A host node's key cannot be had.
    HostKey = "host_key" 400 Failed,
        "The key of the host node could not be read from its configuration.",
        "Run it as a user who may read that file (root, or a member of the group that owns it), and name it with `--config`.";
    /// A listener could not be made.
    ListenFailed = "listen_failed" 500 Failed,
        "The daemon cannot listen where config.toml says.",
        "Free the address, or change `listen` in config.toml; port 0 picks a free port.";
    /// A transport cannot work.
    TransportFailed = "transport_failed" 500 Failed,
        "A network cannot be used at all, because of its configuration or the system.",
        "The daemon's log names the reason; correct it and start the daemon anew.";
    /// Two daemons on one home.
    AlreadyRunning = "already_running" 409 Failed,
        "Another daemon answers on the socket of this home folder or holds its store.",
        "Use that one, stop it first, or give this one another `--home`.";
    /// The socket's path does not fit.
    SocketPath = "socket_path" 400 Usage,
        "The path of a Unix socket has at most 100 bytes here; the system allows hardly more.",
        "Choose a shorter home folder, such as one under /run or /tmp.";
    /// The socket could not be made.
    SocketFailed = "socket_failed" 500 Failed,
        "The API socket could not be made in the home folder.",
        "See that the folder exists, belongs to the daemon's user, and is on a local disk.";
    /// Files or streams of the client fail.
    Io = "io" 500 Failed,
        "The system refused to read or write a file or stream.",
        "The cause holds the system's own words.";
    /// No admin socket.
    NoAdmin = "no-admin" 503 NotReachable,
        "No admin socket of the host node was found.",
        "Start the host node, or name its socket in `attach`: yggdrasil:/run/yggdrasil.sock, cjdns:127.0.0.1:11234.";
    /// No access to the admin socket.
    AdminDenied = "admin-denied" 403 Denied,
        "The system or the host node does not let this user at the admin socket, so less is known of the network.",
        "Yggdrasil: add the daemon's user to the group `yggdrasil` and start it anew. cjdns: give it `password_file`.";
    /// Another admin password.
    WrongPassword = "wrong-password" 403 Denied,
        "cjdns refused the admin password.",
        "Put the `admin` password of cjdroute.conf into `password_file` under `[network.cjdns]`, or into ~/.cjdnsadmin.";
    /// Nonsense at the admin socket.
    AdminGarbled = "admin-garbled" 502 NotReachable,
        "What answers at the admin socket does not speak as the host node does.",
        "See which program has that socket or port, and name the host node's own in `attach`.";
    /// Another machine's host node.
    NotThisMachine = "not-this-machine" 503 NotReachable,
        "The host node at the admin socket has no address on this machine.",
        "Attach to the node that runs on this machine; in a container, share the network namespace with it.";
    /// A host node without an interface.
    NoInterface = "no-interface" 503 NotReachable,
        "The host node runs without an interface, so no program can use its network.",
        "Let it make one (`IfName: auto` in Yggdrasil's configuration, a TUN device for cjdns) and start it anew.";
    /// The host node's address is gone.
    AddressGone = "address-gone" 503 NotReachable,
        "The host node or its address is gone; this node waits for it, and links come back by themselves.",
        "Start the host node again; nothing else is needed.";
    /// A host node alone.
    NoPeers = "no-peers" 503 NotReachable,
        "The host node has no peers, so nobody can be reached over its network.",
        "Give it peers in its own configuration, or see there why those it has are not connected.";
    /// Two generations of a network.
    VersionMismatch = "version-mismatch" 503 NotReachable,
        "The host node's peers speak another version of its network.",
        "Run the same generation on both ends: Yggdrasil 0.4 and 0.5 do not speak with each other.";
    /// A silent host node.
    HostUnreachable = "host-unreachable" 503 NotReachable,
        "The host node does not answer.",
        "See that it runs and can be reached from here; this node goes on trying.";
    /// The port is another's.
    PortTaken = "port-taken" 503 NotReachable,
        "Another program has the port on the address where this node should listen.",
        "Free it, or choose another: `port` under `[network.yggdrasil]` or `[network.cjdns]`, or `listen`.";
    /// The port is forbidden.
    PortDenied = "port-denied" 503 NotReachable,
        "The system does not let this node listen on the port on its address there; links are dialled, none is taken.",
        "Choose one from 1024 on: `port` under `[network.yggdrasil]` or `[network.cjdns]`; or let the system allow it.";
    /// An address of another key.
    AddressNotOwned = "address-not-owned" 403 Denied,
        "Somebody came from, or answers at, an address that is not of the host node's key that they claim.",
        "They were refused. If it is a peer of yours, see that it runs on the machine of its own host node.";
    /// Another node's attestation.
    AttestationForeign = "attestation-foreign" 403 Denied,
        "Somebody shows an attestation or NodeInfo that was made for another node.",
        "They were refused. If it is a peer of yours, make its own there: `crosscast key attest`.";
    /// A false attestation.
    AttestationForged = "attestation-forged" 403 Denied,
        "Somebody shows an attestation or NodeInfo with a signature that does not hold.",
        "They were refused. If it is a peer of yours, make it anew there: `crosscast key attest`.";
    /// An old attestation.
    AttestationExpired = "attestation-expired" 403 Denied,
        "Somebody shows an attestation or NodeInfo that is not valid now.",
        "If it is a peer of yours, compare both clocks, and make it anew there: `crosscast key attest`.";
    /// No attestation where one is needed.
    AttestationMissing = "attestation-missing" 403 Denied,
        "Somebody comes from a host node's subnet and shows no attestation of that host node.",
        "If it is a peer of yours, have the host node's owner run `crosscast key attest` with that peer's home folder.";
    /// A handshake that did not end.
    HandshakeBroken = "handshake-broken" 502 NotReachable,
        "Somebody did not finish the handshake as they should.",
        "Another program may speak there; if it is a peer of yours, compare the versions in `crosscast status`.";
    /// Something published stayed within this daemon.
    NotAcknowledged = "not_acknowledged" 504 Failed,
        "What was published is kept here, but no next hop has acknowledged it yet.",
        "It goes out when a member of the group is linked, within its life; see `crosscast peers`.";
    /// Its time ran out.
    Expired = "expired" 504 Failed,
        "The message's life ended before anybody took it.",
        "Give it a longer life (`--life`), or see `crosscast peers` for who is missing.";
    /// Somebody said no.
    Refused = "refused" 502 Failed,
        "A node refused the message.",
        "Its rights or its size may be the reason; `crosscast group show GROUP` names the policy.";
    /// Given up.
    Dropped = "dropped" 502 Failed,
        "The message was given up.",
        "Publish it again; the daemon's log names the reason.";
    /// Messages are missing.
    Gap = "gap" 200 Failed,
        "The reader fell behind what is kept: entries are missing before the next one.",
        "Read faster, or from several readers; what is missing can be asked of another member.";
    /// The demonstration did not end well.
    DemoFailed = "demo_failed" 500 Failed,
        "Not every line arrived everywhere exactly once.",
        "The table names what is missing; the homes of the nodes and their logs are kept for a look.";
}

#[cfg(test)]
mod tests;
