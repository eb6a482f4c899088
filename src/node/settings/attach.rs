//! What a node attaches to: peers that it keeps a link to, and host nodes whose networks it uses.
//!
//! A host node is a running node of another network. It is no peer: nothing dials it as one. How one is found and spoken
//! to is its transport's business; here its text is held to its coarse form only. `libp2p:/multiaddr` is a peer when it
//! names the key that must answer, and a host node when it does not.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, SocketAddr};

use crosscast_wire::{KeyTextError, Locator, LocatorError, Network, NodeId, Scheme};

/// The port of cjdns's admin interface in the configuration that cjdns makes.
const CJDNS_ADMIN_PORT: u16 = 11234;

/// What every key of a node begins with.
const NODE_PREFIX: &str = "cn";

/// One thing a node attaches to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attach {
    /// A peer to keep a link to.
    Peer(Locator),
    /// A peer whose key is its host node's too, so that its address follows from it.
    Key(NodeId),
    /// A running node of another network.
    Host(HostNode),
}

/// A running node of another network, whose network is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostNode {
    /// A Yggdrasil node, by its admin socket: a path or `tcp://host:port`; `None` looks where it usually is.
    Yggdrasil(Option<String>),
    /// A cjdns node, by the address of its admin interface; `None` looks where it usually is.
    Cjdns(Option<SocketAddr>),
    /// A libp2p node, by its multiaddr.
    Libp2p(Locator),
}

/// Why a text names nothing to attach to; whoever wrote it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// What stands behind `yggdrasil:` is no socket.
    #[error("behind yggdrasil: stands the path of its admin socket or tcp://host:port")]
    YggdrasilSocket,
    /// What stands behind `cjdns:` is no address.
    #[error("behind cjdns: stands the address of its admin interface, such as 127.0.0.1:11234")]
    CjdnsAddress,
    /// It starts like a key and is none.
    #[error("not the key of a node: {0}")]
    Key(#[from] KeyTextError),
    /// It is no locator either.
    #[error("neither yggdrasil[:SOCKET], cjdns[:ADDRESS], a key, nor a locator: {0}")]
    Locator(#[from] LocatorError),
}

impl HostNode {
    /// The network that it leads to.
    #[must_use]
    pub const fn network(&self) -> Network {
        match self {
            Self::Yggdrasil(_) => Network::Yggdrasil,
            Self::Cjdns(_) => Network::Cjdns,
            Self::Libp2p(_) => Network::Libp2p,
        }
    }
}

impl Attach {
    /// Reads what stands in `attach` of a configuration.
    ///
    /// # Errors
    /// [`AttachError`] says what the text lacks.
    pub fn parse(text: &str) -> Result<Self, AttachError> {
        if text.starts_with(NODE_PREFIX) && !text.contains(':') {
            return Ok(Self::Key(NodeId::parse(text)?));
        }
        let (word, rest) = text.split_once(':').map_or((text, None), |(word, rest)| (word, Some(rest)));
        match (Network::from_word(word), rest) {
            (Some(Network::Yggdrasil), rest) => yggdrasil(rest).map(Self::Host),
            // `cjdns://[address]:port` is a peer.
            (Some(Network::Cjdns), rest) if rest.is_none_or(|rest| !rest.starts_with("//")) => {
                cjdns(rest).map(Self::Host)
            }
            _ => {
                let locator = Locator::parse(text)?;
                let is_host = locator.scheme() == Scheme::Libp2p && locator.node().is_none();
                Ok(if is_host { Self::Host(HostNode::Libp2p(locator)) } else { Self::Peer(locator) })
            }
        }
    }
}

fn yggdrasil(socket: Option<&str>) -> Result<HostNode, AttachError> {
    let is_place = |text: &&str| text.contains('/') && !text.chars().any(char::is_control);
    let socket = socket.map(|text| Some(text).filter(is_place).ok_or(AttachError::YggdrasilSocket)).transpose()?;
    Ok(HostNode::Yggdrasil(socket.map(str::to_owned)))
}

fn cjdns(address: Option<&str>) -> Result<HostNode, AttachError> {
    let read = |text: &str| {
        let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, CJDNS_ADMIN_PORT));
        text.parse().or_else(|_| bare()).map_err(|_| AttachError::CjdnsAddress)
    };
    Ok(HostNode::Cjdns(address.map(read).transpose()?))
}

impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(locator) => write!(f, "{locator}"),
            Self::Key(node) => write!(f, "{node}"),
            Self::Host(host) => write!(f, "{host}"),
        }
    }
}

impl fmt::Display for HostNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yggdrasil(None) => f.write_str(Network::Yggdrasil.word()),
            Self::Yggdrasil(Some(socket)) => write!(f, "{}:{socket}", Network::Yggdrasil),
            Self::Cjdns(None) => f.write_str(Network::Cjdns.word()),
            Self::Cjdns(Some(address)) => write!(f, "{}:{address}", Network::Cjdns),
            Self::Libp2p(locator) => write!(f, "{locator}"),
        }
    }
}

impl FromStr for Attach {
    type Err = AttachError;

    fn from_str(text: &str) -> Result<Self, AttachError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn host(text: &str) -> HostNode {
        match Attach::parse(text).unwrap() {
            Attach::Host(host) => host,
            other @ (Attach::Peer(_) | Attach::Key(_)) => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_form_survives_its_text() {
        let key = NodeId::new([7; 32]);
        for text in [
            "yggdrasil".to_owned(),
            "yggdrasil:/run/yggdrasil.sock".to_owned(),
            "yggdrasil:unix:///run/yggdrasil.sock".to_owned(),
            "yggdrasil:tcp://127.0.0.1:9001".to_owned(),
            "cjdns".to_owned(),
            "cjdns:127.0.0.1:11234".to_owned(),
            "cjdns:[::1]:11234".to_owned(),
            "libp2p:/ip4/127.0.0.1/tcp/4001".to_owned(),
            format!("libp2p:/ip4/127.0.0.1/tcp/4001#{key}"),
            format!("{key}"),
            format!("tls://peer.example:7700#{key}"),
            "ygg://[200::1]:7700".to_owned(),
            "cjdns://[fc00::1]:7700".to_owned(),
        ] {
            let attach = Attach::parse(&text).unwrap();
            assert_eq!(attach.to_string(), text);
            assert_eq!(text.parse(), Ok(attach));
        }
    }

    #[test]
    fn a_host_node_is_told_from_a_peer_of_its_network() {
        assert_eq!(host("yggdrasil"), HostNode::Yggdrasil(None));
        assert_eq!(host("cjdns:127.0.0.1"), HostNode::Cjdns(Some("127.0.0.1:11234".parse().unwrap())));
        assert_eq!(host("libp2p:/dns4/host/tcp/1").network(), Network::Libp2p);
        for peer in ["ygg://[200::1]:1", "cjdns://[fc00::1]:1", "tls://host:1"] {
            assert!(matches!(Attach::parse(peer).unwrap(), Attach::Peer(_)), "{peer}");
        }
        let keyed = format!("libp2p:/ip4/1.2.3.4/tcp/1#{}", NodeId::new([1; 32]));
        assert!(matches!(Attach::parse(&keyed).unwrap(), Attach::Peer(_)));
        assert!(matches!(Attach::parse(&NodeId::new([1; 32]).to_string()).unwrap(), Attach::Key(_)));
    }

    #[test]
    fn what_names_nothing_is_refused_by_name() {
        for text in ["yggdrasil:", "yggdrasil:9001", "yggdrasil:/a\nb"] {
            assert_eq!(Attach::parse(text), Err(AttachError::YggdrasilSocket), "{text}");
        }
        for text in ["cjdns:", "cjdns:localhost:1", "cjdns:127.0.0.1:65536", "cjdns:/run/x"] {
            assert_eq!(Attach::parse(text), Err(AttachError::CjdnsAddress), "{text}");
        }
        assert_eq!(Attach::parse("cnabc"), Err(AttachError::Key(KeyTextError::Length)));
        for text in ["", "libp2p", "tls", "tls:host", "memory", "yggdrasil-ng"] {
            assert_eq!(Attach::parse(text), Err(AttachError::Locator(LocatorError::Scheme)), "{text}");
        }
        assert_eq!(Attach::parse("libp2p:4001"), Err(AttachError::Locator(LocatorError::Multiaddr)));
        assert_eq!(Attach::parse("cjdns://host"), Err(AttachError::Locator(LocatorError::HostPort)));
    }
}
