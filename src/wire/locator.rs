//! Locators: where a node can be dialled, as text.
//!
//! `tls://host:port[#NODEID]`, `quic://..`, `ygg://[addr]:port`, `cjdns://[addr]:port`, `libp2p:/multiaddr`,
//! `relay:NODEID/NODEID`, `memory:name`. The address part is each transport's to read; here it is only held within
//! bounds, free of control characters and white space, and in the coarse form of its scheme. A locator has one text.

use core::fmt;
use core::str::FromStr;

use crate::limits::LOCATOR_MAX;
use crate::{KeyTextError, NodeId, Scheme};

/// Why a text is not a locator; whoever wrote it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocatorError {
    /// It starts with none of the schemes.
    #[error("expected tls://, quic://, ygg://, cjdns://, libp2p:/, relay: or memory:")]
    Scheme,
    /// It is longer than a locator may be.
    #[error("locator longer than {LOCATOR_MAX} bytes")]
    TooLong,
    /// The address is empty, or has white space, a control character, `#`, or anything that is not ASCII.
    #[error("the address must be printable ASCII without white space and `#`")]
    Address,
    /// The scheme asks for `host:port` or `[address]:port`.
    #[error("expected host:port or [address]:port")]
    HostPort,
    /// The scheme asks for a multiaddr, which starts with `/`.
    #[error("expected a multiaddr that starts with /")]
    Multiaddr,
    /// The scheme asks for the relay's key, `/`, and the key behind it.
    #[error("expected RELAY/TARGET, two keys that start with cn")]
    Relay,
    /// What follows `#` is not a NodeId.
    #[error("after #: {0}")]
    Key(#[from] KeyTextError),
}

/// Where a node can be dialled, and the key that must answer when it is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    scheme: Scheme,
    address: String,
    node: Option<NodeId>,
}

impl Locator {
    /// Builds a locator from its parts.
    ///
    /// # Errors
    /// [`LocatorError`] names what the address lacks.
    pub fn new(scheme: Scheme, address: &str, node: Option<NodeId>) -> Result<Self, LocatorError> {
        let prefix = scheme.word().len().saturating_add(separator(scheme).len());
        if address.len().saturating_add(prefix) > LOCATOR_MAX {
            return Err(LocatorError::TooLong);
        }
        if address.is_empty() || !address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(LocatorError::Address);
        }
        match scheme {
            Scheme::Tls | Scheme::Quic | Scheme::Ygg | Scheme::Cjdns => {
                split_host_port(address).ok_or(LocatorError::HostPort)?;
            }
            Scheme::Libp2p if !address.starts_with('/') => return Err(LocatorError::Multiaddr),
            Scheme::Relay => {
                split_relay(address).ok_or(LocatorError::Relay)?;
            }
            Scheme::Libp2p | Scheme::Memory => {}
        }
        Ok(Self { scheme, address: address.to_owned(), node })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`LocatorError`] names what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, LocatorError> {
        let (word, rest) = text.split_once(':').ok_or(LocatorError::Scheme)?;
        let scheme = Scheme::from_word(word).ok_or(LocatorError::Scheme)?;
        // The separator's colon is gone already; `//` is what may be left of it.
        let slashes = separator(scheme).strip_prefix(':').unwrap_or_default();
        let rest = rest.strip_prefix(slashes).ok_or(LocatorError::Scheme)?;
        match rest.split_once('#') {
            Some((address, key)) => Self::new(scheme, address, Some(NodeId::parse(key)?)),
            None => Self::new(scheme, rest, None),
        }
    }

    /// The transport that dials it.
    #[must_use]
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// What follows the scheme, without the key.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The key that must answer, when it is known.
    #[must_use]
    pub const fn node(&self) -> Option<NodeId> {
        self.node
    }

    /// The same place with this expected key.
    #[must_use]
    pub fn with_node(mut self, node: NodeId) -> Self {
        self.node = Some(node);
        self
    }

    /// The same place without an expected key.
    #[must_use]
    pub fn without_node(mut self) -> Self {
        self.node = None;
        self
    }

    /// Host and port of an address of the form `host:port` or `[address]:port`, brackets removed.
    #[must_use]
    pub fn host_port(&self) -> Option<(&str, u16)> {
        match self.scheme {
            Scheme::Tls | Scheme::Quic | Scheme::Ygg | Scheme::Cjdns => split_host_port(&self.address),
            Scheme::Libp2p | Scheme::Relay | Scheme::Memory => None,
        }
    }

    /// The relay and the node behind it, for a relay locator.
    #[must_use]
    pub fn relay_target(&self) -> Option<(NodeId, NodeId)> {
        match self.scheme {
            Scheme::Relay => split_relay(&self.address),
            Scheme::Tls | Scheme::Quic | Scheme::Ygg | Scheme::Cjdns | Scheme::Libp2p | Scheme::Memory => None,
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.scheme, separator(self.scheme), self.address)?;
        self.node.map_or(Ok(()), |node| write!(f, "#{node}"))
    }
}

impl FromStr for Locator {
    type Err = LocatorError;

    fn from_str(text: &str) -> Result<Self, LocatorError> {
        Self::parse(text)
    }
}

const fn separator(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Tls | Scheme::Quic | Scheme::Ygg | Scheme::Cjdns => "://",
        Scheme::Libp2p | Scheme::Relay | Scheme::Memory => ":",
    }
}

fn split_host_port(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    // "+80" and "080" are numbers to `parse`, but a locator has one text.
    if !port.bytes().all(|byte| byte.is_ascii_digit()) || (port.starts_with('0') && port != "0") {
        return None;
    }
    let port = port.parse().ok()?;
    let bare = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':'))?,
        None => Some(host).filter(|host| !host.contains(':'))?,
    };
    let plain = !bare.is_empty() && !bare.contains(['[', ']', '/', '@', '?']);
    plain.then_some((bare, port))
}

fn split_relay(address: &str) -> Option<(NodeId, NodeId)> {
    let (relay, target) = address.split_once('/')?;
    Some((NodeId::parse(relay).ok()?, NodeId::parse(target).ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_form_survives_its_text() {
        let (a, b) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
        for text in [
            "tls://host.example:443".to_owned(),
            format!("tls://[::1]:0#{a}"),
            "quic://10.0.0.1:65535".to_owned(),
            "ygg://[200::1]:7700".to_owned(),
            format!("cjdns://[fc00::1]:7700#{b}"),
            "libp2p:/ip4/127.0.0.1/tcp/4001/p2p/12D3KooW".to_owned(),
            format!("relay:{a}/{b}"),
            "memory:left".to_owned(),
        ] {
            let locator = Locator::parse(&text).unwrap();
            assert_eq!(locator.to_string(), text);
            assert_eq!(Locator::new(locator.scheme(), locator.address(), locator.node()), Ok(locator));
        }
    }

    #[test]
    fn a_bad_locator_is_refused_by_name() {
        let long = format!("memory:{}", "a".repeat(LOCATOR_MAX));
        let cases: &[(&str, LocatorError)] = &[
            ("", LocatorError::Scheme),
            ("tls", LocatorError::Scheme),
            ("http://host:80", LocatorError::Scheme),
            ("TLS://host:80", LocatorError::Scheme),
            ("tls:host:80", LocatorError::Scheme),
            ("tls://", LocatorError::Address),
            ("tls://ho st:80", LocatorError::Address),
            ("tls://host\n:80", LocatorError::Address),
            ("tls://hôst:80", LocatorError::Address),
            ("memory:", LocatorError::Address),
            ("tls://host", LocatorError::HostPort),
            ("tls://host:", LocatorError::HostPort),
            ("tls://:80", LocatorError::HostPort),
            ("tls://host:+80", LocatorError::HostPort),
            ("tls://host:080", LocatorError::HostPort),
            ("tls://host:65536", LocatorError::HostPort),
            ("tls://::1:80", LocatorError::HostPort),
            ("tls://[::1]80", LocatorError::HostPort),
            ("tls://[]:80", LocatorError::HostPort),
            ("tls://[host]:80", LocatorError::HostPort),
            ("tls://user@host:80", LocatorError::HostPort),
            ("libp2p:ip4/1.2.3.4", LocatorError::Multiaddr),
            ("relay:cn/cn", LocatorError::Relay),
            ("tls://host:80#", LocatorError::Key(KeyTextError::Length)),
            ("tls://host:80#cn#", LocatorError::Key(KeyTextError::Length)),
            (&long, LocatorError::TooLong),
        ];
        for (text, error) in cases {
            assert_eq!(Locator::parse(text), Err(*error), "{text}");
        }
    }

    #[test]
    fn host_and_port_come_apart() {
        let host_port = |text: &str| Locator::parse(text).unwrap().host_port().map(|(h, p)| (h.to_owned(), p));
        assert_eq!(host_port("tls://[fe80::1%eth0]:1"), Some(("fe80::1%eth0".to_owned(), 1)));
        assert_eq!(host_port("quic://host:0"), Some(("host".to_owned(), 0)));
        assert_eq!(host_port("libp2p:/ip4/1.2.3.4:80"), None);
    }

    #[test]
    fn the_expected_key_comes_and_goes() {
        let (a, b) = (NodeId::new([1; 32]), NodeId::new([2; 32]));
        let bare = Locator::parse("tls://host:1").unwrap();
        let keyed = bare.clone().with_node(a);
        assert_eq!((bare.node(), keyed.node()), (None, Some(a)));
        assert_eq!(keyed.without_node(), bare);
        let relay = Locator::parse(&format!("relay:{a}/{b}")).unwrap();
        assert_eq!((relay.relay_target(), bare.relay_target()), (Some((a, b)), None));
    }
}
