//! The command line as types; the verbs of `group` are in `group.rs`. What is not built is not here.

mod group;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use group::{CreateArgs, GrantArgs, GroupVerb, InviteArgs, PolicyArg};

/// Where Debian's package keeps the daemon's configuration.
const YGGDRASIL_CONFIG: &str = "/etc/yggdrasil/yggdrasil.conf";

/// Publish/subscribe (pub/sub) groups that span the peer-to-peer networks a machine already has.
#[derive(Debug, Parser)]
#[command(name = "crosscast", version, propagate_version = false, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 not reachable, 4 denied, 5 timeout.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Home folder; otherwise CROSSCAST_HOME, otherwise the XDG data folder
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print JSON: one object, or one a line for streams; errors are JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// How long to wait at most, such as 500ms, 5s, 2m
    #[arg(long, global = true, value_name = "TIME", value_parser = parse_time)]
    pub(crate) timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Make an identity and a commented config.toml; print the NodeId
    Init(InitArgs),
    /// Run the daemon
    Run(RunArgs),
    /// Show this node: its key, where it listens, its networks
    Status,
    /// List linked peers: over which network, by which path and why
    Peers(PeersArgs),
    /// Show one linked peer in detail
    Peer(PeerArgs),
    /// Measure the round trip to a linked peer
    Ping(PingArgs),
    /// Show over which links a peer is reached, or a group flows
    Trace(TraceArgs),
    /// Make, join and look at groups
    #[command(subcommand)]
    Group(GroupVerb),
    /// Publish TEXT, or each line of standard input, to a group
    Pub(PubArgs),
    /// Print what is published to groups
    Sub(SubArgs),
    /// Send TEXT, or standard input, to nodes and services, in one message
    Send(SendArgs),
    /// Have a service under a key of its own; print the key. Without NAME, list them
    Serve(ServeArgs),
    /// List what was sent to this node
    Inbox(InboxArgs),
    /// Show, export, import or replace this node's key; bind it to the keys of other networks
    #[command(subcommand)]
    Key(KeyVerb),
    /// Check or show the configuration
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Explain an error code
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completion(CompletionArgs),
    /// Print a manual page, in roff
    Man(ManArgs),
    /// Run five nodes or more on this machine and pipe text through a group that spans them
    Demo(DemoArgs),
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// A name that peers see
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where to listen, such as tls://0.0.0.0:7710 or quic://0.0.0.0:7710; port 0 picks a free one, shown by `status`
    #[arg(long, value_name = "LOCATOR")]
    pub(crate) listen: Vec<String>,
    /// A peer to keep a link to, such as tls://192.0.2.1:7710#NODEID, or a running node of another network that is to be
    /// used: yggdrasil[:SOCKET], cjdns[:ADDRESS], libp2p:/ip4/127.0.0.1/tcp/4001
    #[arg(long, value_name = "LOCATOR|HOST")]
    pub(crate) attach: Vec<String>,
    /// Make a key that is the Yggdrasil daemon's too, so that the NodeId alone can be dialled; what goes into the
    /// daemon's configuration is written to yggdrasil.key.conf. Needs a program built with the feature yggdrasil-keygen
    #[arg(long)]
    pub(crate) yggdrasil: bool,
    /// How many zero bits that key begins with at least; each more doubles the time to find one
    #[arg(long, value_name = "N", requires = "yggdrasil", default_value_t = 0)]
    pub(crate) strength: u32,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Only check the configuration
    #[arg(long)]
    pub(crate) check: bool,
    /// What to log on stderr: error, warn, info, debug, trace, or a filter such as crosscast_core=debug; otherwise what
    /// config.toml says, otherwise info
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
    /// Stop when standard input ends, for programs that start nodes of their own
    #[arg(long)]
    pub(crate) until_stdin_ends: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// Show the list again every second; with --json, one object a line
    #[arg(short, long)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PeerArgs {
    /// The peer's NodeId
    #[arg(value_name = "KEY")]
    pub(crate) node: String,
}

#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// A peer's NodeId, a GroupId, or the local name of a group
    #[arg(value_name = "KEY|GROUP")]
    pub(crate) target: String,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionArgs {
    /// Which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Of which verb, such as `group create`; without it, of the program
    #[arg(value_name = "VERB")]
    pub(crate) verb: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PingArgs {
    /// The peer's NodeId
    #[arg(value_name = "KEY")]
    pub(crate) node: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassArg {
    /// People are waiting
    Urgent,
    /// The default
    Normal,
    /// Files and synchronisation
    Bulk,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitArg {
    /// The daemon has it
    Accepted,
    /// A next hop has acknowledged it
    Sent,
}

#[derive(Debug, Args)]
pub(crate) struct PubArgs {
    /// Local name or GroupId
    pub(crate) group: String,
    /// What to publish; without it, each line of standard input
    pub(crate) text: Option<String>,
    /// Topic within the group, seen by members only
    #[arg(long, value_name = "TOPIC")]
    pub(crate) topic: Option<String>,
    /// 16 bytes in hexadecimal digits, such as a UUID: the same again within a day publishes nothing. Only with TEXT
    #[arg(long, value_name = "KEY", requires = "text")]
    pub(crate) key: Option<String>,
    /// How urgent
    #[arg(long, value_enum, default_value_t = ClassArg::Normal)]
    pub(crate) class: ClassArg,
    /// How long it matters, such as 30s, 10m
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) life: Option<Duration>,
    /// What to wait for before reporting
    #[arg(long, value_enum, default_value_t = WaitArg::Sent)]
    pub(crate) wait: WaitArg,
}

#[derive(Debug, Args)]
pub(crate) struct SubArgs {
    /// Local names or GroupIds
    #[arg(required = true, value_name = "GROUP")]
    pub(crate) groups: Vec<String>,
    /// Start at: oldest, a message id, a cursor, a time (2026-01-31T12:00:00Z) or an age (10m)
    #[arg(long, value_name = "ID|TIME")]
    pub(crate) since: Option<String>,
    /// End after this many entries
    #[arg(short = 'n', long, value_name = "COUNT")]
    pub(crate) count: Option<u64>,
    /// Only topics that match, with MQTT's wildcards: 'a/+/#'
    #[arg(long, value_name = "FILTER")]
    pub(crate) topic: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Keys of nodes or services, separated by commas: at most 32
    #[arg(value_name = "KEY[,KEY..]")]
    pub(crate) nodes: String,
    /// What to send; without it, all of standard input
    pub(crate) text: Option<String>,
    /// How long it matters, such as 30s, 10m
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) life: Option<Duration>,
    /// What to wait for before reporting
    #[arg(long, value_enum, default_value_t = WaitArg::Sent)]
    pub(crate) wait: WaitArg,
}

#[derive(Debug, Args)]
pub(crate) struct InboxArgs {
    /// Go on with what arrives; with --json, one object a line
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// Acknowledge what was printed: it is not listed again
    #[arg(long)]
    pub(crate) ack: bool,
    /// Take this node for no stranger any more, and list nothing
    #[arg(long, value_name = "KEY", conflicts_with_all = ["follow", "ack"])]
    pub(crate) accept: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// A local name; the same name has the same key again
    pub(crate) name: Option<String>,
    /// Give the service and its key up
    #[arg(long)]
    pub(crate) stop: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Print the NodeId of the home folder's identity
    Show,
    /// Write a copy of the secret key to a new file that only its owner can read
    Export {
        /// The file; `-` is standard output, unless that is a terminal
        file: PathBuf,
    },
    /// Make an exported key the identity of a home folder that has none
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Replace the key by a new one, and say with both that it takes the old one's place; the old key file is kept
    Rotate,
    /// Have a running node of another network sign that it belongs to this node, for peers to see; holds for a year
    #[command(subcommand)]
    Attest(AttestVerb),
    /// Print what to put into a daemon's NodeInfo, so that others find this node
    #[command(subcommand)]
    Nodeinfo(NodeinfoVerb),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AttestVerb {
    /// By the key in the daemon's configuration, which has to be readable
    Yggdrasil {
        /// The daemon's configuration
        #[arg(long, value_name = "FILE", default_value = YGGDRASIL_CONFIG)]
        config: PathBuf,
    },
    /// By its admin interface, which wants the password
    Cjdns {
        /// A file with the admin password; otherwise as configured, otherwise .cjdnsadmin
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// Where the admin interface is; otherwise as configured, otherwise .cjdnsadmin, otherwise 127.0.0.1:11234
        #[arg(long, value_name = "ADDRESS")]
        admin: Option<SocketAddr>,
    },
    /// List the attestations of this node, and whether they hold
    Show,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeinfoVerb {
    /// For a Yggdrasil daemon, by its configuration, which has to be readable
    Yggdrasil {
        /// The daemon's configuration
        #[arg(long, value_name = "FILE", default_value = YGGDRASIL_CONFIG)]
        config: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Check config.toml and the identity without starting anything
    Check,
    /// Print the configuration in force
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as no_daemon; without it, all are listed
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Read the lines from a file
    #[arg(long, value_name = "FILE")]
    pub(crate) input: Option<PathBuf>,
    /// Repeat the built-in text up to this many lines, numbered
    #[arg(long, value_name = "N", conflicts_with = "input")]
    pub(crate) lines: Option<u64>,
}

fn parse_time(text: &str) -> Result<Duration, String> {
    crosscast_api::parse_duration_ms(text)
        .map(Duration::from_millis)
        .ok_or_else(|| "expected a number and a unit: 500ms, 5s, 2m, 1h, 1d".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_behind_the_verb() {
        let cli = Cli::try_parse_from(["crosscast", "sub", "g", "--json", "--timeout", "500ms", "-n", "3"]).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.timeout, Some(Duration::from_millis(500)));
        assert!(Cli::try_parse_from(["crosscast", "status", "--timeout", "5"]).is_err());
    }
}
