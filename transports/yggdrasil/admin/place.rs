//! Where an admin socket may be.

use core::fmt;
use core::str::FromStr;
use std::path::PathBuf;

/// 107 bytes: the longest path of a Unix socket on Linux.
const PATH_MAX: usize = 107;

/// Where the daemon's admin socket is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AdminAddress {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port, usually of this machine.
    Tcp {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
    },
}

/// Why a text is not the place of an admin socket; whoever wrote it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminAddressError {
    /// It is neither a path nor `tcp://host:port`.
    #[error("expected the path of a Unix socket or tcp://host:port")]
    Form,
    /// The path is longer than the system takes for a socket.
    #[error("the path of a Unix socket has at most {PATH_MAX} bytes")]
    TooLong,
}

impl AdminAddress {
    /// Reads `/path`, `unix:///path` or `tcp://host:port`.
    ///
    /// # Errors
    /// [`AdminAddressError`] says what the text lacks.
    pub fn parse(text: &str) -> Result<Self, AdminAddressError> {
        if let Some(rest) = text.strip_prefix("tcp://") {
            return tcp(rest).ok_or(AdminAddressError::Form);
        }
        let path = text.strip_prefix("unix://").unwrap_or(text);
        if !path.contains('/') || path.contains("://") || path.contains(char::is_control) {
            return Err(AdminAddressError::Form);
        }
        if path.len() > PATH_MAX {
            return Err(AdminAddressError::TooLong);
        }
        Ok(Self::Unix(path.into()))
    }

    /// Where daemons put it, in the order of looking: Debian's package, upstream, and the port of old configurations.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        const PATHS: [&str; 4] = [
            "/run/yggdrasil/yggdrasil.sock",
            "/run/yggdrasil.sock",
            "/var/run/yggdrasil/yggdrasil.sock",
            "/var/run/yggdrasil.sock",
        ];
        let mut places: Vec<Self> = PATHS.iter().map(|path| Self::Unix(path.into())).collect();
        places.push(Self::Tcp { host: "127.0.0.1".to_owned(), port: 9001 });
        places
    }
}

impl FromStr for AdminAddress {
    type Err = AdminAddressError;

    fn from_str(text: &str) -> Result<Self, AdminAddressError> {
        Self::parse(text)
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

fn tcp(rest: &str) -> Option<AdminAddress> {
    let (host, port) = rest.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|inner| inner.contains(':'))?,
        None => Some(host).filter(|host| !host.contains(':'))?,
    };
    let plain = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let port = port.parse().ok().filter(|_| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    plain.then(|| AdminAddress::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn every_form_is_read_and_shown() {
        for (text, shown) in [
            ("/run/yggdrasil.sock", "/run/yggdrasil.sock"),
            ("unix:///run/yggdrasil.sock", "/run/yggdrasil.sock"),
            ("./admin.sock", "./admin.sock"),
            ("tcp://localhost:9001", "tcp://localhost:9001"),
            ("tcp://[::1]:9001", "tcp://[::1]:9001"),
        ] {
            assert_eq!(AdminAddress::parse(text).unwrap().to_string(), shown);
        }
        for place in AdminAddress::usual() {
            assert_eq!(AdminAddress::parse(&place.to_string()), Ok(place));
        }
    }

    #[test]
    fn a_bad_place_is_refused_by_name() {
        let long = format!("/{}", "a".repeat(PATH_MAX));
        for (text, error) in [
            ("", AdminAddressError::Form),
            ("yggdrasil", AdminAddressError::Form),
            ("http://localhost:9001", AdminAddressError::Form),
            ("tcp://localhost", AdminAddressError::Form),
            ("tcp://:9001", AdminAddressError::Form),
            ("tcp://::1:9001", AdminAddressError::Form),
            ("tcp://localhost:+1", AdminAddressError::Form),
            ("tcp://localhost:65536", AdminAddressError::Form),
            ("/run/\n", AdminAddressError::Form),
            (&long, AdminAddressError::TooLong),
        ] {
            assert_eq!(AdminAddress::parse(text), Err(error), "{text}");
        }
    }
}
