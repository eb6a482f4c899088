//! The UDP sockets of a node: one for each place it listens at, and one of each family to dial from.
//!
//! A node that listens on a family's wildcard address dials from that socket too, so that peers see it under the port it
//! can be reached at. A socket bound to a wildcard address follows the machine to a new address by itself;
//! [`QuicSockets::rebind`] is for a socket that no longer works, and the peers follow either way.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quinn::{ClientConfig, ConnectError, Connecting, Endpoint, EndpointConfig, ServerConfig, TokioRuntime};
use socket2::{Domain, Protocol, Socket, Type};
use tracing::{debug, info};

/// What the kernel is asked to keep for a socket in each direction: 2 MiB, some milliseconds of many links; it gives
/// what it may.
const KERNEL_BUFFER: usize = 2 * 1024 * 1024;

/// A name for dialling; names mean nothing here, and an address as the name keeps it out of the ClientHello.
const NO_NAME: &str = "0.0.0.0";

/// A handle on a node's UDP sockets, to move them.
#[derive(Clone, Debug)]
pub struct QuicSockets(Arc<Mutex<Sockets>>);

#[derive(Debug)]
struct Sockets {
    config: EndpointConfig,
    listening: Vec<Endpoint>,
    v4: Option<Endpoint>,
    v6: Option<Endpoint>,
}

impl Sockets {
    fn dialling(&mut self, is_ipv6: bool) -> &mut Option<Endpoint> {
        if is_ipv6 { &mut self.v6 } else { &mut self.v4 }
    }

    fn open(&self, at: SocketAddr, server: Option<ServerConfig>) -> io::Result<Endpoint> {
        Endpoint::new(self.config.clone(), server, bind(at)?, Arc::new(TokioRuntime))
    }
}

impl QuicSockets {
    pub(super) fn new(config: EndpointConfig) -> Self {
        Self(Arc::new(Mutex::new(Sockets { config, listening: Vec::new(), v4: None, v6: None })))
    }

    /// Moves the sockets that are only dialled from to new ports, and with them every link on them; returns where they
    /// are now. Sockets that listen stay, since peers know them.
    ///
    /// # Errors
    /// When the system gives no new socket; then the old one stays.
    pub fn rebind(&self) -> io::Result<Vec<SocketAddr>> {
        let mut places = Vec::new();
        let sockets = self.lock();
        for endpoint in [&sockets.v4, &sockets.v6].into_iter().flatten() {
            endpoint.rebind(bind(wildcard(endpoint.local_addr()?.is_ipv6()))?)?;
            places.push(endpoint.local_addr()?);
        }
        info!(?places, "dialling from new sockets");
        Ok(places)
    }

    /// Listens at an address; the endpoint is dialled from too where the address is a wildcard.
    pub(super) fn listen(&self, at: SocketAddr, server: ServerConfig) -> io::Result<Endpoint> {
        let mut sockets = self.lock();
        let endpoint = sockets.open(at, Some(server))?;
        sockets.listening.push(endpoint.clone());
        Ok(endpoint)
    }

    /// Begins a connection.
    pub(super) fn connect(&self, client: &ClientConfig, to: SocketAddr) -> Result<Connecting, DialStop> {
        let connect = |endpoint: &Endpoint| endpoint.connect_with(client.clone(), to, NO_NAME);
        match connect(&self.endpoint_for(to)?) {
            Err(ConnectError::EndpointStopping) => {
                // Its socket has failed for good; a new one is as good as a new start.
                debug!(%to, "the socket to dial from is gone");
                self.forget_stopped(client, to);
                Ok(connect(&self.endpoint_for(to)?)?)
            }
            done => Ok(done?),
        }
    }

    /// Lets go of every socket, and hands them out so that their last words can be waited for.
    pub(super) fn take_all(&self) -> Vec<Endpoint> {
        let mut sockets = self.lock();
        let mut all = std::mem::take(&mut sockets.listening);
        all.extend(sockets.v4.take());
        all.extend(sockets.v6.take());
        all
    }

    fn endpoint_for(&self, to: SocketAddr) -> io::Result<Endpoint> {
        let mut sockets = self.lock();
        let reaches = |endpoint: &&Endpoint| {
            let at = endpoint.local_addr();
            at.is_ok_and(|at| at.ip().is_unspecified() && at.is_ipv6() == to.is_ipv6())
        };
        if let Some(listening) = sockets.listening.iter().find(reaches) {
            return Ok(listening.clone());
        }
        if let Some(endpoint) = sockets.dialling(to.is_ipv6()) {
            return Ok(endpoint.clone());
        }
        let new = sockets.open(wildcard(to.is_ipv6()), None)?;
        *sockets.dialling(to.is_ipv6()) = Some(new.clone());
        Ok(new)
    }

    fn forget_stopped(&self, client: &ClientConfig, to: SocketAddr) {
        let stopped = |endpoint: &Endpoint| {
            let tried = endpoint.connect_with(client.clone(), to, NO_NAME);
            matches!(tried, Err(ConnectError::EndpointStopping))
        };
        let mut sockets = self.lock();
        sockets.listening.retain(|endpoint| !stopped(endpoint));
        sockets.dialling(to.is_ipv6()).take_if(|endpoint| stopped(endpoint));
    }

    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a connection could not even be begun; neither is the peer's fault.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialStop {
    /// The system gave no socket.
    #[error("no socket: {0}")]
    Socket(#[from] io::Error),
    /// QUIC would not.
    #[error("{0}")]
    Quic(#[from] ConnectError),
}

const fn wildcard(is_ipv6: bool) -> SocketAddr {
    if is_ipv6 {
        SocketAddr::new(std::net::IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0)
    } else {
        SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
    }
}

/// An IPv6 socket takes IPv6 only, so that both families can have the same port.
fn bind(at: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&at.into())?;
    Ok(socket.into())
}
