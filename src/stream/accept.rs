//! Accepting: what strangers may have half open, in total and per network prefix.
//!
//! A place is taken before a connection is accepted, so that beyond the bound connections wait in the kernel's backlog,
//! which is bounded too. A connection from a prefix that has its places is dropped at once.

use core::time::Duration;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use crosscast_port::ListenError;
use crosscast_wire::Locator;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{debug, warn};

use crate::Limits;

/// Connections that the kernel keeps for a listener that is not accepting.
const BACKLOG: i32 = 512;

/// Pause after the system refused to accept, in most cases for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The part of the places that strangers may take from addresses that they have not shown to be theirs: an eighth, so
/// that forged ones cannot take them all, and calm times do not cost everybody a round trip.
const BUSY_PART: usize = 8;

/// A network prefix: the first three bytes of an IPv4 address or the first six of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Prefix {
    V4([u8; 3]),
    V6([u8; 6]),
}

impl Prefix {
    /// The prefix whose places are counted; loopback has none.
    fn of(address: IpAddr) -> Option<Self> {
        let address = address.to_canonical();
        if address.is_loopback() {
            return None;
        }
        Some(match address {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, d, e, f, ..] = v6.octets();
                Self::V6([a, b, c, d, e, f])
            }
        })
    }
}

/// Hands out places for half-open inbound connections.
#[derive(Clone, Debug)]
pub struct Gate {
    places: Arc<Semaphore>,
    total: usize,
    prefixes: Arc<Mutex<HashMap<Prefix, usize>>>,
    per_prefix: usize,
}

/// A place in the half-open set; given back when dropped.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
    prefix: Option<Prefix>,
    prefixes: Arc<Mutex<HashMap<Prefix, usize>>>,
}

impl Gate {
    /// Makes the places of one listening side.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.half_open)),
            total: limits.half_open,
            prefixes: Arc::default(),
            per_prefix: limits.half_open_per_prefix,
        }
    }

    /// Waits for a place, then for a connection to give it to; `None` when there was none to be had, or its prefix has
    /// all it may have.
    pub async fn accept(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, Place)> {
        let place = self.place().await?;
        match listener.accept().await {
            Ok((stream, address)) => {
                let place = self.admit(place, address.ip());
                if place.is_none() {
                    debug!(%address, "too many half-open connections from this prefix");
                }
                Some((stream, address, place?))
            }
            Err(error) => {
                warn!(%error, "cannot accept");
                sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }

    /// Waits for a place; `None` never comes while the gate exists.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Gives a place to an address without waiting; `None` when there is none, or its prefix has all it may have.
    #[must_use]
    pub fn try_admit(&self, address: IpAddr) -> Option<Place> {
        self.admit(Arc::clone(&self.places).try_acquire_owned().ok()?, address)
    }

    /// Whether so many places are taken, in total or from an address's prefix, that the next one has to show that it
    /// is where it says.
    #[must_use]
    pub fn is_busy(&self, address: IpAddr) -> bool {
        let taken = self.total.saturating_sub(self.places.available_permits());
        if taken >= self.total.div_ceil(BUSY_PART) {
            return true;
        }
        let Some(prefix) = Prefix::of(address) else { return false };
        let prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        prefixes.get(&prefix).is_some_and(|taken| *taken >= self.per_prefix.div_ceil(2))
    }

    /// Gives a place to an address; `None` when its prefix has all it may have.
    #[must_use]
    pub fn admit(&self, place: OwnedSemaphorePermit, address: IpAddr) -> Option<Place> {
        let prefix = Prefix::of(address);
        if let Some(prefix) = prefix {
            let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
            let taken = prefixes.entry(prefix).or_default();
            if *taken >= self.per_prefix {
                return None;
            }
            *taken = taken.saturating_add(1);
        }
        Some(Place { _place: place, prefix, prefixes: Arc::clone(&self.prefixes) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(prefix) = self.prefix {
            let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(taken) = prefixes.get_mut(&prefix) {
                *taken = taken.saturating_sub(1);
                if *taken == 0 {
                    prefixes.remove(&prefix);
                }
            }
        }
    }
}

/// Listens where a locator says.
///
/// # Errors
/// Why there is no listener.
pub async fn listen(asked: &Locator) -> Result<(TcpListener, SocketAddr), ListenError> {
    listen_at(resolve(asked).await?)
}

/// The address that a locator to listen on names.
///
/// # Errors
/// [`ListenError::BadLocator`] and [`ListenError::NoSuchAddress`].
pub async fn resolve(asked: &Locator) -> Result<SocketAddr, ListenError> {
    let (host, port) = asked.host_port().ok_or(ListenError::BadLocator)?;
    let mut found = lookup_host((host, port)).await.map_err(|_| ListenError::NoSuchAddress)?;
    found.next().ok_or(ListenError::NoSuchAddress)
}

/// Listens on an address; an IPv6 listener takes IPv6 only, so that both can have the same port.
///
/// # Errors
/// Why there is no listener.
pub fn listen_at(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let listening = bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
    listening.map(|(real, listener)| (listener, real)).map_err(|error| judge(&error))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A listener that comes back must not wait for the old connections' last minute.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// What a system's refusal to bind or listen means.
#[must_use]
pub fn judge(error: &io::Error) -> ListenError {
    let kind = error.kind();
    if kind == io::ErrorKind::AddrInUse {
        ListenError::AddressInUse
    } else if kind == io::ErrorKind::AddrNotAvailable {
        ListenError::NoSuchAddress
    } else {
        // The rest is the system's no: a privileged port, no more sockets, a family it does not have.
        ListenError::Denied
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use super::*;

    fn admit(gate: &Gate, address: &str) -> Option<Place> {
        let place = Arc::clone(&gate.places).try_acquire_owned().ok()?;
        gate.admit(place, address.parse().unwrap())
    }

    #[test]
    fn a_prefix_has_its_places_and_gets_them_back() {
        let gate = Gate::new(&Limits { half_open_per_prefix: 2, ..Limits::default() });
        let first = admit(&gate, "192.0.2.1");
        let second = admit(&gate, "192.0.2.200");
        assert!(first.is_some() && second.is_some());
        assert!(admit(&gate, "192.0.2.9").is_none());
        assert!(admit(&gate, "::ffff:192.0.2.9").is_none(), "a mapped address is the same address");
        assert!(admit(&gate, "192.0.3.9").is_some());
        drop(first);
        assert!(admit(&gate, "192.0.2.9").is_some());
        drop(second);
        assert_eq!(gate.prefixes.lock().unwrap().len(), 0);
        let v6 = [admit(&gate, "2001:db8:1::1"), admit(&gate, "2001:db8:1:2::1"), admit(&gate, "2001:db8:1:3::1")];
        assert!(v6[0].is_some() && v6[1].is_some() && v6[2].is_none());
    }

    #[test]
    fn an_eighth_of_the_places_or_half_of_a_prefix_makes_it_busy() {
        let gate = Gate::new(&Limits { half_open: 80, half_open_per_prefix: 4, ..Limits::default() });
        let (here, there) = ("192.0.2.1".parse().unwrap(), "198.51.100.1".parse().unwrap());
        let first: Vec<Place> = (0..2).filter_map(|_| gate.try_admit(here)).collect();
        assert!(gate.is_busy(here) && !gate.is_busy(there));
        let rest: Vec<Place> = (0..8).filter_map(|_| gate.try_admit("127.0.0.1".parse().unwrap())).collect();
        assert_eq!((first.len(), rest.len()), (2, 8));
        assert!(gate.is_busy(there));
        drop(rest);
        assert!(!gate.is_busy(there));
    }

    #[test]
    fn loopback_is_bounded_by_the_total_only() {
        let gate = Gate::new(&Limits { half_open: 40, ..Limits::default() });
        let places: Vec<Place> = (0..50).filter_map(|_| admit(&gate, "127.0.0.1")).collect();
        assert_eq!(places.len(), 40);
        drop(places);
        assert!(admit(&gate, "::1").is_some());
    }
}
