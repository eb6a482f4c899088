//! What is asked of the daemon. Names of requests are case-insensitive there; arguments lie in `arguments`.

use crosscast_stream::overlay::HostKey;

use crate::hex;

/// A request that only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Which requests there are: what tells 0.4 from 0.5.
    List,
    /// The node's key and address.
    GetSelf,
    /// The node's interface.
    GetTun,
    /// Nodes linked with it.
    GetPeers,
    /// Nodes it exchanged traffic with.
    GetSessions,
    /// Nodes it knows a way to.
    GetPaths,
    /// What another node says of itself; asked of that node, through the network.
    GetNodeInfo(HostKey),
    /// The keys of another node's peers; asked of that node, through the network.
    RemotePeers(HostKey),
}

impl Request {
    /// The object that is sent; without a newline, which 0.5 would leave unread at some lengths and then reset.
    pub(crate) fn json(&self) -> String {
        let (name, key) = match self {
            Self::List => ("list", None),
            Self::GetSelf => ("getself", None),
            Self::GetTun => ("gettun", None),
            Self::GetPeers => ("getpeers", None),
            Self::GetSessions => ("getsessions", None),
            Self::GetPaths => ("getpaths", None),
            Self::GetNodeInfo(key) => ("getnodeinfo", Some(key)),
            Self::RemotePeers(key) => ("debug_remotegetpeers", Some(key)),
        };
        match key {
            None => format!(r#"{{"request":"{name}"}}"#),
            Some(key) => format!(r#"{{"request":"{name}","arguments":{{"key":"{}"}}}}"#, hex::write(key)),
        }
    }
}
