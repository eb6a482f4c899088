//! Who the peer is: the key in its certificate, proved by the handshake's signature. Nothing else is looked at.
//!
//! `verify_*_cert` only reads the key; `verify_tls13_signature` proves it. Whether it is the key that was asked for is
//! judged after the proof, so that a refusal names a key that really answered. TLS 1.2 signatures are never accepted.

use std::sync::{Arc, Mutex, PoisonError};

use crosscast_wire::NodeId;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, PeerMisbehaved, SignatureScheme};

use crate::certificate::node_id;

/// Checks the one server of a dial.
#[derive(Debug)]
pub(crate) struct OneServer {
    algorithms: WebPkiSupportedAlgorithms,
    expected: Option<NodeId>,
    wrong: Mutex<Option<NodeId>>,
}

impl OneServer {
    pub(crate) fn new(provider: &Arc<CryptoProvider>, expected: Option<NodeId>) -> Self {
        Self { algorithms: provider.signature_verification_algorithms, expected, wrong: Mutex::new(None) }
    }

    /// The key that was asked for and the one that proved itself instead.
    pub(crate) fn wrong_key(&self) -> Option<(NodeId, NodeId)> {
        let wrong = *self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        self.expected.zip(wrong)
    }
}

impl ServerCertVerifier for OneServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        node_id(certificate).map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_ed25519(message, certificate, signed, &self.algorithms)?;
        let actual = node_id(certificate)?;
        if self.expected.is_some_and(|expected| expected != actual) {
            *self.wrong.lock().unwrap_or_else(PoisonError::into_inner) = Some(actual);
            return Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure));
        }
        Ok(valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Checks clients: every key is welcome that proves itself.
#[derive(Debug)]
pub(crate) struct AnyClient {
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    pub(crate) fn new(provider: &Arc<CryptoProvider>) -> Self {
        Self { algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        node_id(certificate).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_ed25519(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

fn verify_ed25519(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, Error> {
    if signed.scheme != SignatureScheme::ED25519 {
        return Err(Error::PeerMisbehaved(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme));
    }
    verify_tls13_signature(message, certificate, signed, algorithms)
}

fn tls12() -> Error {
    Error::General("TLS 1.2 is never spoken".to_owned())
}
