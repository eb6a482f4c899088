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
pub(crate) const EXPORTER: &[u8] = b"EXPORTER-crosscast";

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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
    use rustls::pki_types::ServerName;
    use rustls::{Connection, HandshakeKind, NamedGroup, ProtocolVersion};

    use super::*;

    fn setup(node: u8) -> Setup {
        Setup::new(&SecretKey::new([node; 32])).unwrap()
    }

    /// Carries bytes from one connection to another.
    fn carry(from: &mut Connection, to: &mut Connection) -> usize {
        let mut bytes = Vec::new();
        while from.wants_write() {
            from.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            to.read_tls(&mut rest).unwrap();
            to.process_new_packets().unwrap();
        }
        bytes.len()
    }

    /// Carries bytes until neither has any; tells how many.
    fn shake(client: &mut Connection, server: &mut Connection) -> usize {
        let mut total = 0;
        loop {
            match carry(client, server) + carry(server, client) {
                0 => return total,
                moved => total += moved,
            }
        }
    }

    fn pair(client: &Setup, server: &Setup) -> (Connection, Connection) {
        let name = ServerName::try_from("any").unwrap();
        let config = client.client(client.verifier(Some(server.node()))).unwrap();
        let client = rustls::ClientConnection::new(config, name).unwrap();
        (client.into(), rustls::ServerConnection::new(server.server()).unwrap().into())
    }

    #[test]
    fn two_nodes_agree_on_the_hybrid_group_the_protocol_and_the_binding() {
        let (mut client, mut server) = pair(&setup(1), &setup(2));
        let bytes = shake(&mut client, &mut server);
        for end in [&client, &server] {
            assert_eq!(end.protocol_version(), Some(ProtocolVersion::TLSv1_3));
            assert_eq!(end.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
            assert_eq!(end.alpn_protocol(), Some(ALPN));
            assert_eq!(end.handshake_kind(), Some(HandshakeKind::Full));
        }
        assert_eq!(binding(&client).unwrap(), binding(&server).unwrap());
        assert!(bytes < 5000, "{bytes} bytes for a link-up");
    }

    #[test]
    fn a_server_without_the_hybrid_answers_in_the_same_round_trip() {
        let (client, mut old) = (setup(1), setup(2));
        let provider = CryptoProvider { kx_groups: vec![kx_group::X25519], ..provider() };
        let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&old.certified) as Arc<_>);
        server.alpn_protocols = vec![ALPN.to_vec()];
        server.send_tls13_tickets = 0;
        old.server = Arc::new(server);
        let (mut client, mut server) = pair(&client, &old);
        shake(&mut client, &mut server);
        assert_eq!(client.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519);
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
    }

    #[test]
    fn nothing_is_left_to_resume_a_session_with() {
        let node = setup(1);
        let client = node.client(node.verifier(None)).unwrap();
        assert!(!client.enable_early_data && !client.enable_sni);
        let server = node.server();
        assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
        assert!(!server.session_storage.can_cache() && !server.ticketer.enabled());
    }
}
