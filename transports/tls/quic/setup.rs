//! How QUIC is set up: the windows that bound what a peer can make us hold, the clocks, and TLS as over TCP.
//!
//! Nothing links one connection to the next: no tickets, no early data, no tokens but those of a retry.

use core::time::Duration;
use std::sync::Arc;

use aws_lc_rs::hmac;
use crosscast_transport::TransportError;
use crosscast_wire::{Lane, NodeId, SecretKey};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, EndpointConfig, NoneTokenStore, ServerConfig, TransportConfig, ValidationTokenConfig, VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;
use quinn_proto::crypto::{CryptoError, HmacKey};

use crate::provider::Setup;
use crate::verify::OneServer;

/// What a peer may have on its way on one lane, in bytes: 1.25 MiB. The node's credit is 1 MiB a lane, so a lane that
/// is read stops for want of credit and never for want of window.
pub(super) const LANE_WINDOW: u32 = 1_310_720;

/// What all lanes of a link together may have on their way, in bytes: every lane its own window, so that a lane with a
/// hole in it, or one that nobody reads, takes nothing from the others.
pub(super) const LINK_WINDOW: u32 = 4 * LANE_WINDOW;

/// Datagrams that wait in either direction, in bytes: 64 KiB, some fifty; older ones are dropped.
const DATAGRAM_BYTES: usize = 64 * 1024;

/// Silence after which a connection is gone, 30 s: far behind the core's PING, which finds a dead peer in eight.
const SILENCE: Duration = Duration::from_secs(30);

/// Connections that were asked for and not looked at yet. 512, as the backlog of a TCP listener.
const BACKLOG: usize = 512;

/// What is kept of one such connection beside its first packet, and of all together, in bytes: 8 KiB for the rest of a
/// ClientHello and its repetitions.
const BACKLOG_BYTES: u64 = 8 * 1024;
const BACKLOG_BYTES_ALL: u64 = 1024 * 1024;

/// Both sides' set-up for one node.
#[derive(Clone, Debug)]
pub(super) struct QuicSetup {
    tls: Setup,
    server: ServerConfig,
    transport: Arc<TransportConfig>,
    endpoint: EndpointConfig,
}

impl QuicSetup {
    pub(super) fn new(identity: &SecretKey) -> Result<Self, TransportError> {
        let tls = Setup::new(identity)?;
        let unusable = |error: &dyn std::fmt::Display| TransportError::Config(error.to_string());
        let transport = Arc::new(transport().map_err(|error| unusable(&error))?);
        let crypto = QuicServerConfig::try_from(tls.server()).map_err(|error| unusable(&error))?;
        let mut server = ServerConfig::with_crypto(Arc::new(crypto));
        let mut tokens = ValidationTokenConfig::default();
        tokens.sent(0);
        server
            .transport_config(Arc::clone(&transport))
            .validation_token_config(tokens)
            .max_incoming(BACKLOG)
            .incoming_buffer_size(BACKLOG_BYTES)
            .incoming_buffer_size_total(BACKLOG_BYTES_ALL);
        Ok(Self { tls, server, transport, endpoint: endpoint(identity) })
    }

    /// The node's own id.
    pub(super) const fn node(&self) -> NodeId {
        self.tls.node()
    }

    pub(super) const fn endpoint(&self) -> &EndpointConfig {
        &self.endpoint
    }

    pub(super) fn server(&self) -> ServerConfig {
        self.server.clone()
    }

    pub(super) fn verifier(&self, expected: Option<NodeId>) -> Arc<OneServer> {
        self.tls.verifier(expected)
    }

    /// The set-up of one dial; `None` when the provider lacks what QUIC asks for.
    pub(super) fn client(&self, verifier: Arc<OneServer>) -> Option<ClientConfig> {
        let crypto = QuicClientConfig::try_from(self.tls.client(verifier).ok()?).ok()?;
        let mut client = ClientConfig::new(Arc::new(crypto));
        client.transport_config(Arc::clone(&self.transport)).token_store(Arc::new(NoneTokenStore));
        Some(client)
    }
}

/// A node that starts anew tells peers of its former life that their links are gone (stateless reset, RFC 9000 section
/// 10.3). So what it knows connections by is made from its key, and is the same in each life.
fn endpoint(identity: &SecretKey) -> EndpointConfig {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, identity.expose());
    let reset = hmac::sign(&secret, b"crosscast quic reset v1");
    let ids = hmac::sign(&secret, b"crosscast quic connection ids v1");
    let ids = ids.as_ref().first_chunk().copied().map_or(0, u64::from_be_bytes);
    let mut config = EndpointConfig::new(Arc::new(ResetKey(hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref()))));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

/// The key of stateless resets. Quinn takes one provider's keys as they are, and which one's is decided by whatever else
/// the program is built with; so it gets one of its own.
struct ResetKey(hmac::Key);

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        for (to, from) in signature_out.iter_mut().zip(hmac::sign(&self.0, data).as_ref()) {
            *to = *from;
        }
    }

    fn signature_len(&self) -> usize {
        hmac::HMAC_SHA256.digest_algorithm().output_len()
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        hmac::verify(&self.0, data, signature).map_err(|_| CryptoError)
    }
}

fn transport() -> Result<TransportConfig, quinn::VarIntBoundsExceeded> {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_uni_streams(VarInt::try_from(Lane::ALL.len() as u64)?)
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(LANE_WINDOW))
        .receive_window(VarInt::from_u32(LINK_WINDOW))
        .send_window(u64::from(LINK_WINDOW))
        .max_idle_timeout(Some(SILENCE.try_into()?))
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES))
        .datagram_send_buffer_size(DATAGRAM_BYTES)
        // The bit would tell every observer the link's round trips.
        .allow_spin(false);
    Ok(config)
}
