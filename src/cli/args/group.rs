//! `crosscast group` as types: what makes groups, lets others in, and says who may do what.
//!
//! Rights and times go to the daemon as they were written; a time is only checked here.

use clap::{Args, Subcommand, ValueEnum};

use super::parse_time;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupVerb {
    /// Make a group; print a ticket that lets others join
    Create(CreateArgs),
    /// List the groups of this node
    Ls,
    /// Show a group
    Show {
        /// Local name or GroupId
        group: String,
    },
    /// Print a ticket for a group
    Invite(InviteArgs),
    /// Give a node rights in a group of capabilities
    Grant(GrantArgs),
    /// Take a node's rights back, or those of everyone whom an invite let in
    Revoke {
        /// Local name or GroupId
        group: String,
        /// The NodeId, the invite's ticket, or - to read either from standard input
        #[arg(value_name = "KEY|TICKET")]
        whom: String,
    },
    /// Change who may publish to a group
    Policy {
        /// Local name or GroupId
        group: String,
        /// Who may publish from now on
        #[arg(value_enum)]
        policy: PolicyArg,
    },
    /// Become part of a group
    Join {
        /// The ticket, or - to read it from standard input
        ticket: String,
        /// Another local name than the ticket's
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Stop being part of a group; forget its keys and messages
    Leave {
        /// Local name or GroupId
        group: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Its local name: at most 64 bytes
    pub(crate) name: String,
    /// Who may publish
    #[arg(long, value_enum, default_value_t = PolicyArg::Open)]
    pub(crate) policy: PolicyArg,
    /// Leave payloads unsealed: every router can read them
    #[arg(long)]
    pub(crate) public: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// Local name or GroupId
    pub(crate) group: String,
    /// Where the joiner can dial, instead of where this node listens
    #[arg(long, value_name = "LOCATOR")]
    pub(crate) locator: Vec<String>,
    /// In a group of capabilities: works while nobody who admits is reachable, for everyone who has it, until revoked
    #[arg(long)]
    pub(crate) offline: bool,
    /// In a group of capabilities: what the joiner may do (default: publish,subscribe)
    #[arg(long, value_name = "RIGHT", value_delimiter = ',')]
    pub(crate) rights: Vec<String>,
    /// How many may join by it (default: 1)
    #[arg(long, value_name = "N", conflicts_with = "offline")]
    pub(crate) uses: Option<u32>,
    /// How long the ticket holds (default: 7d)
    #[arg(long, value_name = "TIME", value_parser = checked_time)]
    pub(crate) valid: Option<String>,
    /// How long what it lets in holds unless it is renewed (default: 30d)
    #[arg(long, value_name = "TIME", value_parser = checked_time)]
    pub(crate) life: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// Local name or GroupId
    pub(crate) group: String,
    /// The NodeId
    #[arg(value_name = "KEY")]
    pub(crate) node: String,
    /// What it may do: publish, subscribe, relay, admit, renew, revoke, bridge
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', default_value = "publish,subscribe")]
    pub(crate) rights: Vec<String>,
    /// How many more links may follow below it: 1 lets it name devices of its own or, with admit, let others in
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) depth: u8,
    /// How long it holds unless it is renewed (default: 30d)
    #[arg(long, value_name = "TIME", value_parser = checked_time)]
    pub(crate) life: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PolicyArg {
    /// Everyone in the group
    Open,
    /// Only the holder of the group key
    Keyholder,
    /// Whoever was granted the right
    Capability,
}

impl PolicyArg {
    /// The policy's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Keyholder => "keyholder",
            Self::Capability => "capability",
        }
    }
}

/// A time that the daemon will read the same way.
fn checked_time(text: &str) -> Result<String, String> {
    parse_time(text).map(|_| text.to_owned())
}
