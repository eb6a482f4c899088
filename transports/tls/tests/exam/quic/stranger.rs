//! Strangers that speak QUIC, made with whatever key, certificate and protocol a test wants.

use std::net::SocketAddr;
use std::sync::Arc;

use crosscast_wire::Locator;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{ClientConfig, Connection, ConnectionError, Endpoint, ServerConfig};

use crate::stranger::Stranger;

/// A connection of a stranger; its socket goes with it.
pub(crate) struct Visit {
    pub(crate) connection: Connection,
    _endpoint: Endpoint,
}

pub(crate) fn address(at: &Locator) -> SocketAddr {
    at.address().parse().unwrap()
}

/// A socket to dial from with what a stranger brings.
pub(crate) fn endpoint(stranger: Stranger) -> Endpoint {
    let crypto = QuicClientConfig::try_from(stranger.client()).unwrap();
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
    endpoint
}

/// Shakes hands as a client; the handshake may look finished to a client that the server then refuses.
pub(crate) async fn visit(stranger: Stranger, at: &Locator) -> Result<Visit, ConnectionError> {
    let endpoint = endpoint(stranger);
    let connection = endpoint.connect(address(at), "stranger.example").unwrap().await?;
    Ok(Visit { connection, _endpoint: endpoint })
}

/// Serves one handshake as a server; gives the locator at once.
pub(crate) fn serve(stranger: Stranger) -> Locator {
    let mut server = stranger.server();
    server.max_early_data_size = 0;
    let crypto = QuicServerConfig::try_from(server).unwrap();
    let endpoint =
        Endpoint::server(ServerConfig::with_crypto(Arc::new(crypto)), "127.0.0.1:0".parse().unwrap()).unwrap();
    let at = Locator::parse(&format!("quic://{}", endpoint.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    connection.closed().await;
                }
            });
        }
    });
    at
}
