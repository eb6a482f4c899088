//! Dialling: a name's addresses are tried in a stagger, IPv6 first, and the first whose handshake is through wins.
//!
//! There is no connection to race beneath the handshake, so each try is a whole one and its head start is longer.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use crosscast_port::DialError;
use crosscast_stream::dial::order;
use crosscast_wire::{Locator, NodeId};
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::establish::{Channel, finish};
use super::setup::QuicSetup;
use super::sockets::{DialStop, QuicSockets};
use crate::config::TlsTimeouts;

/// Head start of each address over the next: 250 ms, RFC 8305's own.
const STAGGER: Duration = Duration::from_millis(250);

/// What every try needs.
#[derive(Clone, Debug)]
pub(super) struct Dialler {
    pub(super) setup: QuicSetup,
    pub(super) sockets: QuicSockets,
    pub(super) timeouts: TlsTimeouts,
}

impl Dialler {
    /// Connects to where a locator points.
    pub(super) async fn connect(&self, locator: &Locator) -> Result<Channel, DialError> {
        let (host, port) = locator.host_port().ok_or(DialError::BadLocator)?;
        if port == 0 {
            return Err(DialError::BadLocator);
        }
        let found = match timeout(self.timeouts.connect, lookup_host((host, port))).await {
            Ok(found) => found.map_err(|_| DialError::NoSuchHost)?,
            Err(_) => return Err(DialError::Timeout),
        };
        self.race(order(found.collect()), locator.node()).await
    }

    async fn race(&self, addresses: Vec<SocketAddr>, expected: Option<NodeId>) -> Result<Channel, DialError> {
        let mut waiting = addresses.into_iter();
        let mut tries = JoinSet::new();
        let mut failure = DialError::NoSuchHost;
        loop {
            if let Some(address) = waiting.next() {
                let dialler = self.clone();
                tries.spawn(async move { dialler.one(address, expected).await });
            } else if tries.is_empty() {
                return Err(failure);
            }
            let more = waiting.len() > 0;
            tokio::select! {
                Some(done) = tries.join_next() => match done {
                    Ok(Ok(channel)) => return Ok(channel),
                    Ok(Err(error)) => failure = telling(failure, error),
                    Err(_) => failure = telling(failure, DialError::Unreachable),
                },
                () = sleep(STAGGER), if more => {}
            }
        }
    }

    async fn one(&self, address: SocketAddr, expected: Option<NodeId>) -> Result<Channel, DialError> {
        let verifier = self.setup.verifier(expected);
        let client = self.setup.client(Arc::clone(&verifier)).ok_or(DialError::Handshake)?;
        let connecting = self.sockets.connect(&client, address).map_err(|stop| {
            debug!(%address, %stop, "cannot dial");
            match stop {
                DialStop::Socket(_) => DialError::Full,
                DialStop::Quic(_) => DialError::Unreachable,
            }
        })?;
        let done = Box::pin(finish(connecting, self.timeouts.handshake)).await;
        match verifier.wrong_key() {
            Some((expected, actual)) => Err(DialError::WrongKey { expected, actual }),
            None => done,
        }
    }
}

/// Of two failures the one that says more: a key that answered over an answer, an answer over silence.
fn telling(before: DialError, after: DialError) -> DialError {
    let rank = |error: &DialError| {
        if matches!(error, DialError::WrongKey { .. }) {
            3
        } else if *error == DialError::Handshake {
            2
        } else {
            u8::from(*error != DialError::NoSuchHost)
        }
    };
    if rank(&after) >= rank(&before) { after } else { before }
}
