//! The one table of error codes: what each means, what to do next, its HTTP status and the exit code of the verbs.
//!
//! The API answers with `{code, cause, next}`; `crosscast explain CODE` prints the same rows. A code is never reused for
//! another meaning.

/// How a verb ends: the process exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// Not done.
    Failed = 1,
    /// Asked for in a way that cannot work.
    Usage = 2,
    /// The daemon or the peer cannot be reached.
    NotReachable = 3,
    /// The caller may not do this.
    Denied = 4,
    /// It took longer than the caller wanted to wait.
    Timeout = 5,
}

impl Exit {
    /// The process exit code.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $word:literal $status:literal $exit:ident, $means:literal, $next:literal;)+) => {
        /// What went wrong, as a closed word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in JSON and messages.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The code with this word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// The HTTP status of an answer with this code.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status),+ }
            }

            /// The exit code of a verb that ends with it.
            #[must_use]
            pub const fn exit(self) -> Exit {
                match self { $(Self::$variant => Exit::$exit),+ }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn means(self) -> &'static str {
                match self { $(Self::$variant => $means),+ }
            }

            /// What to do next, in a sentence.
            #[must_use]
            pub const fn next(self) -> &'static str {
                match self { $(Self::$variant => $next),+ }
            }
        }
    };
}

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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_code_has_one_word_and_advice() {
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.word()), Some(*code));
            assert!(code.word().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{}", code.word());
            assert!(code.means().ends_with('.') && code.next().ends_with('.'), "{}", code.word());
        }
        assert_eq!(Code::from_word("nonsense"), None);
    }

    #[test]
    fn exit_codes_are_the_documented_numbers() {
        let exits = [Exit::Ok, Exit::Failed, Exit::Usage, Exit::NotReachable, Exit::Denied, Exit::Timeout];
        assert_eq!(exits.map(Exit::number), [0, 1, 2, 3, 4, 5]);
        assert_eq!(Code::Timeout.exit(), Exit::Timeout);
        assert_eq!(Code::Denied.exit(), Exit::Denied);
        assert_eq!(Code::NoDaemon.exit(), Exit::NotReachable);
    }
}
