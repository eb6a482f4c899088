//! Dialling: a name's addresses are tried in a stagger, IPv6 first, and the first that connects wins (RFC 8305).
//!
//! Only TCP is raced; the handshake follows on the one connection that won.

use core::time::Duration;
use std::io::ErrorKind;
use std::net::SocketAddr;

use crosscast_port::DialError;
use crosscast_wire::Locator;
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Addresses of a name that are tried; a name with more is either a mistake or an attack.
const ADDRESSES: usize = 6;

/// Head start of each address over the next: 50 ms, more than the round trip of most paths worth preferring.
const STAGGER: Duration = Duration::from_millis(50);

/// Connects to where a locator points.
///
/// # Errors
/// Why there is no connection.
pub async fn connect(locator: &Locator, within: Duration) -> Result<TcpStream, DialError> {
    let (host, port) = locator.host_port().ok_or(DialError::BadLocator)?;
    if port == 0 {
        return Err(DialError::BadLocator);
    }
    let connecting = async {
        let found = lookup_host((host, port)).await.map_err(|_| DialError::NoSuchHost)?;
        race(order(found.collect())).await
    };
    timeout(within, Box::pin(connecting)).await.unwrap_or(Err(DialError::Timeout))
}

/// IPv6 and IPv4 by turns, IPv6 first; no more than are worth trying.
#[must_use]
pub fn order(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = found.into_iter().partition(SocketAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut order = Vec::new();
    while order.len() < ADDRESSES {
        let before = order.len();
        order.extend(v6.next());
        order.extend(v4.next());
        if order.len() == before {
            break;
        }
    }
    order.truncate(ADDRESSES);
    order
}

async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, DialError> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = DialError::NoSuchHost;
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(TcpStream::connect(address));
        } else if attempts.is_empty() {
            return Err(failure);
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(done) = attempts.join_next() => match done {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = judge(error.kind()),
                Err(_) => failure = DialError::Unreachable,
            },
            () = sleep(STAGGER), if more => {}
        }
    }
}

/// What a system's refusal to connect means.
pub(crate) fn judge(kind: ErrorKind) -> DialError {
    if kind == ErrorKind::TimedOut { DialError::Timeout } else { DialError::Unreachable }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn families_take_turns_with_v6_first_and_long_lists_are_cut() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let found = vec![address("1.1.1.1:1"), address("1.1.1.2:1"), address("[::1]:1")];
        assert_eq!(order(found), [address("[::1]:1"), address("1.1.1.1:1"), address("1.1.1.2:1")]);
        assert_eq!(order(vec![address("1.1.1.1:1"); 40]).len(), ADDRESSES);
        assert_eq!(order(Vec::new()), []);
    }
}
