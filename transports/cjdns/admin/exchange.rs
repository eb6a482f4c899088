//! Datagrams to and from the admin port, within a budget of bytes and time.
//!
//! Everything that arrives is paid for, the answer to another question as well as the right one: whoever floods the
//! socket ends the look, not the node. The socket is connected, so that only the admin port is heard, and a port that
//! nobody has is known at once.

use core::time::Duration;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::message::Txid;
use crate::CjdnsError;
use crate::bencode::{Dict, TEXT_MAX};

/// Longest time for all that one [`Exchange`] does.
pub(super) const TIME_MAX: Duration = Duration::from_secs(10);

/// Most bytes that one [`Exchange`] takes in.
const BYTES_MAX: usize = 1024 * 1024;

/// What the shortest datagram costs of them, so that empty ones cannot keep us busy: 4,096 of them are the end.
const DATAGRAM_MIN: usize = 256;

/// How often a request is sent and how long its answer is waited for each time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    tries: u32,
    each: Duration,
}

impl Patience {
    /// For what the host node answers out of its memory: it is on this machine, and takes milliseconds.
    pub(super) const LOCAL: Self = Self { tries: 3, each: Duration::from_secs(1) };

    /// For what the host node asks another node first: once, since asking again would have it ask again too.
    pub(super) const REMOTE: Self = Self { tries: 1, each: Duration::from_secs(2) };
}

/// A conversation with the admin port.
#[derive(Debug)]
pub(super) struct Exchange {
    socket: UdpSocket,
    buffer: Vec<u8>,
    until: Instant,
    bytes_left: usize,
}

impl Exchange {
    pub(super) async fn open(admin: SocketAddr) -> Result<Self, CjdnsError> {
        let own = match admin {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(own).await?;
        socket.connect(admin).await?;
        let until = Instant::now() + TIME_MAX;
        Ok(Self { socket, buffer: vec![0; TEXT_MAX], until, bytes_left: BYTES_MAX })
    }

    /// Sends a request, again when nothing comes, and reads the reply to it.
    pub(super) async fn ask<T>(
        &mut self,
        request: &[u8],
        txid: &Txid,
        patience: Patience,
        read: impl Fn(&Dict<'_>) -> Result<T, CjdnsError>,
    ) -> Result<T, CjdnsError> {
        let mut noise = None;
        for _ in 0..patience.tries {
            self.socket.send(request).await?;
            let until = self.until.min(Instant::now() + patience.each);
            // The time-out alone would let a socket that always has something through.
            while Instant::now() < until {
                let Ok(received) = timeout_at(until, self.socket.recv(&mut self.buffer)).await else { break };
                let len = received?;
                self.bytes_left = self.bytes_left.checked_sub(len.max(DATAGRAM_MIN)).ok_or(CjdnsError::Endless)?;
                match Dict::read(self.buffer.get(..len).unwrap_or_default()) {
                    Ok(reply) if txid.is_in(&reply) => return read(&reply),
                    Ok(_) => noise = Some(CjdnsError::Garbled("the answer to another question")),
                    Err(error) => noise = Some(CjdnsError::Bencode(error)),
                }
            }
        }
        // A program that says other things has the port: that is another trouble than silence.
        Err(noise.unwrap_or(CjdnsError::Silent))
    }
}
