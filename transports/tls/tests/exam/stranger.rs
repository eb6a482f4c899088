//! Strangers: TLS clients and servers made with whatever key, certificate, version and protocol a test wants.

use std::sync::Arc;

use crosscast_exam::transport::{Station, listening, tcp};
use crosscast_wire::Locator;
use rcgen::{CertificateParams, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::OnLoopback;

/// What a stranger brings to a handshake.
pub(crate) struct Stranger {
    pub(crate) certified: Option<CertifiedKey>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) version: &'static SupportedProtocolVersion,
    pub(crate) groups: Vec<&'static dyn SupportedKxGroup>,
}

impl Stranger {
    /// One that keeps every rule.
    pub(crate) fn polite() -> Self {
        let key = ed25519();
        Self {
            certified: Some(certified(&key, &key)),
            alpn: vec![b"crosscast/1".to_vec()],
            version: &rustls::version::TLS13,
            groups: provider().kx_groups.clone(),
        }
    }

    fn provider(&self) -> Arc<CryptoProvider> {
        Arc::new(CryptoProvider { kx_groups: self.groups.clone(), ..aws_lc_rs::default_provider() })
    }

    /// What it shakes hands with as a client.
    pub(crate) fn client(self) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(self.provider())
            .with_protocol_versions(&[self.version])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Gullible));
        let mut config = match self.certified {
            Some(certified) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self.alpn;
        config
    }

    /// What it shakes hands with as a server.
    pub(crate) fn server(self) -> ServerConfig {
        let mut config = ServerConfig::builder_with_provider(self.provider())
            .with_protocol_versions(&[self.version])
            .unwrap()
            .with_client_cert_verifier(Arc::new(Gullible))
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(self.certified.unwrap())));
        config.alpn_protocols = self.alpn;
        config
    }

    /// Shakes hands as a client; the handshake may look finished to a client that the server then refuses.
    pub(crate) async fn connect(self, at: &Locator) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(at.host_port().unwrap()).await?;
        let name = ServerName::try_from("stranger.example").unwrap();
        TlsConnector::from(Arc::new(self.client())).connect(name, stream).await
    }

    /// Serves one handshake as a server; gives the locator at once.
    pub(crate) async fn serve(self) -> Locator {
        let (listener, at) = tcp::listener(&OnLoopback("127.0.0.1")).await;
        let config = self.server();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(stream).await {
                std::future::pending::<()>().await;
                drop(stream);
            }
        });
        at
    }
}

/// A listening node.
pub(crate) async fn victim() -> (Station, Locator) {
    listening(&OnLoopback("127.0.0.1")).await
}

pub(crate) fn ed25519() -> KeyPair {
    KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()
}

/// A certificate of one key, with a signing key that may be another.
pub(crate) fn certified(named: &KeyPair, signing: &KeyPair) -> CertifiedKey {
    let certificate = CertificateParams::new(vec!["stranger.example".to_owned()]).unwrap().self_signed(named).unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing.serialize_der()));
    let key = provider().key_provider.load_private_key(der).unwrap();
    CertifiedKey::new(vec![certificate.der().clone()], key)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Believes everything, so that only the other side can refuse.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Gullible {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
