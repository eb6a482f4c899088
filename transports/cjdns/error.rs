//! What goes wrong between us and a cjdns node, by guilty party.

use std::io;

use crosscast_wire::NetworkReason;

use crate::bencode::BencodeError;
use crate::config::PASSWORD_MAX;

/// Why a password cannot be taken. It is a setting that is wrong, whatever the host node thinks; so it is no word about the
/// network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Settings: cjdns cuts longer passwords off before it compares them.
    #[error("the admin password is longer than {PASSWORD_MAX} bytes, which cjdns cannot check")]
    TooLong,
    /// Settings: cjdns reads a password up to its first zero byte.
    #[error("the admin password contains a zero byte")]
    Zero,
    /// Settings: a file with the password cannot be used; the words say why.
    #[error("the password file cannot be used: {0}")]
    File(String),
}

/// Why an admin call or a signature came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CjdnsError {
    /// Settings: what was asked for needs the admin password.
    #[error("this needs the admin password of cjdns, and none is set")]
    NoPassword,
    /// The caller: only printable ASCII survives cjdns's way of finding the hash in a request.
    #[error("an argument of an admin call is not 1 to 256 bytes of printable ASCII")]
    Argument,
    /// The system: it has no randomness.
    #[error("the system has no randomness")]
    NoRandomness,
    /// The system: a socket could not be made or used.
    #[error("the system refused a socket: {0}")]
    System(io::ErrorKind),
    /// Nobody: no program has the admin port.
    #[error("nothing listens at the admin port of cjdns")]
    NoAdmin,
    /// The system: a firewall forbids talking to the admin port.
    #[error("the system forbids talking to the admin port of cjdns")]
    Denied,
    /// The host node: nothing came back in time.
    #[error("cjdns does not answer at its admin port")]
    Silent,
    /// Settings: the host node has another password.
    #[error("cjdns refuses the admin password")]
    WrongPassword,
    /// The host node: what it says is not bencode.
    #[error("cjdns answered nonsense: {0}")]
    Bencode(BencodeError),
    /// The host node: what it says is not what was asked for; the words name it.
    #[error("cjdns answered nonsense: {0}")]
    Garbled(&'static str),
    /// The host node: it says more, or for longer, than a call is worth.
    #[error("cjdns answers without end")]
    Endless,
    /// The host node: it has no such call, or wants a password for it.
    #[error("this version of cjdns has no such call")]
    NoSuchCall,
    /// The host node: it refused a call; the words are its own, escaped and cut.
    #[error("cjdns refused: {0}")]
    Refused(String),
    /// The host node: its signature does not hold, or is not by the node's key.
    #[error("the signature that cjdns gave is not its own")]
    Forged,
}

impl CjdnsError {
    /// The word that says it of the whole network.
    #[must_use]
    pub const fn reason(&self) -> NetworkReason {
        match self {
            Self::NoAdmin => NetworkReason::NoAdmin,
            Self::Denied | Self::NoPassword => NetworkReason::AdminDenied,
            Self::WrongPassword => NetworkReason::WrongPassword,
            Self::Bencode(_)
            | Self::Garbled(_)
            | Self::Endless
            | Self::NoSuchCall
            | Self::Refused(_)
            | Self::Argument
            | Self::Forged => NetworkReason::AdminGarbled,
            Self::Silent | Self::System(_) | Self::NoRandomness => NetworkReason::HostUnreachable,
        }
    }
}

impl From<io::Error> for CjdnsError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        if kind == io::ErrorKind::ConnectionRefused {
            Self::NoAdmin
        } else if kind == io::ErrorKind::PermissionDenied {
            Self::Denied
        } else {
            Self::System(kind)
        }
    }
}
