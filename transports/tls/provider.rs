//! How TLS is set up: one provider, one version, our own lists.
//!
//! Two providers may be linked into one program, and then rustls cannot choose; so the provider is always named. The
//! key exchanges are the subject of an ADR (0012).

use std::sync::Arc;

use crosscast_transport::TransportError;
use crosscast_wire::{NodeId, SecretKey};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, ServerConfig, SignatureScheme};

use crate::certificate::{assemble, private_key, to_be_signed};
use crate::verify::{AnyClient, OneServer};

/// The protocol both sides must name in the handshake (ALPN, RFC 7301).
pub const ALPN: &[u8] = b"crosscast/1";

/// The label of the exporter (RFC 8446, section 7.5) that binds the hello to the channel.
const EXPORTER: &[u8] = b"EXPORTER-crosscast";

/// Both sides' set-up for one node.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    provider: Arc<CryptoProvider>,
    certified: Arc<SingleCertAndKey>,
    server: Arc<ServerConfig>,
    node: NodeId,
}

impl Setup {
    pub(crate) fn new(identity: &SecretKey) -> Result<Self, TransportError> {
        let provider = Arc::new(provider());
        let certified = Arc::new(SingleCertAndKey::from(certify(&provider, identity).ok_or_else(no_key)?));
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| TransportError::Config(error.to_string()))?
            .with_client_cert_verifier(Arc::new(AnyClient::new(&provider)))
            .with_cert_resolver(Arc::clone(&certified) as Arc<_>);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.max_early_data_size = 0;
        Ok(Self { provider, certified, server: Arc::new(server), node: NodeId::new(identity.public()) })
    }

    /// The node's own id.
    pub(crate) const fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// The set-up of one dial; what the verifier saw can be asked of it afterwards.
    pub(crate) fn client(&self, verifier: Arc<OneServer>) -> Result<Arc<ClientConfig>, rustls::Error> {
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(Arc::clone(&self.certified) as Arc<_>);
        client.alpn_protocols = vec![ALPN.to_vec()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.enable_early_data = false;
        Ok(Arc::new(client))
    }

    pub(crate) fn verifier(&self, expected: Option<NodeId>) -> Arc<OneServer> {
        Arc::new(OneServer::new(&self.provider, expected))
    }
}

/// What ties the hello to a finished channel.
pub(crate) fn binding(connection: &rustls::Connection) -> Result<[u8; 32], rustls::Error> {
    connection.export_keying_material([0; 32], EXPORTER, None)
}

fn provider() -> CryptoProvider {
    let aes = cipher_suite::TLS13_AES_128_GCM_SHA256;
    let chacha = cipher_suite::TLS13_CHACHA20_POLY1305_SHA256;
    CryptoProvider {
        // The client's order counts: what is fast here is what this side sends most of.
        cipher_suites: if has_fast_aes() { vec![aes, chacha] } else { vec![chacha, aes] },
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
        ..aws_lc_rs::default_provider()
    }
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_fast_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "aarch64")]
fn has_fast_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_fast_aes() -> bool {
    false
}

fn certify(provider: &CryptoProvider, identity: &SecretKey) -> Option<CertifiedKey> {
    let key = provider.key_provider.load_private_key(private_key(identity)).ok()?;
    let to_be_signed = to_be_signed(&identity.public());
    let signature = key.choose_scheme(&[SignatureScheme::ED25519])?.sign(&to_be_signed).ok()?;
    Some(CertifiedKey::new(vec![assemble(&to_be_signed, &signature)], key))
}

fn no_key() -> TransportError {
    TransportError::Config("the identity key cannot sign".to_owned())
}
